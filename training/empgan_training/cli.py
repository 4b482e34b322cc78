"""`empgan-rt data` and `evaluate`: parse, call one library function, print."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import click
from click.core import ParameterSource

from empgan_rt.cli import console
from empgan_rt.config import MAX_BEAM_SIZE, SearchConfig
from empgan_rt.errors import InputError

from .data.corpora.corpus import SPLITS
from .data.prepare import prepare as prepare_corpus
from .data.protocol import PrepareOptions
from .data.reply_rule import REPLY_RULES
from .data.source_options import parse_sources
from .data.vocabulary import VocabularyOptions
from .scoring.evaluate import check_predictions_path, save_predictions
from .scoring.evaluate import evaluate as evaluate_model
from .scoring.evaluation import METRICS, EvaluateOptions
from .scoring.files import score_stored
from .scoring.opened_model import open_model
from .scoring.report_text import evaluation_text, prepare_text, text_scores_text

_PATH = click.Path(path_type=Path)
_WORDS = VocabularyOptions()
_PROTOCOL = PrepareOptions()


@click.group()
def data() -> None:
    """Make corpora ready for training."""


@data.command()
@click.argument("paths", nargs=-1, required=True, type=_PATH, metavar="[SOURCE]... OUT")
@click.option(
    "--source", "named", multiple=True, metavar="NAME=PATH", help="A source, with a name."
)
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="[NAME=]NUMBER",
    help="How often a source's training dialogues come in an epoch.  [default: 1]",
)
@click.option(
    "--replies",
    multiple=True,
    metavar="[NAME=]" + "|".join(REPLY_RULES),
    help="Which turns are learned: those that a feedback follows, all, or every second one, the "
    "last included.  [default: listener for EmpatheticDialogues, else answered]",
)
@click.option(
    "--labels",
    type=click.Choice(["dialogue", "turn"]),
    default="dialogue",
    show_default=True,
    help="Of EmpatheticDialogues: the dialogue's gold emotion, or each turn's automatic one.",
)
@click.option(
    "--lexicon",
    default=_WORDS.lexicon,
    metavar="vader|nrclex|FILE",
    help="Where emotion words come from; FILE is NRC's word-level TSV.",
)
@click.option(
    "--split",
    default="official",
    metavar="official|A:B:C",
    help="The corpus's own splits, or shares of train, validation and test, such as 10:1:1.",
)
@click.option("--label-change", is_flag=True, help="Keep only dialogues whose label changes.")
@click.option(
    "--min-count",
    type=click.IntRange(1),
    default=_WORDS.min_count,
    help="A word seen less often in train is unknown.",
)
@click.option(
    "--max-words",
    type=click.IntRange(1),
    default=_WORDS.max_words,
    help="Most words of the vocabulary.",
)
@click.option("--lowercase", is_flag=True, help="Read all text in lower case.")
@click.option(
    "--test-dialogues",
    type=click.IntRange(1),
    default=_PROTOCOL.test_dialogues,
    help="Test dialogues drawn for the tables.",
)
@click.option(
    "--samples-per-dialogue",
    type=click.IntRange(1),
    default=_PROTOCOL.samples_per_dialogue,
    help="Responses drawn from each of those.",
)
@click.option("--seed", type=int, default=_PROTOCOL.seed, help="Of all draws.")
@click.option(
    "--licence",
    "licences",
    multiple=True,
    metavar="[NAME=]TEXT",
    help="Licence of a corpus, which what is trained on it inherits: an SPDX expression, or a line "
    "of text. DailyDialog and EmpatheticDialogues bring theirs; any other needs one.",
)
@click.option("--force", is_flag=True, help="Replace OUT if it is a prepared folder.")
@console.json_option
def prepare(
    paths: tuple[Path, ...],
    named: tuple[str, ...],
    weights: tuple[str, ...],
    replies: tuple[str, ...],
    labels: str,
    lexicon: str,
    split: str,
    label_change: bool,
    min_count: int,
    max_words: int,
    lowercase: bool,
    test_dialogues: int,
    samples_per_dialogue: int,
    seed: int,
    licences: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Read one corpus or several and write the prepared folder OUT.

    A SOURCE is DailyDialog's official distribution, a folder of train, validation and test.jsonl
    (or .json, .ndjson, .csv, .parquet), a ConvoKit folder, or one such file without splits.
    docs/data.md shows every form.
    """
    *sources, out = paths
    found, licence = parse_sources(
        sources, named, weights=weights, licences=licences, replies=replies, labels=labels
    )
    options = PrepareOptions(
        vocabulary=VocabularyOptions(max_words, min_count, lowercase, lexicon),
        label_change=label_change,
        split=_shares(split),
        test_dialogues=test_dialogues,
        samples_per_dialogue=samples_per_dialogue,
        seed=seed,
        licence=licence,
    )
    report = prepare_corpus(found, out, options, force=force, on_progress=console.progress)
    console.emit({**report, "out": str(out)}, prepare_text(report, out), as_json=as_json)


@click.command()
@click.argument("model", required=False)
@click.option("--data", "folder", type=_PATH, help="The folder that `data prepare` wrote.")
@click.option("--split", type=click.Choice(SPLITS), default="test")
@click.option("--source", help="Of a folder of several corpora, score this one alone.")
@click.option("--metrics", default=",".join(METRICS), help="Separated by commas.")
@click.option(
    "--beam", type=click.IntRange(1, MAX_BEAM_SIZE), default=1, help="Beam size; 1 is greedy."
)
@click.option(
    "--labels",
    type=click.Choice(["gold", "recognised"]),
    help="Emotion labels that the model reads.  [default: perplexity both, text recognised]",
)
@click.option(
    "--samples",
    type=click.Choice(["table", "all"]),
    help="What is generated.  [default: table on the test split, else all]",
)
@click.option("--precision", default="fp32", help="A variant of a bundle.")
@click.option("--limit", type=click.IntRange(1), help="Take only the first so many samples.")
@click.option("--save-predictions", "save", type=_PATH, help="JSONL of sample ids and replies.")
@click.option(
    "--predictions",
    type=_PATH,
    help="Score what is stored: plain text, or what --save-predictions wrote; no MODEL then.",
)
@click.option(
    "--references", type=_PATH, help="Line by line, what --predictions of plain text should say."
)
@console.json_option
@click.pass_context
def evaluate(
    context: click.Context,
    model: str | None,
    folder: Path | None,
    split: str,
    source: str | None,
    metrics: str,
    beam: int,
    labels: Literal["gold", "recognised"] | None,
    samples: Literal["table", "all"] | None,
    precision: str,
    limit: int | None,
    save: Path | None,
    predictions: Path | None,
    references: Path | None,
    as_json: bool,
) -> None:
    """Score MODEL on prepared data, or replies that are stored already.

    MODEL is a bundle (a folder, or `default` or `tiny`) or a checkpoint (.safetensors). Stored
    replies are plain text beside --references, or what --save-predictions wrote beside --data.
    """
    if predictions is not None and model is None and (references is None) != (folder is None):
        heeded = {"predictions", "references", "as_json"}
        _refuse_others(context, heeded | ({"folder", "split"} if folder is not None else set()))
        scores = score_stored(predictions, references, folder, split)
        console.emit(scores.as_dict(), text_scores_text(scores), as_json=as_json)
        return
    if model is None or folder is None or predictions is not None or references is not None:
        raise InputError(
            "nothing to evaluate, or two things at once",
            hint="give MODEL --data FOLDER, or --predictions FILE and --references FILE or "
            "--data FOLDER",
        )
    names = tuple(dict.fromkeys(name.strip() for name in metrics.split(",")))
    search = SearchConfig(beam_size=beam)
    options = EvaluateOptions(split, names, labels, samples, limit, search, source=source)
    if save is not None:
        check_predictions_path(save, options)
    opened = open_model(model, precision)
    evaluation = evaluate_model(opened, folder, options, on_progress=console.progress)
    if save is not None and evaluation.generation is not None:
        save_predictions(evaluation.generation.predictions, save)
    console.emit(evaluation.as_dict(), evaluation_text(evaluation), as_json=as_json)


def _refuse_others(context: click.Context, heeded: Collection[str]) -> None:
    """Raise InputError if an option was given that stored replies leave without effect."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in heeded
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    ]
    if given:
        raise InputError(
            f"{', '.join(given)} with --predictions", hint="leave out what changes nothing"
        )


def _shares(text: str) -> tuple[int, int, int] | None:
    """Return the shares in "10:1:1", or None for "official".

    Raises:
        InputError: it is neither.
    """
    if text == "official":
        return None
    parts = text.split(":")
    if len(parts) != 3 or not all(p.isdecimal() and 1 <= int(p[:9]) <= 10_000 for p in parts):
        raise InputError(f"--split {text[:40]!r}", hint="give official, or shares such as 10:1:1")
    first, second, third = map(int, parts)
    return first, second, third
