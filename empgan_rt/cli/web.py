"""`empgan-rt web`: the chat page with a model inside, as a folder for any static host."""

from __future__ import annotations

from pathlib import Path

import click

from ..bundle.bundle import EMBEDDED, Bundle
from ..web.folder import NO_GUARD, folder_files, write_folder
from ..web.guard_file import guard_file
from ..web.model_files import PRECISIONS
from ..web.onnxruntime_web import read_runtime
from . import console
from .options import chosen_guard, guard_options


@click.command()
@click.argument("bundle")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="int8",
    help="A variant of the bundle. Downloads are alike; int8 answers faster.",
)
@click.option("--name", help="What the page calls the model. [default: the folder's name]")
@guard_options
@click.option(
    "--onnxruntime-web",
    "runtime",
    type=click.Path(path_type=Path),
    help="npm's package onnxruntime-web, as its archive or its folder. [default: npm fetches it]",
)
@click.option("--force", is_flag=True, help="Replace a folder that this command wrote.")
@console.json_option
def web(
    bundle: str,
    out: Path,
    precision: str,
    name: str | None,
    guard: bool | None,
    guard_words: str | None,
    locale: str,
    runtime: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write BUNDLE (a folder, "default" or "tiny") and the chat page to the folder OUT.

    Any static host serves it over HTTPS, or over HTTP on this machine. The model answers in the
    browser, also without a network after the first visit; nothing that is said leaves it. The guard
    is on unless told otherwise. Who publishes the folder passes on the model: mind its licence.
    """
    is_guarded = chosen_guard(guard, guard_words, locale, by_default=True) is not None
    opened = Bundle.open(bundle)
    called = name or (bundle if bundle in EMBEDDED else Path(bundle).resolve().stem)
    words = guard_file(guard_words, locale) if is_guarded else NO_GUARD
    files = folder_files(opened, precision, called, words, read_runtime(runtime))
    write_folder(out, files, force=force)
    record = {
        "folder": str(out),
        "bundle_id": opened.bundle_id,
        "precision": precision,
        "licence": opened.manifest.licence,
        "guard": is_guarded,
        "files": len(files),
        "bytes": sum(map(len, files.values())),
    }
    console.emit(record, _as_text(record), as_json=as_json)


def _as_text(record: dict[str, object]) -> str:
    size = f"{int(str(record['bytes'])) / 2**20:.1f} MiB in {record['files']} files"
    return "\n".join(
        (
            f"folder       {console.printable(str(record['folder']))}, {size}",
            f"model        {record['bundle_id']}, {record['precision']}",
            f"licence      {console.printable(str(record['licence']))}",
            f"guard        {'on' if record['guard'] else 'off'}",
            f"to try it    python -m http.server -d {console.printable(str(record['folder']))}",
        )
    )
