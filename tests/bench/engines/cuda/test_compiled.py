"""What `torch.compile` makes of a step writes eager's replies; here without CUDA graphs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from empgan_bench.engines.base import Engine
from empgan_bench.engines.cuda.compiled import CompiledBackend
from empgan_bench.measuring.workload import load_workload
from empgan_bench.workers.worker import measure
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_training.eager import EagerBackend

KINDS = (CompiledBackend, EagerBackend)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's own code
def test_replies_are_eagers_and_few_shapes_are_compiled_for(
    small_bundle: tuple[Path, Path],
) -> None:
    torch._dynamo.reset()
    counters.clear()
    bundle = Bundle.open(small_bundle[1])
    words = bundle.model.vocabulary_size
    backends = [kind(EagerBackend.from_bundle(bundle).generator) for kind in KINDS]
    workload = load_workload(None, bundle.featurizer())
    for batch in (1, 3):
        for beams in (1, 3):
            search = SearchConfig(beam_size=beams, max_length=8)
            for inputs in workload.batches(batch, 1)[:2]:
                found, wanted = (
                    measure(Engine(backend, words, {}), inputs, search).replies
                    for backend in backends
                )
                assert found == wanted
    # One for batch, beams and turns being 1 or more each, and for rows that lie apart on the host.
    assert 4 <= counters["stats"]["unique_graphs"] <= 12
