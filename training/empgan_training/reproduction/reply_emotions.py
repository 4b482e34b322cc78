"""Do replies have the emotion that people's had? Asked of a classifier that no system has seen.

The classifier is an `EmotionRecogniser` of its own seed, trained on the gold labels of the same
corpus. A reply is labelled as the turn after its context, and compared with the gold label of the
reference; beside it stands how well the classifier labels the references themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from empgan_rt.backend import Backend
from empgan_rt.graph_spec import EOS, UNKNOWN_LABEL
from empgan_rt.text.featurizer import DialogueFeatures, TurnFeatures, encoder_input
from empgan_rt.text.tokenizer import Tokenizer

from ..data.prepared import Sample
from ..metrics.classification import score_labels
from ..scoring.decoding import BATCH_ROWS, context_of


def reply_emotions(
    classifier: Backend,
    tokenizer: Tokenizer,
    samples: Sequence[Sample],
    replies: Sequence[Sequence[str]],
    max_turns: int,
) -> dict[str, Any]:
    """Return macro-F1 and accuracy of the replies' labels, and of the references', in percent.

    Args:
        classifier: any backend over the classifier's checkpoint.
        tokenizer: of the classifier.
        replies: words of the reply to each sample.
        max_turns: of a context that are read.
    """
    gold = np.array([sample.dialogue.turns[sample.response].label for sample in samples])
    given = [tokenizer.ids(list(words)) or [EOS] for words in replies]  # a reply may be empty
    own = [sample.dialogue.turns[sample.response].token_ids for sample in samples]
    of_replies, of_references = (
        score_labels(_labels(classifier, samples, answers, max_turns), gold)
        for answers in (given, own)
    )
    return {
        "macro_f1": of_replies.macro_f1,
        "accuracy": of_replies.accuracy,
        "classifier_macro_f1": of_references.macro_f1,
        "n": len(samples),
    }


def _labels(
    classifier: Backend, samples: Sequence[Sample], answers: Sequence[list[int]], max_turns: int
) -> npt.NDArray[np.int64]:
    """Return the label, 1..7, of each answer as the turn after its context."""
    found: list[int] = []
    for start in range(0, len(samples), BATCH_ROWS):
        part = range(start, min(start + BATCH_ROWS, len(samples)))
        dialogues = [
            DialogueFeatures(
                (
                    *context_of(samples[i], "recognised", max_turns - 1).turns,
                    TurnFeatures(answers[i], [EOS], UNKNOWN_LABEL, 0),
                ),
                0,
            )
            for i in part
        ]
        probs = classifier.encode(encoder_input(dialogues)).label_probs
        last = [len(dialogue.turns) - 1 for dialogue in dialogues]
        found += (probs[np.arange(len(last)), last].argmax(-1) + 1).tolist()
    return np.array(found, np.int64)
