"""`scripts/voice`: two settings of a real bundle, from contexts to a table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from empgan_rt import Responder, SearchConfig
from empgan_rt.errors import InputError
from empgan_training.voice.candidates import parse_candidates
from empgan_training.voice.cli import voice
from support.pages import shell_commands
from support.source_tree import ROOT
from support.voices import rate

PAGE = ROOT / "docs" / "training.md"
ROWS = [
    {"id": "one", "kind": "joy", "emotion": "happiness", "turns": ["I won the prize today!"]},
    {"id": "two", "kind": "grief", "emotion": "sadness", "turns": ["My cat died.", "Oh.", "yes"]},
]


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    voice.main([str(argument) for argument in arguments], standalone_mode=False)
    return capfd.readouterr().out


def test_sheet_then_unblind(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    contexts, out, key = tmp_path / "c.jsonl", tmp_path / "reader", tmp_path / "key.json"
    contexts.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    said = run(
        capfd,
        *("sheet", "--contexts", contexts, "--out", out, "--key", key),
        *("--candidate", "short=tiny:beam_size=1,max_length=4,early_stopping=false"),
        *("--candidate", "usual=tiny"),
    )
    assert "2 contexts, " in said
    with Responder.load("tiny") as responder:
        wanted = responder.reply_batch(
            [row["turns"] for row in ROWS],
            SearchConfig(beam_size=1, max_length=4, early_stopping=False),
        )
        usual = responder.search
    drawn = json.loads(key.read_bytes())
    by_context = {r["context"]: r["reply"] for r in drawn["rows"] if "short" in r["candidates"]}
    assert by_context == {row["id"]: reply.text for row, reply in zip(ROWS, wanted, strict=True)}
    assert drawn["candidates"]["short"]["bundle"] == wanted[0].bundle_id
    assert drawn["candidates"]["usual"]["search"]["beam_size"] == usual.beam_size
    rate(out / "sheet.csv", lambda reply: ("1", "2", "no", "no"))
    text = run(capfd, "unblind", out / "sheet.csv", key, "--rater", "a rule of a test")
    assert ["short", "2", "100.0", "0.0", "0.0"] in [line.split() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["default"], "give NAME=BUNDLE"),
        (["=default"], "give NAME=BUNDLE"),
        (["a="], "give NAME=BUNDLE"),
        (["a=default:beam_size=many"], "search setting beam_size='many'"),
        (["a=default:beam_size"], "search setting beam_size=''"),
        (["a=default", "a=tiny"], "two candidates called 'a'"),
    ],
)
def test_candidates_are_checked(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_candidates(texts)


def test_a_candidate_is_a_name_a_bundle_and_settings() -> None:
    flat, plain = parse_candidates(["flat=my.empgan:length_penalty=0.5,sample=true", "b=default"])
    assert (flat.name, flat.bundle) == ("flat", "my.empgan")
    assert flat.settings == {"length_penalty": 0.5, "sample": True}
    assert (plain.bundle, plain.settings) == ("default", {})


def test_an_unknown_setting_is_refused(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    contexts = tmp_path / "c.jsonl"
    contexts.write_text(json.dumps(ROWS[0]) + "\n", "utf-8")
    places = ("--out", tmp_path / "reader", "--key", tmp_path / "key.json")
    with pytest.raises(InputError, match="unknown search setting 'beams'"):
        run(capfd, "sheet", "--contexts", contexts, *places, "--candidate", "a=tiny:beams=2")
    assert not (tmp_path / "reader").exists()


def test_the_script_maps_errors_to_exit_codes(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "voice", "unblind", "none.csv", "none.json", "--rater", "nobody"],
        cwd=tmp_path,
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: none.json cannot be read" in done.stderr


def test_the_commands_that_the_page_shows_can_be_given() -> None:
    shown = [words[1:] for words in shell_commands(PAGE) if words[0] == "scripts/voice"]
    assert [name for name, *_ in shown] == ["sheet", "unblind"]
    for name, *words in shown:
        parsed = voice.commands[name].make_context(name, words).params
        assert parse_candidates(parsed.get("candidates", ())) is not None
