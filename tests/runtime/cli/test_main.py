"""The command line's frame: help without imports, one flag in two places, errors to exit codes."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from empgan_rt import __version__, errors
from empgan_rt.cli import console
from empgan_rt.cli import main as cli
from empgan_rt.cli.doctor import EXTRAS
from empgan_rt.cli.main import COMMANDS, PACKAGE_EXTRAS
from support.command_line import Outcome

Command = Callable[..., Outcome]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Makes `empgan-rt chat` do something else."""

    def install(act: Callable[[], object]) -> None:
        @click.command()
        @console.json_option
        def chat(as_json: bool) -> None:
            console.emit({"as_json": as_json, "did": act()}, "text", as_json=as_json)

        monkeypatch.setattr("empgan_rt.cli.chat.chat", chat)

    return install


def test_help_lists_every_command_with_its_line(command: Command) -> None:
    outcome = command("--help")
    assert outcome.code == 0
    for name, entry in COMMANDS.items():
        assert any(
            line.split()[:1] == [name] and entry.help in line for line in outcome.out.splitlines()
        )


def test_help_imports_no_command() -> None:
    code = """
import sys
from empgan_rt.cli.main import main
assert main(["--help"]) == 0
heavy = {"torch", "onnx", "onnxruntime", "tensorboard", "plotly", "empgan_training"}
sys.exit(f"imported {heavy & sys.modules.keys()}" if heavy & sys.modules.keys() else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_version(command: Command) -> None:
    assert command("--version").out.strip().endswith(__version__)


@pytest.mark.parametrize("name", ["chat", "reply", "inspect", "doctor"])
def test_every_command_has_help_and_json(command: Command, name: str) -> None:
    outcome = command(name, "--help")
    assert outcome.code == 0
    assert "--json" in outcome.out


@pytest.mark.parametrize("arguments", [["--json", "chat"], ["chat", "--json"]])
def test_json_stands_before_or_after_the_command(
    command: Command, stub: Callable[..., None], arguments: list[str]
) -> None:
    stub(lambda: 1)
    assert command(*arguments).json == {"as_json": True, "did": 1}
    assert command("chat").out == "text\n"


def test_json_reaches_a_command_inside_two_groups() -> None:
    seen: list[bool] = []

    @click.group()
    @console.json_option
    def outer(as_json: bool) -> None: ...

    @outer.group()
    def inner() -> None: ...

    @inner.command()
    @console.json_option
    def leaf(as_json: bool) -> None:
        seen.append(as_json)

    for arguments in (["--json", "inner", "leaf"], ["inner", "leaf", "--json"], ["inner", "leaf"]):
        outer.main(arguments, standalone_mode=False)
    assert seen == [True, True, False]


ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.EmpganError)
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_its_exit_code(
    command: Command, stub: Callable[..., None], error: type[errors.EmpganError]
) -> None:
    def fail() -> None:
        raise error("saw this", hint="do that")

    stub(fail)
    plain = command("chat")
    assert (plain.code, plain.out, plain.err) == (
        error.exit_code,
        "",
        "error: saw this (do that)\n",
    )
    structured = command("chat", "--json")
    assert structured.code == error.exit_code
    assert structured.json == {
        "error": {"code": error.code, "message": "saw this", "hint": "do that"}
    }


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    for error in ERRORS[1:]:
        assert f"{error.__name__} " in errors.__doc__
        (line,) = [row for row in errors.__doc__.splitlines() if f" {error.__name__} " in row]
        assert line.split()[2] == str(error.exit_code)


def test_a_bug_is_one_line_and_a_traceback_on_demand(
    command: Command, stub: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    stub(lambda: {}["somebody's secret"])
    outcome = command("chat")
    assert outcome.code == 1
    assert outcome.err.startswith("error: this is a bug: KeyError in ")
    assert len(outcome.err.splitlines()) == 1
    assert "secret" not in outcome.err
    assert not caplog.records
    assert command("-v", "chat").code == 1
    assert any(record.exc_info for record in caplog.records)
    assert command("chat", "--json").json["error"]["code"] == "internal"


def test_an_interruption_ends_with_130(command: Command, stub: Callable[..., None]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    stub(interrupt)
    assert command("chat").code == 130


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["chat", "--beam", "many"], ["--nonsense"], ["inspect"], ["reply"]]
)
def test_wrong_usage_ends_with_2(command: Command, arguments: list[str]) -> None:
    assert command(*arguments).code == 2
    structured = command("--json", *arguments)
    assert structured.code == 2
    assert structured.json["error"]["code"] == "bad_input"


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("chat", "onnxruntime", "cpu"),
        ("train", "torch", "train"),
        ("train", "safetensors", "train"),
        ("evaluate", "sacrebleu", "eval"),
        ("export", "onnxscript", "export"),
        ("bench", "plotly", "bench"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    package: str,
    extra: str,
) -> None:
    (tmp_path / "needy.py").write_text(f"import {package}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    entry = COMMANDS[name]
    needy = {**COMMANDS, name: cli.Entry(entry.help, "needy:command", entry.extra)}
    monkeypatch.setattr(cli, "COMMANDS", needy)
    outcome = command(name)
    assert outcome.code == 3
    (line,) = outcome.err.splitlines()
    assert f"pip install 'empgan-rt[{extra}]'" in line
    assert command(name, "--json").json["error"]["code"] == "dependency"


def test_help_of_every_command_needs_no_extra() -> None:
    code = """
import sys
from empgan_rt.cli.main import COMMANDS, main
needed = "cuda jinja2 krippendorff nrclex onnx onnxruntime onnxscript openvino plotly psutil"
needed += " rouge_score sacrebleu safetensors tensorboard tensorrt textblob torch vaderSentiment"
needed += " prometheus_client pyarrow starlette uvicorn"
sys.modules |= dict.fromkeys(needed.split())
failed = [name for name in COMMANDS if main([name, "--help"])]
assert not failed, failed
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_package_that_lacks_while_a_command_runs_is_named_too(
    command: Command, stub: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    stub(lambda: __import__("sacrebleu"))
    outcome = command("chat")
    assert outcome.code == 3
    assert "empgan-rt[eval]" in outcome.err


def test_a_module_of_ours_that_lacks_is_a_bug(
    command: Command, stub: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(lambda: __import__("empgan_rt.nothing"))
    assert command("chat").code == 1


def test_every_extra_named_exists() -> None:
    assert {entry.extra for entry in COMMANDS.values()} | {*PACKAGE_EXTRAS.values()} <= {*EXTRAS}


def test_a_reader_who_leaves_is_no_error(toy_folder: Path) -> None:
    rows = b'{"turns": ["I am happy."]}\n' * 3000  # more than a pipe holds
    code = "import sys; from empgan_rt.cli.main import main; sys.exit(main())"
    arguments = ["reply", toy_folder, "-", "-", "--beam", "1", "--max-length", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(rows)
    process.stdin.close()
    process.stdout.readline()
    process.stdout.close()
    complaints = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == 0, complaints
    assert "Traceback" not in complaints
    assert "BrokenPipe" not in complaints


def test_an_error_cannot_paint_the_terminal(command: Command, stub: Callable[..., None]) -> None:
    def fail() -> None:
        raise errors.BundleError("\x1b]0;title\x07", hint="one\ntwo")

    stub(fail)
    assert command("chat").err == "error: \\x1b]0;title\\x07:\n  one\n  two\n"


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("", "saw this"),
        ("pip install x", "saw this (pip install x)"),
        ("pip install x\nor y", "saw this:\n  pip install x\n  or y"),
    ],
)
def test_a_hint_can_be_copied_line_by_line(hint: str, told: str) -> None:
    assert str(errors.DependencyError("saw this", hint=hint)) == told


def test_a_lone_surrogate_in_an_error_is_escaped(
    command: Command, stub: Callable[..., None]
) -> None:
    def fail() -> None:
        raise errors.InputError("\udcff", hint="\ud83d")

    stub(fail)
    assert command("chat", "--json").json["error"] == {
        "code": "bad_input",
        "message": "\\udcff",
        "hint": "\\ud83d",
    }
    assert command("chat").code == 2


@pytest.mark.parametrize("error", [errors.StorageError("full"), BrokenPipeError()])
def test_an_error_that_stdout_does_not_take_goes_to_stderr(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(console, "emit", refuse)
    outcome = command("nonsense", "--json")
    assert outcome.code == 2
    assert "nonsense" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "logged"),
    [
        (["chat"], ["told", "warned"]),
        (["-q", "chat"], ["warned"]),
        (["chat", "-q"], ["warned"]),
        (["chat", "--quiet"], ["warned"]),
        (["-v", "chat"], ["detail", "told", "warned"]),
        (["chat", "-v"], ["detail", "told", "warned"]),
        (["-q", "chat", "-v"], ["detail", "told", "warned"]),
    ],
)
def test_what_is_logged_may_be_chosen_before_or_after_the_command(
    command: Command,
    stub: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    arguments: list[str],
    logged: list[str],
) -> None:
    def act() -> None:
        log = logging.getLogger("empgan_rt.somewhere")
        log.debug("detail")
        log.info("told")
        log.warning("warned")

    stub(act)
    assert command(*arguments).code == 0
    assert caplog.messages == logged


def test_commands_below_a_command_take_the_log_options_too(command: Command) -> None:
    for name in ("data", "engines", "human", "bench"):
        group = cli.cli.get_command(click.Context(cli.cli), name)
        assert isinstance(group, click.Group)
        for below in group.commands.values():
            flags = [flag for option in below.params for flag in option.opts]
            assert (flags.count("-q"), flags.count("--verbose")) == (1, 1), below.name
