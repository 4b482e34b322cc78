"""What is read of a corpus: its dialogues, and what was wrong with it.

A few malformed lines are left out, and told of: one in fifty up to ten of them, and one in a
thousand where that is more. Beyond that the corpus is refused, since then it is probably not the
line that is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from empgan_rt.errors import DataError

from .clean import TextCounts
from .emotions import label_of, told_of_labels

SPLITS = ("train", "validation", "test")
WHOLE = "all"  # the one part of a corpus without splits
_MOST_BAD_LINES = 10_000  # after so many, the rest is not even read
_MOST_BLANK_LINES = 100_000
_SHOWN = 3

log = logging.getLogger(__name__)


class Line(NamedTuple):
    """One dialogue as a file tells it, checked by nobody.

    Attributes:
        where: the file and the line, for errors.
        utterances: should be a list of texts.
        emotions: should be a list of labels, see `label_of`; None where the line has no labels.
        fault: what is wrong with it, if that is known already.
        known: the corpus that has lines like this one, if one has, see `sources.KNOWN`.
    """

    where: str
    utterances: object = None
    emotions: object = None
    fault: str = ""
    known: str = ""


@dataclass(frozen=True)
class LabelledDialogue:
    """One dialogue as it stands in a corpus.

    Attributes:
        id: such as "test-00017".
        emotions: of each utterance, DailyDialog's integers, 0 to 6; None where there is no label.
    """

    id: str
    utterances: tuple[str, ...]
    emotions: tuple[int | None, ...]

    @property
    def labelled(self) -> bool:
        """Whether any turn has a label."""
        return any(label is not None for label in self.emotions)


@dataclass
class Corpus:
    """What was read: dialogues by split ("all" if the source has no splits), and bad lines.

    Attributes:
        known: which corpus this is, see `sources.KNOWN`; empty for a corpus of somebody's own.
        texts: what exports left in the texts.
    """

    splits: dict[str, list[LabelledDialogue]] = field(default_factory=dict)
    bad_lines: list[str] = field(default_factory=list)
    known: str = ""
    texts: TextCounts = field(default_factory=TextCounts)

    @property
    def total(self) -> int:
        """Lines read, good and bad."""
        return sum(map(len, self.splits.values())) + len(self.bad_lines)

    @property
    def dialogues(self) -> list[LabelledDialogue]:
        """Those of every split."""
        return [dialogue for part in self.splits.values() for dialogue in part]

    def collect(self, split: str, lines: Iterator[Line]) -> None:
        """Add a split's good lines, and what is wrong with the others.

        Of a file in which most lines have labels, a line without any is a bad one.

        Raises:
            DataError: more than ten thousand lines are bad.
        """
        part: list[tuple[str, LabelledDialogue]] = []
        for number, line in enumerate(lines):
            fault = line.fault or _fault(line.utterances, line.emotions)
            if fault:
                self._add_bad(line.where, fault)
                continue
            try:
                labels = _labels(line)
            except ValueError as error:
                self._add_bad(line.where, str(error))
                continue
            self.known = self.known or line.known
            texts = tuple(map(self.texts.cleaned, _texts(line)))
            part.append((line.where, LabelledDialogue(f"{split}-{number:05d}", texts, labels)))
        with_labels = sum(dialogue.labelled for _, dialogue in part)
        kept = self.splits.setdefault(split, [])
        for where, dialogue in part:
            if dialogue.labelled or with_labels <= len(part) - with_labels:
                kept.append(dialogue)
            else:
                self._add_bad(where, "no label of any turn, other lines have some")

    def _add_bad(self, where: str, fault: str) -> None:
        self.bad_lines.append(f"{where}: {fault}")
        if len(self.bad_lines) > _MOST_BAD_LINES:
            self.check()

    def check(self) -> None:
        """Tell of what is not as it should be.

        Raises:
            DataError: too many lines are malformed; the first ones are named.
        """
        bad, total = len(self.bad_lines), self.total
        allowed = max(total // 1000, min(10, total // 50))
        first = "; ".join(self.bad_lines[:_SHOWN])
        if bad > allowed:
            raise DataError(
                f"{bad:,} of {total:,} lines are malformed, at most {allowed} of so many are "
                f"accepted; first: {first}",
                hint="mend them or fetch the corpus anew; docs/data.md shows every form",
            )
        if bad:
            log.info("%d of %s lines are malformed and left out: %s", bad, f"{total:,}", first)
        for sentence in self.notes():
            log.warning("%s", sentence)

    def notes(self) -> list[str]:
        """Return what is odd about texts and labels, a sentence each."""
        labels = [label for dialogue in self.dialogues for label in dialogue.emotions]
        return [*self.texts.told(), *told_of_labels(labels)]


def bounded(lines: Iterator[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not blank, each with its number.

    Raises:
        DataError: a hundred thousand lines are blank.
    """
    blank = 0
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, line
            continue
        blank += 1
        if blank > _MOST_BLANK_LINES:
            raise DataError(
                f"{name}:{number}: more than {_MOST_BLANK_LINES:,} lines are blank",
                hint="fetch the corpus anew",
            )


def _fault(utterances: object, emotions: object) -> str:
    """Return what is wrong with one line, its labels' values left out, or an empty string."""
    if not isinstance(utterances, list) or not isinstance(emotions, list | None):
        return (
            f"wanted a list of utterances and a list of emotions, saw "
            f"{type(utterances).__name__} and {type(emotions).__name__}"
        )
    if not utterances:
        return "no utterance"
    if emotions is not None and len(utterances) != len(emotions):
        return f"{len(utterances)} utterances but {len(emotions)} emotions"
    if not all(isinstance(text, str) and _is_readable(text) for text in utterances):
        return "an utterance is empty or no text"
    return ""


def _texts(line: Line) -> list[str]:
    return [str(text) for text in line.utterances] if isinstance(line.utterances, list) else []


def _labels(line: Line) -> tuple[int | None, ...]:
    if isinstance(line.emotions, list):
        return tuple(map(label_of, line.emotions))
    return (None,) * len(_texts(line))


def _is_readable(text: str) -> bool:
    """Return whether the text can be written as UTF-8 and holds a character that shows."""
    surrogate = any("\ud800" <= c <= "\udfff" for c in text)
    return not surrogate and any(c.isprintable() and not c.isspace() for c in text)
