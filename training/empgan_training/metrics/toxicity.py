"""The share of offensive texts, by a classifier that needs no network.

`alt-profanity-check` is a linear SVM over words, trained on 200,000 texts that people marked. It
reads words more than sense ("what the hell are you doing?" is offensive to it), so the share is for
comparing systems, beside the share of the references. Its models follow the versions of
scikit-learn; the signature says which one spoke.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from .inputs import TokenLists, check_hypotheses, import_eval_package, join_tokens


@dataclass(frozen=True)
class ToxicityScore:
    """How many texts are offensive.

    Attributes:
        n: texts.
        value: offensive ones, in percent.
        signature: the classifier and its version.
    """

    n: int
    value: float
    signature: str


def score_toxicity(hypotheses: TokenLists) -> ToxicityScore:
    """Return the share of texts that the classifier calls offensive; an empty one is not.

    Raises:
        DataError: there is no hypothesis.
        DependencyError: alt-profanity-check is missing.
    """
    check_hypotheses(hypotheses)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unpickling under a neighbouring scikit-learn
        package = import_eval_package("profanity_check")
        found = package.predict(join_tokens(hypotheses))
    n = len(hypotheses)
    signature = f"alt-profanity-check|version:{package.__version__}"
    return ToxicityScore(n, 100 * int(found.sum()) / n, signature)
