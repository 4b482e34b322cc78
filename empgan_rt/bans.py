"""What a reply may not say, as ids: single tokens, and phrases of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Phrase = tuple[frozenset[int], ...]  # for each place the ids that may stand there


@dataclass(frozen=True)
class Bans:
    """What one request bans.

    Attributes:
        ids: tokens that never come, ascending.
        phrases: phrases of two places or more that never come, each under every id that may
            stand in its last place but one.
    """

    ids: tuple[int, ...] = ()
    phrases: Mapping[int, tuple[Phrase, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, phrases: Sequence[Phrase]) -> Bans:
        """Return the ban of some phrases; those of one place are single tokens."""
        ids = {i for phrase in phrases if len(phrase) == 1 for i in phrase[0]}
        longer: dict[int, list[Phrase]] = {}
        for phrase in phrases:
            for i in phrase[-2] if len(phrase) > 1 else ():
                longer.setdefault(i, []).append(phrase)
        return cls(tuple(sorted(ids)), {i: tuple(found) for i, found in longer.items()})

    def next_to(self, newest: int, tokens: Sequence[int]) -> list[int]:
        """Return the ids that would complete a phrase at the end of `tokens`.

        Args:
            newest: the last of `tokens`.
            tokens: of a reply so far.
        """
        found: list[int] = []
        for *earlier, last in self.phrases.get(newest, ()):
            told = tokens[-len(earlier) :]
            if len(told) == len(earlier) and all(
                token in ids for token, ids in zip(told, earlier, strict=True)
            ):
                found += last
        return found
