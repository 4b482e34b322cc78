"""What a reply may not say, as ids: single tokens, and phrases of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Phrase = tuple[frozenset[int], ...]  # for each place the ids that may stand there


@dataclass(frozen=True)
class Ends:
    """What may not follow one token.

    Attributes:
        ids: ends of phrases of two places.
        longer: phrases whose last place but one the token may stand in.
    """

    ids: tuple[int, ...]
    longer: tuple[Phrase, ...]

    def after(self, tokens: Sequence[int]) -> list[int]:
        """Return the ids that would complete a phrase at the end of these tokens of a reply."""
        found = [*self.ids]
        for *earlier, last in self.longer:
            told = tokens[-len(earlier) :]
            if len(told) == len(earlier) and all(
                token in ids for token, ids in zip(told, earlier, strict=True)
            ):
                found += last
        return found


@dataclass(frozen=True)
class Bans:
    """What one request bans.

    Attributes:
        ids: tokens that never come, ascending.
        ends: what may not follow a token, for the tokens before the last of a phrase.
    """

    ids: tuple[int, ...] = ()
    ends: Mapping[int, Ends] = field(default_factory=dict)

    @classmethod
    def of(cls, phrases: Sequence[Phrase]) -> Bans:
        """Return the ban of some phrases; those of one place are single tokens."""
        ids = {i for phrase in phrases if len(phrase) == 1 for i in phrase[0]}
        pairs: dict[int, set[int]] = {}
        longer: dict[int, list[Phrase]] = {}
        for phrase in phrases:
            for i in phrase[-2] if len(phrase) > 1 else ():
                if len(phrase) == 2:
                    pairs.setdefault(i, set()).update(phrase[1])
                else:
                    longer.setdefault(i, []).append(phrase)
        ends = {
            i: Ends(tuple(sorted(pairs.get(i, ()))), tuple(longer.get(i, ())))
            for i in (pairs | longer)
        }
        return cls(tuple(sorted(ids)), ends)
