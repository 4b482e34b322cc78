from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empgan_rt.config import SearchConfig
from empgan_rt.errors import DivergenceError, InputError
from empgan_rt.graph_spec import EOS, PAD, SOS, STRUCK, UNK, Candidates
from empgan_rt.search.beam_search import BeamSearch
from empgan_rt.search.decode import decode
from empgan_rt.search.hypothesis import Hypothesis
from empgan_rt.search.rules import SearchRules
from empgan_rt.text.bans import Bans, Phrase
from support import reference_search
from support.scripted_backend import LanguageModel, ScriptedBackend, random_model, table_model

A, B, C = 4, 5, 6  # the first words after the specials
ALL = 1000  # more candidates than any vocabulary here has


def search_for(
    model: LanguageModel,
    vocabulary_size: int,
    configs: Sequence[SearchConfig],
    *,
    dialogues: Sequence[int] | None = None,
    banned: Sequence[Sequence[int]] | None = None,
    phrases: Sequence[Sequence[Phrase]] | None = None,
    spare: int = 0,
) -> list[list[Hypothesis]]:
    backend = ScriptedBackend(model, vocabulary_size, spare=spare)
    encoded = backend.encoded(dialogues if dialogues is not None else range(len(configs)))
    none: list[tuple[()]] = [()] * len(configs)
    bans = [
        Bans.of([*((frozenset((i,)),) for i in ids), *own])
        for ids, own in zip(banned or none, phrases or none, strict=True)
    ]
    return decode(backend, encoded, configs, bans, vocabulary_size)


def sequences(hypotheses: Sequence[Hypothesis]) -> list[tuple[int, ...]]:
    return [h.token_ids for h in hypotheses]


@st.composite
def beam_configs(draw: st.DrawFn, max_length: int = 8, max_beam: int = 6) -> SearchConfig:
    beam_size = draw(st.integers(1, max_beam))
    longest = draw(st.integers(1, max_length))
    return SearchConfig(
        beam_size=beam_size,
        num_hypotheses=draw(st.integers(1, beam_size)),
        max_length=longest,
        min_length=draw(st.integers(0, longest)),
        length_penalty=draw(st.sampled_from([-1.5, 0.0, 0.6, 1.0, 2.0])),
        no_repeat_ngram=draw(st.integers(0, 4)),
        repetition_penalty=draw(st.sampled_from([1.0, 1.0, 1.3, 5.0])),
        allow_unknown=draw(st.booleans()),
        early_stopping=draw(st.booleans()),
    )


def phrases_of(most: int) -> st.SearchStrategy[list[Phrase]]:
    """Return phrases of one to three places over ids up to `most`."""
    place = st.frozensets(st.integers(A, most), min_size=1, max_size=2)
    return st.lists(st.lists(place, min_size=1, max_size=3).map(tuple), max_size=4)


@st.composite
def any_configs(draw: st.DrawFn) -> SearchConfig:
    config = draw(beam_configs())
    if draw(st.booleans()):
        return config
    return replace(
        config,
        sample=True,
        temperature=draw(st.sampled_from([0.3, 1.0, 2.0])),
        top_k=draw(st.integers(1, 9)),
        top_p=draw(st.sampled_from([0.2, 0.8, 1.0])),
        seed=draw(st.integers(0, 2**63 - 1)),
    )


# Made by hand


def test_garden_path_is_found_by_two_beams_and_missed_by_one() -> None:
    table = {
        (): {A: 0.6, B: 0.4},
        (A,): {C: 0.4, A: 0.3, EOS: 0.3},
        (B,): {EOS: 1.0},
        (A, C): {EOS: 1.0},
    }
    model = table_model(7, table, {EOS: 1.0})
    greedy = SearchConfig(beam_size=1, length_penalty=0.0)
    (one,), (two,) = (
        search_for(model, 7, [config]) for config in (greedy, replace(greedy, beam_size=2))
    )
    assert sequences(one) == [(A, C)]
    assert sequences(two) == [(B,)]
    assert two[0].finish_reason == "eos"
    assert two[0].log_prob == pytest.approx(np.log(0.4))


def test_score_divides_by_a_length_that_counts_the_end() -> None:
    model = table_model(7, {(): {A: 0.5}, (A,): {B: 0.5}}, {EOS: 0.5})
    ((found,),) = search_for(model, 7, [SearchConfig(beam_size=1, length_penalty=2.0)])
    assert found.token_ids == (A, B)
    assert found.log_prob == pytest.approx(3 * np.log(0.5))
    assert found.score == pytest.approx(3 * np.log(0.5) / 3**2)


def test_a_limit_ends_all_beams_and_counts_no_end() -> None:
    model = table_model(7, {}, {A: 0.6, B: 0.3, EOS: 0.1})
    config = SearchConfig(beam_size=2, num_hypotheses=2, max_length=2, no_repeat_ngram=0)
    (found,) = search_for(model, 7, [config])
    assert [(h.token_ids, h.finish_reason) for h in found] == [
        ((A, A), "length"),
        ((A, B), "length"),
    ]
    assert found[0].score == pytest.approx(np.log(0.36) / 2)


def test_an_end_ranked_below_the_beam_is_ignored() -> None:
    model = table_model(7, {(): {A: 0.5, B: 0.3, EOS: 0.2}}, {C: 0.9, EOS: 0.1})
    config = SearchConfig(beam_size=2, num_hypotheses=2, min_length=0, max_length=3)
    (found,) = search_for(model, 7, [config])
    assert () not in sequences(found)
    (wider,) = search_for(model, 7, [replace(config, beam_size=3, num_hypotheses=3)])
    assert () in sequences(wider)


def test_equal_expansions_go_to_the_lower_beam_then_to_the_better_rank() -> None:
    model = table_model(7, {}, {A: 0.25, B: 0.25, C: 0.25, EOS: 0.25})
    config = SearchConfig(beam_size=3, num_hypotheses=3, max_length=2, min_length=2)
    (found,) = search_for(model, 7, [config])
    assert sequences(found) == [(A, A), (A, B), (A, C)]


def test_no_token_left_ends_the_reply_instead_of_crashing() -> None:
    model = random_model(0, 6)
    config = SearchConfig(beam_size=2, num_hypotheses=2, min_length=5, no_repeat_ngram=1)
    (found,) = search_for(model, 6, [config])
    assert sorted(sequences(found)) == [(A, B), (B, A)]
    assert {h.finish_reason for h in found} == {"length"}

    (empty,) = search_for(model, 6, [config], banned=[[A, B]])
    assert empty == [Hypothesis((), 0.0, 0.0, "length")]
    sampled = replace(config, sample=True, seed=3)
    (chains,) = search_for(model, 6, [sampled])
    assert {h.finish_reason for h in chains} == {"length"}


def test_late_winner_needs_early_stopping_off() -> None:
    table = {(): {A: 0.6, EOS: 0.4}, (A,): {B: 1.0}, (A, B): {C: 1.0}, (A, B, C): {EOS: 1.0}}
    model = table_model(7, table, {EOS: 1.0})
    impatient = SearchConfig(beam_size=2, min_length=0)
    # After two steps two hypotheses have ended: () and one that is all but impossible.
    assert sequences(search_for(model, 7, [impatient])[0]) == [()]
    patient = replace(impatient, early_stopping=False)
    assert sequences(search_for(model, 7, [patient])[0]) == [(A, B, C)]


def test_with_a_negative_length_penalty_the_nearest_end_is_the_one_to_hope_for() -> None:
    table = {(): {A: 0.9, EOS: 0.06, B: 0.04}, (A,): {C: 0.6, EOS: 0.4}, (A, C): {EOS: 1.0}}
    model = table_model(7, table, {B: 1.0})
    config = SearchConfig(beam_size=2, min_length=0, length_penalty=-1.0, early_stopping=False)
    # () and (A,) fill the pool with -2.8 and -2.0; (A, C) ends at -1.8 but sinks if it goes on.
    assert sequences(search_for(model, 7, [config])[0]) == [(A, C)]


def test_a_search_ends_at_the_first_step_at_which_no_beam_can_win() -> None:
    model = table_model(8, {(): {EOS: 0.6, A: 0.4}}, {B: 0.5, C: 0.5})
    backend = ScriptedBackend(model, 8)
    config = SearchConfig(beam_size=1, min_length=0, max_length=4, early_stopping=False)
    ((found,),) = decode(backend, backend.encoded([0]), [config], [Bans()], 8)
    # log 0.6 = -0.51; four tokens could reach -0.92 / 4, then -1.61 / 4, then -2.30 / 4 = -0.58.
    assert found.token_ids == ()
    assert len(backend.steps) == 3


def test_rounding_lifts_no_log_probability_above_zero() -> None:
    model = table_model(7, {}, {A: 1.000001})
    ((found,),) = search_for(model, 7, [SearchConfig(beam_size=1, max_length=2)])
    assert (found.token_ids, found.log_prob) == ((A, A), 0.0)


# Against slower searches


@settings(max_examples=150, deadline=None)
@given(
    config=beam_configs(),
    seed=st.integers(0, 10**6),
    vocabulary_size=st.integers(5, 12),
    ties=st.booleans(),
    banned=st.lists(st.integers(UNK, 7), max_size=2),
    phrases=phrases_of(7),
    spare=st.sampled_from([0, 1, ALL]),
)
def test_equals_a_plain_beam_search_over_the_whole_vocabulary(
    config: SearchConfig,
    seed: int,
    vocabulary_size: int,
    ties: bool,
    banned: list[int],
    phrases: list[Phrase],
    spare: int,
) -> None:
    banned = [i for i in banned if i < vocabulary_size]
    phrases = [p for p in phrases if max(frozenset().union(*p)) < vocabulary_size]
    model = cache(random_model(seed, vocabulary_size, ties=ties))
    (found,) = search_for(
        model, vocabulary_size, [config], banned=[banned], phrases=[phrases], spare=spare
    )
    assert found == reference_search.beam_search(model, 0, config, banned, phrases)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    words=st.integers(1, 3),
    max_length=st.integers(1, 4),
    min_length=st.integers(0, 4),
    length_penalty=st.sampled_from([-2.0, -0.5, 0.0, 0.7, 1.0, 3.0]),
    no_repeat_ngram=st.integers(0, 3),
    repetition_penalty=st.sampled_from([1.0, 1.5]),
)
def test_a_wide_beam_equals_brute_force(
    seed: int,
    words: int,
    max_length: int,
    min_length: int,
    length_penalty: float,
    no_repeat_ngram: int,
    repetition_penalty: float,
) -> None:
    vocabulary_size = 4 + words
    model = cache(random_model(seed, vocabulary_size))
    config = SearchConfig(
        beam_size=128,
        num_hypotheses=20,
        max_length=max_length,
        min_length=min(min_length, max_length),
        length_penalty=length_penalty,
        no_repeat_ngram=no_repeat_ngram,
        repetition_penalty=repetition_penalty,
        early_stopping=False,
    )
    everything = reference_search.enumerate_all(model, 0, config)
    (found,) = search_for(model, vocabulary_size, [config])
    assert found == everything[:20]


@pytest.mark.parametrize("seed", range(20))
def test_stopping_when_none_can_win_loses_nothing(seed: int) -> None:
    """With a beam that holds every prefix but a small pool, the best must still be the best."""
    model = cache(random_model(seed, 6))
    for length_penalty in (-1.0, 0.0, 1.0, 2.0):
        config = SearchConfig(
            beam_size=16,
            num_hypotheses=16,
            max_length=4,
            length_penalty=length_penalty,
            no_repeat_ngram=0,
            early_stopping=False,
        )
        everything = reference_search.enumerate_all(model, 0, config)
        assert len(everything) > 16
        assert search_for(model, 6, [config])[0] == everything[:16]


@settings(max_examples=60, deadline=None)
@given(config=beam_configs(max_beam=1), seed=st.integers(0, 10**6))
def test_one_beam_equals_greedy(config: SearchConfig, seed: int) -> None:
    config = replace(config, early_stopping=True)
    model = cache(random_model(seed, 9))
    tokens: tuple[int, ...] = ()
    while len(tokens) < config.max_length:
        options = reference_search.choices(model, 0, tokens, config)
        best = max(options, key=lambda option: option[1], default=(EOS, 0.0))[0]
        if best == EOS:
            break
        tokens = (*tokens, best)
    (found,) = search_for(model, 9, [config])
    assert sequences(found) == [tokens]


# Company


@settings(max_examples=100, deadline=None)
@given(
    configs=st.lists(any_configs(), min_size=2, max_size=6),
    phrases=st.lists(phrases_of(10), min_size=6, max_size=6),
    seed=st.integers(0, 10**6),
    ties=st.booleans(),
)
def test_a_reply_is_the_same_alone_and_in_company(
    configs: list[SearchConfig], phrases: list[list[Phrase]], seed: int, ties: bool
) -> None:
    model = cache(random_model(seed, 11, ties=ties))
    banned = [[A + i % 3] if i % 2 else [] for i in range(len(configs))]
    phrases = phrases[: len(configs)]
    together = search_for(model, 11, configs, banned=banned, phrases=phrases)
    for i, config in enumerate(configs):
        alone = search_for(
            model, 11, [config], dialogues=[i], banned=[banned[i]], phrases=[phrases[i]]
        )
        assert together[i] == alone[0]
    whole = search_for(model, 11, configs, banned=banned, phrases=phrases, spare=ALL)
    assert whole == together


def test_a_finished_slot_stays_inert_and_can_be_used_again() -> None:
    vocabulary_size = 9
    model = cache(random_model(4, vocabulary_size))
    short, long = SearchConfig(beam_size=2, max_length=2), SearchConfig(beam_size=3, max_length=9)
    expected = [search_for(model, 9, [c], dialogues=[d])[0] for d, c in enumerate((short, long))]
    backend = ScriptedBackend(model, vocabulary_size)
    search = BeamSearch(2, 3, vocabulary_size)
    state = backend.open(2, 3)
    backend.admit(state, np.arange(2, dtype=np.int32), backend.encoded([0, 1]))
    search.start([0, 1], [short, replace(long, min_length=9)], [Bans(), Bans()])
    refilled = False
    while not search.is_finished:
        candidates = backend.step(
            state, search.token_ids, search.parents, search.banned(), search.num_candidates()
        )
        if 0 in search.advance(candidates) and not refilled:
            assert search.results(0) == expected[0]
            assert (search.token_ids[0] == PAD).all()
            assert (search.parents[0] == np.arange(3)).all()
            # In-flight: another request enters while the neighbour is in the middle of its own.
            backend.admit(state, np.array([0], np.int32), backend.encoded([1]))
            search.start([0], [long], [Bans()])
            assert (search.token_ids[0] == SOS).all()
            refilled = True
    assert refilled
    assert search.results(0) == expected[1]
    assert all(len(h.token_ids) == 9 for h in search.results(1))


# Rules


@settings(max_examples=80, deadline=None)
@given(
    config=any_configs(),
    seed=st.integers(0, 10**6),
    banned=st.lists(st.integers(A, 8), max_size=3),
    phrases=phrases_of(8),
)
def test_every_hypothesis_keeps_the_rules(
    config: SearchConfig, seed: int, banned: list[int], phrases: list[Phrase]
) -> None:
    model = cache(random_model(seed, 9))
    (found,) = search_for(model, 9, [config], banned=[banned], phrases=[phrases])
    assert 1 <= len(found) <= config.num_hypotheses
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    for hypothesis in found:
        tokens = hypothesis.token_ids
        assert len(tokens) <= config.max_length
        assert not {PAD, SOS, EOS, *banned} & set(tokens)
        assert not any(reference_search.holds(tokens, phrase) for phrase in phrases)
        assert config.allow_unknown or UNK not in tokens
        if hypothesis.finish_reason == "eos":
            assert len(tokens) >= config.min_length
        if config.no_repeat_ngram:
            assert not reference_search.has_repeated_ngram(tokens, config.no_repeat_ngram)
        length = max(len(tokens) + (hypothesis.finish_reason == "eos"), 1)
        assert hypothesis.score == hypothesis.log_prob / length**config.length_penalty


def test_banned_holds_what_the_rules_strike_and_nothing_else() -> None:
    search = BeamSearch(2, 2, 20)
    strict = SearchConfig(beam_size=2, no_repeat_ngram=2, min_length=4)
    search.start(
        [0, 1], [strict, SearchConfig(beam_size=1, allow_unknown=True)], [Bans((7, 8)), Bans()]
    )
    assert search.banned().dtype == np.int32
    assert set(search.banned()[0].ravel().tolist()) == {PAD, UNK, SOS, EOS, 7, 8}
    assert set(search.banned()[1].ravel().tolist()) == {PAD, SOS, EOS}
    for token in (A, B, A):
        search.advance(always(token, (2, 2, 3)))
    assert set(search.banned()[0, 0].tolist()) == {PAD, UNK, SOS, EOS, 7, 8, B}
    assert set(search.banned()[1, 0].tolist()) == {PAD, SOS}


def test_the_last_token_of_a_phrase_is_struck_where_the_rest_stands_before_it() -> None:
    search = BeamSearch(2, 2, 20)
    config = SearchConfig(beam_size=2, no_repeat_ngram=0, min_length=0)
    phrase = (frozenset((A, B)), frozenset((C,)), frozenset((7, 8)))
    search.start([0, 1], [config] * 2, [Bans.of([phrase, phrase[1:]]), Bans()])
    search.advance(always(C, (2, 2, 3)))
    always_struck = {PAD, UNK, SOS}
    assert set(search.banned()[0, 0].tolist()) == always_struck | {7, 8}  # of the shorter phrase
    assert set(search.banned()[1].ravel().tolist()) == always_struck
    search.start([0], [config], [Bans.of([phrase])])
    for token, struck in ((C, set()), (A, set()), (C, {7, 8}), (C, set())):
        search.advance(always(token, (2, 2, 3)))
        assert set(search.banned()[0, 0].tolist()) == always_struck | struck


@pytest.mark.parametrize(("words", "wanted"), [(60, 2 + 1 + 4), (6, 6)])
def test_candidates_are_the_requests_own_at_every_step(words: int, wanted: int) -> None:
    """A penalty pushes down at most the tokens of the reply, and that is at most its length."""
    search = BeamSearch(1, 2, words)
    config = SearchConfig(beam_size=2, repetition_penalty=2.0, min_length=4, max_length=4)
    search.start([0], [config], [Bans()])
    counts = []
    for token in (A, B, A, B):
        counts.append(search.num_candidates())
        search.advance(always(token, (1, 2, 3)))
    assert counts == [wanted] * 4
    assert config.candidates == 2 + 1 + 4


def always(token: int, shape: tuple[int, int, int]) -> Candidates:
    """Return candidates that make every beam take `token`."""
    ids = np.empty(shape, np.int32)
    ids[:] = [token, *range(9, 8 + shape[2])]
    log_probs = np.full(shape, -20.0, np.float32)
    log_probs[:, :, 0] = -0.1
    return Candidates(ids, log_probs)


# Sampling


def test_sampling_repeats_with_its_seed_and_only_with_it() -> None:
    model = cache(random_model(1, 40))
    config = SearchConfig(sample=True, num_hypotheses=4, seed=7, max_length=12)
    first, again = (search_for(model, 40, [config])[0] for _ in range(2))
    assert first == again
    assert len(set(sequences(first))) > 1
    assert search_for(model, 40, [replace(config, seed=8)])[0] != first
    fresh = replace(config, seed=None)
    assert search_for(model, 40, [fresh])[0] != search_for(model, 40, [fresh])[0]
    fewer = replace(config, num_hypotheses=2)
    assert set(search_for(model, 40, [fewer])[0]) <= set(first)


def test_sampling_draws_each_token_as_often_as_its_probability_says() -> None:
    probabilities = np.array([0.5, 0.25, 0.15, 0.1])
    model = table_model(8, {}, dict(zip(range(4, 8), probabilities.tolist(), strict=True)))
    draws, runs = 100, 20
    tempered = probabilities**0.5 / (probabilities**0.5).sum()
    cut = np.array([0.5, 0.25, 0.15, 0.0]) / 0.9
    for knobs, expected in (
        ({}, probabilities),
        ({"temperature": 2.0}, tempered),
        ({"top_k": 3}, cut),
        ({"top_p": 0.8}, cut),
        # top-p counts within the top-k: 0.5 / 0.9 and 0.25 / 0.9 hold 83 % of it
        ({"top_k": 3, "top_p": 0.8}, np.array([2, 1, 0, 0]) / 3),
        ({"top_p": 0.4}, np.array([1, 0, 0, 0])),
    ):
        counts = np.zeros(8)
        for seed in range(runs):
            config = SearchConfig(
                sample=True, num_hypotheses=draws, max_length=1, seed=seed, **knobs
            )
            (found,) = search_for(model, 8, [config])
            np.add.at(counts, [h.token_ids[0] for h in found], 1)
        wanted = np.asarray(expected) * draws * runs
        assert (counts[4:][wanted == 0] == 0).all()
        observed, wanted = counts[4:][wanted > 0], wanted[wanted > 0]
        assert ((observed - wanted) ** 2 / wanted).sum() < 20  # p < 0.001 with 3 degrees


def test_sampled_log_probs_are_the_models_untempered() -> None:
    model = cache(random_model(2, 15))
    config = SearchConfig(
        sample=True, num_hypotheses=5, seed=1, temperature=3.0, top_p=0.9, max_length=6
    )
    for hypothesis in search_for(model, 15, [config])[0]:
        ends = (EOS,) if hypothesis.finish_reason == "eos" else ()
        path = (*hypothesis.token_ids, *ends)
        total = sum(float(model(0, path[:i])[token]) for i, token in enumerate(path))
        assert hypothesis.log_prob == pytest.approx(total, rel=1e-12)


def test_a_cold_sampler_is_greedy() -> None:
    model = cache(random_model(3, 20))
    config = SearchConfig(beam_size=1, seed=1, top_k=1)
    (greedy,), (cold,) = (
        search_for(model, 20, [c]) for c in (config, replace(config, sample=True))
    )
    assert greedy == cold


# Streaming


@settings(max_examples=100, deadline=None)
@given(config=any_configs(), seed=st.integers(0, 10**6), ties=st.booleans())
def test_a_shared_prefix_is_never_taken_back(config: SearchConfig, seed: int, ties: bool) -> None:
    backend = ScriptedBackend(cache(random_model(seed, 8, ties=ties)), 8)
    prefixes: list[tuple[int, ...]] = [()]
    (found,) = decode(
        backend,
        backend.encoded([0]),
        [config],
        [Bans()],
        8,
        lambda search: prefixes.append(search.shared_prefix(0)),
    )
    assert prefixes[-1] == found[0].token_ids
    for shorter, longer in pairwise(prefixes):
        assert longer[: len(shorter)] == shorter


def test_a_greedy_search_streams_every_token_at_once() -> None:
    backend = ScriptedBackend(random_model(5, 9), 9)
    lengths: list[int] = []
    config = SearchConfig(beam_size=1, min_length=5, max_length=5)
    decode(
        backend,
        backend.encoded([0]),
        [config],
        [Bans()],
        9,
        lambda search: lengths.append(len(search.shared_prefix(0))),
    )
    assert lengths == [1, 2, 3, 4, 5]


def test_what_on_step_raises_ends_the_search() -> None:
    backend = ScriptedBackend(random_model(5, 9), 9)

    def cancel(search: BeamSearch) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        decode(backend, backend.encoded([0]), [SearchConfig()], [Bans()], 9, cancel)
    assert len(backend.steps) == 1


# Faults


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("sample", [False, True])
def test_not_a_number_is_an_error_and_never_text(bad: float, sample: bool) -> None:
    healthy = random_model(6, 9)

    def sick(dialogue: int, prefix: tuple[int, ...]) -> np.ndarray:
        log_probs = healthy(dialogue, prefix).copy()
        log_probs[B] = bad if len(prefix) == 2 else log_probs[B]
        return log_probs

    with pytest.raises(DivergenceError):
        search_for(sick, 9, [SearchConfig(min_length=5, sample=sample, seed=1)], spare=ALL)


def test_not_a_number_in_a_dead_row_is_nothing() -> None:
    search = BeamSearch(2, 3, 9)
    search.start([0], [SearchConfig(beam_size=1)], [Bans()])
    log_probs = np.full((2, 3, 2), np.nan, np.float32)
    log_probs[0, 0] = [-0.1, STRUCK]
    ids = np.full((2, 3, 2), B, np.int32)
    assert search.advance(Candidates(ids, log_probs)) == []
    assert search.shared_prefix(0) == (B,)


def test_requests_that_do_not_fit_are_refused() -> None:
    search = BeamSearch(1, 2, 9)
    with pytest.raises(InputError, match="3 rows in a search of 2"):
        search.start([0], [SearchConfig(beam_size=3)], [Bans()])
    with pytest.raises(InputError, match="2 configs"):
        search.start([0], [SearchConfig(beam_size=1)] * 2, [Bans()])


def test_slots_that_change_are_read_once_before_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[int] = []
    of = SearchRules.of

    def counted(
        configs: Sequence[SearchConfig], bans: Sequence[Bans], beam_size: int
    ) -> SearchRules:
        read.append(len(configs))
        return of(configs, bans, beam_size)

    monkeypatch.setattr(SearchRules, "of", counted)
    search = BeamSearch(1, 2, ALL)
    search.start([0], [SearchConfig(beam_size=2)], [Bans()])
    wider = search.rearranged([0], 3)
    wider.start([1, 2], [SearchConfig(beam_size=2)] * 2, [Bans()] * 2)
    assert read == []
    for _ in range(2):
        assert wider.banned().shape[:2] == (3, 2)
        assert wider.num_candidates() == 3
    assert read == [3]
