"""A folder that any static host serves: page, engine, model and ONNX Runtime.

index.html  style.css  *.js        the page, as the server has it, with a transport of its own
service_worker.js                  keeps all of it for a visit without a network
engine/                            reads, searches and guards
guard.json                         the word list; null without a guard
model/                             graphs and weights as they are in the bundle, and its licences
onnxruntime/                       onnxruntime-web, with its licence
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..bundle.bundle import Bundle
from ..errors import InputError, StorageError
from ..storage.folders import replace_folder, write_file
from ..storage.replacing import restored, staging_folder
from .model_files import model_files
from .onnxruntime_web import VERSION

WORKER = "service_worker.js"
NO_GUARD = b"null"
_HERE = Path(__file__).parent
PAGE = _HERE / "page"
"""Where the files of the page are, as the server has it."""
_SOURCES = {"": PAGE, "engine/": _HERE / "engine"}  # of one name, the last one counts
_OFFLINE = _HERE / "offline"

_Files = Mapping[str, bytes]


def folder_files(
    bundle: Bundle, precision: str, name: str, guard: bytes, runtime: _Files
) -> dict[str, bytes]:
    """Return the files of a folder, by name.

    Args:
        bundle: the model.
        precision: one of its variants, "fp32" or "int8".
        name: what the page calls the model.
        guard: from `guard_file`, or NO_GUARD.
        runtime: from `read_runtime`.

    Raises:
        InputError: the precision is another, or the bundle's own search draws words.
        BundleError: a text file of the bundle is damaged.
    """
    page = {
        prefix + path.relative_to(source).as_posix(): path.read_bytes()
        for prefix, source in (*_SOURCES.items(), ("", _OFFLINE))
        for path in sorted(source.rglob("*"))
        if path.is_file()
    }
    template = page.pop(WORKER)
    page["guard.json"] = guard
    model = {f"model/{path}": data for path, data in model_files(bundle, precision, name).items()}
    engine = {f"onnxruntime/{path}": data for path, data in runtime.items()}
    groups = {
        _group("page", page): page,
        _group(f"model {bundle.bundle_id} {precision}", model): model,
        _group(f"onnxruntime-web {VERSION}", engine): engine,
    }
    listed = {name: {path: _entry(data) for path, data in g.items()} for name, g in groups.items()}
    worker = b"const GROUPS = " + msgspec.json.encode(listed) + b";\n\n" + template
    return {**page, **model, **engine, WORKER: worker}


def write_folder(out: Path, files: _Files, *, force: bool = False) -> None:
    """Write a folder, which has its name once it is whole.

    Args:
        out: where it goes.
        files: from `folder_files`.
        force: replace a folder that was written so before.

    Raises:
        InputError: `out` exists and `force` is not set, or it is another folder.
        StorageError: the disk refused; what was at `out` is still there.
    """
    if restored(out):
        if not force:
            raise InputError(f"{out} exists", hint="give --force to replace it")
        if not (out / WORKER).is_file():
            raise InputError(f"{out} is no such page", hint="--force replaces pages only")
    try:
        with staging_folder(out) as staging:
            for name, data in files.items():
                path = staging / name
                path.parent.mkdir(parents=True, exist_ok=True)
                write_file(path, data)
            replace_folder(staging, out)
    except OSError as error:
        raise StorageError(
            f"{out} could not be written: {error.strerror}", hint="nothing was changed"
        ) from None


def _group(name: str, files: _Files) -> str:
    """Return the name of a cache that holds these files alone."""
    digests = {path: _entry(data)[0] for path, data in sorted(files.items())}
    return f"{name} {hashlib.sha256(msgspec.json.encode(digests)).hexdigest()[:12]}"


def _entry(data: bytes) -> tuple[str, int]:
    return hashlib.sha256(data).hexdigest(), len(data)
