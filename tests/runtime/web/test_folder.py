"""The folder that `empgan-rt web` writes: what is in it, and what happens to one that is there."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import DependencyError, InputError
from empgan_rt.guard.word_list import SHIPPED
from empgan_rt.web import onnxruntime_web
from empgan_rt.web.folder import NO_GUARD, PAGE, WORKER, folder_files, write_folder
from empgan_rt.web.guard_file import guard_file
from empgan_rt.web.model_files import FACTS, model_files
from support.command_line import Outcome
from support.source_tree import PACKAGES

RUNTIME = {"ort.wasm.min.mjs": b"export {};", "LICENSE": b"MIT"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive as npm packs it, of small files that count as ONNX Runtime's."""
    files = {name: name.encode() for name in onnxruntime_web.FILES}
    digests = {
        name: base64.b64encode(hashlib.sha256(data).digest()).decode()
        for name, data in files.items()
    }
    monkeypatch.setattr(onnxruntime_web, "FILES", digests)
    return packed(tmp_path / "package.tgz", files)


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in {**files, "other.js": b""}.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def files_of(name: str = "tiny", precision: str = "int8", **more: Any) -> dict[str, bytes]:
    return folder_files(Bundle.open(name), precision, name, more.get("guard", NO_GUARD), RUNTIME)


def groups_of(files: dict[str, bytes]) -> dict[str, dict[str, tuple[str, int]]]:
    """Return the caches that the service worker keeps."""
    first, _, _ = files[WORKER].partition(b";\n")
    found: dict[str, dict[str, tuple[str, int]]] = json.loads(
        first.removeprefix(b"const GROUPS = ")
    )
    return found


def test_the_bundles_own_files_are_in_it() -> None:
    bundle, files = Bundle.open("tiny"), files_of()
    assert files["model/weights.safetensors"] == bundle.weights
    for which in ("turn_encoder", "context_encoder", "decoder_step"):
        assert files[f"model/{which}.onnx"] == bundle.graph("int8", which)
    assert files["model/MODEL_CARD.md"] == bundle.files["MODEL_CARD.md"]
    assert "model/LICENSES/VADER-MIT.txt" in files
    assert files["onnxruntime/LICENSE"] == b"MIT"


def test_the_page_is_the_servers_with_another_transport() -> None:
    files = files_of()
    for path in PAGE.iterdir():
        is_same = files[path.name] == path.read_bytes()
        assert is_same == (path.name != "transport.js")


def test_the_worker_keeps_every_file_but_itself() -> None:
    files = files_of()
    groups = groups_of(files)
    listed = {path: entry for group in groups.values() for path, entry in group.items()}
    assert listed.keys() == files.keys() - {WORKER}
    for path, (digest, size) in listed.items():
        assert (hashlib.sha256(files[path]).hexdigest(), len(files[path])) == (digest, size)


def test_a_cache_has_another_name_if_its_files_are_others() -> None:
    names = [[*groups_of(files)] for files in (files_of(), files_of(guard=guard_file()))]
    assert names[0][0] != names[1][0]
    assert names[0][1:] == names[1][1:]
    assert names[0][1].startswith(f"model {Bundle.open('tiny').bundle_id} int8 ")
    assert [*groups_of(files_of(precision="fp32"))][1] != names[0][1]


def test_every_file_that_a_script_names_is_there() -> None:
    files = files_of()
    for name, data in files.items():
        if name.endswith((".js", ".html")):
            text = data.decode()
            named = re.findall(r'(?:from|import|src=|href=|new URL\()\s*"(\.?[\w./-]+\.\w+)"', text)
            for each in named:
                path = (Path("/") / name).parent / each
                found = str(path.resolve().relative_to("/"))
                assert found in files or found.startswith("onnxruntime/"), (name, each)


def test_no_file_asks_for_anything_elsewhere() -> None:
    for path in (PACKAGES["empgan_rt"] / "web").rglob("*.*"):
        if path.suffix in (".js", ".html", ".css"):
            text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
            assert "://" not in text, path.name
            assert "innerHTML" not in text, path.name
            assert text.count("\n") <= 300, path.name


def test_the_guards_words_as_they_are_told() -> None:
    words = json.loads(guard_file(None, "en-GB"))
    assert "999" in words["texts"]["self_harm"]
    reads = {category["name"]: category["reads"] for category in words["categories"]}
    assert (reads["violence_at_home"], reads["encourages_harm"]) == (["messages"], ["replies"])
    assert len(words["idioms"]) > 10


def test_a_category_that_is_allowed_is_left_out(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[categories.abuse]\naction = "allow"\n')
    names = [category["name"] for category in json.loads(guard_file(own))["categories"]]
    assert "abuse" not in names
    assert "self_harm" in names
    assert "abuse" in SHIPPED.read_text("utf-8")


def test_a_search_that_draws_is_refused() -> None:
    bundle = Bundle.open("tiny")
    drawing = replace(bundle, search=replace(bundle.search, sample=True))
    with pytest.raises(InputError, match="draws"):
        model_files(drawing, "fp32", "tiny")


def test_banned_words_go_with_the_model() -> None:
    bundle = Bundle.open("tiny")
    banning = replace(bundle, search=replace(bundle.search, banned_words=("happy", "thank you")))
    bans = msgspec.json.decode(model_files(banning, "fp32", "tiny")[FACTS])["bans"]
    own = banning.featurizer().bans(("happy", "thank you"))
    assert bans["ids"] == [*own.ids]
    assert {int(token) for token in bans["ends"]} == {*own.ends}


@pytest.mark.parametrize("precision", ["fp16", "fp64"])
def test_other_precisions_are_refused(precision: str) -> None:
    with pytest.raises(InputError, match="precision"):
        files_of(precision=precision)


def test_nothing_is_replaced_unless_it_is_a_page(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write_folder(out, {"a/b.js": b"1", WORKER: b"2"})
    with pytest.raises(InputError, match="exists"):
        write_folder(out, {WORKER: b"3"})
    write_folder(out, {WORKER: b"3"}, force=True)
    assert [path.name for path in out.iterdir()] == [WORKER]
    other = tmp_path / "photos"
    other.mkdir()
    with pytest.raises(InputError, match="no such page"):
        write_folder(other, {WORKER: b"3"}, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "site"]


def test_runtime_of_an_archive_and_of_a_folder(package: Path, tmp_path: Path) -> None:
    found = onnxruntime_web.read_runtime(package)
    assert found.keys() == {*onnxruntime_web.FILES, "LICENSE"}
    assert b"Microsoft" in found["LICENSE"]
    with tarfile.open(package) as archive:
        archive.extractall(tmp_path, filter="data")
    assert onnxruntime_web.read_runtime(tmp_path / "package") == found


def test_runtime_that_is_another(package: Path, tmp_path: Path) -> None:
    altered = packed(tmp_path / "altered.tgz", dict.fromkeys(onnxruntime_web.FILES, b"altered"))
    with pytest.raises(InputError, match="SHA-256"):
        onnxruntime_web.read_runtime(altered)
    with pytest.raises(InputError, match="has no dist/"):
        onnxruntime_web.read_runtime(packed(tmp_path / "empty.tgz", {}))
    altered.write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be read"):
        onnxruntime_web.read_runtime(altered)
    with pytest.raises(InputError, match="has no dist/"):
        onnxruntime_web.read_runtime(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        onnxruntime_web.read_runtime(tmp_path / "nowhere.tgz")


def test_runtime_that_npm_fetches(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = onnxruntime_web.read_runtime(package)
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\ncp {package} "$5/onnxruntime-web-1.tgz"\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")
    assert onnxruntime_web.read_runtime(None) == found
    npm.write_text("#!/bin/sh\necho no network >&2; exit 1\n")
    with pytest.raises(DependencyError, match="no network"):
        onnxruntime_web.read_runtime(None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match="npm is not installed"):
        onnxruntime_web.read_runtime(None)


def test_the_command(command: Callable[..., Outcome], package: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    given = ("web", "tiny", out, "--onnxruntime-web", package, "--json")
    record = command(*given, "--locale", "en-GB").json
    assert record["bundle_id"] == Bundle.open("tiny").bundle_id
    assert record["precision"] == "int8"
    assert record["guard"] is True
    assert record["files"] == sum(path.is_file() for path in out.rglob("*"))
    assert b"999" in (out / "guard.json").read_bytes()
    assert command(*given).code == 2  # it is there
    assert command(*given, "--force", "--no-guard", "--name", "me").code == 0
    assert (out / "guard.json").read_bytes() == NO_GUARD
    assert json.loads((out / "model" / FACTS).read_bytes())["name"] == "me"
