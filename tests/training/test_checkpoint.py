"""Checkpoints: round trip, damage of every kind, and a disk that fails."""

from __future__ import annotations

import ast
import json
import logging
import os
import pickle
import random
import resource
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors.torch import save_file

import empgan_rt
import empgan_training
from empgan_rt.config import GeneratorConfig, Limits
from empgan_rt.errors import CheckpointError, EmpganError, StorageError
from empgan_training import checkpoint as module
from empgan_training.checkpoint import DIGEST, Checkpoint
from empgan_training.digest import file_digest
from support.small_data import SMALL_SIZES, small_checkpoint, small_generator

MLE = {"learning_rate": 1e-3}
ROOT = Path(empgan_rt.__file__).parents[1]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def checkpoint(path: Path) -> Checkpoint:
    return Checkpoint.load(path)


def test_round_trip(checkpoint: Checkpoint, tmp_path: Path) -> None:
    trainer = {"rng": torch.get_rng_state(), "mle/adam.0.step": torch.tensor(3.0)}
    info = {**checkpoint.info, "scores": {"mle": {"perplexity": 31.5}}, "é": [1, None, True]}
    full = replace(checkpoint, trainer=trainer, info=info)
    full.save(tmp_path / "deep" / "er" / "full.safetensors")
    again = Checkpoint.load(tmp_path / "deep" / "er" / "full.safetensors")
    assert again.config == checkpoint.config
    assert again.texts == checkpoint.texts
    assert again.info == info
    for ours, theirs in ((full.model, again.model), (trainer, again.trainer)):
        assert set(ours) == set(theirs)
        for name, tensor in ours.items():
            assert tensor.dtype == theirs[name].dtype
            assert torch.equal(tensor, theirs[name]), name
    assert [p.name for p in (tmp_path / "deep" / "er").iterdir()] == ["full.safetensors"]


def test_the_generator_has_the_stored_weights_and_evaluates(checkpoint: Checkpoint) -> None:
    generator = checkpoint.generator()
    assert not generator.training
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, checkpoint.model[name])
    with torch.no_grad():
        generator.label_head.bias.add_(1.0)
    assert not torch.equal(generator.label_head.bias, checkpoint.model["label_head.bias"])


def test_the_featurizer_reads_as_in_training(checkpoint: Checkpoint) -> None:
    featurizer = checkpoint.featurizer(Limits())
    assert len(featurizer.tokenizer.vocabulary) == checkpoint.config.vocabulary_size
    assert len(featurizer.lexicon.vocabulary) == checkpoint.config.emotion_vocabulary_size
    assert module.texts_of(featurizer) == checkpoint.texts


@pytest.mark.parametrize("name", ["system", "recipe", "scores", "data", "licence", "versions"])
def test_a_checkpoint_without_one_of_its_facts_is_refused(
    checkpoint: Checkpoint, tmp_path: Path, name: str
) -> None:
    info = {key: value for key, value in checkpoint.info.items() if key != name}
    replace(checkpoint, info=info).save(tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match=f"does not state its {name}"):
        Checkpoint.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("name", ["vocabulary_size", "emotion_vocabulary_size"])
def test_vocabularies_of_another_size_are_refused(checkpoint: Checkpoint, name: str) -> None:
    sizes: dict[str, Any] = {name: getattr(checkpoint.config, name) + 1}
    wrong = replace(checkpoint, config=replace(checkpoint.config, **sizes))
    with pytest.raises(CheckpointError, match="vocabularies of"):
        wrong.featurizer(Limits())


@pytest.mark.parametrize("name", ["tokenizer.json", "emotion_lexicon.tsv"])
def test_a_damaged_vocabulary_is_a_checkpoint_error(checkpoint: Checkpoint, name: str) -> None:
    wrong = replace(checkpoint, texts={**checkpoint.texts, name: "{"})
    with pytest.raises(CheckpointError, match="damaged vocabulary"):
        wrong.featurizer(Limits())


def test_tensors_that_are_views_are_stored(checkpoint: Checkpoint, tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    views = {"turned": base.t(), "part": base[:, 1:3], "whole": base}
    replace(checkpoint, trainer=views).save(tmp_path / "views.safetensors")
    again = Checkpoint.load(tmp_path / "views.safetensors").trainer
    assert all(torch.equal(again[name], tensor) for name, tensor in views.items())


def damaged(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_every_truncation_is_a_checkpoint_error(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    for size in [0, 1, 7, 8, 9, *range(100, len(data), len(data) // 50), len(data) - 1]:
        with pytest.raises(CheckpointError):
            Checkpoint.load(damaged(tmp_path / "cut", data[:size]))


def exit_code_of_using(path: Path) -> int:
    """Do everything that users do with a checkpoint; return 0 or the exit code of the error."""
    try:
        checkpoint = Checkpoint.load(path)
        checkpoint.generator()
        checkpoint.featurizer(Limits())
    except EmpganError as error:
        return error.exit_code
    return 0


def test_a_flipped_bit_is_refused(path: Path, tmp_path: Path) -> None:
    """Whatever is flipped, only errors of the tree are raised, of exit code 4."""
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    draw = random.Random(0)
    places = [*range(8), *(draw.randrange(8, 3000) for _ in range(60))]
    places += [draw.randrange(header - 3000, header) for _ in range(60)]
    codes = []
    for place in places:
        altered = bytearray(data)
        altered[place] ^= 1 << draw.randrange(8)
        codes.append(exit_code_of_using(damaged(tmp_path / "flipped", bytes(altered))))
    assert set(codes) == {4}


@pytest.fixture(scope="module")
def tiny(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A resumable checkpoint of few bytes, so that thousands of them can be read."""
    model = small_generator(GeneratorConfig(9, 9, **SMALL_SIZES)).state_dict()
    trainer = {"rng": torch.arange(16, dtype=torch.uint8), "mle/adam.0.step": torch.tensor(3.0)}
    info = {**checkpoint.info, "data": {"sha256": {}}, "recipe": {"seed": 1, "mle": MLE}}
    texts = dict.fromkeys(checkpoint.texts, "one\ttwo\nthree é\n")
    path = tmp_path_factory.mktemp("tiny") / "last.safetensors"
    Checkpoint(GeneratorConfig(9, 9, **SMALL_SIZES), model, texts, info, trainer).save(path)
    Checkpoint.load(path).generator()
    return path.read_bytes()


def flips(data: bytes, count: int) -> Iterator[tuple[int, bytes]]:
    """Yield places and the file with one bit flipped there, in every region of it.

    These are the header's size, its texts, the entries of its tensors, and the tensors themselves.
    """
    header = 8 + int.from_bytes(data[:8], "little")
    texts = data.index(b"__metadata__"), data.index(b'"model.')
    regions = (range(8), range(8, header), range(*sorted(texts)), range(header, len(data)))
    draw = random.Random(1)
    for region in regions:
        for _ in range(count):
            place = draw.choice(region)
            altered = bytearray(data)
            altered[place] ^= 1 << draw.randrange(8)
            yield place, bytes(altered)


def refused(path: Path) -> bool:
    try:
        Checkpoint.load(path)
    except CheckpointError:
        return True
    return False


def test_flipped_bits_of_every_region_are_refused(tiny: bytes, tmp_path: Path) -> None:
    file = tmp_path / "flipped"
    assert [at for at, data in flips(tiny, 60) if not refused(damaged(file, data))] == []


@pytest.mark.slow
def test_thousands_of_flipped_bits_are_refused(tiny: bytes, tmp_path: Path) -> None:
    file = tmp_path / "flipped"
    assert [at for at, data in flips(tiny, 2500) if not refused(damaged(file, data))] == []


def test_a_checkpoint_of_an_older_version_is_read_with_a_warning(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = damaged(tmp_path / "old", with_metadata(path.read_bytes(), sha256=None))
    with caplog.at_level(logging.WARNING):
        Checkpoint.load(path)
        assert caplog.messages == []
        assert Checkpoint.load(old).texts == Checkpoint.load(path).texts
    assert len(caplog.messages) == 1
    assert "has no digest" in caplog.messages[0]


@pytest.mark.parametrize(
    "changes", [{"sha256": "0" * 64}, {"sha256": ""}, {"sha257": "0" * 64, "sha256": None}], ids=str
)
def test_another_digest_or_one_of_another_name_is_refused(
    path: Path, tmp_path: Path, changes: dict[str, str | None]
) -> None:
    """A digest whose name is damaged must not pass for an older version's file."""
    file = damaged(tmp_path / "other", with_metadata(path.read_bytes(), **changes))
    with pytest.raises(CheckpointError, match=r"altered since|no checkpoint has"):
        Checkpoint.load(file)


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def with_metadata(data: bytes, **changes: str | None) -> bytes:
    """Return the file with entries of its metadata replaced, or left out (None)."""
    header, body = header_of(data)
    metadata = header["__metadata__"]
    for name, value in changes.items():
        metadata.pop(name, None)
        if value is not None:
            metadata[name] = value
    if DIGEST in metadata and DIGEST not in changes:  # so that what lies behind it is met
        texts = {name: text for name, text in metadata.items() if name != DIGEST}
        metadata[DIGEST] = file_digest(texts, safetensors.torch.load(data))
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    return len(encoded).to_bytes(8, "little") + encoded + body


@pytest.mark.parametrize(
    "changes",
    [
        {"format": None},
        {"format": "empgan-checkpoint-2"},
        {"config": None},
        {"config": "{"},
        {"config": '{"vocabulary_size": 9}'},
        {"config": '{"vocabulary_size": 9, "emotion_vocabulary_size": "9"}'},
        {"config": '{"vocabulary_size": -1, "emotion_vocabulary_size": 9}'},
        {"info": None},
        {"info": "{"},
        {"info": "[]"},
        {"info": "[" * 100_000},
        {"info": '{"system": ' + "9" * 5000 + "}"},
        {"config": '{"more": ' + "[" * 100_000 + "}"},
        {"tokenizer.json": None},
        {"emotion_vocabulary.txt": None},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_damaged_header_is_a_checkpoint_error(
    path: Path, tmp_path: Path, changes: dict[str, str | None]
) -> None:
    file = damaged(tmp_path / "header", with_metadata(path.read_bytes(), **changes))
    with pytest.raises(CheckpointError, match=r"damaged header|has format"):
        Checkpoint.load(file)


@pytest.mark.parametrize(
    "facts",
    [
        {"system": 3},
        {"recipe": []},
        {"recipe": {"seed": 1}},
        {"scores": {"mle": 3}},
        {"data": {"sha256": [1]}},
        {"versions": None},
        {"licence": None},
        {"stages": {"mle": {"step": -1}}},
        {"stages": {"mle": {"step": 10**30}}},
        {"sources": {"generator": 1}},
        {"more": "\ud800"},
    ],
    ids=str,
)
def test_facts_of_another_type_are_refused(
    checkpoint: Checkpoint, tmp_path: Path, facts: dict[str, Any]
) -> None:
    replace(checkpoint, info={**checkpoint.info, **facts}).save(tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="damaged header"):
        Checkpoint.load(tmp_path / "a.safetensors")


def test_an_untouched_header_written_again_is_fine(path: Path, tmp_path: Path) -> None:
    """The helper above damages only what it is told to."""
    same = damaged(tmp_path / "same", with_metadata(path.read_bytes()))
    assert exit_code_of_using(same) == 0


def test_other_safetensors_files_are_checkpoint_errors(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="wanted empgan-checkpoint-1"):
        Checkpoint.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize("name", ["absent.safetensors", "."])
def test_a_missing_file_or_a_folder_is_a_checkpoint_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError):
        Checkpoint.load(tmp_path / name)


class _Canary:
    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.touched,))


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    data = pickle.dumps(_Canary(touched))
    pickle.loads(data)
    assert touched.exists()  # the canary works
    touched.unlink()
    torch.save({"model": _Canary(touched)}, tmp_path / "torch.pt")
    damaged(tmp_path / "plain.safetensors", data)
    for name in ("torch.pt", "plain.safetensors"):
        with pytest.raises(CheckpointError):
            Checkpoint.load(tmp_path / name)
    assert not touched.exists()


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float64, torch.int64, torch.float8_e4m3fn, torch.complex64]
)
def test_weights_of_another_dtype_are_refused(
    checkpoint: Checkpoint, tmp_path: Path, dtype: torch.dtype
) -> None:
    bias = checkpoint.model["label_head.bias"]
    _weights(checkpoint, **{"label_head.bias": bias.to(dtype)}).save(tmp_path / "a.safetensors")
    wrong = Checkpoint.load(tmp_path / "a.safetensors")
    assert len(wrong.weights_sha256()) == 64
    with pytest.raises(CheckpointError, match="do not fit"):
        wrong.generator()


def test_sizes_beyond_memory_are_refused_before_it_is_taken(checkpoint: Checkpoint) -> None:
    sizes = GeneratorConfig(1_000_000, 1_000_000, 8192, 8192, 8192, 8192, 8192)  # 100 GB and more
    with pytest.raises(CheckpointError, match="do not fit"):
        replace(checkpoint, config=sizes).generator()


def _weights(checkpoint: Checkpoint, **changes: torch.Tensor | None) -> Checkpoint:
    model = {**checkpoint.model, **changes}
    return replace(checkpoint, model={k: t for k, t in model.items() if t is not None})


def test_weights_that_do_not_fit_are_refused(checkpoint: Checkpoint) -> None:
    bias = checkpoint.model["label_head.bias"]
    for wrong in (
        _weights(checkpoint, **{"label_head.bias": None}),
        _weights(checkpoint, extra=bias),
        _weights(checkpoint, **{"label_head.bias": bias[:-1]}),
        replace(checkpoint, config=GeneratorConfig(9, 9, **SMALL_SIZES)),
    ):
        with pytest.raises(CheckpointError, match="do not fit"):
            wrong.generator()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(checkpoint: Checkpoint, value: float) -> None:
    bias = checkpoint.model["label_head.bias"].clone()
    bias[3] = value
    with pytest.raises(CheckpointError, match=r"label_head\.bias"):
        _weights(checkpoint, **{"label_head.bias": bias}).generator()


def failing(*_args: object, **_kwargs: object) -> Any:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_a_failing_disk_keeps_the_old_file(
    checkpoint: Checkpoint, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    target = tmp_path / "last.safetensors"
    shutil.copy(path, target)
    new = replace(checkpoint, info={**checkpoint.info, "new": True})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with monkeypatch.context() as patch:
        if step == "write":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # bytes of any file
        else:
            patch.setattr(os if step == "fsync" else Path, step, failing)
        try:
            with pytest.raises(StorageError, match=r"last\.safetensors"):
                new.save(target)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert target.read_bytes() == path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]
    new.save(target)  # and the next try works
    assert Checkpoint.load(target).info == new.info


def test_a_folder_that_cannot_be_made_is_a_storage_error(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        checkpoint.save(tmp_path / "file" / "last.safetensors")


def test_a_crash_while_writing_leaves_the_old_file(
    checkpoint: Checkpoint, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "last.safetensors"
    shutil.copy(path, target)

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save(target)
    assert target.read_bytes() == path.read_bytes()
    checkpoint.save(target)
    assert Checkpoint.load(target).info == checkpoint.info


def test_what_a_killed_writer_left_goes_with_the_next_checkpoint(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / ".last.safetensors.0123abcd.part").write_bytes(b"half")
    checkpoint.save(tmp_path / "last.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_a_checkpoint_may_be_read_by_whom_the_umask_lets(
    checkpoint: Checkpoint, tmp_path: Path, mask: int
) -> None:
    before = os.umask(mask)
    try:
        checkpoint.save(tmp_path / "last.safetensors")
        (tmp_path / "neighbour").touch()
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~mask}


def test_checkpoints_of_equal_weights_are_equal_files(tmp_path: Path) -> None:
    config = GeneratorConfig(9, 9, **SMALL_SIZES)
    texts = {
        "tokenizer.json": "",
        "emotion_lexicon.tsv": "",
        "emotion_vocabulary.txt": "",
    }
    for name in ("a", "b"):
        model = small_generator(config, seed=1).state_dict()
        Checkpoint(config, model, texts, {}, {}).save(tmp_path / name)
    a, b = (header_of((tmp_path / name).read_bytes()) for name in ("a", "b"))
    assert a == b  # the order of metadata within the file is not fixed


def sources() -> Iterator[Path]:
    """Yield every module of the four packages."""
    for folder in ("empgan_rt", "training", "export", "bench"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def unpicklers(source: str) -> list[str]:
    """Return what a module imports or calls that can unpickle."""
    found = []
    banned = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in banned]
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if (node.module or "").split(".")[0] in banned:
                found.append(str(node.module))
            if node.module == "torch" and names & {"load", "save"}:
                found.append("from torch import load")
        elif isinstance(node, ast.Attribute) and node.attr in ("load", "save"):
            if isinstance(node.value, ast.Name) and node.value.id == "torch":
                found.append(f"torch.{node.attr}")
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            allowed = getattr(node.value, "value", True) is not False
            found += ["allow_pickle"] * allowed
    return found


def test_nothing_of_ours_unpickles() -> None:
    files = list(sources())
    assert Path(empgan_training.__file__) in files
    assert {str(f): bad for f in files if (bad := unpicklers(f.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import torch\ntorch.load('x')",
        "from torch import load",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
    ],
)
def test_the_ban_can_fail(source: str) -> None:
    assert unpicklers(source)
