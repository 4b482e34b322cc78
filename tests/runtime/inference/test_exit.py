"""However a program ends, its exit code is its own: no thread of ours takes it along."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BUSY = """
import asyncio, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
from empgan_rt import AsyncResponder, Responder, SearchConfig
LONG = SearchConfig(beam_size=5, min_length=100, max_length=100, no_repeat_ngram=0)
dialogues = [["I lost my keys today."], ["I got the job!"], ["My dog died.", "Oh no."]] * 4

def ready():
    print("ready", flush=True)
"""
ENDINGS = {
    "a loop that ends with replies under way": """
async def main():
    answers = AsyncResponder.load("tiny")
    tasks = [asyncio.ensure_future(answers.reply(d, LONG)) for d in dialogues]
    await asyncio.sleep(0.05)
    ready()
    {wait}
try:
    asyncio.run(main())
finally:
    print("the loop has ended", flush=True)
sys.exit(7)
""",
    "a responder shared by threads": """
responder = Responder.load("tiny")
for dialogue in dialogues:
    threading.Thread(target=responder.reply, args=(dialogue, LONG), daemon=True).start()
time.sleep(0.05)
ready()
{wait}
sys.exit(7)
""",
    "a stream that is not read to its end": """
responder = Responder.load("tiny")
stream = responder.stream(dialogues[0], LONG)
next(stream)
ready()
{wait}
sys.exit(7)
""",
    "replies that nobody waits for, and an exit handler that asks": """
import atexit
responder = Responder.load("tiny")
atexit.register(lambda: responder.reply(["I am here."]))
for dialogue in dialogues:
    responder._executor.submit(responder._ticket(dialogue, LONG))
ready()
{wait}
sys.exit(7)
""",
}


def program(ending: str, wait: str) -> list[str]:
    return [sys.executable, "-c", BUSY + ENDINGS[ending].replace("{wait}", wait)]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_program_ends_with_its_own_code(ending: str, times: int, tmp_path: Path) -> None:
    for _ in range(times):
        done = subprocess.run(
            program(ending, "pass"), capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 7, done.stderr


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_ctrl_c_ends_a_program_as_it_ends_any(ending: str, times: int, tmp_path: Path) -> None:
    wait = "await asyncio.sleep(60)" if "loop" in ending else "time.sleep(60)"
    for turn in range(times):
        with subprocess.Popen(
            program(ending, wait),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.01 * (turn % 5))
            process.send_signal(signal.SIGINT)
            if "loop" in ending:
                # A bare asyncio program, too, may hang or exit with 1 where a second interrupt
                # meets a loop that is about to stop: what is tried here is what comes after it.
                assert process.stdout.readline() == "the loop has ended\n"
            time.sleep(0.005 * (turn % 3))
            process.send_signal(signal.SIGINT)  # the user is impatient
            errors = process.stderr.read()
            # Python dies by the interrupt that it did not catch: 130 to a shell.
            assert process.wait() in (-signal.SIGINT, 130), errors


def test_no_reply_imports_anything() -> None:
    """A program was seen that never ended: its first step waited for the lock of imports.

    Who held it was not seen; two interrupts had come before.
    """
    code = """
import sys
from empgan_rt import Responder, SearchConfig
responder = Responder.load("tiny")
before = {*sys.modules}
for search in (
    SearchConfig(beam_size=1),
    SearchConfig(banned_words=("sorry",), repetition_penalty=1.2, num_hypotheses=3),
    SearchConfig(sample=True, seed=1, top_p=0.9),
):
    responder.reply(["I lost my keys today."], search)
    responder.reply_batch([["Hi."], ["My dog died.", "Oh no."]], search)
    print([*responder.stream(["Hi."], search)][-1].reply.text)
responder.session().say("I got the job!")
print("imported:", *sorted({*sys.modules} - before))
"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert said.stdout.splitlines()[-1] == "imported:"
