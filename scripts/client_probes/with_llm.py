"""llm, by its Python interface and by its command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from probe import AT_ONCE, errand, raised, tell

given = errand()
os.environ["LLM_USER_PATH"] = home = tempfile.mkdtemp()  # read when it is imported
place = {"api_base": f"{given.url}/v1", "api_key_name": "empgan"}
models = [
    {"model_id": "here", "model_name": given.model, **place},
    {"model_id": "nowhere", "model_name": "gpt-5", **place},
    {"model_id": "hurried", "model_name": given.model, "headers": AT_ONCE, **place},
]
Path(home, "extra-openai-models.yaml").write_text(json.dumps(models))  # JSON is YAML
Path(home, "keys.json").write_text(json.dumps({"empgan": given.key}))

import llm


def ask(model: str = "here", **more: Any) -> str:
    return llm.get_model(model).prompt(given.said, system="Be kind.", **more).text()


def command(*options: str) -> str:
    words = [sys.executable, "-m", "llm", "-m", "here", "-s", "Be kind.", *options, given.said]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return done.stdout.removesuffix("\n")


def chat() -> str:
    given.same(command("--no-stream"))
    return given.same(ask(stream=False))


def chat_stream() -> str:
    given.same(command())
    return given.joined(llm.get_model("here").prompt(given.said, system="Be kind."))


def errors() -> str:
    told = [
        raised(lambda: ask(frequency_penalty=1.0), 400),
        raised(lambda: ask(key="another-key"), 401),
        raised(lambda: ask("nowhere"), 404),
    ]
    return ", ".join(told)


def deadline() -> str:
    return given.asked_once(lambda: ask("hurried"))


tell(chat=chat, chat_stream=chat_stream, errors=errors, deadline=deadline)
