"""`data prepare`: a corpus to clean splits, vocabularies and a report, under one protocol.

The protocol of every result (see docs/paper-readings.md): the official split; duplicates
dropped ignoring case, spaces and punctuation, and dialogues of validation and test removed from
train; at least three turns, so that each has a (context, response, feedback) triple.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from empgan_rt.config import check_seed
from empgan_rt.errors import DataError, InputError
from empgan_rt.storage.replacing import restored
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.tokenizer import Tokenizer

from ..stored_json import json_file, json_lines
from .corpora.reading import SPLITS, Corpus, LabelledDialogue, read_corpus
from .folder import write_folder
from .vocabulary import (
    PAPER_EMOTION_VOCABULARY,
    PAPER_VOCABULARY,
    VocabularyOptions,
    build_lexicon,
    build_tokenizer,
)

PAPER_DIALOGUES = 11_102
DAILYDIALOG_LICENCE = "CC-BY-NC-SA-4.0"
EMOTION_NAMES = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrepareOptions:
    """What `data prepare` does beyond the protocol.

    Attributes:
        vocabulary: how words are chosen.
        label_change: keep only dialogues whose label changes (the paper's subset).
        split: None for the official split, else the shares of train, validation and test.
        min_turns: fewest turns of a dialogue.
        test_dialogues: dialogues drawn for the tables, all if there are fewer.
        samples_per_dialogue: table samples drawn from each of those.
        seed: of the re-split and of the draws.
        licence: SPDX name of the corpus's licence, which what is trained on it inherits.

    Raises:
        InputError: the seed is negative or too large.
    """

    vocabulary: VocabularyOptions = field(default_factory=VocabularyOptions)
    label_change: bool = False
    split: tuple[int, int, int] | None = None
    min_turns: int = 3
    test_dialogues: int = 925
    samples_per_dialogue: int = 1
    seed: int = 1
    licence: str = DAILYDIALOG_LICENCE

    def __post_init__(self) -> None:
        check_seed(self.seed)


def prepare(
    source: Path, out: Path, options: PrepareOptions, *, force: bool = False
) -> Mapping[str, Any]:
    """Read a corpus, write the prepared folder and return its report.

    The folder appears whole or not at all.

    Raises:
        InputError: `out` exists and `force` is not set or it is no prepared folder, or `source`
            is no known corpus.
        DataError: too many malformed lines, or a split is left empty.
        StorageError: the folder cannot be written.
    """
    exists = restored(out)
    if exists and not force:
        raise InputError(f"{out} exists", hint="choose another folder or pass --force")
    if exists and not (out / "report.json").is_file():
        raise InputError(f"{out} is no prepared folder", hint="--force replaces those only")
    corpus = read_corpus(source)
    rules = Tokenizer.from_words([], lowercase=options.vocabulary.lowercase)
    splits, dropped = _apply_protocol(_normalised(corpus, rules), options)
    turns = [text for d in splits["train"] for text in d.utterances]
    tokenizer = build_tokenizer(turns, options.vocabulary)
    sentences = [tokenizer.words(text) for text in turns]
    lexicon = build_lexicon(sentences, options.vocabulary)
    samples = _table_samples(splits["test"], options)

    lexicon_tsv, vocabulary_txt = lexicon.to_files()
    files = {f"{name}.jsonl": json_lines(map(asdict, splits[name])) for name in SPLITS}
    files |= {
        "tokenizer.json": tokenizer.to_json(),
        "emotion_lexicon.tsv": lexicon_tsv,
        "emotion_vocabulary.txt": vocabulary_txt,
        "test_samples.jsonl": json_lines(samples),
    }
    report = _report(corpus, splits, sentences, tokenizer, lexicon, len(samples), files, options)
    report["dropped"] = dropped
    files["report.json"] = json_file(report)
    write_folder(out, files)
    return report


def _normalised(corpus: Corpus, rules: Tokenizer) -> dict[str, list[LabelledDialogue]]:
    return {
        split: [
            LabelledDialogue(d.id, tuple(map(rules.normalise, d.utterances)), d.emotions)
            for d in dialogues
        ]
        for split, dialogues in corpus.splits.items()
    }


def _key(dialogue: LabelledDialogue) -> str:
    """Return the dialogue's text without case, spaces and punctuation."""
    return "".join(c for c in " ".join(dialogue.utterances).lower() if c.isalnum())


def _apply_protocol(
    raw: dict[str, list[LabelledDialogue]], options: PrepareOptions
) -> tuple[dict[str, list[LabelledDialogue]], dict[str, int]]:
    """Return clean splits, and how many dialogues were dropped for which reason.

    Test comes first, then validation, so that train gives way to both.
    """
    if options.split is not None or "all" in raw:
        raw = _resplit([d for part in raw.values() for d in part], options)
    seen: set[str] = set()
    dropped = {"duplicate": 0, "too_short": 0, "label_change": 0}
    splits: dict[str, list[LabelledDialogue]] = {}
    for name in ("test", "validation", "train"):
        kept = []
        for dialogue in raw.get(name, []):
            key = _key(dialogue)
            if key in seen:
                dropped["duplicate"] += 1
                continue
            seen.add(key)
            if len(dialogue.utterances) < options.min_turns:
                dropped["too_short"] += 1
            elif options.label_change and len(set(dialogue.emotions)) < 2:
                dropped["label_change"] += 1
            else:
                kept.append(dialogue)
        if not kept:
            raise DataError(f"no {name} dialogue is left", hint="check the source and the filters")
        splits[name] = kept
    return splits, dropped


def _resplit(
    dialogues: list[LabelledDialogue], options: PrepareOptions
) -> dict[str, list[LabelledDialogue]]:
    shares = options.split or (10, 1, 1)
    order = random.Random(options.seed).sample(dialogues, len(dialogues))
    first = len(order) * shares[0] // sum(shares)
    second = first + len(order) * shares[1] // sum(shares)
    return {"train": order[:first], "validation": order[first:second], "test": order[second:]}


def _table_samples(
    dialogues: Sequence[LabelledDialogue], options: PrepareOptions
) -> list[dict[str, Any]]:
    """Draw the samples of the tables: some dialogues, a fixed number of responses in each."""
    draw = random.Random(options.seed)
    chosen = draw.sample(range(len(dialogues)), min(options.test_dialogues, len(dialogues)))
    samples = []
    for index in sorted(chosen):
        dialogue = dialogues[index]
        responses = range(1, len(dialogue.utterances) - 1)
        count = min(options.samples_per_dialogue, len(responses))
        samples += [
            {"dialogue": dialogue.id, "response": response}
            for response in sorted(draw.sample(responses, count))
        ]
    return samples


def _report(
    corpus: Corpus,
    splits: dict[str, list[LabelledDialogue]],
    train_sentences: Sequence[list[str]],
    tokenizer: Tokenizer,
    lexicon: EmotionLexicon,
    table_samples: int,
    files: Mapping[str, bytes],
    options: PrepareOptions,
) -> dict[str, Any]:
    words = [word for sentence in train_sentences for word in sentence]
    known = frozenset(tokenizer.vocabulary)
    counts = {}
    for name in SPLITS:
        labels = Counter(e for d in splits[name] for e in d.emotions)
        turns = sum(labels.values())
        counts[name] = {
            "dialogues": len(splits[name]),
            "turns": turns,
            "samples": sum(len(d.utterances) - 2 for d in splits[name]),
            "labels_percent": {
                label: round(100 * labels[i] / turns, 2) for i, label in enumerate(EMOTION_NAMES)
            },
        }
    return {
        "format": 1,
        "options": asdict(options),
        "read": {name: len(part) for name, part in corpus.splits.items()},
        "bad_lines": corpus.bad_lines,
        "splits": counts,
        "table_samples": table_samples,
        "dialogues": {"ours": sum(map(len, splits.values())), "paper": PAPER_DIALOGUES},
        "vocabulary": {"ours": len(tokenizer.vocabulary), "paper": PAPER_VOCABULARY},
        "emotion_vocabulary": {
            "ours": len(lexicon.vocabulary),
            "types_in_list": len(lexicon.sources),
            "paper": PAPER_EMOTION_VOCABULARY,
        },
        "train_unknown_percent": round(100 * sum(w not in known for w in words) / len(words), 3),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "licence": options.licence,
    }
