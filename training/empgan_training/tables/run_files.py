"""Where the files of a run lie: in a folder, as `reproduce` leaves them, or packed into one file.

    RESULTS/seed-<n>/<System>/NAME
    RESULTS/seed-<n>/<System>.json.gz.b64

A packed run is one JSON object, names to texts, gzipped, and in base64 one line of text: the bytes
of a gzip have line ends at random, which a repository's lines are counted by. Without this module,

    base64 -d EmpG.json.gz.b64 | gunzip | jq -r '."greedy-gold.jsonl"'

gives a file back. The same files give the same bytes, as long as zlib packs as it did.
"""

from __future__ import annotations

import base64
import gzip
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from empgan_rt.errors import DataError, InputError
from empgan_rt.storage.file_set import replace_file
from empgan_rt.storage.replacing import restored

from ..data.corpora.files import gunzip
from ..stored_json import decode_json
from ..systems import SYSTEMS, SystemName

PACKED_SUFFIX = ".json.gz.b64"
MAX_RUN_BYTES = 32 * 2**20  # packed or not; thirty times the largest of ours
_SEED = re.compile(r"seed-(\d+)")
_ANEW = "fetch or pack the run anew"


@dataclass(frozen=True)
class RunFiles:
    """The files of one system trained with one seed.

    Attributes:
        place: the folder, or the packed file.
        packed: name -> content of a packed run; None for a folder.
    """

    system: SystemName
    seed: int
    place: Path
    packed: Mapping[str, bytes] | None = None

    def read(self, name: str) -> bytes | None:
        """Return what a file of the run holds; None if it is not there.

        Raises:
            OSError: it is there, and cannot be read.
        """
        if self.packed is not None:
            return self.packed.get(name)
        path = self.place / name
        return path.read_bytes() if path.is_file() else None


def stored_runs(results: Path) -> Iterator[RunFiles]:
    """Yield the runs of a results folder, by seed and in the order of `SYSTEMS`.

    A run's folder is taken before a packed file of the same run.

    Raises:
        InputError: `results` cannot be read.
        DataError: a packed run is damaged.
    """
    for seed, parent in _seed_folders(results):
        for system in SYSTEMS:
            folder, packed = parent / system, parent / f"{system}{PACKED_SUFFIX}"
            if restored(folder) and folder.is_dir():
                yield RunFiles(system, seed, folder)
            elif packed.is_file():
                yield RunFiles(system, seed, packed, read_packed(packed))


def _seed_folders(results: Path) -> list[tuple[int, Path]]:
    try:
        paths = [*results.glob("seed-*")]
    except OSError as error:
        raise InputError(f"{results} cannot be read: {error.strerror}") from error
    found = ((_SEED.fullmatch(path.name), path) for path in paths)
    return sorted((int(match[1]), path) for match, path in found if match)


def read_packed(path: Path) -> dict[str, bytes]:
    """Return the files of a packed run by name.

    Raises:
        DataError: it cannot be read, is no packed run, or unpacks to more than `MAX_RUN_BYTES`.
    """
    try:
        if path.stat().st_size > MAX_RUN_BYTES:
            raise ValueError(f"it holds more than {MAX_RUN_BYTES:,} bytes")
        packed = base64.b64decode(path.read_bytes().removesuffix(b"\n"), validate=True)
        data = gunzip(io.BytesIO(packed), path, MAX_RUN_BYTES, hint=_ANEW)
        texts = decode_json(data, dict[str, str])
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint=_ANEW) from error
    return {name: text.encode() for name, text in texts.items()}


def pack_runs(results: Path, out: Path) -> list[Path]:
    """Return the packed files, written below `out`, of the runs that lie in folders of `results`.

    Raises:
        InputError: `results` cannot be read.
        DataError: a file of a run cannot be read, or is no text in UTF-8; or a run is larger than
            `MAX_RUN_BYTES`.
        StorageError: a packed file cannot be written; an older one is untouched.
    """
    written = []
    for run in stored_runs(results):
        if run.packed is None:
            path = out / f"seed-{run.seed}" / f"{run.system}{PACKED_SUFFIX}"
            replace_file(path, _packed(run.place))
            written.append(path)
    return written


def _packed(folder: Path) -> bytes:
    try:
        texts = {p.name: p.read_bytes().decode() for p in folder.iterdir() if p.is_file()}
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} cannot be packed: {error}") from error
    data = msgspec.json.encode(texts, order="sorted")
    if len(data) > MAX_RUN_BYTES:
        raise DataError(f"{folder} holds {len(data):,} bytes, at most {MAX_RUN_BYTES:,} are packed")
    file = io.BytesIO()
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as gz:  # neither a name nor a time in it
        gz.write(data)
    return base64.b64encode(file.getvalue()) + b"\n"
