"""Replies of the engine in Chromium: token for token those of Python, of hundreds of contexts."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from empgan_rt import Responder
from empgan_rt.dialogue.reply import Reply
from support.web_engine import differences
from support.web_texts import dialogue_beginnings, voice_contexts

pytestmark = pytest.mark.slow

CONTEXTS = 320
# Asks the engine as the page does, many times in one call.
ASK = """
async ({contexts, search}) => {
  const worker = new Worker("engine/worker.js", {type: "module"});
  const ask = question => new Promise((resolve, reject) => {
    const pieces = [];
    worker.onerror = reject;
    worker.onmessage = ({data}) => {
      if (data.error) reject(new Error(data.error));
      if (data.text) pieces.push(data.text);
      if (data.done) resolve({...data.done, pieces});
    };
    worker.postMessage({id: 1, ...question});
  });
  await ask({ask: "load"});
  const replies = [];
  for (const turns of contexts) replies.push(await ask({ask: "reply", turns, search}));
  worker.terminate();
  return replies;
}
"""


def contexts() -> list[list[str]]:
    """Return contexts that we wrote, and beginnings of our dialogues."""
    ours = voice_contexts()
    return ours + random.Random(8).sample(dialogue_beginnings(), CONTEXTS - len(ours))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("name", ["tiny", "default"])
def test_tokens_are_those_of_python(
    browser: Any, site: Callable[..., str], name: str, precision: str
) -> None:
    page = browser.new_page()
    page.goto(site(name, precision, guarded=False))
    with Responder.load(name, precision=precision) as responder:
        for beams in (1, 5):
            search = {"beam_size": beams, "num_hypotheses": beams}
            turns = [[{"text": text} for text in each] for each in contexts()]
            found = page.evaluate(ASK, {"contexts": turns, "search": search})
            wanted = responder.reply_batch(contexts(), replace(responder.search, **search))
            assert len(found) == CONTEXTS
            streamed = [(reply["text"], reply.pop("pieces")) for reply in found]
            # With several beams words become certain late, often all at once.
            least = CONTEXTS // 2 if beams == 1 else 0
            assert sum(len(pieces) > 1 for _, pieces in streamed) > least
            taken_back = [
                text for text, pieces in streamed if not all(map(text.startswith, pieces))
            ]
            assert taken_back == []
            ours = [as_engine(reply) for reply in wanted]
            assert differences(map(without_numbers, found), ours, contexts()) == []
            atol = responder.bundle.manifest.variants[precision].atol
            for one, other in zip(found, wanted, strict=True):
                assert_close(one, other, atol, responder.search.length_penalty)
    page.close()


def as_engine(reply: Reply) -> Any:
    """Return a reply as the engine gives it, but for numbers that differ in their last digits."""
    return without_numbers(
        {
            **reply.to_dict(),
            "token_ids": [*reply.token_ids],
            "alternatives": [
                {**each.to_dict(), "token_ids": [*each.token_ids]} for each in reply.alternatives
            ],
        }
    )


def without_numbers(value: Any) -> Any:
    """Return a reply without its scores and probabilities."""
    if isinstance(value, dict):
        return {
            key: without_numbers(each)
            for key, each in value.items()
            if key not in ("score", "probability")
        }
    return [without_numbers(each) for each in value] if isinstance(value, list) else value


def assert_close(found: Any, wanted: Reply, atol: float, length_penalty: float) -> None:
    """Fail if a log-probability is further off than the bundle's export lets a backend be."""
    steps = len(wanted.token_ids) + (wanted.finish_reason == "eos")
    assert found["score"] == pytest.approx(wanted.score, abs=atol * steps ** (1 - length_penalty))
    for one, other in zip(found["emotions"], wanted.emotions, strict=True):
        probability = other.probabilities[other.label]
        assert one["probability"] == pytest.approx(probability, abs=1e-4)
