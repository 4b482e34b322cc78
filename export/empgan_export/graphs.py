"""The graphs that `empgan_rt.graph_spec` describes, made of a generator.

The encoders are traced whole, the decoder step up to its logits; `best_words` has the rest. What
enters and leaves is float32, whatever the generator computes in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from empgan_rt.graph_spec import CONTINUED, TensorSpec, graph_specs
from empgan_training.model.generator import EncoderState, Generator

from .best_words import BELOW_STRUCK, BLOCK, best_words
from .descent import exported_descent
from .quantised import QuantisedLinear, int8_product
from .to_onnx import StoredTensor, finish, trace

_MORE_INPUTS = 4  # numbers: GPUs multiply fastest where rows begin at a multiple of 16 bytes


class _Graph(nn.Module):
    """A part of a generator."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator


class TurnEncoderGraph(_Graph):
    """The graph from turns to vectors, each by itself."""

    def forward(self, utterances: Tensor, emotion_words: Tensor) -> tuple[Tensor]:
        """Return turn_vectors."""
        turns = utterances.unsqueeze(0), emotion_words.unsqueeze(0)  # of one dialogue
        return (self.generator.encode_turns(*turns).squeeze(0).float(),)


class ContextEncoderGraph(_Graph):
    """The graph from dialogues to memory and first hidden state."""

    def forward(
        self, turn_vectors: Tensor, utterances: Tensor, emotion_labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return values, keys, mask, hidden and label_probs."""
        return _written(self.generator.encode_context(turn_vectors, utterances, emotion_labels))


class ContinuedEncoderGraph(_Graph):
    """The graph that goes on from the first turns of dialogues, which were read before."""

    def forward(
        self,
        turn_vectors: Tensor,
        earlier: Tensor,
        turns_read: Tensor,
        utterances: Tensor,
        emotion_labels: Tensor,
    ) -> tuple[Tensor, ...]:
        """Return values, keys, mask, hidden, label_probs and contexts."""
        state, contexts = self.generator.continue_context(
            turn_vectors, earlier, turns_read, utterances, emotion_labels
        )
        return *_written(state), contexts.float()


def _written(state: EncoderState) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the outputs of a context encoder."""
    memory = state.values.float(), state.keys.float(), state.mask
    return *memory, state.hidden.float(), state.label_probs.float()


class DecoderStepGraph(_Graph):
    """The graph of one decoder step, up to the logits."""

    def forward(
        self,
        token_ids: Tensor,
        parents: Tensor,
        hidden: Tensor,
        values: Tensor,
        keys: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return next_hidden and d^o (B, K, H), and the logits (B, K, W) of whole blocks."""
        decoder = self.generator.decoder
        vocabulary = decoder.vocabulary
        hidden, keys, values = (t.to(vocabulary.weight.dtype) for t in (hidden, keys, values))
        state, output = decoder.next_output(
            self.generator.word_embedding(token_ids),
            exported_descent(hidden, parents),
            keys,
            values,
            mask,
        )
        missing = -len(vocabulary.weight) % BLOCK
        # no `pad`: without a float16 kernel for it, ONNX Runtime would pad anew at each step
        zeros = vocabulary.weight.new_zeros(missing, vocabulary.weight.shape[1])
        weight = torch.cat([vocabulary.weight, zeros])
        bias = functional.pad(vocabulary.bias.float(), (0, missing), value=BELOW_STRUCK)
        if isinstance(vocabulary, QuantisedLinear):
            logits: Tensor = int8_product(output, weight, bias, *vocabulary.rounding)
        elif weight.dtype == torch.float32:  # one more input is 1, whose weights are the bias
            columns = functional.pad(bias.unsqueeze(1), (0, _MORE_INPUTS - 1))
            inputs = functional.pad(output, (0, _MORE_INPUTS), value=1.0)
            logits = functional.linear(inputs, torch.cat([weight, columns], 1))
        else:
            logits = functional.linear(output, weight).float() + bias
        return state.float(), output.float(), logits


def encoder_graphs(
    generator: Generator, stored: Mapping[str, StoredTensor]
) -> dict[str, onnx.ModelProto]:
    """Return both encoders by name.

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


def continued_encoder_graph(
    generator: Generator, stored: Mapping[str, StoredTensor]
) -> onnx.ModelProto:
    """Return the encoder of dialogues that go on; arguments as for `encoder_graphs`."""
    spec = graph_specs(generator.config)[CONTINUED]
    return finish(*trace(ContinuedEncoderGraph(generator), spec, stored), stored, spec)


def decoder_step_graph(generator: Generator, stored: Mapping[str, StoredTensor]) -> onnx.ModelProto:
    """Return the decoder step of a generator, or of what `quantised` or `halved` made of it."""
    spec = graph_specs(generator.config)["decoder_step"]
    hidden = spec.outputs[0]
    output = TensorSpec("output", hidden.dtype, hidden.axes)  # d^o
    logits = TensorSpec("logits", hidden.dtype, (*hidden.axes[:2], "W"))
    # the choice of the best words alone reads `banned` and `num_candidates`
    part = dataclasses.replace(spec, inputs=spec.inputs[:-2], outputs=(hidden, output, logits))
    model, names = trace(DecoderStepGraph(generator), part, stored)
    rounded_from = None
    if isinstance(generator.decoder.vocabulary, QuantisedLinear):
        tied = generator.config.tied
        weight = "word_embedding.weight" if tied else "decoder.vocabulary.weight"
        rounded_from = (output.name, weight, "decoder.vocabulary.bias")
    size = generator.config.vocabulary_size
    model.graph.node.extend(best_words(size, logits.name, rounded_from))
    return finish(model, names, stored, spec)
