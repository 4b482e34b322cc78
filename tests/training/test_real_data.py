"""The whole line on the real DailyDialog: prepare, train, resume, evaluate, export, reply."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(os.environ.get("EMPGAN_DATA", "../shared/data")) / "dailydialog"
SMALL = (
    *("model.hidden_size=48", "model.embedding_size=32", "model.emotion_embedding_size=16"),
    *("model.label_embedding_size=8", "model.recogniser_size=8", "threads=1"),
    *("recogniser.max_epochs=1", "recogniser.batch_samples=2000"),
    *("mle.max_epochs=1", "mle.learning_rate=3e-3"),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CORPUS.is_dir(), reason="EMPGAN_DATA holds no dailydialog folder"),
]


# Of what `data prepare` made of DailyDialog when it could read nothing else: the paper's tables and
# models rest on these files, and on the report beside them.
FILES = {
    "train.jsonl": "558135d08009d8ba6c2847c754768940702b2a6181e830557b70b758999a0af8",
    "validation.jsonl": "723eb6cba964dbfdcdcba0393b07949ecc18f163981a72be8c16b6d2a7c7c87b",
    "test.jsonl": "cda6c7a13f9be77d6711003e6d83687358d9c964d2d52b20e54af9f69d19c46b",
    "tokenizer.json": "7130d5e45081b67f4ab5d4998bdcb17e99a6ba6fc1f75151e9082623825638ab",
    "emotion_lexicon.tsv": "59d947f3ca4b162524fe7df5aa50c0e84bac30e04d181507bea3fe6ffe0f86a5",
    "emotion_vocabulary.txt": "9a5e44c9f643d314fe5e886ea565e3c75eb997c6fd908f2b0729fdf45cca08e7",
    "test_samples.jsonl": "82c17d7f0ebf805119ff8d44b137485f7feec0840fd664b47b31cee806cdf866",
    "report.json": "f70589a1658f01155c852b20da8d37e9106ca02b254bd5bed6eb3b7a40057ea5",
}


def _run(*arguments: object) -> Any:
    """Return the JSON object that a command printed."""
    command = [sys.executable, "-m", "empgan_rt", "--json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("real") / "prepared"
    _run("data", "prepare", CORPUS, out)
    return out


def test_protocol_leaves_the_known_counts(prepared: Path) -> None:
    report = json.loads((prepared / "report.json").read_bytes())
    assert report["read"] == {"train": 11118, "validation": 1000, "test": 1000}
    counts = {name: split["dialogues"] for name, split in report["splits"].items()}
    assert counts == {"train": 9475, "validation": 942, "test": 954}
    assert report["table_samples"] == 925
    assert report["vocabulary"]["ours"] == report["vocabulary"]["paper"] == 11647
    assert report["emotion_vocabulary"]["ours"] == 2697
    assert report["licence"] == "CC-BY-NC-SA-4.0"


def test_dailydialog_alone_is_prepared_as_ever_to_the_byte(prepared: Path) -> None:
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in prepared.iterdir()}
    assert found == FILES


def test_beside_another_corpus_its_splits_and_table_samples_stay(
    prepared: Path, tmp_path: Path
) -> None:
    _run("data", "prepare", CORPUS, CORPUS.parent / "empatheticdialogues", tmp_path / "both")

    def rows(path: Path) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for row in found:
            row.pop("source", None)
        return found

    for name, key in (
        ("test.jsonl", "id"),
        ("train.jsonl", "id"),
        ("test_samples.jsonl", "dialogue"),
    ):
        wanted = [row | {key: f"dailydialog/{row[key]}"} for row in rows(prepared / name)]
        assert rows(tmp_path / "both" / name)[: len(wanted)] == wanted
    report = json.loads((tmp_path / "both" / "report.json").read_bytes())
    people = report["sources"]["empatheticdialogues"]
    assert people["splits"]["train"]["samples"] == 40_277  # every turn of a listener
    assert people["dropped"] == {"duplicate": 9, "too_short": 0, "label_change": 0}
    assert report["bad_lines"] == []


def test_train_resume_evaluate_export_reply(prepared: Path, tmp_path: Path) -> None:
    settings = [f"data={prepared}", f"out={tmp_path / 'run'}", *SMALL]
    options = [part for setting in settings for part in ("--set", setting)]
    _run("train", "paper", *options, "--max-steps", 40)
    _run("train", "paper", *options, "--max-steps", 400, "--resume")
    records = [json.loads(x) for x in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [r["response"] for r in records if r["stage"] == "mle" and r["split"] == "train"]
    assert losses[-1] < losses[0] - 1.0  # nats per token

    checkpoint, bundle = tmp_path / "run" / "last.safetensors", tmp_path / "real.empgan"
    of_checkpoint = _run("evaluate", checkpoint, "--data", prepared, "--limit", 40)
    _run("export", checkpoint, bundle, "--num-contexts", 40)
    _run("inspect", bundle, "--verify")
    of_bundle = _run("evaluate", bundle, "--data", prepared, "--limit", 40)
    for before, after in zip(
        of_checkpoint["perplexity"]["model"], of_bundle["perplexity"]["model"], strict=True
    ):
        assert after["perplexity"] == pytest.approx(before["perplexity"], rel=0.01)
        assert after["perplexity"] < of_bundle["perplexity"]["trigram"]

    lines = (prepared / "test.jsonl").read_text("utf-8").splitlines()[:100]
    requests = tmp_path / "in.jsonl"
    requests.write_text(
        "".join(json.dumps({"turns": json.loads(x)["utterances"][:-1]}) + "\n" for x in lines)
    )
    _run("reply", bundle, requests, tmp_path / "out.jsonl")
    replies = [json.loads(x) for x in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert len(replies) == 100
    assert all("<unk>" not in reply["text"] for reply in replies)
