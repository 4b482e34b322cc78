"""Many requests of every kind leave the memory of the process as it was after the first ones."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SOAK = """
import gc, json, random, sys, time
import psutil
import empgan_rt
from empgan_rt import DeadlineError, Emotion, Responder, SearchConfig, Turn
from empgan_rt.inference.ticket import Ticket

count = int(sys.argv[1])
words = "I you we lost found my your keys job dog happy sad . ? !".split()
draw = random.Random(0)
empgan_rt.set_num_threads(1)
responder = Responder.load("tiny")
SEARCHES = [
    SearchConfig(beam_size=1, max_length=3),
    SearchConfig(beam_size=1, max_length=12),
    SearchConfig(beam_size=3, max_length=6, no_repeat_ngram=2),
    SearchConfig(beam_size=2, max_length=4, repetition_penalty=1.2),
    SearchConfig(sample=True, max_length=5, num_hypotheses=2),
]

def turns():
    texts = (draw.choices(words, k=draw.randint(1, 12)) for _ in range(draw.choice((1, 1, 2, 8))))
    return [Turn(" ".join(text), draw.choice((None, Emotion.HAPPINESS))) for text in texts]

def batch(size):
    "Answer some, stream one and leave another midway, cancel one, and let one be late."
    dialogues = [turns() for _ in range(size - 4)]
    replies = responder.reply_batch(dialogues, [draw.choice(SEARCHES) for _ in dialogues])
    *_, last = responder.stream(turns())
    stream = responder.stream(turns(), SearchConfig(beam_size=2, min_length=4))
    next(stream)
    stream.close()
    responder._executor.submit(responder._ticket(turns(), None)).cancel()
    late = False
    try:
        responder.reply(turns(), deadline_s=1e-9)
    except DeadlineError:
        late = True
    assert len(replies) == size - 4 and last.reply and late
    return size

def held():
    gc.collect()
    return psutil.Process().memory_info().rss

done, samples = 0, []
for share in (0.1, 0.4, 0.7, 1.0):
    while done < share * count:
        done += batch(500)
    samples.append(held())
for _ in range(1000):  # what was cancelled last is let go of at the next step
    if responder._executor.is_idle:
        break
    time.sleep(0.01)
assert responder._executor.is_idle
print(json.dumps(samples))
"""


@pytest.mark.parametrize(
    "requests",
    [pytest.param(20_000, marks=pytest.mark.slow), pytest.param(100_000, marks=pytest.mark.soak)],
)
def test_memory_is_flat_over_many_requests_of_mixed_lengths(requests: int) -> None:
    command = [sys.executable, "-c", SOAK, str(requests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    warm, *later = json.loads(done.stdout)
    growth = max(later) - warm
    assert growth <= 8 * 2**20, f"{growth / 2**20:.1f} MiB more than after a tenth of the requests"
    assert growth <= 0.02 * warm, f"{growth / warm:.1%} more than after a tenth of the requests"
