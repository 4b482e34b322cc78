"""The graphs that `empgan_rt.graph_spec` describes, made of a generator.

The encoders are traced whole, the decoder step up to d^o; `vocabulary_layer` has the rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import onnx
from torch import Tensor, nn

from empgan_rt.graph_spec import TensorSpec, graph_specs
from empgan_training.eager import descended
from empgan_training.model.generator import Generator

from .to_onnx import StoredTensor, finish, trace
from .vocabulary_layer import vocabulary_layer


class _Graph(nn.Module):
    """A part of a generator."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator


class TurnEncoderGraph(_Graph):
    """Turns to vectors, each by itself."""

    def forward(self, utterances: Tensor, emotion_words: Tensor) -> tuple[Tensor]:
        """Return turn_vectors."""
        turns = utterances.unsqueeze(0), emotion_words.unsqueeze(0)  # of one dialogue
        return (self.generator.encode_turns(*turns).squeeze(0),)


class ContextEncoderGraph(_Graph):
    """Dialogues to memory and first hidden state."""

    def forward(
        self, turn_vectors: Tensor, utterances: Tensor, emotion_labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return values, keys, mask, hidden and label_probs."""
        state = self.generator.encode_context(turn_vectors, utterances, emotion_labels)
        return state.values, state.keys, state.mask, state.hidden, state.label_probs


class DecoderStepGraph(_Graph):
    """One decoder step up to d^o, which the vocabulary layer reads."""

    def forward(
        self,
        token_ids: Tensor,
        parents: Tensor,
        hidden: Tensor,
        values: Tensor,
        keys: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return next_hidden and d^o (Eq. 6), both (B, K, H)."""
        embedded = self.generator.word_embedding(token_ids)
        return self.generator.decoder.next_output(
            embedded, descended(hidden, parents), keys, values, mask
        )


def encoder_graphs(
    generator: Generator, stored: Mapping[str, StoredTensor]
) -> dict[str, onnx.ModelProto]:
    """Return both encoders by name; they are the same in every precision.

    Args:
        generator: whose parameters have the names of the weights file.
        stored: the weights file.
    """
    graphs = {}
    for name, graph in (
        ("turn_encoder", TurnEncoderGraph(generator)),
        ("context_encoder", ContextEncoderGraph(generator)),
    ):
        spec = graph_specs(generator.config)[name]
        model, names = trace(graph, spec, stored)
        graphs[name] = finish(model, names, stored, spec)
    return graphs


def decoder_step_graphs(
    generator: Generator, stored: Mapping[str, StoredTensor], precisions: Iterable[str]
) -> dict[str, onnx.ModelProto]:
    """Return the decoder step in each of some precisions of `vocabulary_layer`."""
    spec = graph_specs(generator.config)["decoder_step"]
    hidden = spec.outputs[0]
    output = TensorSpec("output", hidden.dtype, hidden.axes)  # d^o
    # the vocabulary layer alone reads `banned` and `num_candidates`
    part = dataclasses.replace(spec, inputs=spec.inputs[:-2], outputs=(hidden, output))
    traced, names = trace(DecoderStepGraph(generator), part, stored)
    weight, bias = names["decoder.vocabulary.weight"], names["decoder.vocabulary.bias"]
    graphs = {}
    for precision in precisions:
        model = onnx.ModelProto()
        model.CopyFrom(traced)
        size = generator.config.vocabulary_size
        model.graph.node.extend(vocabulary_layer(precision, size, output.name, weight, bias))
        graphs[precision] = finish(model, names, stored, spec)
    return graphs
