"""A dialogue that goes on is read on: the same bits as read afresh, alone and in any company."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.backends.onnxruntime.device_backend import DeviceBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.dialogue.turns import Dialogue, Turn
from empgan_rt.graph_spec import CONTINUED, EncoderInput
from empgan_rt.text.featurizer import encoder_input

TURNS = [
    "I lost my keys today.",
    "Oh no! Where did you see them last?",
    "On the kitchen table, I think.",
    "Did you look under the newspaper?",
    "Yes.",
    "And in your coat?",
    "Not there either, and I am getting angry.",
    "I would be, too.",
    "Wait, here they are!",
]
OTHERS = [["Hello!"], ["I passed my exam.", "How wonderful!", "Yes."], TURNS[3:8]]
BUNDLE = Bundle.open("tiny")


class Observed(OrtBackend):
    """Remembers how many turns each run of an encoder of dialogues was given."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.runs: list[tuple[str, int]] = []

    def _run(self, which: str, feeds: Mapping[str, Any]) -> dict[str, Any]:
        if which not in ("turn_encoder", "decoder_step"):
            self.runs.append((which, feeds["turn_vectors"].shape[1]))
        return super()._run(which, feeds)


def before_it(bundle: Bundle) -> Bundle:
    """Return a bundle as it was exported before there was a continued encoder."""
    variants = {
        name: msgspec.structs.replace(variant, continued_encoder=None)
        for name, variant in bundle.manifest.variants.items()
    }
    manifest = msgspec.structs.replace(bundle.manifest, variants=variants)
    return dataclasses.replace(bundle, manifest=manifest)


def ids(*dialogues: list[Any]) -> EncoderInput:
    featurizer = BUNDLE.featurizer()
    return encoder_input([featurizer.features(Dialogue.of(turns)) for turns in dialogues])


def bits(backend: OrtBackend, inputs: EncoderInput) -> list[dict[str, bytes]]:
    """Return what is read of each dialogue, without padding."""
    encoded = backend.encode(inputs)
    found = {**encoded.tensors, "label_probs": encoded.label_probs}
    return [
        {
            name: (array[b] if name == "hidden" else array[b, : np.count_nonzero(labels)]).tobytes()
            for name, array in found.items()
        }
        for b, labels in enumerate(inputs.emotion_labels)
    ]


@pytest.fixture(scope="module")
def afresh() -> OrtBackend:
    return OrtBackend(BUNDLE)


@pytest.fixture
def backend() -> Observed:
    return Observed(BUNDLE, turn_cache=64)


def test_a_session_reads_its_new_turns_alone(backend: Observed, afresh: OrtBackend) -> None:
    old = OrtBackend(before_it(BUNDLE), turn_cache=64)
    for count in (1, 3, 5, 7, 9):
        inputs = ids(TURNS[:count])
        assert bits(backend, inputs) == bits(afresh, inputs) == bits(old, inputs)
    assert backend.runs == [(CONTINUED, 1), *[(CONTINUED, 2)] * 4]


def test_company_that_was_read_as_far_as_it_may_be(backend: Observed, afresh: OrtBackend) -> None:
    dialogues = [TURNS, *OTHERS, TURNS[:5]]
    alone = [bits(afresh, ids(turns))[0] for turns in dialogues]
    assert bits(afresh, ids(*dialogues)) == alone
    for known in ([TURNS[:6]], [OTHERS[1], TURNS[:2]], dialogues):
        bits(backend, ids(*known))
        assert bits(backend, ids(*dialogues)) == alone
    for turns, wanted in zip(dialogues, alone, strict=True):
        assert bits(backend, ids(turns)) == [wanted]


@pytest.mark.parametrize(
    ("history", "new"),
    [
        (TURNS[2:], 7),  # cut, as beyond `max_turns`
        (TURNS[:5], 1),  # shortened: its last turn is always read
        (TURNS, 1),  # the same once more
        ([*TURNS[:4], "No.", *TURNS[5:]], 5),  # edited in its middle
        (TURNS[8:], 1),  # begun anew
        ([Turn(TURNS[0], emotion="anger"), *TURNS[1:]], 1),  # words alone are kept
    ],
)
def test_another_history_is_read_from_where_it_is_another(
    backend: Observed, afresh: OrtBackend, history: list[Any], new: int
) -> None:
    bits(backend, ids(TURNS))
    assert bits(backend, ids(history)) == bits(afresh, ids(history))
    assert backend.runs[1:] == [(CONTINUED, new)]


@pytest.mark.parametrize("capacity", [1, 4])
def test_a_small_memory_changes_nothing(afresh: OrtBackend, capacity: int) -> None:
    backend = Observed(BUNDLE, turn_cache=capacity)
    for turns in (TURNS[:3], OTHERS[2], TURNS[:5], TURNS, OTHERS[1], TURNS):
        assert bits(backend, ids(turns)) == bits(afresh, ids(turns))


def test_where_it_cannot_be_used_all_turns_are_read() -> None:
    plain = (
        DeviceBackend(BUNDLE, "cpu", turn_cache=64),
        OrtBackend(before_it(BUNDLE), turn_cache=64),
        OrtBackend(BUNDLE, precision="fp16", turn_cache=64),
        OrtBackend(BUNDLE),
    )
    for backend in plain:
        assert {*backend._sessions} == {"turn_encoder", "context_encoder", "decoder_step"}
    kept = OrtBackend(BUNDLE, precision="int8", turn_cache=64)  # weights are not held twice
    assert {*kept._sessions} == {"turn_encoder", CONTINUED, "decoder_step"}


def test_a_closed_backend_has_forgotten_its_users(backend: Observed) -> None:
    bits(backend, ids(TURNS))
    assert backend._contexts is not None
    assert backend._contexts._known
    backend.close()
    assert not backend._contexts._known
