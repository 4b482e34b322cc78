"""Memory is given back once, when large calls have stayed away, and no reply changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from empgan_rt.backends.onnxruntime import tidy_session
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.backends.onnxruntime.tidy_session import HABITS, Habit, TidySession
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.graph_spec import SOS, Candidates, graph_specs
from support.toy_bundle import MODEL, make_toy_bundle, toy_inputs


class Options:
    """Remembers what a run is told."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_run_config_entry(self, name: str, value: str) -> None:
        self.entries[name] = value


class Recorder:
    """A session that tells how it was run."""

    def __init__(self) -> None:
        self.runs: list[tuple[Any, ...]] = []

    def run(self, names: Sequence[str], feeds: Any, *options: Options) -> list[str]:
        self.runs.append(options)
        return [*names]


@pytest.fixture
def trims(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What grows by one whenever malloc is told to give back."""
    told: list[int] = []
    monkeypatch.setattr(tidy_session, "release_free_memory", lambda: told.append(1))
    return told


def sizes_shrunk_at(*sizes: int) -> list[int]:
    """Return the places of the calls that shrink, of calls of these sizes."""
    recorder = Recorder()
    session = TidySession(recorder, Habit("ids", large=10, quiet=3), Options)
    for size in sizes:
        assert session.run(["out"], {"ids": np.zeros(size)}) == ["out"]
    for options in recorder.runs:
        assert [o.entries for o in options] in (
            [],
            [{"memory.enable_memory_arena_shrinkage": "cpu:0"}],
        )
    return [place for place, options in enumerate(recorder.runs) if options]


@pytest.mark.parametrize(
    ("sizes", "shrunk"),
    [
        ((10,) * 9, []),  # never large
        ((11, 1, 1, 1, 1, 1, 1, 1), [3]),  # once, not again
        ((11, 1, 1, 11, 1, 1, 11, 1, 1), []),  # it comes back each time
        ((11, 1, 1, 11, 1, 1, 10, 1), [6]),
        ((11, 1, 1, 1, 11, 1, 1, 1), [3, 7]),
    ],
)
def test_memory_is_given_back_when_large_calls_have_stayed_away(
    sizes: tuple[int, ...], shrunk: list[int], trims: list[int]
) -> None:
    assert sizes_shrunk_at(*sizes) == shrunk
    assert len(trims) == len(shrunk)


def test_every_graph_has_a_habit_and_the_input_that_it_counts() -> None:
    for which, spec in graph_specs(MODEL).items():
        assert HABITS[which].feed in {tensor.name for tensor in spec.inputs}


def test_onnx_runtime_computes_the_same_when_it_gives_memory_back(
    tmp_path: Path, trims: list[int]
) -> None:
    bundle = Bundle.open(make_toy_bundle(tmp_path / "toy"))
    usual = steps(OrtBackend(bundle))
    assert not trims
    backend = OrtBackend(bundle)
    for session in backend._sessions.values():
        session._left = 1  # the next small call gives back
    assert all(
        np.array_equal(mine, other)
        for found, wanted in zip(steps(backend), usual, strict=True)
        for mine, other in (
            (found.token_ids, wanted.token_ids),
            (found.log_probs, wanted.log_probs),
        )
    )
    assert len(trims) == len(backend._sessions)


def steps(backend: OrtBackend) -> list[Candidates]:
    """Return what the decoder says in three steps of two dialogues."""
    encoded = backend.encode(toy_inputs())
    state = backend.open(encoded.rows, 1)
    backend.admit(state, np.arange(encoded.rows, dtype=np.int32), encoded)
    token_ids = np.full((encoded.rows, 1), SOS, np.int32)
    nothing = np.zeros((encoded.rows, 1), np.int32)
    found = []
    for _ in range(3):
        found.append(backend.step(state, token_ids, nothing, nothing[..., None], 2))
        token_ids = found[-1].token_ids[:, :, 0]
    return found
