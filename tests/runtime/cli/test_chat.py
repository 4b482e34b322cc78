"""The chat in a pipe: one line back for each line, commands, and bad lines that stop nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from empgan_rt import Responder, SearchConfig, WordGuard
from empgan_rt.cli import chat as chat_module
from support.command_line import Outcome

Command = Callable[..., Outcome]
LINES = ["I am happy.", "what a day!", "we"]


def lines_of(*lines: str | bytes) -> bytes:
    return b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines)


@pytest.fixture
def wanted(toy_folder: Path) -> list[str]:
    session = Responder.load(toy_folder, guard=WordGuard()).session()
    return [session.say(line).text for line in LINES]


@pytest.mark.parametrize("how", ["--stream", "--no-stream"])
def test_a_pipe_gets_one_reply_for_each_line(
    command: Command, toy_folder: Path, wanted: list[str], how: str
) -> None:
    outcome = command("-q", "chat", toy_folder, how, stdin=lines_of(*LINES))
    assert outcome.code == 0
    assert outcome.out.splitlines() == wanted
    assert outcome.err == ""


def test_json_lines(command: Command, toy_folder: Path, wanted: list[str]) -> None:
    outcome = command("chat", toy_folder, "--json", stdin=lines_of(*LINES, "\x00"))
    *replies, error = map(json.loads, outcome.out.splitlines())
    assert [reply["text"] for reply in replies] == wanted
    assert [len(reply["emotions"]) for reply in replies] == [1, 3, 5]
    assert error["error"]["code"] == "bad_input"


def test_bad_lines_stop_nothing(command: Command, toy_folder: Path, wanted: list[str]) -> None:
    bad = [b"\xff\xfe", "a" * (1 << 20), "\x00", "/nonsense", "/", "/emotion joy"]
    stdin = lines_of(LINES[0], *bad, *LINES[1:])
    outcome = command("-q", "chat", toy_folder, stdin=stdin)
    assert outcome.code == 0
    assert outcome.out.splitlines() == wanted
    complaints = outcome.err.splitlines()
    assert len(complaints) == len(bad)
    assert all(line.startswith("error: ") for line in complaints)
    assert "neutral, anger, disgust, fear, happiness, sadness, surprise" in complaints[-1]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_blank_lines_are_passed_over(
    command: Command, toy_folder: Path, wanted: list[str], options: list[str]
) -> None:
    stdin = lines_of("", LINES[0], " \t", "\r", *LINES[1:], "")
    outcome = command("-q", "chat", toy_folder, *options, stdin=stdin)
    assert len(outcome.out.splitlines()) == len(wanted)
    assert outcome.err == ""


def test_quit_leaves(command: Command, toy_folder: Path, wanted: list[str]) -> None:
    outcome = command("chat", toy_folder, stdin=lines_of(LINES[0], "/quit", LINES[1]))
    assert outcome.out.splitlines() == wanted[:1]


def test_reset_begins_anew(command: Command, toy_folder: Path, wanted: list[str]) -> None:
    outcome = command("chat", toy_folder, stdin=lines_of(LINES[0], "/reset", LINES[0]))
    assert outcome.out.splitlines() == [wanted[0], wanted[0]]


def test_an_emotion_holds_for_the_next_message_only(command: Command, toy_folder: Path) -> None:
    stdin = lines_of("/emotion Sadness", LINES[0], LINES[1])
    outcome = command("-q", "chat", toy_folder, "--show-emotion", stdin=stdin)
    first, second, third = outcome.err.splitlines()
    assert first == "your next message: sadness"
    assert second == "  [you: sadness, given]"
    assert "given" not in third
    assert third.endswith("%]")


def test_alternatives_are_what_the_search_found(command: Command, toy_folder: Path) -> None:
    stdin = lines_of("/alternatives", LINES[0], "/alternatives")
    outcome = command("chat", toy_folder, "--no-guard", "--beam", "4", stdin=stdin)
    first, _, *others = outcome.out.splitlines()
    assert first == "no alternatives"
    search = SearchConfig(beam_size=4, num_hypotheses=4)
    reply = Responder.load(toy_folder).reply([LINES[0]], search)
    assert [line.split(maxsplit=1)[1] for line in others] == [a.text for a in reply.alternatives]
    structured = command("chat", toy_folder, "--no-guard", "--beam", "4", "--json", stdin=stdin)
    assert len(json.loads(structured.out.splitlines()[-1])["alternatives"]) == 3


def test_help_is_no_reply(command: Command, toy_folder: Path) -> None:
    outcome = command("chat", toy_folder, stdin=lines_of("/help"))
    assert outcome.out == ""
    assert "/alternatives" in outcome.err


def test_sampling_is_repeatable(command: Command, toy_folder: Path) -> None:
    options = ["--sample", "--seed", "3", "--temperature", "2"]
    one, two = (command("chat", toy_folder, *options, stdin=lines_of(*LINES)) for _ in range(2))
    assert one.out == two.out
    assert len(one.out.splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--beam", "0"], "beam_size is 0"),
        (["--beam", "1000000"], "beam_size is 1000000"),
        (["--max-length", "-1"], "max_length is -1"),
        (["--length-penalty", "nan"], "length_penalty is nan"),
        (["--seed", "3"], "seed without sampling"),
        (["--sample", "--seed", "-1"], "seed is -1"),
    ],
)
def test_settings_out_of_range_end_with_2(
    command: Command, toy_folder: Path, options: list[str], message: str
) -> None:
    outcome = command("-q", "chat", toy_folder, *options, stdin=lines_of(*LINES))
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.out == ""


def test_a_missing_bundle_ends_with_4(command: Command, tmp_path: Path) -> None:
    assert command("chat", tmp_path / "nothing", stdin=b"").code == 4


def test_a_terminal_gets_a_prompt_and_history(
    command: Command, toy_folder: Path, wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(LINES)
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("support.command_line._Stdin.isatty", lambda self: True)
    monkeypatch.setattr(chat_module, "input", ask, raising=False)
    outcome = command("chat", toy_folder)
    assert outcome.code == 0
    assert prompts == ["> "] * 4
    assert outcome.out.splitlines() == [*wanted, ""]
    assert outcome.err.count("[you: ") == 3  # shown on a terminal unless told otherwise
    assert "readline" in sys.modules


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_bytes_that_are_no_text_in_a_command_stop_nothing(
    command: Command, toy_folder: Path, options: list[str]
) -> None:
    outcome = command(
        "-q", "chat", toy_folder, *options, stdin=lines_of(b"/\xff\x1b[31m", LINES[0])
    )
    assert outcome.code == 0
    told = (outcome.out + outcome.err).splitlines()
    assert len(told) == 2
    assert "\x1b" not in outcome.err
    assert "dcff" in "".join(told)
