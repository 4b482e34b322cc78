"""An observer that remembers what it was told."""

from __future__ import annotations

import threading

from empgan_rt.server.observer import Finished


class Recorder:
    """Keeps everything; `over` is set when a request that was accepted is over."""

    def __init__(self) -> None:
        self.accepted_ones: list[tuple[str, str]] = []
        self.first_tokens: list[tuple[str, float]] = []
        self.token_counts: list[int] = []
        self.finished_ones: list[Finished] = []
        self.refused_ones: list[tuple[str, int, str]] = []
        self.over = threading.Event()

    def accepted(self, endpoint: str, model: str) -> None:
        self.accepted_ones.append((endpoint, model))

    def first_token(self, model: str, elapsed_s: float) -> None:
        self.first_tokens.append((model, elapsed_s))

    def tokens(self, model: str, count: int, elapsed_s: float) -> None:
        assert elapsed_s >= 0
        self.token_counts.append(count)

    def finished(self, finished: Finished) -> None:
        self.finished_ones.append(finished)
        self.over.set()

    def refused(self, endpoint: str, status: int, code: str) -> None:
        self.refused_ones.append((endpoint, status, code))

    def render(self) -> tuple[str, bytes]:
        return "text/plain; version=0.0.4", b"# nothing\n"
