"""Batches in their order, made ready while a GPU computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import torch

from .batch import Batch

AHEAD = 3  # batches that wait, on a GPU, for the one that is computed

Group = TypeVar("Group")


@contextmanager
def batches_of(
    groups: Iterable[Group], collated: Callable[[Group], Batch], device: torch.device
) -> Iterator[Iterator[Batch]]:
    """Yield an iterator over `collated` of each group, in their order and on a device.

    For a GPU a thread collates the next three into pinned memory, from where they are copied
    without waiting; it is gone when the block ends. On a CPU nothing is done ahead: it is busy.

    Args:
        groups: may have no end.
        collated: what it raises is raised in place of its batch.
    """
    if device.type != "cuda":
        yield (collated(group).to(device) for group in groups)
        return

    def prepared(group: Group) -> Batch:
        return collated(group).pinned()

    def iterate(pool: ThreadPoolExecutor) -> Iterator[Batch]:
        rest = iter(groups)
        waiting: deque[Future[Batch]] = deque()
        while True:
            for group in islice(rest, AHEAD + 1 - len(waiting)):
                waiting.append(pool.submit(prepared, group))
            if not waiting:
                return
            yield waiting.popleft().result().to(device)

    # pinned memory belongs to the GPU that is current in the thread
    pool = ThreadPoolExecutor(1, "batches", torch.cuda.set_device, (device,))
    try:
        yield iterate(pool)
    finally:
        pool.shutdown(cancel_futures=True)
