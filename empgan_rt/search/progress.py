"""How far the searches of a batch are, as plain numbers that a step counts on.

They are found anew when a search begins or ends, which is seldom. To ask small arrays at every step
costs microseconds each time.
"""

from __future__ import annotations

from dataclasses import dataclass

from .rules import LengthArray, SearchRules


@dataclass
class Progress:
    """The progress of a search, over its active slots.

    Attributes:
        running: whether there are any.
        longest: tokens of the longest; 0 if there are none.
        together: whether all have as many.
        to_limit: steps until the first is as long as it may be; -1 if there are none.
        to_minimum: steps until all may end; 0 or less if they may.
        candidates: of each row, so many as make the next steps exact; 0 if there are none.
    """

    running: bool
    longest: int
    together: bool
    to_limit: int
    to_minimum: int
    candidates: int

    @classmethod
    def of(cls, active: LengthArray, lengths: LengthArray, rules: SearchRules) -> Progress:
        """Return that of slots; `active` is 1 for those that are searched, else 0."""
        searched = active > 0
        own = lengths[searched]
        if not own.size:
            return cls(False, longest=0, together=True, to_limit=-1, to_minimum=0, candidates=0)
        longest = int(own.max())
        return cls(
            running=True,
            longest=longest,
            together=bool((own == longest).all()),
            to_limit=int((rules.max_length[searched] - own).min()),
            to_minimum=int((rules.min_length[searched] - own).max()),
            candidates=int(rules.num_candidates[searched].max()),
        )

    def step(self) -> None:
        """Count a token more for each."""
        self.longest += 1
        self.to_limit -= 1
        self.to_minimum -= 1
