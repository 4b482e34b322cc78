"""`data prepare`: corpora to clean splits, vocabularies and a report, under one protocol.

A folder of one corpus in which every turn has a label and every response a feedback is of format
1, as all were before there could be several sources. Any other is of format 2: its rows name their
source, ids begin with it, and `sources.json` says of each source what training has to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from empgan_rt.errors import InputError
from empgan_rt.storage.replacing import restored
from empgan_rt.text.tokenizer import Tokenizer

from ..progress import OnProgress, silent
from ..stored_json import json_file, json_lines
from .corpora.corpus import SPLITS, LabelledDialogue
from .folder import write_folder
from .protocol import CleanSource, PrepareOptions, apply_protocol, table_samples
from .report import make_report
from .sources import SOURCES_NAME, ReadSource, Source, read_sources
from .vocabulary import build_lexicon, build_tokenizer

_STEPS = 5


def prepare(
    sources: Path | Sequence[Source],
    out: Path,
    options: PrepareOptions,
    *,
    force: bool = False,
    on_progress: OnProgress = silent,
) -> Mapping[str, Any]:
    """Read corpora, write the prepared folder and return its report.

    The folder appears whole or not at all.

    Args:
        sources: a path stands for the one source there.
        force: replace `out` if it is a prepared folder.
        on_progress: is told of reading, cleaning, words, emotion words and writing.

    Raises:
        InputError: `out` exists and `force` is not set or it is no prepared folder, or a source
            is no corpus in a known form, or has a licence that nobody knows.
        DataError: too many malformed lines, or a split is missing or left empty.
        StorageError: the folder cannot be written.
    """
    exists = restored(out)
    if exists and not force:
        raise InputError(f"{out} exists", hint="choose another folder or pass --force")
    if exists and not (out / "report.json").is_file():
        raise InputError(f"{out} is no prepared folder", hint="--force replaces those only")
    if isinstance(sources, Path):
        sources = [Source(sources, licence=options.licence)]
    with on_progress("prepare", _STEPS) as reporter:
        reporter.update(0, "reading")
        read = read_sources(sources, options.licence)
        several = len(read) > 1 or not read[0].plain
        reporter.update(1, "cleaning")
        rules = Tokenizer.from_words([], lowercase=options.vocabulary.lowercase)
        parts = apply_protocol([_normalised(source, rules) for source in read], options)
        reporter.update(2, "words")
        turns = [text for part in parts for d in part.splits["train"] for text in d.utterances]
        tokenizer = build_tokenizer(turns, options.vocabulary)
        sentences = [tokenizer.words(text) for text in turns]
        reporter.update(3, "emotion words")
        lexicon = build_lexicon(sentences, options.vocabulary)
        reporter.update(4, "writing")
        samples = [
            {"dialogue": _id(part, dialogue, several=several), "response": response}
            for part in parts
            for dialogue, response in table_samples(part, options)
        ]
        lexicon_tsv, vocabulary_txt = lexicon.to_files()
        files = {f"{name}.jsonl": _rows(parts, name, several=several) for name in SPLITS}
        files |= {
            "tokenizer.json": tokenizer.to_json(),
            "emotion_lexicon.tsv": lexicon_tsv,
            "emotion_vocabulary.txt": vocabulary_txt,
            "test_samples.jsonl": json_lines(samples),
        }
        if several:
            files[SOURCES_NAME] = json_file({s.name: s.facts for s in read})
        report = make_report(
            parts, sentences, tokenizer, lexicon, len(samples), files, options, several=several
        )
        files["report.json"] = json_file(report)
        write_folder(out, files)
        reporter.update(_STEPS)
    return report


def _normalised(source: ReadSource, rules: Tokenizer) -> ReadSource:
    splits = {
        split: [replace(d, utterances=tuple(map(rules.normalise, d.utterances))) for d in part]
        for split, part in source.corpus.splits.items()
    }
    return replace(source, corpus=replace(source.corpus, splits=splits))


def _id(part: CleanSource, dialogue: str, *, several: bool) -> str:
    return f"{part.source.name}/{dialogue}" if several else dialogue


def _rows(parts: Sequence[CleanSource], split: str, *, several: bool) -> bytes:
    """Return the file of a split: the dialogues of each source, one source after the other."""

    def stored(part: CleanSource, dialogue: LabelledDialogue) -> dict[str, Any]:
        found = asdict(dialogue)
        if several:
            found |= {"id": _id(part, dialogue.id, several=True), "source": part.source.name}
        return found

    return json_lines(stored(part, d) for part in parts for d in part.splits[split])
