"""`report.json`: what `data prepare` read, dropped and kept, for people and for the hashes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.tokenizer import Tokenizer

from .corpora.corpus import SPLITS, LabelledDialogue
from .corpora.emotions import LABELS
from .licences import joint_licence
from .protocol import CleanSource, PrepareOptions
from .reply_rule import ReplyRule
from .vocabulary import PAPER_EMOTION_VOCABULARY, PAPER_VOCABULARY

PAPER_DIALOGUES = 11_102
UNLABELLED = "unlabelled"


def make_report(
    parts: Sequence[CleanSource],
    train_sentences: Sequence[list[str]],
    tokenizer: Tokenizer,
    lexicon: EmotionLexicon,
    table_samples: int,
    files: Mapping[str, bytes],
    options: PrepareOptions,
    *,
    several: bool,
) -> dict[str, Any]:
    """Return the report of a folder that holds `files`.

    Args:
        several: the folder is of format 2, and each source has its own part of the report.
    """
    words = [word for sentence in train_sentences for word in sentence]
    known = frozenset(tokenizer.vocabulary)
    splits = {name: _split_counts(parts, name) for name in SPLITS}
    licence = joint_licence(part.source.facts.licence for part in parts)
    read = Counter[str]()
    dropped = Counter[str]()
    for part in parts:
        read.update({name: len(found) for name, found in part.source.corpus.splits.items()})
        dropped.update(part.dropped)
    report = {
        "format": 2 if several else 1,
        "options": _options(parts, options, licence),
        "read": dict(read),
        "bad_lines": [line for part in parts for line in part.source.corpus.bad_lines],
        "splits": splits,
        "table_samples": table_samples,
        "dialogues": {
            "ours": sum(part["dialogues"] for part in splits.values()),
            "paper": PAPER_DIALOGUES,
        },
        "vocabulary": {"ours": len(tokenizer.vocabulary), "paper": PAPER_VOCABULARY},
        "emotion_vocabulary": {
            "ours": len(lexicon.vocabulary),
            "types_in_list": len(lexicon.sources),
            "paper": PAPER_EMOTION_VOCABULARY,
        },
        "train_unknown_percent": round(100 * sum(w not in known for w in words) / len(words), 3),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "licence": licence,
        "dropped": dict(dropped),
    }
    notes = [note for part in parts for note in _notes(part, several=several)]
    if notes:
        report["notes"] = notes
    if several:
        report["sources"] = {part.source.name: _source_part(part) for part in parts}
    return report


def _options(parts: Sequence[CleanSource], options: PrepareOptions, licence: str) -> dict[str, Any]:
    """Return the options, those that were left open filled in."""
    needed = min(options.turns_needed(part.source.facts.rule) for part in parts)
    return asdict(options) | {"min_turns": needed, "licence": licence}


def _source_part(part: CleanSource) -> dict[str, Any]:
    corpus = part.source.corpus
    return {
        **msgspec.to_builtins(part.source.facts),
        "read": {name: len(found) for name, found in corpus.splits.items()},
        "bad_lines": len(corpus.bad_lines),
        "notes": corpus.notes(),
        "dropped": part.dropped,
        "splits": {name: _split_counts([part], name) for name in SPLITS},
    }


def _notes(part: CleanSource, *, several: bool) -> list[str]:
    notes = part.source.corpus.notes()
    return [f"{part.source.name}: {note}" for note in notes] if several else notes


def _split_counts(parts: Sequence[CleanSource], name: str) -> dict[str, Any]:
    """Return how many dialogues, turns and samples a split of some sources has, and its labels."""
    found = [(part.source.facts.rule, part.splits[name]) for part in parts]
    dialogues = [dialogue for _, some in found for dialogue in some]
    labels = Counter(label for dialogue in dialogues for label in dialogue.emotions)
    turns = sum(labels.values())
    percents = {label: round(100 * labels[i] / turns, 2) for i, label in enumerate(LABELS)}
    if labels[None]:
        percents[UNLABELLED] = round(100 * labels[None] / turns, 2)
    return {
        "dialogues": len(dialogues),
        "turns": turns,
        "samples": sum(_samples(rule, some) for rule, some in found),
        "labels_percent": percents,
    }


def _samples(rule: ReplyRule, dialogues: Sequence[LabelledDialogue]) -> int:
    return sum(len(rule.responses(len(dialogue.utterances))) for dialogue in dialogues)
