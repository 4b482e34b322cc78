"""Scores of replies that are stored already: anybody's plain text, or what `evaluate` saved."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

from empgan_rt.config import Limits
from empgan_rt.errors import DataError, InputError

from ..data.prepared import PreparedData, all_samples
from ..metrics.scores import TextScores, score_texts
from .predictions import read_predictions


def score_stored(
    predictions: Path, references: Path | None, folder: Path | None, split: str = "test"
) -> TextScores:
    """Return the text metrics of stored replies.

    Args:
        predictions: plain text, one reply a line, tokens between white space, beside `references`;
            or what `evaluate --save-predictions` wrote, beside `folder`.
        references: what those should say, line by line.
        folder: the prepared folder that the samples are of. Their references are the corpus's
            responses, as words of the folder's tokenizer.
        split: theirs.

    Raises:
        InputError: a file cannot be read, `predictions` are of the other kind, or `folder` is no
            prepared folder.
        DataError: the files do not pair up, or hold nothing.
        DependencyError: a package of the metrics is missing.
    """
    by_sample = _holds_samples(predictions)
    if references is not None and not by_sample:
        return score_texts(_token_lines(predictions), _token_lines(references))
    if folder is None or not by_sample:
        held = "replies by the ids of samples" if by_sample else "plain text"
        wanted = "--data FOLDER" if by_sample else "--references FILE"
        raise InputError(f"{predictions} holds {held}", hint=f"give {wanted} beside it")
    replies = read_predictions(predictions).by_sample
    data = PreparedData(folder, Limits())
    samples = {sample.id: sample for sample in all_samples(data.split(split))}
    strangers = [name for name in replies if name not in samples]
    if strangers:
        raise DataError(
            f"{predictions}: {len(strangers)} of {len(replies)} samples are not in the split "
            f"{split}, such as {strangers[0][:40]!r}",
            hint="give the folder and the --split that the replies were generated from",
        )
    responses = [samples[name].dialogue.texts[samples[name].response] for name in replies]
    return score_texts(
        [hypothesis.split() for hypothesis in replies.values()],
        [data.featurizer.tokenizer.words(text) for text in responses],
    )


def _holds_samples(path: Path) -> bool:
    """Return whether a file begins as what `evaluate --save-predictions` writes.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return start.removeprefix(BOM_UTF8).lstrip().startswith(b'{"id":')


def _token_lines(path: Path) -> list[list[str]]:
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8", hint="write one text a line in UTF-8") from error
    if not lines[-1]:
        lines.pop()  # the mark ends a line, so the last piece is empty
    return [line.split() for line in lines]
