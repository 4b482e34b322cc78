"""The two traced modules: what `empgan_rt.graph_spec` describes, in PyTorch."""

from __future__ import annotations

from torch import Tensor, nn

from empgan_training.eager import decode_step
from empgan_training.model.generator import Generator

TRACED_CANDIDATES = 6


class EncoderGraph(nn.Module):
    """Dialogues to memory and first hidden state."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self, utterances: Tensor, emotion_words: Tensor, emotion_labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return values, keys, mask, hidden and label_probs."""
        state = self.generator.encode(utterances, emotion_words, emotion_labels)
        return state.values, state.keys, state.mask, state.hidden, state.label_probs


class DecoderStepGraph(nn.Module):
    """One decoder step; the number of candidates is traced as a constant and freed afterwards."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self,
        token_ids: Tensor,
        parents: Tensor,
        hidden: Tensor,
        values: Tensor,
        keys: Tensor,
        mask: Tensor,
        banned: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return next_hidden, candidate_ids and candidate_log_probs."""
        return decode_step(
            self.generator,
            token_ids,
            parents,
            hidden,
            values,
            keys,
            mask,
            banned,
            TRACED_CANDIDATES,
        )
