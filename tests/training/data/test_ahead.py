"""Batches ahead of a GPU: the same, in their order, by a thread that is gone afterwards."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from empgan_training.data.ahead import AHEAD, batches_of

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)
MAIN = threading.main_thread().name


@dataclass
class FakeBatch:
    """A batch that remembers what was done to it, and in which thread."""

    number: int
    done: list[str] = field(default_factory=list)

    def pinned(self) -> FakeBatch:
        self.done.append(f"pinned in {threading.current_thread().name}")
        return self

    def to(self, device: torch.device) -> FakeBatch:
        self.done.append(f"to {device.type} in {threading.current_thread().name}")
        return self


@pytest.fixture(autouse=True)
def current(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, torch.device]]:
    """Return which GPU which thread has chosen."""
    found: list[tuple[str, torch.device]] = []
    monkeypatch.setattr(
        torch.cuda, "set_device", lambda d: found.append((threading.current_thread().name, d))
    )
    return found


def others() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batches")]


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


@pytest.mark.parametrize("device", [CPU, GPU])
@pytest.mark.parametrize("count", [0, 1, AHEAD, 20])
def test_every_batch_comes_in_its_order(device: torch.device, count: int) -> None:
    make: Any = FakeBatch
    with batches_of(range(count), make, device) as batches:
        assert [batch.number for batch in batches] == [*range(count)]  # type: ignore[attr-defined]
    assert others() == []


def test_a_gpu_is_given_pinned_batches_by_a_thread_that_chose_it(
    current: list[tuple[str, torch.device]],
) -> None:
    make: Any = FakeBatch
    with batches_of(range(5), make, GPU) as batches:
        done = [batch.done for batch in batches]  # type: ignore[attr-defined]
    ((thread, device),) = current
    assert device == GPU
    assert thread != MAIN
    assert done == [[f"pinned in {thread}", f"to cuda in {MAIN}"]] * 5


def test_a_cpu_needs_no_thread(current: list[tuple[str, torch.device]]) -> None:
    make: Any = FakeBatch
    with batches_of(itertools.count(), make, CPU) as batches:
        assert next(batches).done == [f"to cpu in {MAIN}"]  # type: ignore[attr-defined]
        assert others() == []
    assert current == []


def test_no_more_than_a_few_are_ahead() -> None:
    made: list[int] = []

    def make(number: int) -> Any:
        made.append(number)
        return FakeBatch(number)

    with batches_of(itertools.count(), make, GPU) as batches:
        for taken in range(1, 4):
            next(batches)
            until(lambda taken=taken: len(made) == taken + AHEAD)  # type: ignore[misc]
    assert made == [*range(3 + AHEAD)]
    assert others() == []


@pytest.mark.parametrize("device", [CPU, GPU])
def test_an_error_takes_the_place_of_its_batch(device: torch.device) -> None:
    def make(number: int) -> Any:
        if number == 2:
            raise ValueError("the third")
        return FakeBatch(number)

    with batches_of(range(9), make, device) as batches:
        assert [next(batches).number for _ in range(2)] == [0, 1]  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match="the third"):
            next(batches)
    assert others() == []


def test_a_block_left_early_ends_the_thread() -> None:
    make: Any = FakeBatch

    def leave() -> None:
        with batches_of(itertools.count(), make, GPU) as batches:
            next(batches)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert others() == []
