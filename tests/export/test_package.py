"""From checkpoint to bundle: all or nothing, and equal to eager PyTorch."""

import dataclasses
import json
from contextlib import ExitStack

import numpy as np
import pytest
import torch

from empgan_export import package, verify
from empgan_export.contexts import read_contexts
from empgan_export.half_precision import HalfVocabulary
from empgan_export.options import ExportOptions
from empgan_export.package import export_bundle
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import CheckpointError, DataError, InputError, ParityError
from empgan_rt.storage.replacing import staging_folder
from empgan_rt.verification import parity
from empgan_rt.verification.audit import audit
from empgan_training.checkpoint import Checkpoint
from empgan_training.eager import EagerBackend

pytestmark = pytest.mark.long

FEW = ExportOptions(num_contexts=4)


@pytest.mark.parametrize(("precision", "atol"), [("fp32", 1e-5), ("int8", 0.05)])
def test_bundle_opens_and_replays_its_goldens(small_bundle, precision, atol):
    bundle = Bundle.open(small_bundle[1])
    audit(bundle)
    backend = OrtBackend(bundle, precision=precision)
    parity.check(parity.replay(backend, bundle.goldens(precision), atol), atol)
    record = bundle.manifest.parity[precision]
    assert record["greedy"]["contexts"] == record["beam_5"]["contexts"] == 10
    assert record["max_abs_30_steps"]["log_probs"] <= record["atol"]


def test_int8_goldens_are_others_than_fp32s(small_bundle):
    bundle = Bundle.open(small_bundle[1])
    deviation = parity.replay(OrtBackend(bundle), bundle.goldens("int8"))
    assert 1e-4 < deviation.max_abs["log_probs"] < 0.5
    assert deviation.max_abs["label_probs"] < 1e-6  # the encoder is the same


def test_a_bundle_of_fp32_alone(small_bundle, tmp_path, traced):
    out = tmp_path / "x.empgan"
    export_bundle(small_bundle[0], out, dataclasses.replace(FEW, precisions=()))
    assert {*Bundle.open(out).manifest.variants} == {"fp32"}
    assert not [*out.glob("*int8*")]
    with pytest.raises(InputError, match="precision 'int8'"):
        Bundle.open(out).goldens("int8")


def test_fp16_has_encoders_of_its_own_and_its_replies_are_counted(small_bundle, tmp_path, traced):
    out = tmp_path / "x.empgan"
    exported = export_bundle(small_bundle[0], out, dataclasses.replace(FEW, precisions=("fp16",)))
    manifest = Bundle.open(out).manifest
    assert [*manifest.variants] == ["fp32", "fp16"]
    files = {*manifest.variants["fp16"].graphs.values(), manifest.variants["fp16"].goldens}
    assert all(".fp16." in name for name in files)
    assert exported.parity["fp16"]["beam_5"]["contexts"] == 4


def test_fp16_beyond_its_bound_publishes_nothing(small_bundle, tmp_path, monkeypatch, traced):
    compute = HalfVocabulary.forward

    monkeypatch.setattr(HalfVocabulary, "forward", lambda *given: 1.1 * compute(*given))
    options = dataclasses.replace(FEW, precisions=("fp16",))
    with pytest.raises(ParityError, match=r"log_probs deviates .* at most 0\.05"):
        export_bundle(small_bundle[0], tmp_path / "x.empgan", options)
    assert list(tmp_path.iterdir()) == []


def test_eager_from_bundle_reads_the_same_weights(small_bundle):
    _, path = small_bundle
    bundle = Bundle.open(path)
    goldens = (path / "goldens.fp32.npz").read_bytes()
    deviation = parity.replay(EagerBackend.from_bundle(bundle), goldens)
    assert deviation.tokens_equal
    assert max(deviation.max_abs.values()) < 1e-5  # sums depend on where the weights lie


def test_existing_bundle_is_kept_unless_forced(small_bundle, tmp_path, traced):
    checkpoint, _ = small_bundle
    out = tmp_path / "x.empgan"
    first = export_bundle(checkpoint, out, FEW)
    with pytest.raises(InputError, match="exists"):
        export_bundle(checkpoint, out, FEW)
    again = export_bundle(checkpoint, out, dataclasses.replace(FEW, force=True))
    assert again.bundle_id == first.bundle_id  # the same checkpoint gives the same bytes
    assert [p.name for p in tmp_path.iterdir()] == ["x.empgan"]


def test_a_second_export_to_one_place_is_refused_at_once(small_bundle, tmp_path, monkeypatch):
    checkpoint, _ = small_bundle
    out = tmp_path / "x.empgan"

    def never(path):
        raise AssertionError("the checkpoint was read")

    with staging_folder(out) as first:
        monkeypatch.setattr(package.Checkpoint, "load", never)
        with pytest.raises(InputError, match="under way"):
            export_bundle(checkpoint, out, dataclasses.replace(FEW, force=True))
        assert [*tmp_path.iterdir()] == [first]


def test_of_two_exports_that_begin_together_one_at_most_goes_on(
    small_bundle, tmp_path, monkeypatch
):
    """The other one begins after the first look at the place."""
    checkpoint, _ = small_bundle
    out = tmp_path / "x.empgan"
    load, stack = package.Checkpoint.load, ExitStack()

    def overtaken(path):
        stack.enter_context(staging_folder(out))
        return load(path)

    monkeypatch.setattr(package.Checkpoint, "load", overtaken)
    with stack, pytest.raises(InputError, match="under way"):
        export_bundle(checkpoint, out, FEW)
    assert [*tmp_path.iterdir()] == []


def test_dry_run_publishes_nothing(small_bundle, tmp_path, traced):
    checkpoint, _ = small_bundle
    tried = export_bundle(checkpoint, tmp_path / "x.empgan", dataclasses.replace(FEW, dry_run=True))
    assert tried.parity["fp32"]["greedy"]["contexts"] == 4
    assert list(tmp_path.iterdir()) == []


def test_failed_parity_publishes_nothing(small_bundle, tmp_path, monkeypatch, traced):
    """One weight of the graphs' file differs from what eager PyTorch computes with."""
    checkpoint, _ = small_bundle
    write = package._write_weights

    def perturbed(generator, staging, weights):
        bias = generator.decoder.vocabulary.bias
        with torch.no_grad():
            bias[7] += 0.5
        write(generator, staging, weights)
        with torch.no_grad():
            bias[7] -= 0.5

    monkeypatch.setattr(package, "_write_weights", perturbed)
    with pytest.raises(ParityError, match="log_probs deviates"):
        export_bundle(checkpoint, tmp_path / "x.empgan", FEW)
    assert list(tmp_path.iterdir()) == []


def test_mismatching_replies_publish_nothing(small_bundle, tmp_path, monkeypatch, traced):
    checkpoint, _ = small_bundle
    decode = verify.compare_replies

    def worse(*args, **kwargs):
        return dataclasses.replace(decode(*args, **kwargs), mismatches=(2,))

    monkeypatch.setattr(verify, "compare_replies", worse)
    with pytest.raises(ParityError, match="first at context 2"):
        export_bundle(checkpoint, tmp_path / "x.empgan", FEW)
    assert list(tmp_path.iterdir()) == []


def test_restricted_lexicon_is_refused(small_bundle, tmp_path):
    checkpoint = Checkpoint.load(small_bundle[0])
    lexicon = checkpoint.texts["emotion_lexicon.tsv"] + "zzgrim\tnrc\n"
    texts = {**checkpoint.texts, "emotion_lexicon.tsv": lexicon}
    dataclasses.replace(checkpoint, texts=texts).save(tmp_path / "nrc.safetensors")
    with pytest.raises(CheckpointError, match="nrc"):
        export_bundle(tmp_path / "nrc.safetensors", tmp_path / "x.empgan", FEW)
    assert not (tmp_path / "x.empgan").exists()


def test_an_untrained_generator_is_refused(small_bundle, tmp_path):
    checkpoint = Checkpoint.load(small_bundle[0])
    info = {**checkpoint.info, "scores": {"recogniser": {"macro_f1": 30.0}}}
    dataclasses.replace(checkpoint, info=info).save(tmp_path / "raw.safetensors")
    with pytest.raises(CheckpointError, match="never trained"):
        export_bundle(tmp_path / "raw.safetensors", tmp_path / "x.empgan", FEW)


def test_force_spares_what_is_no_bundle(small_bundle, tmp_path):
    (tmp_path / "thesis").mkdir()
    forced = dataclasses.replace(FEW, force=True)
    with pytest.raises(InputError, match="no bundle"):
        export_bundle(small_bundle[0], tmp_path / "thesis", forced)
    assert (tmp_path / "thesis").is_dir()


def test_missing_model_card_is_told_at_once(small_bundle, tmp_path):
    options = dataclasses.replace(FEW, model_card=tmp_path / "none.md")
    with pytest.raises(InputError, match=r"none\.md"):
        export_bundle(small_bundle[0], tmp_path / "x.empgan", options)


def test_weights_beyond_float16_are_refused(small_bundle, tmp_path):
    checkpoint = Checkpoint.load(small_bundle[0])
    model = dict(checkpoint.model)
    model["decoder.vocabulary.bias"] = torch.full_like(model["decoder.vocabulary.bias"], 1e6)
    dataclasses.replace(checkpoint, model=model).save(tmp_path / "big.safetensors")
    with pytest.raises(CheckpointError, match="exceeds float16"):
        export_bundle(tmp_path / "big.safetensors", tmp_path / "x.empgan", FEW)


def test_model_card_and_licences(small_bundle, tmp_path):
    _, path = small_bundle
    card = (path / "MODEL_CARD.md").read_text()
    assert card.startswith("# EmpG")
    assert "Apache-2.0" in card
    assert {p.name for p in (path / "LICENSES").iterdir()} == {"Apache-2.0.txt", "VADER-MIT.txt"}


def test_contexts_file(tmp_path):
    path = tmp_path / "contexts.jsonl"
    path.write_text('{"turns": ["Hi.", "Hello!"]}\n{"dialogue": ["One.", "Two.", "Three."]}\n')
    assert read_contexts(path, 5) == [["Hi.", "Hello!"], ["One.", "Two."]]
    assert len(read_contexts(None, 200)) == 200
    path.write_text("\n")
    with pytest.raises(DataError, match="holds no context"):
        read_contexts(path, 5)
    path.write_text('{"turns": ["Hi."]}\n' + json.dumps({"turns": [3]}))
    with pytest.raises(DataError, match=r"contexts\.jsonl:2"):
        read_contexts(path, 5)


def test_long_golden_has_thirty_steps(small_bundle):
    golden = verify._long_golden(Bundle.open(small_bundle[1]))
    assert golden.token_ids.shape[0] == golden.parents.shape[0] == 30
    assert golden.token_ids.dtype == np.int32
