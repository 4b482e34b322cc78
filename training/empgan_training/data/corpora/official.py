"""DailyDialog's official distribution (Li et al. 2017b).

`dialogues_text.txt` holds a dialogue a line, each utterance ended by `__eou__`, and
`dialogues_emotion.txt` its labels; per split they lie in a folder or a zip of the split's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from empgan_rt.errors import DataError

from .corpus import Line
from .files import MAX_LINE_BYTES, in_utf_8, lines_of, read_members, read_text

_END = "__eou__"
_WHOLE = ("dialogues_text.txt", "dialogues_emotion.txt")


def official_split(source: Path, split: str) -> Iterator[Line] | None:
    """Return the dialogues of one split, or None if there is none.

    Raises:
        DataError: a file is damaged or missing.
    """
    texts, emotions = f"dialogues_{split}.txt", f"dialogues_emotion_{split}.txt"
    folder = source / split
    if (folder / texts).is_file():
        read = read_text(folder / texts), read_text(folder / emotions)
        return _lines(f"{split}/{texts}", f"{split}/{emotions}", *read)
    archive = source / f"{split}.zip"
    if archive.is_file():
        names = f"{archive.name}:{texts}", f"{archive.name}:{emotions}"
        first, second = read_members(archive, (texts, emotions))
        return _lines(*names, in_utf_8(first, names[0]), in_utf_8(second, names[1]))
    return None


def official_whole(source: Path) -> Iterator[Line] | None:
    """Return the dialogues of the distribution without splits, or None if it is none.

    Raises:
        DataError: a file is damaged or missing.
    """
    if not (source / _WHOLE[0]).is_file():
        return None
    return _lines(*_WHOLE, *(read_text(source / name) for name in _WHOLE))


def _lines(name: str, labels_name: str, texts: bytes, emotions: bytes) -> Iterator[Line]:
    texts, emotions = texts.rstrip(), emotions.rstrip()  # blank lines at the end are none
    # split as bytes: a str also breaks at U+0085 or U+2028, which may stand inside an utterance
    counts = [sum(1 for _ in lines_of(data)) for data in (texts, emotions)]
    if counts[0] != counts[1]:
        raise DataError(
            f"{name} has {counts[0]} lines, its emotion file {counts[1]} ({labels_name})",
            hint="fetch the corpus anew",
        )
    for number, (line, labels) in enumerate(
        zip(lines_of(texts), lines_of(emotions), strict=True), start=1
    ):
        where = f"{name}:{number}"
        if max(len(line), len(labels)) > MAX_LINE_BYTES:
            yield Line(where, fault=f"longer than {MAX_LINE_BYTES:,} bytes")
        elif line.strip() or labels.strip():  # one that is blank in both files is none
            yield _line(where, line, labels)


def _line(where: str, line: bytes, labels: bytes) -> Line:
    utterances = [part.strip() for part in line.decode("utf-8", errors="replace").split(_END)]
    if not utterances[-1]:
        utterances.pop()  # the mark ends an utterance, so the last piece is empty
    try:
        emotions = [int(label) for label in labels.split()]
    except ValueError:
        return Line(where, fault="its labels are no integers")
    return Line(where, utterances, emotions, known="dailydialog")
