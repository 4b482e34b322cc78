"""Slow, plain searches over a whole vocabulary, to hold the fast one against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from empgan_rt.config import SearchConfig
from empgan_rt.dialogue.reply import FinishReason
from empgan_rt.graph_spec import EOS, PAD, SOS, UNK
from empgan_rt.search.hypothesis import Hypothesis
from empgan_rt.text.bans import Phrase
from support.scripted_backend import LanguageModel, Prefix


def has_repeated_ngram(tokens: Sequence[int], size: int) -> bool:
    """Return whether some sequence of `size` tokens comes twice."""
    ngrams = [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]
    return len(set(ngrams)) < len(ngrams)


def holds(tokens: Sequence[int], phrase: Phrase) -> bool:
    """Return whether a phrase comes somewhere in the tokens."""
    return any(
        all(tokens[start + place] in ids for place, ids in enumerate(phrase))
        for start in range(len(tokens) - len(phrase) + 1)
    )


def choices(
    model: LanguageModel,
    dialogue: int,
    prefix: Prefix,
    config: SearchConfig,
    banned: Sequence[int] = (),
    phrases: Sequence[Phrase] = (),
) -> list[tuple[int, float]]:
    """Return the allowed next tokens with their log-probabilities, the model's best first."""
    out = []
    log_probs = model(dialogue, prefix)
    for token in np.argsort(-log_probs, kind="stable").tolist():
        if token in (PAD, SOS) or token in banned or (token == UNK and not config.allow_unknown):
            continue
        if any(holds((*prefix, token), phrase) for phrase in phrases):
            continue
        if token == EOS and len(prefix) < config.min_length:
            continue
        if config.no_repeat_ngram and has_repeated_ngram((*prefix, token), config.no_repeat_ngram):
            continue
        penalty = config.repetition_penalty if token in prefix else 1.0
        out.append((token, min(float(log_probs[token]), 0.0) * penalty))
    return out


def finished(
    tokens: Prefix, log_prob: float, reason: FinishReason, config: SearchConfig
) -> Hypothesis:
    length = max(len(tokens) + (reason == "eos"), 1)
    return Hypothesis(tokens, log_prob, log_prob / length**config.length_penalty, reason)


def enumerate_all(
    model: LanguageModel, dialogue: int, config: SearchConfig, banned: Sequence[int] = ()
) -> list[Hypothesis]:
    """Return every reply that the rules allow, best first."""

    def walk(prefix: Prefix, log_prob: float) -> Iterator[Hypothesis]:
        options = choices(model, dialogue, prefix, config, banned)
        if len(prefix) == config.max_length or not options:
            yield finished(prefix, log_prob, "length", config)
            return
        for token, value in options:
            if token == EOS:
                yield finished(prefix, log_prob + value, "eos", config)
            else:
                yield from walk((*prefix, token), log_prob + value)

    return sorted(walk((), 0.0), key=lambda h: -h.score)


def beam_search(
    model: LanguageModel,
    dialogue: int,
    config: SearchConfig,
    banned: Sequence[int] = (),
    phrases: Sequence[Phrase] = (),
) -> list[Hypothesis]:
    """Return what beam search with these settings finds, one hypothesis at a time."""
    live: list[tuple[Prefix, float]] = [((), 0.0)]
    pool: list[Hypothesis] = []
    size = config.beam_size
    for length in range(1, config.max_length + 1):
        expansions = []
        for beam, (prefix, log_prob) in enumerate(live):
            options = choices(model, dialogue, prefix, config, banned, phrases)
            if not options:
                pool.append(finished(prefix, log_prob, "length", config))
            rank_of = {
                t: r for r, t in enumerate(np.argsort(-model(dialogue, prefix), kind="stable"))
            }
            for token, value in options:
                expansions.append((-(log_prob + value), beam, rank_of[token], prefix, token))
        expansions.sort()
        live = []
        for place, (negative, _, _, prefix, token) in enumerate(expansions):
            if token != EOS and len(live) < size:
                live.append(((*prefix, token), -negative))
            elif token == EOS and place < size:
                pool.append(finished(prefix, -negative, "eos", config))
        pool = sorted(pool, key=lambda h: -h.score)[:size]
        if not live:
            break
        if len(pool) == size:
            reachable = [
                live[0][1] / end**config.length_penalty
                for end in range(length, config.max_length + 1)
            ]
            if config.early_stopping or max(reachable) <= pool[-1].score:
                live = []
                break
    pool += [finished(prefix, log_prob, "length", config) for prefix, log_prob in live]
    return sorted(pool, key=lambda h: -h.score)[: config.num_hypotheses]
