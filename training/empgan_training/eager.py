"""EagerBackend: the PyTorch reference that exports are measured against, written well.

Batched, with cached decoder state, prepared keys and values, in inference mode. Host and device
exchange one copy up and one copy down at a decoder step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from empgan_rt.backend import Encoded
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import BundleError
from empgan_rt.graph_spec import EOS, SOS, STRUCK, Candidates, EncoderInput, IntArray

from .checkpoint import Checkpoint
from .model.generator import EncoderState, Generator

_ALIGNED = 4  # numbers: kernels read 16 bytes at once
TRAINING_ONLY = ("emotion_decoder.", "label_head.")  # parameters that inference never reads


def inference_weights(generator: Generator) -> dict[str, Tensor]:
    """Return the parameters that inference reads, by name."""
    weights = generator.state_dict()
    return {name: t for name, t in weights.items() if not name.startswith(TRAINING_ONLY)}


class Parcel:
    """Arrays of given shapes, one behind the other in a flat tensor.

    Args:
        shapes: of the arrays, in their order.

    Attributes:
        size: numbers in the tensor.
    """

    def __init__(self, shapes: Iterable[tuple[int, ...]]) -> None:
        self._places: list[tuple[int, tuple[int, ...]]] = []
        self.size = 0
        for shape in shapes:
            self._places.append((self.size, shape))
            self.size += -(-prod(shape) // _ALIGNED) * _ALIGNED

    def parts(self, whole: Tensor) -> list[Tensor]:
        """Return the arrays as views of the tensor."""
        return [whole[start : start + prod(shape)].view(shape) for start, shape in self._places]

    def fill(self, whole: Tensor, arrays: Sequence[IntArray]) -> None:
        """Write the arrays into a tensor on the host."""
        for part, array in zip(self.parts(whole), arrays, strict=True):
            part.numpy()[...] = array


def sent(arrays: Sequence[IntArray], device: torch.device) -> list[Tensor]:
    """Return int32 arrays as tensors on a device; to a GPU they go together, from pinned memory."""
    if device.type == "cpu":
        return [torch.tensor(array) for array in arrays]
    parcel = Parcel(array.shape for array in arrays)
    pinned = torch.zeros(parcel.size, dtype=torch.int32, pin_memory=True)
    parcel.fill(pinned, arrays)
    # PyTorch uses pinned memory again only when the copy is over.
    return parcel.parts(pinned.to(device, non_blocking=True))


def fetched(token_ids: Tensor, log_probs: Tensor) -> Candidates:
    """Return (B, K, C) candidates on the host; from a GPU they come together."""
    log_probs = log_probs.float()
    if token_ids.device.type == "cpu":
        return Candidates(token_ids.numpy(), log_probs.numpy())
    return unpacked(torch.stack([token_ids, log_probs.view(torch.int32)]).cpu())


def unpacked(both: Tensor) -> Candidates:
    """Return candidates of (2, B, K, C) int32: ids, and the bits of float32 log-probabilities."""
    token_ids, bits = both.numpy()
    return Candidates(token_ids, bits.view(np.float32))


def descended(hidden: Tensor, parents: Tensor) -> Tensor:
    """Return the hidden state (B, K, H) of each row's parent, named by its row (B, K)."""
    return hidden.gather(1, parents.long().unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))


def best_tokens(logits: Tensor, banned: Tensor, num_candidates: int) -> tuple[Tensor, Tensor]:
    """Return candidate_ids and candidate_log_probs of `empgan_rt.graph_spec`."""
    log_probs = torch.log_softmax(logits, dim=-1).scatter_(-1, banned.long(), STRUCK)
    best, ids = log_probs.topk(num_candidates, dim=-1)
    return ids.int(), best


@dataclass
class EagerState:
    """Decoder memory of S slots of K beams, as torch tensors (shapes in `EncoderState`)."""

    hidden: Tensor
    keys: Tensor = field(default_factory=lambda: torch.empty(0))
    values: Tensor = field(default_factory=lambda: torch.empty(0))
    mask: Tensor = field(default_factory=lambda: torch.empty(0))


class EagerBackend:
    """A `Backend` over a PyTorch generator, on the device and in the dtype of its weights."""

    precision = "fp32"

    def __init__(self, generator: Generator) -> None:
        self.generator = generator.eval()
        weight = generator.word_embedding.weight
        self.device = weight.device.type
        self.place, self.dtype = weight.device, weight.dtype

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> EagerBackend:
        """Return a backend over a checkpoint's weights as they are."""
        return cls(checkpoint.generator())

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> EagerBackend:
        """Return a backend over the weights that a bundle's graphs read.

        Raises:
            BundleError: the weights are not those of the bundle's model.
        """
        generator = Generator(bundle.model)
        try:
            weights = {n: t.float() for n, t in safetensors.torch.load(bundle.weights).items()}
            missing, unexpected = generator.load_state_dict(weights, strict=False)
        except (SafetensorError, RuntimeError) as error:  # RuntimeError: of other shapes
            raise BundleError(
                f"weights.safetensors does not fit the model: {str(error)[:200]}",
                hint="export the bundle again",
            ) from None
        lacking = [name for name in missing if not name.startswith(TRAINING_ONLY)]
        if lacking or unexpected:
            raise BundleError(
                f"weights.safetensors lacks {lacking[:3]} and has {list(unexpected)[:3]} too much",
                hint="export the bundle again",
            )
        return cls(generator)

    def encode(self, inputs: EncoderInput) -> Encoded:
        """Run the encoder over a batch of dialogues."""
        arrays = (inputs.utterances, inputs.emotion_words, inputs.emotion_labels)
        with torch.inference_mode():
            state = self.generator.encode(*sent(arrays, self.place))
        return Encoded(len(arrays[0]), state.label_probs.float().cpu().numpy(), state)

    def open(self, slots: int, beam_size: int) -> EagerState:
        """Return an empty state."""
        width = self.generator.config.hidden_size
        hidden = torch.zeros(slots, beam_size, width, dtype=self.dtype, device=self.place)
        return EagerState(hidden)

    def admit(self, state: EagerState, slots: IntArray, encoded: Encoded) -> None:
        """Put encoded dialogues into slots; the memory grows to the longest dialogue."""
        fresh: EncoderState = encoded.tensors
        turns = max(fresh.mask.shape[1], state.mask.shape[-1] if state.mask.dim() == 2 else 0)
        rows = torch.as_tensor(slots, dtype=torch.long, device=self.place)
        with torch.inference_mode():
            for name, fill in (("keys", 0.0), ("values", 0.0), ("mask", STRUCK)):
                old, new = getattr(state, name), getattr(fresh, name)
                grown = new.new_full((state.hidden.shape[0], turns, *new.shape[2:]), fill)
                if old.numel():
                    grown[:, : old.shape[1]] = old
                grown[rows] = fill
                grown[rows, : new.shape[1]] = new
                setattr(state, name, grown)
            state.hidden[rows] = fresh.hidden.unsqueeze(1)

    def rearranged(self, state: EagerState, slots: IntArray, count: int) -> EagerState:
        """Return a state of `count` slots: first these ones as they stand, then empty ones."""
        other = self.open(count, state.hidden.shape[1])
        rows = torch.as_tensor(slots, dtype=torch.long, device=self.place)
        with torch.inference_mode():
            other.hidden[: len(rows)] = state.hidden[rows]
            for name, fill in (("keys", 0.0), ("values", 0.0), ("mask", STRUCK)):
                old = getattr(state, name)
                if old.numel():
                    grown = old.new_full((count, *old.shape[1:]), fill)
                    grown[: len(rows)] = old[rows]
                    setattr(other, name, grown)
        return other

    def step(
        self,
        state: EagerState,
        token_ids: IntArray,
        parents: IntArray,
        banned: IntArray,
        num_candidates: int,
    ) -> Candidates:
        """Advance every slot by one token."""
        with torch.inference_mode():
            tokens, rows, struck = sent((token_ids, parents, banned), self.place)
            state.hidden, ids, log_probs = self.decode(state, tokens, rows, struck, num_candidates)
            return fetched(ids, log_probs)

    def decode(
        self,
        state: EagerState,
        token_ids: Tensor,
        parents: Tensor,
        banned: Tensor,
        num_candidates: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return next_hidden, candidate_ids and candidate_log_probs of `empgan_rt.graph_spec`."""
        hidden, logits = self.generator.step(
            token_ids, descended(state.hidden, parents), state.keys, state.values, state.mask
        )
        return hidden, *best_tokens(logits, banned, num_candidates)

    def close(self) -> None:
        """Release the generator."""
        del self.generator


def log_prob(
    generator: Generator, inputs: EncoderInput, reply: Sequence[int], *, ended: bool
) -> float:
    """Return the log-probability of a reply to one dialogue, in the generator's own precision.

    Args:
        generator: `generator.double()` gives the float64 reference that decides ties.
        inputs: a batch of one dialogue.
        reply: token ids without SOS and EOS.
        ended: whether the end of sequence is part of the reply.
    """
    arrays = (inputs.utterances, inputs.emotion_words, inputs.emotion_labels)
    targets = [*reply, EOS] if ended else list(reply)
    with torch.inference_mode():
        keys, values, mask, hidden, _ = generator.encode(*map(torch.tensor, arrays))
        state = hidden.unsqueeze(1)
        total = 0.0
        for token, target in zip([SOS, *targets], targets, strict=False):
            state, logits = generator.step(torch.tensor([[token]]), state, keys, values, mask)
            total += float(torch.log_softmax(logits[0, 0], dim=-1)[target])
    return total
