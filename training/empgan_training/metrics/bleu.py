"""Corpus BLEU-1 to BLEU-4 (Papineni et al. 2002), computed by sacrebleu (Post 2018).

BLEU-n is cumulative: the brevity penalty times the geometric mean of the clipped precisions of
1-grams up to n-grams, each counted over the whole corpus,

    BLEU-n = BP * exp(1/n * sum_{i=1..n} log p_i),   BP = min(1, exp(1 - r/h)),

with h tokens in the hypotheses and r in the references. Where an order has n-grams but no match,
sacrebleu's "exp" smoothing (Chen and Cherry 2014, method 3) stands in; the signature says so. The
signature does not name the order n: the field does.
"""

from __future__ import annotations

from dataclasses import dataclass

from .inputs import TokenLists, check_pairs, import_eval_package, join_tokens


@dataclass(frozen=True)
class BleuScore:
    """One BLEU value.

    Attributes:
        value: in percent.
        signature: sacrebleu's own, with which anybody can compute the value again.
    """

    value: float
    signature: str


@dataclass(frozen=True)
class BleuScores:
    """Cumulative BLEU-1 to BLEU-4 of the same corpus.

    Attributes:
        n: pairs scored.
    """

    n: int
    bleu_1: BleuScore
    bleu_2: BleuScore
    bleu_3: BleuScore
    bleu_4: BleuScore


def score_bleu(hypotheses: TokenLists, references: TokenLists) -> BleuScores:
    """Return corpus BLEU-1 to BLEU-4, with one reference for each hypothesis.

    The tokens are taken as they come: no tokenisation, case kept. A corpus whose hypotheses hold
    no n-gram at all (all are shorter than n tokens) scores 0 from that order on.

    Args:
        hypotheses: tokens of each generated text; an empty one counts as wrong.
        references: tokens of each reference, in the same order.

    Raises:
        DataError: the lists are empty or do not pair up.
        DependencyError: sacrebleu is missing.
    """
    check_pairs(hypotheses, references)
    sacrebleu = import_eval_package("sacrebleu.metrics.bleu")
    generated, wanted = join_tokens(hypotheses), join_tokens(references)

    def score(order: int) -> BleuScore:
        # force: our texts are tokenised on purpose, so sacrebleu need not warn of it
        metric = sacrebleu.BLEU(tokenize="none", max_ngram_order=order, force=True)
        result = metric.corpus_score(generated, [wanted])
        return BleuScore(float(result.score), str(metric.get_signature()))

    return BleuScores(len(hypotheses), score(1), score(2), score(3), score(4))
