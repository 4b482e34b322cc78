"""A filled sheet and its key, put together and kept."""

from __future__ import annotations

from pathlib import Path

from empgan_rt.errors import InputError
from empgan_rt.storage.replacing import restored

from ..data.folder import write_folder
from ..stored_json import json_lines
from .draw import read_draw
from .scores import VoiceScores, score
from .sheet import read_ratings
from .text import page_text


def unblind(sheet: Path, key: Path, rater: str, out: Path | None = None) -> VoiceScores:
    """Return the scores of a filled sheet; with `out`, write them and the ratings there.

    Args:
        rater: who read, in words that others will read, such as "one reader, blind; a language
            model".
        out: a new folder for `README.md`, `ratings.jsonl` and `key.json`.

    Raises:
        InputError: the rater is blank, a file cannot be read, or `out` exists.
        DataError: the key or the sheet is damaged, altered or incomplete.
        StorageError: `out` cannot be written.
    """
    if not rater.strip():
        raise InputError("the rater is blank", hint='say who read: "one reader, blind; ..."')
    if out is not None and restored(out):
        raise InputError(f"{out} exists", hint="choose another name")
    draw = read_draw(key)
    rated = read_ratings(sheet, draw)
    scores = score(rated, [*draw.candidates], seed=draw.seed)
    if out is not None:
        files = {
            "README.md": page_text(out.name, rater, draw, scores).encode("utf-8"),
            "ratings.jsonl": json_lines(rated),
            "key.json": json_lines([draw]),
        }
        write_folder(out, files)
    return scores
