"""A peer without a library: its versions say what its worker sees, its settings what it heard."""

from __future__ import annotations

import os
import time
from pathlib import Path

from empgan_bench.engines.base import Prepared
from empgan_bench.engines.peers.measuring import flat_words, timed
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import EncoderInput

PACKAGES = ("numpy",)


class FakePeer:
    """Waits a moment for each dialogue; replies are `short` tokens shorter than wanted."""

    def __init__(self, threads: int, words: int, short: int) -> None:
        self._threads, self._words, self._short = threads, words, short
        first = Path(os.environ["PYTHONPATH"].split(os.pathsep)[0])
        self.versions = {"fake": ", ".join(sorted(path.name for path in first.iterdir()))}

    def prepared(self, inputs: EncoderInput, search: SearchConfig) -> Prepared:
        sources = flat_words(inputs)
        assert all(0 < word < self._words for ids in sources for word in ids)

        def decode() -> list[int]:
            time.sleep(1e-3 * len(sources))
            return [search.max_length - self._short] * len(sources)

        told = f"beam {search.beam_size}, {self._threads} threads"
        return Prepared(lambda: timed("fake", decode, search.max_length), told)


def open_fake(bundle: str, threads: int) -> FakePeer:
    return FakePeer(threads, Bundle.open(bundle).model.vocabulary_size, 0)


def open_short(bundle: str, threads: int) -> FakePeer:
    return FakePeer(threads, Bundle.open(bundle).model.vocabulary_size, 1)
