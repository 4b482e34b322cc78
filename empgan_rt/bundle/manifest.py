"""The manifest of a bundle: what it holds, decoded strictly, and the digests that tie it down.

`manifest.json` is UTF-8 JSON. Each file is listed with its size and SHA-256; `bundle_id` is a
digest of that list; `digest` is the SHA-256 of the manifest's own bytes with the 64 characters
of the digest read as zeros. So no byte of a bundle can change unnoticed. That stops accidents;
authenticity needs a digest from elsewhere.

Versions: a newer minor `schema_version` may add fields, which are ignored; a newer major, or a
`min_reader` above this package's version, is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from .._version import __version__
from ..config import GeneratorConfig, Limits
from ..errors import BundleError
from ..graph_spec import CONTINUED, GRAPH_NAMES
from .strict_json import load_json, strict_convert

SCHEMA_VERSION = "2.2"
MIN_READER = "0.1.0"  # the first release that reads what `render` writes
MANIFEST_NAME = "manifest.json"
WEIGHTS_NAME = "weights.safetensors"
REQUIRED_FILES = (
    "generation.json",
    "tokenizer.json",
    "emotion_vocabulary.txt",
    "emotion_lexicon.tsv",
    WEIGHTS_NAME,
)
MAX_MANIFEST_BYTES = 1 << 20
MAX_BUNDLE_BYTES = 1 << 30

_FILE_NAME = re.compile(r"(LICENSES/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST_FIELD = re.compile(rb'("digest": ")([0-9a-f]{64})(")')
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")


class FileEntry(msgspec.Struct, frozen=True):
    """SHA-256 (64 lower-case hex digits) and size in bytes of one file."""

    sha256: str
    size: int


class Variant(msgspec.Struct, frozen=True):
    """One precision.

    Attributes:
        turn_encoder, context_encoder, decoder_step: file names of its graphs; variants may share
            them.
        goldens: file of what it should compute.
        atol: the largest deviation from them that its export allowed.
        continued_encoder: file name of that graph, if it has one.
    """

    turn_encoder: str
    context_encoder: str
    decoder_step: str
    goldens: str
    atol: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    continued_encoder: str | None = None

    @property
    def graphs(self) -> dict[str, str]:
        """Name in `graph_spec` -> file."""
        names = {name: getattr(self, name) for name in (*GRAPH_NAMES, CONTINUED)}
        return {name: file for name, file in names.items() if file is not None}


class Manifest(msgspec.Struct, frozen=True):
    """Everything `manifest.json` says, checked.

    Attributes:
        schema_version: layout of the bundle, "major.minor".
        min_reader: oldest empgan-rt that may read it, "major.minor.patch".
        bundle_id: 16 hex digits over the file table; names the model in replies and reports.
        digest: SHA-256 of the manifest's bytes, this value read as zeros.
        model: sizes of the generator.
        limits: how much of a dialogue is read.
        files: every file but the manifest, by name.
        variants: precision -> graphs.
        parity: what the export's comparison with eager PyTorch measured.
        provenance: system, seed, versions, scores and data that the weights come from.
        licence: SPDX expression of the weights.
    """

    schema_version: str
    min_reader: str
    bundle_id: str
    digest: str
    model: GeneratorConfig
    limits: Limits
    files: dict[str, FileEntry]
    variants: dict[str, Variant]
    parity: dict[str, Any]
    provenance: dict[str, Any]
    licence: str


@dataclasses.dataclass(frozen=True)
class ManifestFields:
    """What the packager knows and the files do not say; see `Manifest`."""

    model: GeneratorConfig
    limits: Limits
    variants: Mapping[str, Variant]
    parity: Mapping[str, Any]
    provenance: Mapping[str, Any]
    licence: str


def file_entry(data: bytes) -> FileEntry:
    """Return the table entry of a file with these bytes."""
    return FileEntry(hashlib.sha256(data).hexdigest(), len(data))


def bundle_id_of(files: Mapping[str, FileEntry]) -> str:
    """Return 16 hex digits: the SHA-256 over sorted lines "sha256 size name"."""
    lines = (f"{e.sha256} {e.size} {name}\n" for name, e in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def render(fields: ManifestFields, files: Mapping[str, FileEntry]) -> bytes:
    """Return the bytes of `manifest.json` for these fields and files.

    Raises:
        BundleError: `parse` would refuse what comes out.
    """
    body = {
        "schema_version": SCHEMA_VERSION,
        "min_reader": MIN_READER,
        "bundle_id": bundle_id_of(files),
        "digest": "0" * 64,
        "files": dict(sorted(files.items())),
        **{f.name: getattr(fields, f.name) for f in dataclasses.fields(fields)},
    }
    plain = json.dumps(msgspec.to_builtins(body), indent=2, allow_nan=False).encode() + b"\n"
    raw = _DIGEST_FIELD.sub(rb"\g<1>%s\g<3>" % hashlib.sha256(plain).hexdigest().encode(), plain)
    parse(raw)
    return raw


def parse(raw: bytes) -> Manifest:
    """Return the manifest in `raw`, which must be as `render` writes it or of a newer minor.

    Raises:
        BundleError: not JSON, a key twice, a field missing, unknown or of the wrong type, a file
            name that could leave the bundle, digests that disagree, or a version too new.
    """
    document = load_json(raw, MANIFEST_NAME)
    newer_minor = _check_versions(document)
    _check_digest(raw)
    manifest = strict_convert(document, Manifest, MANIFEST_NAME, ignore_unknown=newer_minor)
    _check_files(manifest)
    return manifest


def _version(text: object, field: str) -> tuple[int, ...]:
    """Return the numbers of a version, missing ones as 0."""
    match = _VERSION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise BundleError(f"{MANIFEST_NAME}: {field} is {str(text)[:40]!r}, not a version")
    return tuple(int(part or 0) for part in match.groups())


def _check_versions(document: Mapping[str, Any]) -> bool:
    """Return whether the manifest is of a newer minor version; raise if it is out of reach."""
    schema = _version(document.get("schema_version"), "schema_version")
    reader = _version(document.get("min_reader"), "min_reader")
    ours = _version(SCHEMA_VERSION, "SCHEMA_VERSION")
    if schema[0] != ours[0] or reader > _version(__version__, "__version__"):
        raise BundleError(
            f"the bundle has schema {document['schema_version']} and needs empgan-rt "
            f"{document['min_reader']}; this is {__version__}, which reads schema {ours[0]}.x",
            hint=f"install empgan-rt >= {document['min_reader']} or export the bundle again",
        )
    return schema > ours


def _check_digest(raw: bytes) -> None:
    """Raise BundleError unless the manifest's digest is that of its bytes."""
    found = _DIGEST_FIELD.findall(raw)
    if len(found) != 1:
        raise BundleError(f"{MANIFEST_NAME} has {len(found)} digests, not one")
    plain = _DIGEST_FIELD.sub(rb"\g<1>" + b"0" * 64 + rb"\g<3>", raw)
    if hashlib.sha256(plain).hexdigest().encode() != found[0][1]:
        raise BundleError(
            f"{MANIFEST_NAME} was altered: its digest disagrees", hint="fetch the bundle again"
        )


def _check_files(manifest: Manifest) -> None:
    """Raise BundleError, naming every fault, unless the file table is sound and complete."""
    files = manifest.files
    faults = [f"bad file name {name[:60]!r}" for name in files if not _FILE_NAME.fullmatch(name)]
    if len({name.lower() for name in files} | {MANIFEST_NAME}) != len(files) + 1:
        faults.append("names that differ only in case, or the manifest among its files")
    for name, entry in files.items():
        if not _SHA256.fullmatch(entry.sha256) or entry.size < 0:
            faults.append(f"bad entry of {name[:60]!r}")
    total = sum(entry.size for entry in files.values())
    if total > MAX_BUNDLE_BYTES:
        faults.append(f"{total} bytes in all, more than {MAX_BUNDLE_BYTES}")
    wanted = {*REQUIRED_FILES}
    for variant in manifest.variants.values():
        wanted |= {*variant.graphs.values(), variant.goldens}
    faults += [f"no {name[:60]!r}" for name in sorted(wanted - files.keys())]
    if not manifest.variants:
        faults.append("no variant")
    if manifest.bundle_id != bundle_id_of(files):
        faults.append("bundle_id disagrees with the files")
    if faults:
        raise BundleError(f"{MANIFEST_NAME}: {'; '.join(faults[:8])}")
