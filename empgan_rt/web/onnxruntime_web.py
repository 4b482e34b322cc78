"""ONNX Runtime for browsers: the few files of npm's package `onnxruntime-web` that the page needs.

They are neither in this package nor asked for at other times than when a folder is written
(docs/decisions/0033-onnxruntime-web-on-demand.md). Each is held to its digest, wherever it comes
from.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..errors import DependencyError, InputError

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"
FILES: Mapping[str, str] = {  # of the package's folder `dist`, and their SHA-256 in base64
    "ort.wasm.min.mjs": "IZ5qH8ipk4Jo0Y78o8kdMQvS9KWbvRN0TfWyt/xs7js=",
    "ort-wasm-simd-threaded.mjs": "4T9/lPxRtMpysS+use6V9Kzm37yJObxxiqvcCifEKZs=",
    "ort-wasm-simd-threaded.wasm": "M5jBDQfSKb2Rs2RUjhMODlGo5XBLiMfAg+u+t4hC3uI=",
}
LICENCE = "LICENSE"
_LICENCE_TEXT = Path(__file__).with_name("onnxruntime_licence.txt")  # the package has none
_MAX_BYTES = 64 << 20  # of one file
_TIMEOUT_S = 600.0


def read_runtime(path: Path | None) -> dict[str, bytes]:
    """Return the files of ONNX Runtime and its licence, by name.

    Args:
        path: npm's package as the archive that `npm pack` writes, or its folder, such as
            `node_modules/onnxruntime-web`; None fetches it with npm.

    Raises:
        InputError: there is no such package at the path, or it is another version.
        DependencyError: npm is not installed, or could not fetch the package.
    """
    if path is None:
        with tempfile.TemporaryDirectory() as folder:
            return _checked(_packed(_fetched(Path(folder))), PACKAGE)
    return _checked(_unpacked(path) if path.is_dir() else _packed(path), str(path))


def _fetched(folder: Path) -> Path:
    """Return the archive of the package, which npm leaves in a folder."""
    hint = f"install Node.js, or fetch {PACKAGE} elsewhere and give --onnxruntime-web PATH"
    npm = shutil.which("npm")
    if npm is None:
        raise DependencyError("npm is not installed, and fetches ONNX Runtime", hint=hint)
    command = [npm, "pack", PACKAGE, "--ignore-scripts", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise DependencyError(f"npm took more than {_TIMEOUT_S:.0f} s", hint=hint) from None
    archives = sorted(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        said = " ".join(done.stderr.split())[:300]
        raise DependencyError(f"npm could not fetch {PACKAGE}: {said}", hint=hint)
    return archives[0]


def _packed(path: Path) -> dict[str, bytes]:
    """Return what there is of our files in an archive."""
    found = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.removeprefix("package/dist/")
                if name in FILES and member.isfile() and member.size <= _MAX_BYTES:
                    file = archive.extractfile(member)
                    found[name] = file.read() if file is not None else b""
    except (OSError, tarfile.TarError, EOFError) as error:
        raise InputError(
            f"{path} cannot be read: {error}", hint="give what `npm pack` wrote, or a folder"
        ) from None
    return found


def _unpacked(path: Path) -> dict[str, bytes]:
    """Return what there is of our files in a package's folder."""
    files = {name: path / "dist" / name for name in FILES}
    return {
        name: file.read_bytes()
        for name, file in files.items()
        if file.is_file() and file.stat().st_size <= _MAX_BYTES
    }


def _checked(found: dict[str, bytes], source: str) -> dict[str, bytes]:
    """Return files that are what they should be, with their licence."""
    for name, digest in FILES.items():
        if name not in found:
            raise InputError(f"{source} has no dist/{name}", hint=f"give {PACKAGE}")
        seen = base64.b64encode(hashlib.sha256(found[name]).digest()).decode()
        if seen != digest:
            raise InputError(
                f"dist/{name} of {source} has the SHA-256 {seen[:12]}..., not {digest[:12]}...",
                hint=f"give {PACKAGE}, unaltered",
            )
    return {**found, LICENCE: _LICENCE_TEXT.read_bytes()}
