"""The floor multiplies what the model multiplies, with its weights; here uncaptured."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from empgan_bench.engines.cuda.floor import CudaFloor
from empgan_bench.engines.cuda.products import Products
from empgan_bench.engines.floor import open_floor
from empgan_bench.measuring.workload import load_workload
from empgan_export.best_words import BLOCK
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import EncoderInput
from empgan_training.eager import EagerBackend
from support.device_clocks import ScriptedClock

BEAMS = 3


@pytest.fixture(scope="module")
def bundle(small_bundle: tuple[Path, Path]) -> Bundle:
    return Bundle.open(small_bundle[1])


@pytest.fixture(scope="module")
def batch(bundle: Bundle) -> EncoderInput:
    return load_workload(None, bundle.featurizer()).batches(4, seed=1)[0]


@pytest.fixture(scope="module")
def backend(bundle: Bundle) -> EagerBackend:
    return EagerBackend.from_bundle(bundle)


def floor_of(backend: EagerBackend, clock: ScriptedClock | None = None) -> CudaFloor:
    return CudaFloor(backend, clock or ScriptedClock([]), {})


def shapes(products: Products) -> Counter[tuple[int, ...]]:
    return Counter((*left.shape, right.shape[-1]) for left, right in products.seen)


def test_a_step_has_every_product_and_nothing_else(
    bundle: Bundle, backend: EagerBackend, batch: EncoderInput
) -> None:
    _, step = floor_of(backend).products(batch, BEAMS)
    dialogues, turns = batch.emotion_labels.shape
    rows, h, e = dialogues * BEAMS, bundle.model.hidden_size, bundle.model.embedding_size
    assert shapes(step) == Counter(
        [
            *((rows, e, 3 * h), (rows, h, 3 * h)),  # the GRU's
            *((rows, h, h),) * 2,  # the attention's query, W_od d
            (rows * turns, h, 1),  # its scores
            (dialogues, BEAMS, turns, h),  # Eq. 5
            (rows, h, bundle.model.vocabulary_size),
        ]
    )


def test_a_step_multiplies_as_much_as_the_floor_of_our_graphs(
    small_bundle: tuple[Path, Path], bundle: Bundle, backend: EagerBackend, batch: EncoderInput
) -> None:
    ours = open_floor(str(small_bundle[1]), 1)
    which, arrays = ours._probes.runs(batch, BEAMS)[-1]
    wanted = sum(array.size for array in ours._sessions[which].run(None, arrays))
    rows = len(batch.emotion_labels) * BEAMS
    _, step = floor_of(backend).products(batch, BEAMS)
    padding = rows * (-bundle.model.vocabulary_size % BLOCK)
    assert numbers(step) + padding == wanted


def numbers(products: Products) -> int:
    with torch.inference_mode():
        return sum(torch.matmul(left, right).numel() for left, right in products.seen)


def test_a_recurrence_reads_its_weights_at_every_step(
    bundle: Bundle, backend: EagerBackend, batch: EncoderInput
) -> None:
    encoders, _ = floor_of(backend).products(batch, BEAMS)
    recurrent = backend.generator.utterances.turn.gru.weight_hh_l0
    mine = [left for left, right in encoders.seen if same(right, recurrent)]
    read = (batch.utterances != 0).sum(-1).clip(min=1)
    assert len(mine) == read.max()
    assert sum(len(left) for left in mine) == read.sum()  # packed, as eager runs it on the CPU


def test_padded_rows_are_those_of_a_gpu() -> None:
    gru = torch.nn.GRU(5, 7, batch_first=True)
    inputs, initial = torch.zeros(3, 4, 5), torch.zeros(1, 3, 7)
    with Products() as seen, torch.no_grad():
        torch.gru(inputs, initial, gru._flat_weights, True, 1, 0.0, False, False, True)
    assert [(tuple(left.shape), tuple(right.shape)) for left, right in seen.seen] == [
        ((12, 5), (5, 21)),
        *[((3, 7), (7, 21))] * 4,
    ]


def test_a_product_that_it_does_not_know_is_refused() -> None:
    with Products(), pytest.raises(NotImplementedError, match="einsum"):
        torch.einsum("ij,jk->ik", torch.ones(2, 2), torch.ones(2, 2))


@pytest.mark.parametrize("half", [False, True])
def test_every_weight_is_the_models_own(bundle: Bundle, batch: EncoderInput, half: bool) -> None:
    generator = EagerBackend.from_bundle(bundle).generator
    backend = EagerBackend(generator.half() if half else generator)
    owned = {parameter.data_ptr() for parameter in generator.parameters()}
    products = floor_of(backend).products(batch, BEAMS)
    read = {right.data_ptr() for each in products for _, right in each.seen} & owned
    unread = ("embedding", "bias", "emotion_decoder", "label_head")
    wanted = {
        parameter.data_ptr()
        for name, parameter in generator.named_parameters()
        if not any(part in name for part in unread)
    }
    assert read >= wanted
    assert {left.dtype for each in products for left, _ in each.seen} <= {
        torch.float16 if half else torch.float32,
        torch.float32,
    }


def same(one: Tensor, other: Tensor) -> bool:
    return one.data_ptr() == other.data_ptr()


def test_its_time_is_the_devices(backend: EagerBackend, batch: EncoderInput) -> None:
    clock = ScriptedClock([3.0, 0.5, 4.0])
    search = SearchConfig(beam_size=BEAMS, min_length=9, max_length=9)
    timing = floor_of(backend, clock).prepared(batch, search).run()
    assert clock.calls == ["start", "stop"] * 3 + ["read"]
    assert (timing.encode_ms, timing.step_ms, timing.search_ms) == (3.0, 4.5, 0.0)
    assert (timing.device_encode_ms, timing.device_step_ms) == (3.0, 4.5)
    assert (timing.total_ms, timing.first_token_ms) == (7.5, 3.5)
    assert (timing.steps, timing.dialogues, timing.tokens) == (9, 4, 0)
