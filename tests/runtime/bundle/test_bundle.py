"""A bundle opens whole or not at all."""

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from empgan_rt.bundle import bundle as bundle_module
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.bundle.manifest import (
    FileEntry,
    ManifestFields,
    Variant,
    bundle_id_of,
    file_entry,
    parse,
    render,
)
from empgan_rt.config import SearchConfig
from empgan_rt.errors import BundleError, InputError, StorageError
from empgan_rt.storage import folders as storage
from empgan_rt.storage import replacing
from empgan_rt.storage.folders import publish
from support.toy_bundle import MODEL, VARIANT, make_toy_bundle, write_staging


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_toy_bundle(tmp_path_factory.mktemp("pristine") / "toy")


@pytest.fixture
def toy(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "toy"))


@pytest.fixture
def fields(tmp_path: Path) -> ManifestFields:
    return write_staging(tmp_path / "staging")


def signed(document: dict) -> bytes:
    """Return manifest bytes with a right digest, whatever else is wrong in them."""
    raw = json.dumps(document | {"digest": "0" * 64}).encode()
    return raw.replace(b'"' + b"0" * 64, b'"' + hashlib.sha256(raw).hexdigest().encode())


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_bytes(signed(json.loads(path.read_bytes()) | changes))


def test_round_trip(pristine: Path) -> None:
    opened = Bundle.open(pristine)
    assert opened.model == MODEL
    assert opened.search == SearchConfig(beam_size=2)
    assert opened.limits.max_turns == 50
    assert opened.manifest.licence == "CC0-1.0"
    assert opened.bundle_id == bundle_id_of(opened.manifest.files)
    on_disk = {
        str(path.relative_to(pristine)): path.read_bytes()
        for path in pristine.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert opened.files == on_disk
    assert opened.weights == on_disk["weights.safetensors"]
    assert opened.graph("fp32", "turn_encoder") == on_disk["turn_encoder.fp32.onnx"]
    assert opened.graph("fp32", "decoder_step") == on_disk["decoder_step.fp32.onnx"]
    assert "joy\town\n" in opened.text("emotion_lexicon.tsv")


def test_weights_that_were_given_back_are_missed_with_a_hint(pristine: Path) -> None:
    opened = Bundle.open(pristine)
    light = opened.without_weights()
    assert light.files == {n: d for n, d in opened.files.items() if n != "weights.safetensors"}
    assert light.bundle_id == opened.bundle_id
    with pytest.raises(InputError, match="open the bundle again"):
        _ = light.weights
    assert opened.weights


def test_the_root_may_be_a_link(pristine: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(pristine)
    assert Bundle.open(tmp_path / "current").bundle_id == Bundle.open(pristine).bundle_id


def test_unknown_precision_names_the_variants(pristine: Path) -> None:
    with pytest.raises(InputError, match=r"int8.*fp32"):
        Bundle.open(pristine).graph("int8", "turn_encoder")


def test_absent_text_is_named(pristine: Path) -> None:
    with pytest.raises(BundleError, match=r"nothing\.txt"):
        Bundle.open(pristine).text("nothing.txt")


def test_embedded_names_lead_to_the_assets(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "ASSETS", toy.parent)
    toy.rename(toy.with_name("tiny"))
    assert Bundle.open("tiny").model == MODEL
    with pytest.raises(BundleError, match="not in this installation") as caught:
        Bundle.open("default")
    assert str(toy.parent) not in str(caught.value)


def test_every_flipped_manifest_byte_is_refused(pristine: Path) -> None:
    raw = (pristine / "manifest.json").read_bytes()
    parse(raw)
    for index in range(len(raw)):
        for bit in (0x01, 0x20, 0x2A):  # 0x2A makes a newline of a space, which JSON allows
            flipped = bytearray(raw)
            flipped[index] ^= bit
            with pytest.raises(BundleError):
                parse(bytes(flipped))


def test_flipped_payload_bytes_are_refused(toy: Path) -> None:
    draw = np.random.default_rng(1)
    names = sorted(Bundle.open(toy).files)
    for round_ in range(200):
        path = toy / names[round_ % len(names)]
        good = path.read_bytes()
        bad = bytearray(good)
        bad[draw.integers(len(good))] ^= 1 << int(draw.integers(8))
        path.write_bytes(bad)
        with pytest.raises(BundleError, match=path.name):
            Bundle.open(toy)
        path.write_bytes(good)
    Bundle.open(toy)


@pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors", "turn_encoder.fp32.onnx"])
def test_truncated_and_lengthened_files_are_refused(toy: Path, name: str) -> None:
    good = (toy / name).read_bytes()
    for size in (0, 1, len(good) // 2, len(good) - 1):
        (toy / name).write_bytes(good[:size])
        with pytest.raises(BundleError, match=name):
            Bundle.open(toy)
    (toy / name).write_bytes(good + b"\n")
    with pytest.raises(BundleError, match=name):
        Bundle.open(toy)


def test_missing_and_extra_files_are_named(toy: Path) -> None:
    (toy / "tokenizer.json").rename(toy / "stranger.json")
    with pytest.raises(BundleError, match=r"missing: 'tokenizer\.json'"):
        Bundle.open(toy)
    shutil.copy(toy / "stranger.json", toy / "tokenizer.json")
    with pytest.raises(BundleError, match=r"not in the manifest: 'stranger\.json'"):
        Bundle.open(toy)
    (toy / "stranger.json").unlink()
    (toy / "LICENSES" / "extra").write_bytes(b"")
    with pytest.raises(BundleError, match="LICENSES/extra"):
        Bundle.open(toy)
    (toy / "LICENSES" / "extra").unlink()
    (toy / "folder").mkdir()
    with pytest.raises(BundleError, match="folder"):
        Bundle.open(toy)


def test_files_may_be_links_as_hubs_and_installers_make_them(toy: Path, tmp_path: Path) -> None:
    before = Bundle.open(toy)
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for number, path in enumerate(sorted(p for p in toy.rglob("*") if p.is_file())):
        blob = blobs / str(number)
        path.rename(blob)
        if number % 2:
            path.symlink_to(os.path.relpath(blob, path.parent))
        else:
            os.link(blob, path)
    assert Bundle.open(toy).files == before.files
    for blob in blobs.iterdir():  # what a link leads to is held to its digest as well
        good = blob.read_bytes()
        blob.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(BundleError):
            Bundle.open(toy)
        blob.write_bytes(good)


@pytest.mark.parametrize("name", ["manifest.json", "tokenizer.json"])
def test_a_link_that_leads_nowhere_or_round_is_named(toy: Path, name: str) -> None:
    (toy / name).unlink()
    for target in ("nowhere", name):
        (toy / name).symlink_to(target)
        with pytest.raises(BundleError, match=name):
            Bundle.open(toy)
        (toy / name).unlink()


@pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors"])
def test_a_pointer_of_git_lfs_is_told_as_such(toy: Path, name: str) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
    (toy / name).write_bytes(pointer)
    with pytest.raises(BundleError, match="Git LFS") as caught:
        Bundle.open(toy)
    assert "git lfs pull" in caught.value.hint


@pytest.mark.parametrize("name", [".DS_Store", ".gitattributes", "desktop.ini", "LICENSES/._x"])
def test_what_a_file_manager_left_is_told_as_such(toy: Path, name: str) -> None:
    (toy / name).write_bytes(b"")
    with pytest.raises(BundleError, match="not in the manifest") as caught:
        Bundle.open(toy)
    assert "delete" in caught.value.hint
    (toy / "stranger").write_bytes(b"")
    with pytest.raises(BundleError) as caught:
        Bundle.open(toy)
    assert not caught.value.hint


@pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors", "LICENSES/CC0-1.0.txt"])
def test_special_files_are_refused(toy: Path, name: str) -> None:
    (toy / name).unlink()
    os.mkfifo(toy / name)  # must not wait for a writer
    with pytest.raises(BundleError, match="not a regular file"):
        Bundle.open(toy)
    (toy / name).unlink()
    (toy / name).mkdir()
    with pytest.raises(BundleError, match=name):
        Bundle.open(toy)


def test_linked_subfolder_is_refused(toy: Path, tmp_path: Path) -> None:
    (toy / "LICENSES").rename(tmp_path / "elsewhere")
    (toy / "LICENSES").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="LICENSES is a link, or no folder"):
        Bundle.open(toy)


@pytest.mark.parametrize(
    "name",
    [
        *("../toy2/x", "/etc/passwd", "..", ".hidden", "a/b", "C:\\x", "x\0y", "x\n", "", "é.txt"),
        *("LICENSES/../x", "LICENSES/", "LICENSES//x"),
        *("manifest.json", "MANIFEST.json", "Tokenizer.json"),
    ],
)
def test_file_names_with_tricks_are_refused(toy: Path, name: str) -> None:
    files = json.loads((toy / "manifest.json").read_bytes())["files"]
    files[name] = files["tokenizer.json"]
    rewrite(toy, files=files)
    with pytest.raises(BundleError, match=r"manifest\.json: (bad file name|names that differ)"):
        Bundle.open(toy)


def test_sparse_giant_is_refused_before_it_is_read(toy: Path) -> None:
    with (toy / "weights.safetensors").open("r+b") as file:
        file.truncate(10 << 30)
    with pytest.raises(BundleError, match="holds 10737418240 bytes"):
        Bundle.open(toy)
    files = json.loads((toy / "manifest.json").read_bytes())["files"]
    files["weights.safetensors"]["size"] = 10 << 30
    rewrite(toy, files=files)
    with pytest.raises(BundleError, match="more than 1073741824"):
        Bundle.open(toy)
    with (toy / "manifest.json").open("r+b") as file:
        file.truncate(2 << 20)
    with pytest.raises(BundleError, match=r"manifest\.json holds"):
        Bundle.open(toy)


def test_newer_minor_loads_and_its_fields_are_ignored(toy: Path) -> None:
    model = json.loads((toy / "manifest.json").read_bytes())["model"]
    rewrite(toy, schema_version="2.7", novelty=[1], model=model | {"novelty": 2})
    assert Bundle.open(toy).model == MODEL


def variant(**changes: object) -> dict[str, object]:
    """Return the manifest's variants, one field of fp32's changed."""
    return {"variants": {"fp32": msgspec.to_builtins(VARIANT) | changes}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": "3.0", "min_reader": "3.1.4"}, r"needs empgan-rt 3\.1\.4"),
        ({"min_reader": "99.0.0"}, r"install empgan-rt >= 99\.0\.0"),
        ({"schema_version": "1.2"}, "reads schema 2.x"),
        ({"schema_version": 1.0}, "not a version"),
        ({"schema_version": "one"}, "not a version"),
        ({"schema_version": "1.0\x1b[2J"}, "not a version"),
        ({"min_reader": "0.1.0\n"}, "not a version"),
        ({"\x1b[2J": 1}, r"unknown fields: '\\x1b\[2J'"),
        ({"novelty": 1}, "unknown fields: 'novelty'"),
        ({"model": {"vocabulary_size": 23, "emotion_vocabulary_size": 11, "x": 1}}, "fields: 'x'"),
        ({"model": {"vocabulary_size": 23.0, "emotion_vocabulary_size": 11}}, "Expected `int`"),
        ({"model": {"vocabulary_size": -1, "emotion_vocabulary_size": 11}}, "vocabulary_size"),
        ({"variants": {}}, "no variant"),
        (variant(decoder_step="x.onnx"), "no 'x.onnx'$"),
        (variant(turn_encoder="t", context_encoder="c", goldens="g"), "no 'c'; no 'g'; no 't'$"),
        (variant(atol=1.5), "variants.*atol"),
        (variant(encoder="turn_encoder.fp32.onnx"), "unknown fields: 'encoder'"),
        ({"files": {}}, r"no 'tokenizer\.json'; no 'turn_encoder"),
        ({"bundle_id": "0" * 16}, "bundle_id disagrees"),
        ({"licence": None}, "Expected `str`"),
    ],
)
def test_unsound_manifests_are_refused(toy: Path, changes: dict, message: str) -> None:
    rewrite(toy, **changes)
    with pytest.raises(BundleError, match=message):
        Bundle.open(toy)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not usable JSON"),
        (b"[1]", "holds a list"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"schema_version": "1.0", "schema_version": "1.0"}', "a key comes twice"),
        (b'{"files": {"a": {"size": 1, "size": 2}}}', "a key comes twice"),
        (b'{"schema_version": NaN}', "NaN"),
        (b'{"licence": "\\ud800"}', "not usable JSON"),
        (b"\xff\xfe{}", "not usable JSON"),
        (b'{"schema_version": "2.0", "min_reader": "0.1.0"}', "0 digests"),
    ],
)
def test_hostile_json_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        parse(raw)


def test_unknown_search_setting_is_refused(tmp_path: Path) -> None:
    fields = write_staging(tmp_path / "toy")
    (tmp_path / "toy" / "generation.json").write_bytes(b'{"beam_size": 3, "beem": 3}')
    with pytest.raises(BundleError, match=r"generation\.json has unknown fields: 'beem'"):
        Bundle.seal(tmp_path / "toy", fields)


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        (" ", r"generation\.json.*banned_words\[1\] is blank"),
        ("\u200b", r"generation\.json: .*no word"),
    ],
)
def test_a_ban_of_nothing_is_refused(tmp_path: Path, entry: str, wanted: str) -> None:
    fields = write_staging(tmp_path / "toy")
    search = {"beam_size": 3, "banned_words": ["it's", entry]}
    (tmp_path / "toy" / "generation.json").write_bytes(msgspec.json.encode(search))
    with pytest.raises(BundleError, match=wanted):
        Bundle.seal(tmp_path / "toy", fields).featurizer()


def test_what_is_no_folder_is_refused(toy: Path) -> None:
    with pytest.raises(BundleError, match="no folder"):
        Bundle.open(toy / "absent")
    with pytest.raises(BundleError, match="unpack archives"):
        Bundle.open(toy / "tokenizer.json")
    with pytest.raises(BundleError, match="no folder"):
        Bundle.open("nul\0byte")


def test_seal_refuses_what_open_would(tmp_path: Path, fields: ManifestFields) -> None:
    staging = tmp_path / "staging"
    wrong = dataclasses.replace(fields, variants={"fp32": Variant("t", "c", "d", "absent.npz", 0)})
    with pytest.raises(BundleError, match=r"no 'absent\.npz'"):
        Bundle.seal(staging, wrong)
    assert not (staging / "manifest.json").exists()
    (staging / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"no 'tokenizer\.json'"):
        Bundle.seal(staging, fields)


def test_what_is_sealed_is_what_is_opened(tmp_path: Path, fields: ManifestFields) -> None:
    staging = tmp_path / "staging"
    sealed = Bundle.seal(staging, fields)
    assert sealed == Bundle.open(staging)
    again = Bundle.seal(
        staging, dataclasses.replace(fields, parity={"atol": 1.0}), unchanged=sealed
    )
    assert again == Bundle.open(staging)
    assert again.manifest.parity == {"atol": 1.0}
    assert again.manifest.files == sealed.manifest.files


def test_each_file_is_hashed_once(
    tmp_path: Path, fields: ManifestFields, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[int] = []

    def counting(data: bytes) -> FileEntry:
        hashed.append(len(data))
        return file_entry(data)

    monkeypatch.setattr(bundle_module, "file_entry", counting)
    sealed = Bundle.seal(tmp_path / "staging", fields)
    Bundle.seal(tmp_path / "staging", fields, unchanged=sealed)
    assert len(hashed) == len(sealed.files)


def test_a_digest_among_the_fields_is_refused(fields: ManifestFields, pristine: Path) -> None:
    confusing = dataclasses.replace(fields, provenance={"digest": "a" * 64})
    with pytest.raises(BundleError, match="2 digests"):
        render(confusing, Bundle.open(pristine).manifest.files)


def test_publish_renames_and_needs_force_to_replace(tmp_path: Path, pristine: Path) -> None:
    out = tmp_path / "out.empgan"
    publish(make_toy_bundle(tmp_path / "one"), out)
    assert Bundle.open(out).bundle_id == Bundle.open(pristine).bundle_id
    second = tmp_path / "two"
    fields = write_staging(second)
    (second / "MODEL_CARD.md").write_text("# Another\n")
    Bundle.seal(second, fields)
    with pytest.raises(InputError, match="--force"):
        publish(second, out)
    publish(second, out, force=True)
    assert Bundle.open(out).text("MODEL_CARD.md") == "# Another\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.empgan"]


def test_force_spares_what_is_no_bundle(tmp_path: Path) -> None:
    precious = tmp_path / "home"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not a bundle"):
        publish(make_toy_bundle(tmp_path / "new"), precious, force=True)
    assert (precious / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("can_exchange", [False, True])
def test_a_failed_replacement_restores_the_old_bundle(
    tmp_path: Path, toy: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    new = make_toy_bundle(tmp_path / "new")
    before = Bundle.open(toy).bundle_id
    rename = Path.rename

    def full_disk(self: Path, target: Path) -> Path:
        if self == new:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    def exchange(one: Path, other: Path) -> bool:
        if can_exchange:
            raise OSError(28, "No space left on device")
        return False

    monkeypatch.setattr(Path, "rename", full_disk)
    monkeypatch.setattr(replacing, "exchange", exchange)
    with pytest.raises(StorageError, match="No space left"):
        publish(new, toy, force=True)
    assert Bundle.open(toy).bundle_id == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "toy"]


def test_a_bundle_that_a_killed_replacement_left_aside_opens(toy: Path) -> None:
    before = Bundle.open(toy).bundle_id
    toy.rename(toy.with_name(".toy.0123abcd.old"))
    assert Bundle.open(toy).bundle_id == before
    assert [path.name for path in toy.parent.iterdir()] == ["toy"]


def test_a_failed_flush_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = make_toy_bundle(tmp_path / "new")

    def full_disk(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(storage.os, "fsync", full_disk)
    with pytest.raises(StorageError, match="Input/output error"):
        publish(new, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_of_strange_files_are_escaped(toy: Path) -> None:
    (toy / "\x1b[2J").touch()
    with pytest.raises(BundleError, match=r"not in the manifest: '\\x1b\[2J'"):
        Bundle.open(toy)
