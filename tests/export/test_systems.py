"""Every shape of generator exports, passes parity and answers; EmpG's is in test_package.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from empgan_export.options import ExportOptions
from empgan_export.package import export_bundle
from empgan_rt import Responder
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.graph_spec import GRAPH_NAMES
from empgan_rt.verification.audit import audit
from empgan_rt.verification.parity import replay
from empgan_training.eager import EagerBackend
from empgan_training.systems import SYSTEMS, SystemName
from support.cuda_kernels import without_kernel
from support.small_data import SMALL_SIZES, small_checkpoint


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "beyond"),
    [
        ("HRED", {}),
        ("SeqGAN", {}),
        ("Emo-S2S", {}),
        ("Emo-HRED", {}),
        ("EmpG", {"word_turns": 2, "recogniser_buckets": 4096}),
        ("EmpG", {"word_turns": 1, "tied": True, "embedding_size": SMALL_SIZES["hidden_size"]}),
    ],
)
def test_a_shape_exports_and_answers(
    name: SystemName, beyond: dict[str, Any], tmp_path: Path
) -> None:
    checkpoint = small_checkpoint(tmp_path, system=name, **beyond)
    out = tmp_path / "small.empgan"
    options = ExportOptions(num_contexts=8, precisions=("int8", "fp16"))
    exported = export_bundle(checkpoint, out, options)
    assert exported.parity["fp32"]["beam_5"] == {"contexts": 8, "equal": 8, "ties": 0}
    assert {*exported.parity} == {"fp32", "int8", "fp16"}

    bundle = Bundle.open(str(out))
    audit(bundle)  # its operators are among those that a stranger's may have
    shape = ("context", "streams", "attention", "prepend_label")
    assert [getattr(bundle.model, f) for f in shape] == [getattr(SYSTEMS[name], f) for f in shape]
    assert {field: getattr(bundle.model, field) for field in beyond} == beyond
    assert bundle.manifest.provenance["system"] == name
    again = replay(EagerBackend.from_bundle(bundle), (out / "goldens.fp32.npz").read_bytes())
    assert again.tokens_equal

    graphs = [onnx.load_from_string(bundle.graph("fp32", which)) for which in GRAPH_NAMES]
    # A flat context's ids are shifted by its labels: integers, which the CPU may have.
    assert {fault for graph in graphs for fault in without_kernel(graph)} <= {"Pad of int32"}

    responder = Responder.load(str(out))
    chat = responder.session()
    first = chat.say("I passed my exam!")
    second = chat.say("Are you not glad for me?")
    assert first.text
    assert second.text
    dialogues = [["I passed my exam!"], ["It rains.", "Yes, and it is cold.", "Let us go home."]]
    together = responder.reply_batch(dialogues)
    assert [reply.text for reply in together] == [responder.reply(d).text for d in dialogues]
    assert together[0].text == first.text
    assert Responder.load(str(out), precision="fp16").reply(dialogues[0]).text
