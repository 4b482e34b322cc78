"""`empgan-rt inspect`: facts, goldens replayed, and every kind of damage as exit code 4 or 5."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import helper

from empgan_rt.bundle.bundle import Bundle
from support.command_line import Outcome
from support.toy_bundle import make_toy_bundle, toy_weights, write_staging

Command = Callable[..., Outcome]


@pytest.fixture
def copy(toy_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_folder, tmp_path / "copy"))


def test_facts(command: Command, toy_folder: Path) -> None:
    outcome = command("inspect", toy_folder, "--json")
    bundle = Bundle.open(toy_folder)
    facts = outcome.json
    assert outcome.code == 0
    assert facts["bundle_id"] == bundle.bundle_id
    assert facts["licence"] == "CC0-1.0"
    assert facts["model"]["hidden_size"] == 8
    assert facts["limits"]["max_turns"] == 50
    assert facts["generation"]["beam_size"] == 2
    assert facts["total_bytes"] == sum(len(data) for data in bundle.files.values())
    assert facts["files"].keys() == bundle.files.keys()
    assert "verified" not in facts
    text = command("inspect", toy_folder).out
    for part in (bundle.bundle_id, "CC0-1.0", "weights.safetensors", "hidden_size", "fp32"):
        assert part in text


def test_verify_replays_the_goldens(command: Command, toy_folder: Path) -> None:
    outcome = command("inspect", toy_folder, "--verify", "--json")
    assert outcome.code == 0
    assert outcome.json["verified"]["fp32"] == {
        "max_abs": {"label_probs": 0.0, "log_probs": 0.0},
        "ties": 0,
        "atol": 1e-4,
    }
    assert "verified     fp32" in command("inspect", toy_folder, "--verify").out


def test_verify_needs_no_torch(toy_folder: Path) -> None:
    code = """
import sys
from empgan_rt.cli.main import main
assert main(["inspect", sys.argv[1], "--verify", "--json"]) == 0
assert not {"torch", "onnx"} & sys.modules.keys()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(toy_folder)],
        env={"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_weights_that_compute_otherwise_end_with_5(
    command: Command, toy_folder: Path, tmp_path: Path
) -> None:
    weights = toy_weights()
    weights["output"][0, 4] += np.float16(0.5)
    goldens = Bundle.open(toy_folder).files["goldens.fp32.npz"]
    other = make_toy_bundle(tmp_path / "other", weights=weights, goldens=goldens)
    assert command("inspect", other).code == 0
    outcome = command("inspect", other, "--verify")
    assert outcome.code == 5
    assert outcome.out == ""
    assert "log_probs deviates by" in outcome.err


def test_the_tolerance_is_the_exports_unless_told(command: Command, tmp_path: Path) -> None:
    goldens = goldens_of(make_toy_bundle(tmp_path / "plain"))
    fields = write_staging(tmp_path / "toy", goldens=goldens)
    variants = {"fp32": msgspec.structs.replace(fields.variants["fp32"], atol=0.5)}
    folder = tmp_path / "toy"
    Bundle.seal(folder, replace(fields, variants=variants))
    found = command("inspect", folder, "--verify", "--json").json["verified"]["fp32"]
    assert found["atol"] == 0.5
    told = command("inspect", folder, "--verify", "--json", "--atol", "0.25").json
    assert told["verified"]["fp32"]["atol"] == 0.25


def goldens_of(folder: Path) -> bytes:
    from empgan_rt.backends.onnxruntime.backend import OrtBackend
    from empgan_rt.verification import parity
    from empgan_rt.verification.goldens import seeded_goldens

    bundle = Bundle.open(folder)
    return parity.record(OrtBackend(bundle), seeded_goldens(bundle.model))


def test_a_truncated_file_ends_with_4(command: Command, copy: Path) -> None:
    (copy / "tokenizer.json").write_bytes((copy / "tokenizer.json").read_bytes()[:-1])
    outcome = command("inspect", copy)
    assert outcome.code == 4
    assert "tokenizer.json was altered" in outcome.err


def test_a_flipped_byte_ends_with_4(command: Command, copy: Path) -> None:
    for name in ("manifest.json", "weights.safetensors", "turn_encoder.fp32.onnx"):
        data = bytearray((copy / name).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / name).write_bytes(data)
        outcome = command("inspect", copy, "--json")
        assert outcome.code == 4
        assert outcome.json["error"]["code"] == "bad_bundle"
        data[len(data) // 2] ^= 1
        (copy / name).write_bytes(data)
    assert command("inspect", copy).code == 0


def test_a_missing_file_and_a_missing_folder_end_with_4(command: Command, copy: Path) -> None:
    (copy / "goldens.fp32.npz").unlink()
    assert "missing: 'goldens.fp32.npz'" in command("inspect", copy).err
    assert command("inspect", copy).code == 4
    assert command("inspect", copy / "nothing").code == 4


def test_damaged_goldens_end_with_4(command: Command, tmp_path: Path) -> None:
    folder = make_toy_bundle(tmp_path / "toy", goldens=b"nothing")
    assert command("inspect", folder, "--verify").code == 4


def test_damaged_text_files_end_with_4(command: Command, toy_folder: Path, tmp_path: Path) -> None:
    goldens = Bundle.open(toy_folder).files["goldens.fp32.npz"]
    fields = write_staging(tmp_path / "toy", goldens=goldens)
    (tmp_path / "toy" / "tokenizer.json").write_bytes(b"{}")
    folder = tmp_path / "toy"
    Bundle.seal(folder, fields)
    assert command("inspect", folder).code == 0
    assert command("inspect", folder, "--verify").code == 4


def test_untrusted_audits_and_probes(command: Command, toy_folder: Path) -> None:
    outcome = command("inspect", toy_folder, "--untrusted", "--verify", "--json")
    assert outcome.code == 0
    assert outcome.json["audited"] is True
    assert outcome.json["verified"]


def test_untrusted_refuses_before_anything_is_loaded(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = write_staging(tmp_path / "toy")
    path = tmp_path / "toy" / "turn_encoder.fp32.onnx"
    model = onnx.load_model_from_string(path.read_bytes())
    model.graph.node.append(helper.make_node("Evil", [], ["x"], domain="com.evil"))
    path.write_bytes(model.SerializeToString())
    folder = tmp_path / "toy"
    Bundle.seal(folder, fields)

    def never(*arguments: object, **more: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr("empgan_rt.cli.inspect.verified", never)
    monkeypatch.setattr("empgan_rt.cli.inspect.probe", never)
    outcome = command("inspect", folder, "--untrusted", "--verify")
    assert outcome.code == 4
    assert "com.evil" in outcome.err


def test_a_strangers_words_cannot_paint_the_terminal(command: Command, tmp_path: Path) -> None:
    fields = write_staging(tmp_path / "toy")
    hostile = replace(
        fields, provenance={"data": "\x1b[31mred\nnext", "\x1b[2J": 1}, licence="\x1b]0;title\x07"
    )
    Bundle.seal(tmp_path / "toy", hostile)
    outcome = command("inspect", tmp_path / "toy")
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    assert "\\x1b[31mred\\nnext" in outcome.out
    assert "\\x1b[2J" in outcome.out


@pytest.mark.parametrize(
    ("name", "value"), [("0.token_ids", 10**6), ("0.parents", -1), ("0.utterances", 10**6)]
)
def test_goldens_of_another_model_end_with_4(
    command: Command, toy_folder: Path, tmp_path: Path, name: str, value: int
) -> None:
    """Their ids are none of this model's: the bundle is at fault, not whoever inspects it."""
    with np.load(toy_folder / "goldens.fp32.npz") as archive:
        arrays = dict(archive)
    arrays[name].flat[-1] = value
    file = io.BytesIO()
    np.savez(file, **arrays)
    folder = make_toy_bundle(tmp_path / "toy", goldens=file.getvalue())
    outcome = command("inspect", folder, "--verify")
    assert outcome.code == 4
    assert "goldens.fp32.npz does not fit the model" in outcome.err


def test_what_a_bundle_says_is_never_cut(command: Command, tmp_path: Path) -> None:
    fields = write_staging(tmp_path / "toy")
    scores = {f"score {n}": n / 7 for n in range(100)}
    long = replace(fields, provenance={"scores": scores, "note": "so long " * 100 + "ends"})
    Bundle.seal(tmp_path / "toy", long)
    outcome = command("inspect", tmp_path / "toy")
    (line,) = [line for line in outcome.out.splitlines() if line.split()[:1] == ["scores"]]
    assert json.loads(line.split(maxsplit=1)[1]) == scores
    assert "so long ends" in outcome.out
