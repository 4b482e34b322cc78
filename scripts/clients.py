"""Runs clients that others wrote, as they are, against `empgan-rt serve` on this machine.

`scripts/clients` writes docs/results/clients.md from it. What is asked of a client is in
`client_probes`, a program for each. They know nothing of this project but its address.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[1]
PROBES = Path(__file__).with_name("client_probes")
KEY = "a-key-of-the-probes"
SAID = "I lost my keys today."
MODEL, BUSY_MODEL = "default", "tiny"
CELL = 160  # characters of what a cell shows
ASKED = {
    "chat": "chat",
    "chat_stream": "chat, in pieces",
    "response": "response",
    "response_stream": "response, in pieces",
    "retries": "429",
    "errors": "400, 401, 404",
    "deadline": "504",
    "timeout": "its own time limit",
}


@dataclass(frozen=True)
class Client:
    """A client of others.

    Attributes:
        packages: what is installed for it, with versions: of PyPI, or of npm.
        probe: what is asked of it, in `client_probes`; its suffix tells the language.
        remark: what whoever uses it must know.
    """

    packages: tuple[str, ...]
    probe: str
    remark: str = ""

    @property
    def is_python(self) -> bool:
        """Whether it is written in Python; JavaScript otherwise."""
        return self.probe.endswith(".py")


CLIENTS = {
    "openai": Client(("openai==3.57.0",), "with_openai.py"),
    "openai, JavaScript, 7": Client(
        ("openai@7.59.0",), "with_openai.mjs", "says that it wants Node 22, and runs on 20"
    ),
    "openai, JavaScript, 6": Client(("openai@6.49.0",), "with_openai.mjs"),
    "LangChain": Client(("langchain-openai==1.7.4", "openai==3.57.0"), "with_langchain.py"),
    "LiteLLM": Client(
        ("litellm==1.110.2",),
        "with_litellm.py",
        "fetches a table of prices unless `LITELLM_LOCAL_MODEL_COST_MAP` is set",
    ),
    "llm": Client(
        ("llm==0.36", "openai==3.57.0"),
        "with_llm.py",
        "its command too; nothing sets how often or how long it asks",
    ),
    "AI SDK": Client(
        ("ai@6.0.326", "@ai-sdk/openai-compatible@2.0.92", "@ai-sdk/openai@3.0.141"),
        "with_ai_sdk.mjs",
        "knows nothing of `x-should-retry`; `maxRetries: 0` keeps it from asking again",
    ),
    "promptfoo": Client(("promptfoo@0.121.20",), "with_promptfoo.mjs", "takes 1.8 GB of disk"),
    "Schemathesis": Client(("schemathesis==4.32.5",), "with_schemathesis.py"),
}


@contextmanager
def served(*options: str) -> Iterator[str]:
    """Run `empgan-rt serve OPTIONS` on a free port; yields its address."""
    command = [sys.executable, "-m", "empgan_rt", "-q", "serve", "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()


def reply_of(url: str) -> str:
    """Return what the model answers, asked without any client."""
    body = {"messages": [{"role": "user", "content": SAID}]}
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    request = Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urlopen(request) as answer:
        return str(json.load(answer)["choices"][0]["message"]["content"])


def installed(client: Client, folder: Path) -> list[str]:
    """Return the command of a client's probe; the first time it is installed."""
    is_there = folder.is_dir()
    if client.is_python:
        python = folder / "bin" / "python"
        if not is_there:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            install = [python, "-m", "pip", "install", "--quiet", *client.packages]
            subprocess.run(install, check=True)
        return [str(python), str(PROBES / client.probe)]
    if not is_there:
        folder.mkdir()
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        (folder / "package.json").write_text("{}")
        subprocess.run([*install, *client.packages], cwd=folder, check=True)
    for probe in PROBES.glob("*.mjs"):  # imports are looked for beside a file
        shutil.copy(probe, folder)
    return ["node", client.probe]


def seen(command: list[str], folder: Path, errand: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return what a probe tells, by what was asked."""
    done = subprocess.run(
        [*command, json.dumps(errand)], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"asked"')]
    return {line["asked"]: line for line in lines}


def cell(told: dict[str, Any] | None) -> str:
    """Return what a cell shows of a line that a probe printed; None for what was not asked."""
    if told is None:
        return ""
    text = " ".join(told["happened"].split()).replace("|", "/").replace("`", "'")
    return text if told["is_right"] else f"**fails**: `{text[:CELL]}`"


def page(told: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return docs/results/clients.md."""
    rows, others = [], []
    for name, lines in told.items():
        client = CLIENTS[name]
        packages = ", ".join(client.packages)
        if "document" in lines:
            others.append(f"{name} ({packages}) over `/openapi.json`: {cell(lines['document'])}.")
            continue
        cells = [cell(lines.get(asked)) for asked in ASKED]
        rows.append(" | ".join([f"| {name}", packages, *cells, client.remark]) + " |")
    head = " | ".join(["| client", "packages", *ASKED.values(), "remark"]) + " |"
    line = "|" + "---|" * (len(ASKED) + 3)
    return "\n".join([_BEFORE, head, line, *rows, _AFTER, *others, ""])


_BEFORE = """\
# Clients of others

`scripts/clients` installs each client below, as it is, into a folder of its own, runs
`empgan-rt serve default` with a key on this machine, and has each client do what its users do. It
writes this page.
"""
_AFTER = """
- **Chat and response**: the text is what a bare request for the same dialogue gets, instructions
  being ignored.
- **429**: 48 long replies at once are wanted of a server that lets no request wait. Some are
  refused at first, and the client asks again by itself until all are answered.
- **400, 401, 404**: what is raised for a field that is not supported, for a key that is not known
  and for a model that is not there.
- **504**: what is raised for a deadline (`x-request-timeout`) that is over. The server says
  `x-should-retry: false`, since who asks again waits again.
- **Its own time limit**: what is raised when the client does not wait any longer.

An empty cell was not asked. What is not as it should be begins with **fails**.
"""


def main() -> None:
    """Write the page; exit code 1 if a client was not served as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "clients.md")
    parser.add_argument("--keep", type=Path, help="install there, and use what is there already")
    parser.add_argument("--only", choices=CLIENTS, help="print what one client tells")
    options = parser.parse_args()
    names = [options.only] if options.only else [*CLIENTS]
    told = {}
    with ExitStack() as stack:
        place = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        keys = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "keys"
        keys.write_text(KEY)
        url = stack.enter_context(served(MODEL, "--api-key-file", str(keys)))
        nobody_waits = ("--max-queue", "0", "--api-key-file", str(keys))
        errand = {
            "url": url,
            "busy_url": stack.enter_context(served(BUSY_MODEL, *nobody_waits)),
            "key": KEY,
            "model": MODEL,
            "busy_model": BUSY_MODEL,
            "said": SAID,
            "reply": reply_of(url),
        }
        for name in names:
            print(name, file=sys.stderr)
            folder = (place / name.lower().replace(", ", "-").replace(" ", "-")).absolute()
            told[name] = seen(installed(CLIENTS[name], folder), folder, errand)
    if options.only:
        print(json.dumps(told, indent=2))
    else:
        options.out.write_text(page(told), "utf-8")
    if not all(line["is_right"] for lines in told.values() for line in lines.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
