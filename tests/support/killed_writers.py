"""A program that replaces a folder or a file and is killed before each line of what does it.

Run as `python killed_writers.py HOW FOLDER MODULE.py ...`, it prints a JSON object: the number of
`kills`, one for each line of these modules, and the `faults`, each a line at which the name was
lost, half written, or left something behind. HOW is "exchange", "aside" (as on a file system that
cannot swap names), "file", or "together" (files that belong together). Nothing waits for the disk:
what was written survives a killed process without that.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from empgan_rt.storage import file_set, replacing
from empgan_rt.storage import folders as storage

KILLED = 9
OLD, NEW, LATER = ({"manifest.json": x, "sub/part": x * 100} for x in (b"old", b"new", b"later"))


def fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def replace_folder(out: Path, files: dict[str, bytes]) -> None:
    with replacing.staging_folder(out) as staging:
        fill(staging, files)
        storage.publish(staging, out, force=True)


def read_folder(out: Path) -> dict[str, bytes]:
    with storage.open_folder(out) as root:
        names = storage.list_files(root, ("sub",))
        return {name: storage.read_file(root, name, 1000) for name in names}


def replace_file(out: Path, files: dict[str, bytes]) -> None:
    file_set.replace_file(out, files["sub/part"])


def read_file(out: Path) -> dict[str, bytes]:
    data = out.read_bytes()
    return next(files for files in (OLD, NEW, LATER) if files["sub/part"] == data)


def replace_together(out: Path, files: dict[str, bytes]) -> None:
    file_set.replace_together(out, {Path(name).name: data for name, data in files.items()})


def read_together(out: Path) -> dict[str, bytes]:
    """Return the call whose files are there: its first, and others or none of its own."""
    found = {path.name: path.read_bytes() for path in out.iterdir() if path.name[0] != "."}
    first = found["manifest.json"]
    files = next(files for files in (OLD, NEW, LATER) if files["manifest.json"] == first)
    return files if found.get("part") in (None, files["sub/part"]) else found


WRITERS = {
    "file": (replace_file, read_file),
    "together": (replace_together, read_together),
}


def killed_at(line: int, traced: list[str], work: Callable[[], None]) -> tuple[bool, str]:
    """Run `work` in a child that ends before line number `line` of some modules.

    Tells whether it came so far, and where that was.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        place = os.read(reader, 1000).decode()
        os.close(reader)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED, place
    left = line

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        file = Path(frame.f_code.co_filename).name
        if file not in traced:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.write(writer, f"{file}:{frame.f_lineno}".encode())
                os._exit(KILLED)
        return trace

    sys.settrace(trace)
    work()
    os._exit(0)


def main(how: str, folder: Path, traced: list[str]) -> None:
    replace, read = WRITERS.get(how, (replace_folder, read_folder))
    if how == "aside":
        replacing.exchange = lambda one, other: False
    os.fsync = lambda descriptor: None
    faults: list[str] = []
    line, killed = 0, True
    while killed:
        base = folder / str(line)
        base.mkdir(parents=True)
        out = base / "out"
        replace(out, OLD)
        killed, place = killed_at(line, traced, partial(replace, out, NEW))
        try:
            if (found := read(out)) not in (OLD, NEW):
                faults.append(f"{place}: half written {sorted(found)}")
            replace(out, LATER)
            left = [path.name for path in (*base.iterdir(), *out.glob(".*"))]
            if read(out) != LATER or left != ["out"]:
                faults.append(f"{place}: left {left}")
        except Exception as error:
            faults.append(f"{place}: {error!r}")
        shutil.rmtree(base)
        line += 1
    print(json.dumps({"kills": line - 1, "faults": faults}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
