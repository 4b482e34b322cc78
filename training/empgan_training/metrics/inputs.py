"""What text metrics share: checks of the token lists, n-grams, and late imports of `[eval]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from empgan_rt.errors import DataError
from empgan_rt.packages import import_module

_EVAL_MODULES = ("sacrebleu.metrics.bleu", "rouge_score.rouge_scorer")

TokenLists = Sequence[Sequence[str]]
Ngram = tuple[str, ...]


def check_hypotheses(hypotheses: TokenLists) -> None:
    """Return nothing if there is at least one hypothesis, which may hold no token.

    Raises:
        DataError: there is none.
    """
    if not hypotheses:
        raise DataError("0 hypotheses to score, at least 1 wanted", hint="check the input file")


def check_pairs(hypotheses: TokenLists, references: TokenLists) -> None:
    """Return nothing if the lists pair up and each token survives joining with spaces.

    sacrebleu and rouge-score take strings and split them again on white space, so a token that
    is empty or holds a space would be counted otherwise than in our own metrics.

    Raises:
        DataError: no pair, as many hypotheses as references are not given, or such a token.
    """
    if len(hypotheses) != len(references):
        raise DataError(
            f"{len(hypotheses)} hypotheses for {len(references)} references, equal counts wanted",
            hint="give one reference for each hypothesis, in the same order",
        )
    check_hypotheses(hypotheses)
    for name, texts in (("hypothesis", hypotheses), ("reference", references)):
        for number, tokens in enumerate(texts, start=1):
            if " ".join(tokens).split() != list(tokens):
                raise DataError(
                    f"{name} {number} of {len(texts)} holds an empty token or one with a space",
                    hint="split the text on white space before scoring",
                )


def join_tokens(texts: TokenLists) -> list[str]:
    """Return each list of tokens as one string, `["i", "see"]` as `"i see"`."""
    return [" ".join(tokens) for tokens in texts]


def ngrams(tokens: Sequence[str], order: int) -> list[Ngram]:
    """Return the n-grams of one text: of `["a", "b", "c"]` the bigrams ("a", "b"), ("b", "c")."""
    return [tuple(tokens[start : start + order]) for start in range(len(tokens) - order + 1)]


def check_eval_packages() -> None:
    """Raise DependencyError now if a package is missing that text metrics will need."""
    for module in _EVAL_MODULES:
        import_eval_package(module)


def import_eval_package(module: str) -> Any:
    """Return a module that only the `[eval]` extra brings.

    Raises:
        DependencyError: it cannot be imported.
    """
    package = module.partition(".")[0]
    return import_module(
        module, f"the package {package} is missing", hint="pip install 'empgan-rt[eval]'"
    )
