"""Eq. 1 to 7 of the paper in plain NumPy float64, one scalar loop at a time.

Written from the paper and from the readings in the model's documentation, not from the PyTorch
code: nothing is batched, padded or masked, the attention weights average the raw memory g, and
Eq. 6 applies one matrix W_o = [W_od; W_og] to the concatenation [d; g]. Slow on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SOS, EOS = 2, 3


@dataclass(frozen=True)
class OracleTurn:
    """One turn: its words, its emotion words ([EOS] if it has none), its label 1..7 or None."""

    words: Sequence[int]
    emotion_words: Sequence[int]
    label: int | None


@dataclass(frozen=True)
class OracleMemory:
    """What the decoder reads: g (M, 3 H), d_0 (H,), and the label distributions (M, 7)."""

    g: Array
    d0: Array
    label_probs: Array
    emotional: Array  # h_dlg_emo of the last turn, (H,)


class Oracle:
    """The generator's mathematics for one dialogue.

    Args:
        parameters: arrays by the generator's parameter names.
    """

    def __init__(self, parameters: Mapping[str, npt.ArrayLike]) -> None:
        self.p = {name: np.asarray(value, np.float64) for name, value in parameters.items()}
        w_od, w_og = self.p["decoder.output_hidden.weight"], self.p["decoder.output_memory.weight"]
        self.w_o = np.concatenate([w_od, w_og], axis=1)  # (H, H + 3 H)

    def gru(self, name: str, inputs: Sequence[Array], state: Array | None = None) -> list[Array]:
        """Return the state after each input (Chung et al. 2014, gates in the order r, z, n)."""
        w, u = self.p[f"{name}.weight_ih_l0"], self.p[f"{name}.weight_hh_l0"]
        b, c = self.p[f"{name}.bias_ih_l0"], self.p[f"{name}.bias_hh_l0"]
        size = u.shape[1]
        h = np.zeros(size) if state is None else state
        r_rows, z_rows, n_rows = slice(0, size), slice(size, 2 * size), slice(2 * size, 3 * size)
        states = []
        for x in inputs:
            r = sigmoid(w[r_rows] @ x + b[r_rows] + u[r_rows] @ h + c[r_rows])
            z = sigmoid(w[z_rows] @ x + b[z_rows] + u[z_rows] @ h + c[z_rows])
            n = np.tanh(w[n_rows] @ x + b[n_rows] + r * (u[n_rows] @ h + c[n_rows]))
            h = (1 - z) * n + z * h
            states.append(h)
        return states

    def hierarchy(self, name: str, table: str, turns: Sequence[Sequence[int]]) -> list[Array]:
        """Return the context state after each turn: words to turn vectors, turns to context."""
        vectors = [
            self.gru(f"{name}.turn.gru", [self.p[f"{table}.weight"][i] for i in ids])[-1]
            for ids in turns
        ]
        return self.gru(f"{name}.context", vectors)

    def recognise(self, turns: Sequence[Sequence[int]]) -> list[Array]:
        """Return the label distribution of each turn, from it and the turns before it."""
        vectors = []
        for ids in turns:
            states = self.gru(
                "recogniser.turn", [self.p["recogniser.embedding.weight"][i] for i in ids]
            )
            vectors.append(np.max(states, axis=0))
        context = self.gru("recogniser.context", vectors)
        w, b = self.p["recogniser.classify.weight"], self.p["recogniser.classify.bias"]
        return [
            softmax(w @ np.concatenate(both) + b) for both in zip(vectors, context, strict=True)
        ]

    def encode(self, turns: Sequence[OracleTurn]) -> OracleMemory:
        """Return the memory of one dialogue (Eq. 2)."""
        semantic = self.hierarchy("utterances", "word_embedding", [t.words for t in turns])
        emotional = self.hierarchy(
            "emotion_words", "emotion_embedding", [t.emotion_words for t in turns]
        )
        recognised = self.recognise([t.words for t in turns])
        probs = []
        for turn, soft in zip(turns, recognised, strict=True):
            probs.append(soft if turn.label is None else np.eye(7)[turn.label - 1])
        table = self.p["labels.embedding"]
        embedded = [sum(p[k] * table[k] for k in range(7)) for p in probs]
        # "serves as the initial state of the emotion label encoder": that of the newest turn
        labels = self.gru("labels.gru", embedded, emotional[-1])
        g = np.array(
            [np.concatenate(part) for part in zip(semantic, emotional, labels, strict=True)]
        )
        d0 = np.tanh(self.p["decoder.bridge.weight"] @ g[-1] + self.p["decoder.bridge.bias"])
        return OracleMemory(g, d0, np.array(probs), emotional[-1])

    def step(self, memory: OracleMemory, d: Array, token: int) -> tuple[Array, Array, Array]:
        """Return d_t, the logits of Eq. 7 and the attention weights, after one more token."""
        (d,) = self.gru("decoder.gru", [self.p["word_embedding.weight"][token]], d)  # Eq. 1
        w_s = self.p["decoder.attention.memory_projection.weight"]
        w_d = self.p["decoder.attention.hidden_projection.weight"]
        z = self.p["decoder.attention.score.weight"][0]
        scores = [z @ np.tanh(w_s @ g_i + w_d @ d) for g_i in memory.g]  # Eq. 3
        beta = [np.exp(s) / sum(np.exp(t) for t in scores) for s in scores]  # Eq. 4
        g_t = sum(b * g_i for b, g_i in zip(beta, memory.g, strict=True))  # Eq. 5, over M
        d_o = self.w_o @ np.concatenate([d, g_t]) + self.p["decoder.output_hidden.bias"]  # Eq. 6
        logits = self.p["decoder.vocabulary.weight"] @ d_o + self.p["decoder.vocabulary.bias"]
        return d, logits, np.array(beta)

    def response_nats(self, memory: OracleMemory, response: Sequence[int]) -> list[float]:
        """Return -log P of each token of a response and of the EOS after it."""
        d, nats = memory.d0, []
        for before, token in zip([SOS, *response], [*response, EOS], strict=True):
            d, logits, _ = self.step(memory, d, before)
            nats.append(-float(np.log(softmax(logits)[token])))
        return nats

    def emotion_nats(self, memory: OracleMemory, words: Sequence[int]) -> list[float]:
        """Return -log P of each emotion word of the response and of the EOS after it (Eq. 8)."""
        table = self.p["emotion_embedding.weight"]
        states = self.gru(
            "emotion_decoder.gru", [table[i] for i in [SOS, *words]], memory.emotional
        )
        w, b = (
            self.p["emotion_decoder.vocabulary.weight"],
            self.p["emotion_decoder.vocabulary.bias"],
        )
        return [
            -float(np.log(softmax(w @ state + b)[word]))
            for state, word in zip(states, [*words, EOS], strict=True)
        ]

    def label_nats(self, memory: OracleMemory, label: int) -> float:
        """Return -log P of the response's label, 1..7, read from the label state alone."""
        w, b = self.p["label_head.weight"], self.p["label_head.bias"]
        newest = memory.g[-1][-w.shape[1] :]
        return -float(np.log(softmax(w @ newest + b)[label - 1]))


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + e^-x)."""
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x: Array) -> Array:
    """Return the distribution proportional to e^x."""
    powers = np.exp(x)
    return powers / powers.sum()
