"""The engines of a bundle on this machine: found in the cache, or built and put there."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...bundle.bundle import Bundle
from ...bundle.manifest import WEIGHTS_NAME
from ...config import MAX_BEAM_SIZE
from ...errors import InputError
from ...graph_spec import GRAPH_NAMES, NUM_CANDIDATES, GraphSpec, graph_specs
from ..cache import EngineCache, Facts
from .build import build
from .machine import Machine, version_of
from .monitor import PhaseListener
from .prepared_graph import fixed_spec, prepared_graph
from .profiles import Profile, profiles

RECIPE = 1  # raised whenever the same facts make another engine than before
MAX_CANDIDATES = 3840  # TensorRT's TopK takes no more, and says so only when it builds
# That a step offers if one more than beams are too few. Goldens are recorded with the first of
# these, and int8 scores more words again for more, which moves its log-probabilities.
_CANDIDATES = (NUM_CANDIDATES, 64, 512, MAX_CANDIDATES)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """The engine that is wanted.

    Attributes:
        precision: a variant of the bundle.
        graph: one of `graph_spec.GRAPH_NAMES`.
        beam: K of the decoder step; None for encoders.
        candidates: C, what a step returns for each beam; None for encoders. A step that is asked
            for fewer takes the first ones.
    """

    precision: str
    graph: str
    beam: int | None = None
    candidates: int | None = None

    def __str__(self) -> str:
        beam = "" if self.beam is None else f", beam {self.beam}, {self.candidates} candidates"
        return f"{self.graph} in {self.precision}{beam}"


@dataclass(frozen=True)
class Engine:
    """An engine, ready to be deserialised.

    Attributes:
        request: what was wanted.
        plan: the serialised engine, made by this user on this machine.
        spec: its inputs and outputs.
        profiles: its optimisation profiles, in their order.
        cached: whether it was found and not built.
        seconds: what finding or building it took.
    """

    request: Request
    plan: bytes
    spec: GraphSpec
    profiles: tuple[Profile, ...]
    cached: bool
    seconds: float


class EngineRoom:
    """Makes the engines of one bundle.

    Args:
        bundle: an opened bundle.
        machine: what builds them, and for which GPU.
        cache: where they are kept.
        tf32: whether float32 products may drop 13 bits of their operands; off, replies are equal
            to other backends' within rounding.
    """

    def __init__(
        self, bundle: Bundle, machine: Machine, cache: EngineCache, *, tf32: bool = False
    ) -> None:
        self.bundle, self.machine, self.cache, self.tf32 = bundle, machine, cache, tf32

    def engine(self, request: Request, listener: PhaseListener | None = None) -> Engine:
        """Return an engine from the cache, or built now and put there.

        Args:
            request: which one.
            listener: is told of each phase of a build.

        Raises:
            InputError: the bundle has no such precision.
            DependencyError: the package onnx is not installed.
            BundleError: TensorRT cannot read the graph, or it is damaged.
            ProviderError: the engine cannot be built, as when the GPU's memory is full.
            StorageError: it cannot be kept.
            KeyboardInterrupt: Ctrl-C was pressed during a build.
        """
        start = time.perf_counter()
        bundle, model = self.bundle, self.bundle.model
        graph = bundle.graph(request.precision, request.graph)  # checks the precision too
        ranges = profiles(request.graph, model, bundle.limits, request.beam or 1)
        spec = fixed_spec(graph_specs(model)[request.graph], request.beam, request.candidates)
        facts = self._facts(request, ranges)
        plan = self.cache.load(facts)
        found = plan is not None
        if plan is None:
            timing_facts = self._machine_facts("timings")
            ready = prepared_graph(graph, bundle.weights, request.beam, request.candidates)
            built = build(
                self.machine.trt,
                ready,
                spec,
                ranges,
                tf32=self.tf32,
                timings=self.cache.load(timing_facts) or b"",
                listener=listener,
            )
            plan = built.plan
            self.cache.store(facts, plan)
            if built.timings:
                self.cache.store(timing_facts, built.timings)
        seconds = time.perf_counter() - start
        how = "found" if found else "built"
        _log.info("%s %s: %.1f MiB, %.1f s", how, request, len(plan) / 2**20, seconds)
        return Engine(request, plan, spec, ranges, found, seconds)

    def _machine_facts(self, kind: str) -> dict[str, Any]:
        """Return the facts of everything that is made here."""
        return {
            "kind": kind,
            "recipe": RECIPE,
            "tensorrt": version_of(self.machine.trt),
            "gpu": asdict(self.machine.gpu),
        }

    def _facts(self, request: Request, ranges: Sequence[Profile]) -> Facts:
        """Return everything that an engine depends on.

        Of the precision that is the graph: variants that share an encoder share its engine.
        """
        manifest = self.bundle.manifest
        name = manifest.variants[request.precision].graphs[request.graph]
        return {
            **self._machine_facts(request.graph),
            "onnx": manifest.files[name].sha256,
            "weights": manifest.files[WEIGHTS_NAME].sha256,
            "beam": request.beam,
            "candidates": request.candidates,
            "tf32": self.tf32,
            "profiles": [{axis: [*sizes] for axis, sizes in r.items()} for r in ranges],
        }


def requests(
    bundle: Bundle,
    precisions: Sequence[str] = (),
    beams: Sequence[int] = (1, 5),
    candidates: int | None = None,
) -> list[Request]:
    """Return the engines that a search with these beams needs.

    Args:
        bundle: an opened bundle.
        precisions: its variants; none means all.
        beams: one decoder step is built for each.
        candidates: of each beam; None is one more than there are beams, which a beam search needs.
            Sampling needs `top_k`, and a repetition penalty one more for every token of a reply.

    Raises:
        InputError: a precision, a beam or the number of candidates cannot be.
    """
    most = min(bundle.model.vocabulary_size, MAX_CANDIDATES)
    found = []
    for precision in dict.fromkeys(precisions or sorted(bundle.manifest.variants)):
        bundle.graph(precision, GRAPH_NAMES[0])  # raises if there is no such precision
        found += [Request(precision, graph) for graph in GRAPH_NAMES if graph != "decoder_step"]
        for beam in dict.fromkeys(beams):
            wanted = min(beam + 1, most) if candidates is None else candidates
            if not 1 <= beam <= MAX_BEAM_SIZE:
                raise InputError(f"beam {beam}", hint=f"give 1 to {MAX_BEAM_SIZE}")
            if not min(beam + 1, most) <= wanted <= most:
                raise InputError(
                    f"{wanted} candidates with beam {beam}",
                    hint=f"give {min(beam + 1, most)} to {most}",
                )
            offered = enough_candidates(beam, wanted, bundle.model.vocabulary_size)
            found.append(Request(precision, "decoder_step", beam, offered))
    return found


def enough_candidates(beam: int, wanted: int, words: int) -> int:
    """Return how many candidates the engine offers that a step for `wanted` runs on.

    They come in few sizes, so that searches which want a few more find an engine that is there.

    Args:
        beam: K of the step.
        wanted: of each beam.
        words: V.

    Raises:
        InputError: TensorRT cannot offer so many.
    """
    most = min(words, MAX_CANDIDATES)
    if wanted > most:
        raise InputError(
            f"{wanted} candidates of each beam, but TensorRT offers {most} at most",
            hint="choose a smaller top_k or max_length, or use ONNX Runtime",
        )
    return next(min(size, most) for size in (beam + 1, *_CANDIDATES) if wanted <= size)
