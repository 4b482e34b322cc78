"""A session that gives memory back when its calls have been small for long.

ONNX Runtime's arena keeps the memory of the largest call for ever: 45 MiB after a batch of 32
dialogues, 205 MiB after one of 128. A run can be told to free what it did not need, which costs
that run a few ms and the next large one the pages anew; so it is told once, when large calls have
stayed away. Measured: docs/decisions/0029-memory-of-a-worker.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..heap import release_free_memory

_SHRINK = ("memory.enable_memory_arena_shrinkage", "cpu:0")


class Habit(NamedTuple):
    """Which calls of a graph are large, and how many others in succession end their time.

    Attributes:
        feed: the input whose numbers are counted.
        large: a call with more of them is large.
        quiet: small calls in succession after which memory is given back.
    """

    feed: str
    large: int
    quiet: int


# Quiet: about a second of lone replies, some hundred times what it costs to give back.
HABITS: Mapping[str, Habit] = {
    "turn_encoder": Habit("utterances", 256, 64),  # tokens
    "context_encoder": Habit("emotion_labels", 64, 64),  # turns
    "continued_encoder": Habit("emotion_labels", 64, 64),  # as the context encoder
    "decoder_step": Habit("token_ids", 32, 1024),  # rows
}


class TidySession:
    """Runs one graph on the CPU.

    Args:
        session: an InferenceSession.
        habit: what is large for its graph.
        run_options: makes the options of a run; onnxruntime's `RunOptions`.
    """

    def __init__(self, session: Any, habit: Habit, run_options: Callable[[], Any]) -> None:
        self._session, self._habit = session, habit
        self._shrink = run_options()
        self._shrink.add_run_config_entry(*_SHRINK)
        self._left = 0  # small calls to go until memory is given back; 0: there is none

    def run(self, names: Sequence[str] | None, feeds: Mapping[str, Any]) -> list[Any]:
        """Return the outputs of these names, or all for None, as `InferenceSession.run` does."""
        if feeds[self._habit.feed].size > self._habit.large:
            self._left = self._habit.quiet
        elif self._left:
            self._left -= 1
            if not self._left:
                found: list[Any] = self._session.run(names, feeds, self._shrink)
                release_free_memory()  # malloc keeps what the arena frees
                return found
        found = self._session.run(names, feeds)
        return found
