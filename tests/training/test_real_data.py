"""The whole line on the real DailyDialog: prepare, train, resume, evaluate, export, reply."""

from __future__ import annotations

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
