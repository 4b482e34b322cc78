"""Whatever its company asks for, a reply is the one that the request gets alone: fp32 and int8."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from empgan_rt import Emotion, Reply, Responder, SearchConfig, Turn

# Two spellings of one day among friends, so that vocabulary and n-grams overlap.
DIALOGUES: list[list[str | Turn]] = [
    ["What time does our train leave ?", "Let me see . Oh , it leaves at 3:25 ."],
    ["I lost my keys today."],
    ["I lost my keys today.", "Where did you see them last?", "In the kitchen, I think."],
    [Turn("My sister is getting married!", Emotion.HAPPINESS)],
    ["I failed my exam and I do not know how to tell my parents."],
    ["Could you help me with this box ?"],
    ["Thank you very much for your help yesterday.", "You are welcome."],
    ["How much is the blue one?", "It is twenty dollars.", "That is too expensive for me."],
]

searches = st.builds(
    SearchConfig,
    beam_size=st.sampled_from([1, 2, 5, 9]),
    max_length=st.sampled_from([6, 14, 50]),
    min_length=st.sampled_from([0, 4, 6]),
    length_penalty=st.sampled_from([0.0, 1.0]),
    no_repeat_ngram=st.sampled_from([0, 2, 3]),
    repetition_penalty=st.sampled_from([1.0, 1.3, 2.0]),
    early_stopping=st.booleans(),
    sample=st.sampled_from([False, False, True]),
    top_k=st.sampled_from([1, 5, 50]),
    seed=st.integers(0, 3),
)
requests = st.tuples(st.integers(0, len(DIALOGUES) - 1), searches)


@cache
def alone(bundle: str, precision: str) -> Responder:
    return Responder.load(bundle, precision=precision)


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    for key in [("default", "int8"), ("default", "fp32"), ("tiny", "int8"), ("tiny", "fp32")]:
        alone(*key).close()
    alone.cache_clear()


def assert_same(found: Reply, wanted: Reply) -> None:
    """Tokens and ends are equal, scores nearly: sums in arrays of other shapes round otherwise."""
    pairs = zip((found, *found.alternatives), (wanted, *wanted.alternatives), strict=True)
    for one, other in pairs:
        assert (one.token_ids, one.finish_reason) == (other.token_ids, other.finish_reason)
        assert one.score == pytest.approx(other.score, abs=1e-5)


def check(bundle: str, precision: str, company: list[tuple[int, SearchConfig]]) -> None:
    responder = alone(bundle, precision)
    together = responder.reply_batch([DIALOGUES[d] for d, _ in company], [s for _, s in company])
    for (dialogue, search), reply in zip(company, together, strict=True):
        assert_same(reply, responder.reply(DIALOGUES[dialogue], search))


BUNDLES = pytest.mark.parametrize("bundle", ["tiny", "default"])
PRECISIONS = pytest.mark.parametrize("precision", ["int8", "fp32"])


@BUNDLES
@PRECISIONS
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(company=st.lists(requests, min_size=2, max_size=6))
def test_a_reply_knows_nothing_of_its_company(
    bundle: str, precision: str, company: list[tuple[int, SearchConfig]]
) -> None:
    check(bundle, precision, company)


@pytest.mark.soak
@BUNDLES
@PRECISIONS
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(company=st.lists(requests, min_size=2, max_size=12))
def test_many_replies_know_nothing_of_their_company(
    bundle: str, precision: str, company: list[tuple[int, SearchConfig]]
) -> None:
    check(bundle, precision, company)


def test_a_neighbour_with_a_penalty_changes_no_word() -> None:
    """It used to: of its row, the int8 graph scored more words again in float32."""
    neighbour = SearchConfig(beam_size=5, repetition_penalty=1.3, min_length=30, max_length=50)
    responder = alone("default", "int8")
    for dialogue in DIALOGUES:
        wanted = responder.reply(dialogue)
        found = responder.reply_batch([dialogue, dialogue], [responder.search, neighbour])
        assert_same(found[0], wanted)
