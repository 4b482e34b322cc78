"""A reply is the same alone, in any company and at any number of threads: on real dialogues."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CORPUS = Path(os.environ.get("EMPGAN_DATA", "../shared/data")) / "dailydialog"
TEST_SPLIT = CORPUS / "test.jsonl"
ANSWER = """
import json, sys
import empgan_rt
contexts, threads = json.load(open(sys.argv[1])), int(sys.argv[2])
empgan_rt.set_num_threads(threads)
responder = empgan_rt.Responder.load(precision=sys.argv[4])
for size in map(int, sys.argv[3].split(",")):
    replies = responder.reply_batch(contexts, max_batch=size)
    print(json.dumps([[r.token_ids, r.text, r.finish_reason, r.score] for r in replies]))
"""

pytestmark = [
    pytest.mark.skipif(not TEST_SPLIT.is_file(), reason="EMPGAN_DATA holds no DailyDialog"),
]


def contexts(count: int) -> list[list[str]]:
    """Return the beginnings of the test dialogues, of one turn and more in rotation."""
    lines = TEST_SPLIT.read_text("utf-8").splitlines()[:count]
    dialogues = [json.loads(line)["dialogue"] for line in lines]
    return [turns[: 1 + i % max(1, len(turns) - 1)] for i, turns in enumerate(dialogues)]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize(
    "count",
    [pytest.param(150, marks=pytest.mark.slow), pytest.param(1000, marks=pytest.mark.soak)],
)
def test_a_reply_is_the_same_alone_and_in_any_company(
    tmp_path: Path, precision: str, count: int
) -> None:
    file = tmp_path / "contexts.json"
    file.write_text(json.dumps(contexts(count)), "utf-8")
    found = {}
    for threads in (1, 2):
        command = [sys.executable, "-c", ANSWER, str(file), str(threads), "1,2,7,32", precision]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for size, line in zip((1, 2, 7, 32), done.stdout.splitlines(), strict=True):
            found[threads, size] = json.loads(line)
    alone = found[1, 1]
    assert len(alone) == count
    assert len({text for _, text, *_ in alone}) > count // 10
    for key, replies in found.items():
        other = [i for i, (a, b) in enumerate(zip(alone, replies, strict=True)) if a[:3] != b[:3]]
        assert other == [], f"threads and batch {key}"
        drift = max(abs(a[3] - b[3]) for a, b in zip(alone, replies, strict=True))
        assert drift <= 1e-5, f"threads and batch {key}"
