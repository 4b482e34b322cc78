"""The graphs of a bundle: tensor names, dtypes and axes, and the records that cross them.

Axes: U turns of any dialogues, B dialogues, M turns of a dialogue, L tokens of a turn, N emotion
words of a turn, P memory positions (turns, and words of the newest ones if wanted, or tokens where
the context is flat), K beams, C candidates, S banned ids, D turn width, H hidden width, V
vocabulary size; T turns of a dialogue that are new, E one more than were read before, W the width
of what is kept of those.

The **turn encoder** reads turns, each by itself. The **context encoder** reads dialogues of such
turns (Eq. 2; projections of Eq. 3 and Eq. 6 that do not depend on the step are applied here, once).
The **continued encoder** returns the same of dialogues whose first turns were read before; a bundle
may lack it, and the context encoder reads all turns then. The **decoder step** reorders the hidden
state by parent, runs Eq. 1 and 3-7, strikes the banned ids and returns the C best tokens of each
beam.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .config import GeneratorConfig

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]

PAD, UNK, SOS, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unk>", "<sos>", "<eos>")
UNKNOWN_LABEL = 8  # the encoder's recogniser fills it in; 0 pads, 1..7 are Emotion values
NUM_LABELS = 7
GRAPH_NAMES = ("turn_encoder", "context_encoder", "decoder_step")
CONTINUED = "continued_encoder"  # in place of the context encoder, where a bundle has it
STAYING: Mapping[str, frozenset[str]] = {  # outputs that nobody but a later graph reads
    "turn_encoder": frozenset(),
    "context_encoder": frozenset({"values", "keys"}),
    "decoder_step": frozenset({"next_hidden"}),
}
NUM_CANDIDATES = 8  # C of the goldens
STRUCK = -1e4  # log-probability of a banned id, and mask constant; inside the range of fp16


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph; an axis is a name if dynamic, a number if fixed."""

    name: str
    dtype: str  # NumPy's name
    axes: tuple[str | int, ...]


@dataclass(frozen=True)
class GraphSpec:
    """The signature of one graph."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def graph_specs(model: GeneratorConfig) -> Mapping[str, GraphSpec]:
    """Return the signatures of the graphs of a model, by name."""
    h, d, w = model.hidden_size, sum(model.turn_sizes), sum(model.context_sizes)
    memory = (
        TensorSpec("values", "float32", ("B", "P", h)),  # W_o's memory part times g (Eq. 6)
        TensorSpec("keys", "float32", ("B", "P", h)),  # W_s g (Eq. 3)
        TensorSpec("mask", "float32", ("B", "P")),  # 0 where it is read, STRUCK elsewhere
    )
    turn_encoder = GraphSpec(
        "turn_encoder",
        (
            TensorSpec("utterances", "int32", ("U", "L")),
            TensorSpec("emotion_words", "int32", ("U", "N")),
        ),
        (TensorSpec("turn_vectors", "float32", ("U", d)),),
    )
    context_encoder = GraphSpec(
        "context_encoder",
        (
            TensorSpec("turn_vectors", "float32", ("B", "M", d)),
            TensorSpec("utterances", "int32", ("B", "M", "L")),  # read where words are positions
            TensorSpec("emotion_labels", "int32", ("B", "M")),
        ),
        (
            *memory,
            TensorSpec("hidden", "float32", ("B", h)),
            TensorSpec("label_probs", "float32", ("B", "M", NUM_LABELS)),
        ),
    )
    decoder_step = GraphSpec(
        "decoder_step",
        (
            TensorSpec("token_ids", "int32", ("B", "K")),
            TensorSpec("parents", "int32", ("B", "K")),
            TensorSpec("hidden", "float32", ("B", "K", h)),
            *memory,
            TensorSpec("banned", "int32", ("B", "K", "S")),
            TensorSpec("num_candidates", "int64", (1,)),
        ),
        (
            TensorSpec("next_hidden", "float32", ("B", "K", h)),
            TensorSpec("candidate_ids", "int32", ("B", "K", "C")),
            TensorSpec("candidate_log_probs", "float32", ("B", "K", "C")),
        ),
    )
    of_all, labels = context_encoder.inputs[1:]
    continued = GraphSpec(
        CONTINUED,
        (
            TensorSpec("turn_vectors", "float32", ("B", "T", d)),
            TensorSpec("earlier", "float32", ("B", "E", w)),  # a row of zeros before them
            TensorSpec("turns_read", "int32", ("B",)),  # 0 to E - 1
            of_all,
            labels,
        ),
        (*context_encoder.outputs, TensorSpec("contexts", "float32", ("B", "T", w))),
    )
    specs = (turn_encoder, context_encoder, decoder_step, continued)
    return {spec.name: spec for spec in specs}


@dataclass(frozen=True)
class EncoderInput:
    """A batch of dialogues as int32 ids, right-padded with 0.

    Attributes:
        utterances: (B, M, L) ids of the general vocabulary.
        emotion_words: (B, M, N) ids of the emotion vocabulary; a turn without any holds EOS.
        emotion_labels: (B, M); 0 pads, 1..7 are given, 8 asks the recogniser.
    """

    utterances: IntArray
    emotion_words: IntArray
    emotion_labels: IntArray


@dataclass(frozen=True)
class Candidates:
    """The most probable next tokens of each beam, best first.

    Attributes:
        token_ids: (B, K, C) int32.
        log_probs: (B, K, C) float32, descending; a banned id has STRUCK.
    """

    token_ids: IntArray
    log_probs: FloatArray
