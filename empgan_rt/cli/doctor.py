"""`empgan-rt doctor`: this installation, ready to paste into an issue; no path, no host name."""

from __future__ import annotations

import os
import platform
import resource
import socket
from contextlib import closing, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from .._version import __version__
from ..backends.onnxruntime.telemetry import SWITCH, telemetry_is_off
from ..bundle.bundle import EMBEDDED, Bundle
from ..errors import EmpganError
from ..threads import allowed_cores, num_threads
from ..verification import parity
from . import console
from .records import error_record

EXTRAS = {
    "cpu": ("onnxruntime",),
    "gpu": ("onnxruntime-gpu",),
    "tensorrt": ("tensorrt-cu13", "cuda-python", "onnx"),
    "trt-check": ("tensorrt-rtx", "cuda-python"),
    "browser-check": ("playwright",),
    "clients-check": ("openai", "langchain-openai", "llm", "schemathesis", "fastapi"),
    "ray-check": ("ray",),
    "train": ("torch", "safetensors", "tensorboard"),
    "parquet": ("pyarrow",),
    "export": ("torch", "onnx", "onnxscript", "safetensors"),
    "lexicon": ("vaderSentiment", "nrclex", "textblob"),
    "eval": ("sacrebleu", "rouge-score", "krippendorff"),
    "bench": ("psutil", "plotly", "jinja2", "h11"),
    "serve": ("starlette", "uvicorn", "h11", "prometheus-client"),
    "examples": ("discord.py", "python-telegram-bot", "slack-bolt", "aiohttp"),
}
PROBE = "tiny"  # the model that other devices are tried with
PORT = 8000  # that `serve` takes unless told
PACKAGES = ("numpy", "tokenizers", "msgspec", "click", "rich", "onnxruntime", "onnxruntime-gpu")


@click.command()
@console.json_option
def doctor(as_json: bool) -> None:
    """Show versions, devices and extras, and check the engine and the embedded models.

    The exit code is that of the first problem, 0 if there is none.
    """
    record, problems = examine()
    record["problems"] = [error_record(problem) for problem in problems]
    console.emit(record, as_text(record), as_json=as_json)
    if problems:
        raise click.exceptions.Exit(problems[0].exit_code)


def examine() -> tuple[dict[str, Any], list[EmpganError]]:
    """Return the facts as plain JSON values, and the errors that a user would meet."""
    problems: list[EmpganError] = []
    devices: dict[str, bool] = {}
    providers: list[str] = []
    try:
        from ..backends.onnxruntime.session import import_onnxruntime

        providers = import_onnxruntime().get_available_providers()
    except EmpganError as error:
        problems.append(error)
    bundles: dict[str, Any] = {}
    opened: dict[str, Bundle] = {}
    for name in EMBEDDED:
        try:
            bundle = Bundle.open(name)
        except EmpganError as error:
            bundles[name] = None
            problems.append(error)
        else:
            bundles[name] = {"bundle_id": bundle.bundle_id, "licence": bundle.manifest.licence}
            opened[name] = bundle
    if "CUDAExecutionProvider" in providers and PROBE in opened:
        devices["cuda"] = _computes(opened[PROBE], "cuda", problems)
    record = {
        "empgan_rt": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores_allowed": allowed_cores(),
        "threads": num_threads(),
        "telemetry": {"onnxruntime": not telemetry_is_off(os.environ)},
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "providers": providers,
        "devices": devices,
        "extras": {name: _extra(packages) for name, packages in EXTRAS.items()},
        "server": _server(),
        "bundles": bundles,
    }
    return record, problems


def _computes(bundle: Bundle, device: str, problems: list[EmpganError]) -> bool:
    """Return whether a device computes what a bundle recorded; if not, add why."""
    from ..backends.loader import load_backend

    try:
        with closing(load_backend(bundle, device=device)) as backend:
            deviation = parity.replay(backend, bundle.goldens("fp32"))
        parity.check(deviation, bundle.manifest.variants["fp32"].atol)
    except EmpganError as error:
        problems.append(error)
        return False
    return True


def as_text(record: dict[str, Any]) -> str:
    """Return the facts for people."""
    lines = [
        f"empgan-rt    {record['empgan_rt']}",
        f"python       {record['python']}",
        f"system       {record['system']}",
        f"cores        {record['cores_allowed']} allowed, {record['threads']} threads",
        f"telemetry    {_telemetry(record['telemetry'])}",
        f"packages     {', '.join(f'{n} {v}' for n, v in record['packages'].items())}",
        f"providers    {', '.join(record['providers']) or 'none'}",
    ]
    for name, usable in record["devices"].items():
        lines.append(f"device       {name}: {'usable' if usable else 'not usable'}")
    for name, extra in record["extras"].items():
        state = f"missing {', '.join(extra['missing'])}" if extra["missing"] else "installed"
        lines.append(f"extra        {name}: {state}")
    lines.append(f"server       {_of_server(record['server'])}")
    for name, bundle in record["bundles"].items():
        state = f"{bundle['bundle_id']}, {bundle['licence']}" if bundle else "not usable"
        lines.append(f"model        {name}: {state}")
    for problem in record["problems"]:
        lines += [f"problem      {problem['message']}", *_indented(problem["hint"])]
    return "\n".join([*lines, "" if record["problems"] else "all is well"]).rstrip()


def _server() -> dict[str, Any]:
    """Return what limits `serve` here: its usual port, open files, and clients at the door."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_free = False
    with socket.socket() as tried, suppress(OSError):
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind(("127.0.0.1", PORT))
        tried.listen(1)
        is_free = True
    waiting = None
    with suppress(OSError, ValueError):
        waiting = int(Path("/proc/sys/net/core/somaxconn").read_text())
    return {
        "port": PORT,
        "port_is_free": is_free,
        "open_files": {"now": _limit(soft), "most": _limit(hard)},
        "waiting_connections": waiting,
    }


def _limit(number: int) -> int | None:
    """Return a limit of the system; None for none."""
    return None if number == resource.RLIM_INFINITY else number


def _of_server(server: dict[str, Any]) -> str:
    files = server["open_files"]
    parts = [
        f"port {server['port']} {'free' if server['port_is_free'] else 'in use'}",
        f"{files['now'] or 'unlimited'} open files, {files['most'] or 'unlimited'} at most",
    ]
    if server["waiting_connections"] is not None:
        parts.append(f"{server['waiting_connections']} connections may wait")
    return "; ".join(parts)


def _telemetry(on: dict[str, bool]) -> str:
    """Return who sends telemetry, and who does not."""
    told = "sent, if its build can" if on["onnxruntime"] else "off"
    return f"onnxruntime: {told} ({SWITCH}={os.environ.get(SWITCH, '')})"


def _indented(hint: str) -> list[str]:
    return [f"             {line}" for line in hint.splitlines()]


def _extra(packages: tuple[str, ...]) -> dict[str, Any]:
    """Return the installed versions of an extra's packages, and which are missing."""
    versions = {name: _version(name) for name in packages}
    return {
        "installed": {name: version for name, version in versions.items() if version},
        "missing": [name for name, version in versions.items() if not version],
    }


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
