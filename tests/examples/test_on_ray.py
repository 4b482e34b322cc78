"""The examples of `on_ray`, with real Ray: killed under load, and in the middle of a file."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from empgan_rt import Responder, WordGuard
from support.installed import need
from support.patient_talkers import AGAIN, TEXTS, Talkers, call
from support.ray_runs import RayRun, on_ray
from support.served import wait_until

pytestmark = pytest.mark.slow
PATIENCE_S = 300.0  # of a machine that does much else; Ray starts within ten seconds on others
TALKERS = 32
REPLICA, KEEPER = "ray::ServeReplica:replies:Answers", "ray::Keeper"


class Deployment:
    """The deployment while it runs."""

    def __init__(self, run: RayRun, url: str) -> None:
        self.run, self.url = run, url

    def is_ready(self) -> bool:
        if self.run.process.poll() is not None:
            self.run.fail()
        return call(self.url, "GET", "/ready")[0] == 200

    def say(self, key: str, text: str) -> tuple[int, dict[str, str], Any]:
        return call(self.url, "POST", f"/v1/sessions/{key}", {"text": text})

    def turns(self, key: str) -> list[str]:
        status, _, found = call(self.url, "GET", f"/v1/sessions/{key}")
        assert status == 200
        assert isinstance(found, dict)
        return [turn["text"] for turn in found["turns"]]


@pytest.fixture(scope="module")
def responder() -> Iterator[Responder]:
    with Responder.load("tiny", guard=WordGuard()) as opened:
        yield opened


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    need("ray")
    folder = tmp_path_factory.mktemp("serve")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    arguments = (str(folder / "dialogues.db"), str(port), "tiny", "2")
    with on_ray("serve_replies.py", *arguments, folder=folder) as run:
        served = Deployment(run, f"http://127.0.0.1:{port}")
        wait_until(served.is_ready, PATIENCE_S)
        wait_until(lambda: len(run.pids(REPLICA)) > 1, PATIENCE_S)
        yield served


def test_it_answers_as_in_process(deployment: Deployment, responder: Responder) -> None:
    said: list[str] = []
    for text in ("I lost my keys today.", "I have looked everywhere.", "Here they are!"):
        reply = responder.reply([*said, text]).text
        asked = {"messages": [{"role": "user", "content": text}]}
        whole = call(deployment.url, "POST", "/v1/chat/completions", asked)[2]
        assert whole["choices"][0]["message"]["content"] == responder.reply([text]).text  # type: ignore[index]
        assert deployment.say("as-in-process", text)[2]["text"] == reply
        said += [text, reply]
    assert deployment.turns("as-in-process") == said


def test_nothing_acknowledged_is_lost_when_processes_are_killed(
    deployment: Deployment, responder: Responder
) -> None:
    run = deployment.run
    with Talkers(deployment.url, TALKERS) as talkers:
        for name, number in ((REPLICA, 1), (KEEPER, 1), (REPLICA, 2)):
            wait_for_more(talkers)
            victims = run.pids(name)[:number]
            assert victims
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
        wait_for_more(talkers)
    assert {*talkers.statuses} <= {0, 200, *AGAIN}
    replies: dict[tuple[str, ...], str] = {}
    for key, pairs in talkers.said.items():
        turns = deployment.turns(key)
        kept = [*zip(turns[::2], turns[1::2], strict=True)]
        # A message whose answer did not come was said again, and may be there twice.
        left = iter(kept)
        assert all(pair in left for pair in pairs), key
        if len(kept) == len(pairs):
            assert kept == pairs
        for end in range(1, len(turns), 2):
            replies[tuple(turns[:end])] = turns[end]
    asked = sorted(replies)[:200]
    assert [each.text for each in responder.reply_batch(asked)] == [replies[one] for one in asked]


def wait_for_more(talkers: Talkers) -> None:
    """Return when there are more answers, one for each talker on average."""
    wanted = talkers.answered + TALKERS
    wait_until(lambda: talkers.answered >= wanted, PATIENCE_S)


def test_of_two_messages_at_once_none_that_is_answered_is_lost(deployment: Deployment) -> None:
    with ThreadPoolExecutor(8) as users:
        for number in range(5):
            key = f"at-once-{number}"
            answers = [*users.map(deployment.say, [key] * 8, TEXTS * 2)]
            acknowledged = [found["text"] for status, _, found in answers if status == 200]
            assert Counter(acknowledged) <= Counter(deployment.turns(key)[1::2])
            refused = [(status, headers) for status, headers, _ in answers if status != 200]
            assert {status for status, _ in refused} <= {0, *AGAIN}
            assert all(told["retry-after"] == "1" for status, told in refused if status == 429)


def test_a_file_is_answered_once_though_the_run_is_killed(
    tmp_path: Path, responder: Responder
) -> None:
    need("ray")
    turns = [["We have news.", f"They are of day {day}."][day % 2 :] for day in range(4000)]
    rows = [{"id": f"row {place}", "turns": said} for place, said in enumerate([*turns, []])]
    (tmp_path / "dialogues.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = (str(tmp_path / "dialogues.jsonl"), str(tmp_path / "out"), "tiny")

    def files() -> list[Path]:
        return [*tmp_path.glob("out/*/*.jsonl")]

    with on_ray("answer_file.py", *arguments, folder=tmp_path) as run:
        wait_until(lambda: files() or run.process.poll() is not None, PATIENCE_S)
        for pid in run.pids("ray::MapWorker(MapBatches(Answers))"):
            os.kill(pid, signal.SIGKILL)  # Ray has its rows answered by another one
        number = len(files())
        wait_until(lambda: len(files()) > number or run.process.poll() is not None, PATIENCE_S)
        if run.process.poll() is not None:
            run.fail()
        run.kill_program()
    assert _lines(files()) < len(rows)
    for _ in range(2):  # the second time nothing is left to do
        with on_ray("answer_file.py", *arguments, folder=tmp_path) as run:
            if run.process.wait(PATIENCE_S) != 0:
                run.fail()
    assert f"0 answered, {len(rows)} before" in run.said()
    found = [json.loads(line) for path in files() for line in path.read_text().splitlines()]
    assert sorted(each["id"] for each in found) == sorted(row["id"] for row in rows)
    answered = {each["id"]: each for each in found}
    assert answered["row 4000"]["error"] == "bad_input"
    for place in range(0, len(turns), 39):  # of one and of two turns
        assert answered[f"row {place}"]["reply"] == responder.reply(turns[place]).text


def _lines(files: list[Path]) -> int:
    return sum(path.read_text().count("\n") for path in files)
