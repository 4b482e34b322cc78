"""`empgan-rt inspect`: what a bundle says of itself, and whether it computes what it did."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from ..bundle.bundle import Bundle
from ..verification.audit import audit
from ..verification.quarantine import Replay, probe
from ..verification.verify import verified
from . import console
from .options import engine_options


@click.command()
@click.argument("bundle")
@click.option("--verify", is_flag=True, help="Replay the recorded computations; needs no PyTorch.")
@click.option(
    "--untrusted", is_flag=True, help="Search the graphs for tricks first; needs the package onnx."
)
@click.option(
    "--atol",
    type=click.FloatRange(0.0, 1.0),
    help="Largest deviation with --verify; by default what the export allowed.",
)
@engine_options
@console.json_option
def inspect(
    bundle: str,
    verify: bool,
    untrusted: bool,
    atol: float | None,
    backend: str,
    device: str,
    as_json: bool,
) -> None:
    """Show the facts of BUNDLE (a folder, "default" or "tiny"), whose hashes are always checked.

    --backend and --device tell where --verify replays. A stranger's bundle should be looked at with
    --untrusted before anything else loads it; then a child process with limits replays.
    """
    opened = Bundle.open(bundle)
    record = facts(opened)
    if untrusted:
        audit(opened)
        found = probe(bundle, opened, Replay(atol, backend, device) if verify else None)
        record["audited"] = True
    elif verify:
        found = verified(opened, atol, backend, device)
    if verify:
        record["verified"] = msgspec.to_builtins(found)
    console.emit(record, as_text(record), as_json=as_json)


def facts(bundle: Bundle) -> dict[str, Any]:
    """Return everything that a bundle says of itself, as plain JSON values."""
    manifest = msgspec.to_builtins(bundle.manifest)
    manifest["generation"] = msgspec.to_builtins(bundle.search)
    manifest["total_bytes"] = sum(entry["size"] for entry in manifest["files"].values())
    return dict(manifest)


def as_text(record: dict[str, Any]) -> str:
    """Return the facts for people."""
    model, limits, search = record["model"], record["limits"], record["generation"]
    lines = [
        f"bundle       {record['bundle_id']}, schema {record['schema_version']}",
        f"licence      {_shown(record['licence'])}",
        f"variants     {_shown(', '.join(sorted(record['variants'])))}",
        f"size         {record['total_bytes'] / 2**20:.1f} MiB in {len(record['files'])} files",
        *_table("model", model),
        *_table("limits", limits),
        *_table("generation", search),
        *_table("parity", record["parity"]),
        *_table("provenance", record["provenance"]),
        "files",
    ]
    for name, entry in sorted(record["files"].items()):
        lines.append(f"  {entry['size']:>12,}  {entry['sha256'][:16]}  {name}")
    if record.get("audited"):
        lines.append(
            "audited      our operators and rules for words only, data in place, loads in a child "
            "process"
        )
    for precision, found in record.get("verified", {}).items():
        gaps = ", ".join(f"{name} {value:.1e}" for name, value in found["max_abs"].items())
        lines.append(f"verified     {_shown(precision)}: {gaps} (at most {found['atol']:.0e})")
    return "\n".join(lines)


def _table(title: str, entries: dict[str, Any]) -> list[str]:
    return [title, *(f"  {_shown(name):<24} {_shown(value)}" for name, value in entries.items())]


def _shown(value: Any) -> str:
    """Return a value on one line, control characters escaped: a stranger may have written it."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return console.printable(text)
