"""The guard on the command line: on in chat, off in reply, and how each is told otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command_line import Outcome

Command = Callable[..., Outcome]
CRISIS = "I want to die."
NOTICE = "The guard is on"
OWN = """
[categories.self_harm]
action = "hand_over"
[texts.default]
self_harm = "One moment, {who} is coming."
[numbers.default]
who = "somebody"
[numbers.xx]
who = "Zorp"
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN, "utf-8")
    return path


def lines(*texts: str) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


@pytest.mark.parametrize("how", ["--stream", "--no-stream"])
def test_chat_has_the_guard_on_and_says_so(command: Command, toy_folder: Path, how: str) -> None:
    outcome = command("chat", toy_folder, how, "--show-emotion", stdin=lines("what a day", CRISIS))
    assert outcome.code == 0
    free, guarded = outcome.out.splitlines()
    assert "your local emergency number" in guarded
    assert free
    assert NOTICE in outcome.err
    assert "misses much" in outcome.err
    assert outcome.err.count("[you:") == 1


@pytest.mark.parametrize("words", [("-q", "chat"), ("chat", "-q"), ("-v", "chat", "--quiet")])
def test_quiet_hides_the_notice_and_not_the_guard(
    command: Command, toy_folder: Path, words: tuple[str, ...]
) -> None:
    outcome = command(*words, toy_folder, stdin=lines(CRISIS))
    assert "your local emergency number" in outcome.out
    assert outcome.err == ""


def test_chat_without_the_guard(command: Command, toy_folder: Path) -> None:
    outcome = command("chat", toy_folder, "--no-guard", stdin=lines(CRISIS))
    assert "emergency" not in outcome.out
    assert NOTICE not in outcome.err


def test_json_tells_source_and_verdict(command: Command, toy_folder: Path) -> None:
    stdin = lines(CRISIS, "/alternatives", "Fuck you.", "/reset", "we")
    outcome = command("-q", "chat", toy_folder, "--json", "--locale", "en-GB", stdin=stdin)
    stopped, alternatives, blocked, free = map(json.loads, outcome.out.splitlines())
    assert "116 123" in stopped["text"]
    assert stopped["source"] == "guard"
    assert stopped["verdict"]["action"] == "replace"
    assert stopped["verdict"]["category"] == "self_harm"
    assert alternatives["alternatives"] == []
    assert blocked["verdict"]["action"] == "block"
    assert free["source"] == "model"
    assert free["verdict"] == {"action": "allow", "category": "", "rule": "", "message": ""}


def test_a_file_of_ones_own(command: Command, toy_folder: Path, own: Path) -> None:
    options = ["--guard-words", own, "--locale", "xx"]
    outcome = command("chat", toy_folder, *options, stdin=lines(CRISIS))
    assert outcome.out == "One moment, Zorp is coming.\n"


def test_reply_has_it_off_unless_told(command: Command, toy_folder: Path, own: Path) -> None:
    stdin = lines(
        '{"turns": ["I want to die."]}',
        '{"turns": [{"text": "what a day", "emotion": "neutral"}]}',
        '{"turns": ["Fuck you."]}',
    )

    def rows(*options: object) -> list[dict[str, object]]:
        outcome = command("reply", toy_folder, "-", "-", *options, stdin=stdin)
        assert outcome.code == 0
        return [json.loads(line) for line in outcome.out.splitlines()]

    assert [row["source"] for row in rows()] == ["model"] * 3
    assert all(row["verdict"] is None for row in rows("--no-guard"))
    guarded = rows("--guard")
    assert [row["source"] for row in guarded] == ["guard", "model", "guard"]
    assert guarded[1]["text"] == rows()[1]["text"]
    assert rows("--guard-words", own)[0]["text"] == "One moment, somebody is coming."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--locale", "zz"], "no text or number for the locale 'zz'"),
        (["--guard-words", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--no-guard", "--locale", "en-GB"], "--guard-words or --locale with --no-guard"),
    ],
)
def test_what_cannot_be_is_refused_with_2(
    command: Command, toy_folder: Path, options: list[str], message: str
) -> None:
    for arguments in (["chat", toy_folder], ["reply", toy_folder, "-", "-"]):
        outcome = command("-q", *arguments, *options, stdin=lines("we"))
        assert outcome.code == 2
        assert message in outcome.err
