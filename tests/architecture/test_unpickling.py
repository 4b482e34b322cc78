"""Nothing is unpickled: not by our modules, not by what reads data for us, not in a whole run.

To unpickle is to run code that a file holds. Our own modules are held to it by their source in
`test_house`; here are the packages that we ask for, whose models and lists may be pickles.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterable
from importlib import metadata
from pathlib import Path

import pytest

from support.pickle_uses import uses_of_pickle
from support.source_tree import ROOT

# What reads texts, lists and scores for us. Others, such as PyTorch, can unpickle if they are asked
# to; `uses_of_pickle` sees to it that we do not ask.
READERS = ("eval", "lexicon")
PICKLES = {".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth"}  # or, at the top, paths to import
OWN_TESTS = {"test", "tests"}  # folders of a package that nobody imports
# torch/bin holds programs that its own developers test it with
EXEMPT = {"torch/bin/test_interpreter_async.pt"}
CHILD = """
import sys
found = []
sys.addaudithook(
    lambda event, arguments: found.append(arguments) if event == "pickle.find_class" else None
)
{}
print(sorted(map(str, found)))
"""


def requirements(extras: Collection[str]) -> list[str]:
    """Return the distributions that extras of ours ask for."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [text for extra in extras for text in listed["optional-dependencies"][extra]]
    return [_name(text) for text in asked]


def closure(names: Iterable[str]) -> list[str]:
    """Return these distributions and what they need in turn, so far as it is installed."""
    found: list[str] = []
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.append(name)
        waiting += [_name(text) for text in needs if "extra ==" not in text]
    return sorted(found)


def pickles_of(files: Iterable[Path]) -> list[str]:
    """Return the files of a distribution that hold a pickle."""
    return [
        path.as_posix()
        for path in files
        if path.suffix in PICKLES
        and len(path.parts) > 1
        and not OWN_TESTS.intersection(path.parts)
        and path.as_posix() not in EXEMPT
    ]


def in_a_child(source: str) -> str:
    """Return what a child prints that notes every class or function a pickle asks for."""
    script = CHILD.format(source)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return done.stdout.strip().splitlines()[-1]


def test_nothing_that_reads_for_us_unpickles() -> None:
    found = {}
    for name in requirements(READERS):
        files = [Path(str(f.locate())) for f in metadata.files(name) or [] if f.suffix == ".py"]
        assert files, name
        uses = {path.name: uses_of_pickle(path.read_text("utf-8")) for path in files}
        found[name] = {file: use for file, use in uses.items() if use}
    assert {name: uses for name, uses in found.items() if uses} == {}


def test_nothing_that_we_ask_for_brings_a_pickle() -> None:
    asked = closure(["empgan-rt", *requirements(("cpu", "train", "export", "bench", *READERS))])
    assert {"torch", "onnxruntime", "numpy", "rich"} <= {*asked}
    found = {name: pickles_of(metadata.files(name) or []) for name in asked}
    assert {name: files for name, files in found.items() if files} == {}


def test_the_check_for_files_can_fail() -> None:
    files = [Path("x/data/model.joblib"), Path("x/tests/old.pkl"), Path("x/model.json")]
    assert pickles_of(files) == ["x/data/model.joblib"]


def test_scores_and_replies_unpickle_nothing() -> None:
    source = (
        "from empgan_rt import Responder\n"
        "from empgan_training.metrics.inputs import import_eval_package\n"
        "from empgan_training.metrics.scores import score_texts\n"
        "from empgan_training.tables.beyond import make_beyond\n"
        "texts = [['a', 'b', 'c'], ['b', 'c']]\n"
        "score_texts(texts, texts[::-1]), make_beyond([], texts, 9)\n"
        "import_eval_package('krippendorff').alpha([[1, 2], [1, 1]])\n"
        "Responder.load('tiny').reply(['I lost my keys.'])\n"
    )
    assert in_a_child(source) == "[]"


def test_the_child_can_fail() -> None:
    source = "import pathlib, pickle\npickle.loads(pickle.dumps(pathlib.PurePath('x')))"
    assert "PurePosixPath" in in_a_child(source)


@pytest.mark.slow
def test_a_run_from_corpus_to_scores_unpickles_nothing(tmp_path: Path) -> None:
    sizes = ["embedding", "emotion_embedding", "label_embedding", "hidden", "recogniser"]
    recipe = [f"model.{size}_size=6" for size in sizes]
    recipe += [f"data={tmp_path / 'prepared'}", f"out={tmp_path / 'run'}"]
    train = ["train", "tiny", *(word for item in recipe for word in ("--set", item))]
    checkpoint = str(tmp_path / "run" / "last.safetensors")
    commands = [
        ["doctor"],
        ["data", "prepare", "{corpus}", str(tmp_path / "prepared"), "--licence", "Apache-2.0"],
        [*train, "--max-steps", "3"],
        [*train, "--max-steps", "3", "--resume"],
        ["evaluate", checkpoint, "--data", str(tmp_path / "prepared")],
    ]
    source = (
        "from importlib import resources\n"
        "from empgan_rt.cli.main import main\n"
        "corpus = resources.files('empgan_training') / 'assets' / 'own_dialogues.jsonl'\n"
        f"for command in {commands!r}:\n"
        "    assert main([word.format(corpus=corpus) for word in command]) == 0, command\n"
    )
    assert in_a_child(source) == "[]"


def _name(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    return match[0].lower().replace("_", "-") if match else ""
