"""Corpora in every form that is read, made of our own dialogues."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from empgan_training.data.corpora.emotions import LABELS

from .small_data import own_dialogues, write_jsonl

Row = dict[str, Any]
CONTEXTS = ("guilty", "joyful", "afraid", "furious", "surprised", "disgusted")
LABEL_OF_CONTEXT = dict(zip(CONTEXTS, (5, 4, 3, 1, 6, 2), strict=True))
SPLIT_SIZES = {"train": 24, "validation": 6, "test": 6}


def splits(first: int = 0) -> dict[str, list[Row]]:
    """Return three splits of our own dialogues, from the `first` one on."""
    rows, found = own_dialogues()[first:], {}
    for name, size in SPLIT_SIZES.items():
        found[name], rows = rows[:size], rows[size:]
    return found


def empathetic_row(row: Row, number: int) -> Row:
    """Return a dialogue as we store EmpatheticDialogues, cut to two to five turns."""
    turns = row["dialogue"][: 2 + number % 4]
    context = CONTEXTS[number % len(CONTEXTS)]
    label = LABEL_OF_CONTEXT[context]
    return {
        "dialogue": turns,
        "emotion": [label if i % 2 == 0 else 0 for i in range(len(turns))],
        "label": ["hopeful" if i % 2 == 0 else "questioning" for i in range(len(turns))],
        "situation": "Something happened.",
        "context": context,
        "id": number,
    }


def daily_row(row: Row) -> Row:
    """Return a dialogue as we store DailyDialog."""
    return {**row, "act": [1] * len(row["dialogue"]), "topic": 1}


def write_daily(folder: Path, first: int = 0) -> Path:
    """Write what passes for DailyDialog."""
    for name, rows in splits(first).items():
        write_jsonl(folder / f"{name}.jsonl", [daily_row(row) for row in rows])
    return folder


def write_empathetic(folder: Path, first: int = 60) -> Path:
    """Write what passes for EmpatheticDialogues."""
    for name, rows in splits(first).items():
        found = [empathetic_row(row, i) for i, row in enumerate(rows)]
        write_jsonl(folder / f"{name}.jsonl", found)
    return folder


def csv_of(rows: Sequence[Row]) -> str:
    """Return EmpatheticDialogues' own CSV of some dialogues."""
    lines = ["conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags"]
    for number, row in enumerate(rows):
        context = CONTEXTS[number % len(CONTEXTS)]
        for i, text in enumerate(row["dialogue"], start=1):
            told = text.replace(",", "_comma_")
            lines.append(f"hit:{number}_conv:{number},{i},{context},A day.,{i % 2},{told},5|5|5,")
    return "\n".join(lines) + "\n"


def write_csv(folder: Path) -> Path:
    """Write the CSV files, under the names that they have."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {"train": "train", "validation": "valid", "test": "test"}
    for name, rows in splits(60).items():
        (folder / f"{names[name]}.csv").write_text(csv_of(rows), "utf-8")
    return folder


def _hub(row: Row) -> Row:
    return {"dialog": row["dialogue"], "act": [1] * len(row["dialogue"]), "emotion": row["emotion"]}


def _hub_others(row: Row) -> Row:
    acts = [1] * len(row["dialogue"])
    return {"utterances": row["dialogue"], "acts": acts, "emotions": row["emotion"]}


def _parlai_daily(row: Row) -> Row:
    turns = [
        {"text": text, "emotion": LABELS[label].replace("neutral", "no_emotion"), "act": "inform"}
        for text, label in zip(row["dialogue"], row["emotion"], strict=True)
    ]
    return {"fold": "train", "topic": "work", "dialogue": turns}


def _parlai_saved(row: Row) -> Row:
    turns = [{"id": f"speaker_{i % 2}", "text": text} for i, text in enumerate(row["dialogue"])]
    return {"dialog": [turns[i : i + 2] for i in range(0, len(turns), 2)], "context": []}


def _reply(row: Row) -> Row:
    pairs = zip(row["dialogue"], row["emotion"], strict=True)
    return {"turns": [{"text": text, "emotion": LABELS[label]} for text, label in pairs]}


def _plain(row: Row) -> Row:
    return {"dialogue": row["dialogue"]}


JSON_FORMS: dict[str, Callable[[Row], Row]] = {
    "ours": dict,
    "daily": daily_row,
    "hub": _hub,
    "hub-others": _hub_others,
    "parlai-daily": _parlai_daily,
    "parlai-saved": _parlai_saved,
    "reply": _reply,
    "plain": _plain,
}


def write_json(folder: Path, form: str, ending: str = ".jsonl") -> Path:
    """Write three splits in one of `JSON_FORMS`."""
    for name, rows in splits().items():
        write_jsonl(folder / f"{name}{ending}", [JSON_FORMS[form](row) for row in rows])
    return folder


def write_convokit(folder: Path, *, with_splits: bool = False) -> Path:
    """Write a ConvoKit corpus."""
    utterances, conversations = [], {}
    for split, rows in splits().items():
        for number, row in enumerate(rows):
            name = f"{split}{number}_0"
            conversations[name] = {"meta": {"split": split} if with_splits else {}, "vectors": []}
            for i, text in enumerate(row["dialogue"]):
                utterances.append(
                    {
                        "id": f"{split}{number}_{i}",
                        "conversation_id": name,
                        "text": text,
                        "speaker": f"s{i % 2}",
                        "meta": {"emotion": LABELS[row["emotion"][i]]},
                        "reply-to": f"{split}{number}_{i - 1}" if i else None,
                        "timestamp": None,
                        "vectors": [],
                    }
                )
    write_jsonl(folder / "utterances.jsonl", utterances)
    for name, value in {
        "conversations.json": conversations,
        "speakers.json": {},
        "corpus.json": {},
        "index.json": {"version": 1},
    }.items():
        (folder / name).write_text(json.dumps(value), "utf-8")
    return folder


def write_official(folder: Path) -> Path:
    """Write DailyDialog's official distribution, a folder a split."""
    for split, rows in splits().items():
        part = folder / split
        part.mkdir(parents=True, exist_ok=True)
        texts = "".join(
            " ".join(f"{turn} __eou__" for turn in row["dialogue"]) + "\n" for row in rows
        )
        labels = "".join(" ".join(map(str, row["emotion"])) + " \n" for row in rows)
        (part / f"dialogues_{split}.txt").write_text(texts, "utf-8")
        (part / f"dialogues_emotion_{split}.txt").write_text(labels, "utf-8")
    return folder
