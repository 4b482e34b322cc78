"""Evaluation: two roads to one perplexity, labels, limits, and what may be written down."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from empgan_rt.config import Limits, SearchConfig
from empgan_rt.errors import (
    BundleError,
    CheckpointError,
    DependencyError,
    DivergenceError,
    InputError,
    StorageError,
)
from empgan_rt.graph_spec import EOS, UNK, UNKNOWN_LABEL
from empgan_rt.text.featurizer import DialogueFeatures, TurnFeatures
from empgan_training.data.prepared import PreparedData, all_samples
from empgan_training.scoring import evaluate as evaluate_module
from empgan_training.scoring.decoding import (
    context_of,
    forced_log_probs,
    generate,
    recognised,
    targets_of,
)
from empgan_training.scoring.evaluate import (
    backend_perplexity,
    check_predictions_path,
    evaluate,
    save_predictions,
)
from empgan_training.scoring.evaluation import METRICS, EvaluateOptions, Evaluation, Prediction
from empgan_training.scoring.opened_model import OpenedModel, open_model
from empgan_training.scoring.recognition import score_recognised
from empgan_training.scoring.validation import recogniser_scores, teacher_forced
from support.scripted_backend import ScriptedBackend, normalised, random_model
from support.small_data import prepare_own, small_checkpoint
from support.toy_bundle import make_toy_bundle

VOCABULARY = 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return tmp_path_factory.mktemp("evaluate")


@pytest.fixture(scope="module")
def prepared(folder: Path) -> Path:
    return prepare_own(folder)


@pytest.fixture(scope="module")
def model(folder: Path) -> OpenedModel:
    return open_model(str(small_checkpoint(folder)))


@pytest.fixture(scope="module")
def full(model: OpenedModel, prepared: Path) -> Evaluation:
    return evaluate(model, prepared, EvaluateOptions())


def contexts(count: int) -> list[DialogueFeatures]:
    """Return contexts whose sizes are out of order."""
    return [
        DialogueFeatures((TurnFeatures([5] * (1 + 7 * i % 5), [EOS], 1, 0),) * (1 + i % 3), 0)
        for i in range(count)
    ]


def test_forced_log_probs_are_those_of_the_gold_tokens_whatever_the_batch() -> None:
    log_probs = random_model(seed=3, vocabulary_size=VOCABULARY)
    backend = ScriptedBackend(lambda _, prefix: log_probs(0, prefix), VOCABULARY)
    draw = np.random.default_rng(0)
    targets = [
        [*draw.choice([UNK, 4, 5, 6, 7, 8], size=i * 5 % 7).tolist(), EOS] for i in range(70)
    ]
    wanted = [
        sum(float(log_probs(0, tuple(t[:k]))[token]) for k, token in enumerate(t)) for t in targets
    ]
    found = forced_log_probs(backend, contexts(70), targets, VOCABULARY)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_generated_replies_keep_the_order_of_the_samples() -> None:
    def echo(dialogue: int, prefix: tuple[int, ...]) -> np.ndarray:
        logits = np.zeros(VOCABULARY)
        logits[EOS if prefix else 4] = 9.0
        return normalised(logits)

    asked = contexts(40)
    replies = generate(ScriptedBackend(echo, VOCABULARY), asked, SearchConfig(beam_size=1), 9)
    assert replies == [(4,)] * 40


def test_backend_and_teacher_forcing_agree(model: OpenedModel, prepared: Path) -> None:
    dialogues = PreparedData(prepared, Limits()).split("test")
    samples = all_samples(dialogues)
    assert model.generator is not None
    for max_response in (60, 5):
        eager = teacher_forced(model.generator, dialogues, max_response)
        targets = [targets_of(sample, max_response) for sample in samples]
        assert sum(map(len, targets)) == eager.tokens
        forced = backend_perplexity(model, samples, targets, "gold")
        assert forced == pytest.approx(eager.perplexity, rel=1e-4)


def test_recogniser_is_scored_alike_on_both_roads(model: OpenedModel, prepared: Path) -> None:
    dialogues = PreparedData(prepared, Limits()).split("test")
    assert model.generator is not None
    found = score_recognised(*recognised(model.backend, dialogues, max_turns=50))
    alike = recogniser_scores(model.generator, dialogues)
    assert found == replace(alike, calibration_error=found.calibration_error)
    assert found.calibration_error == pytest.approx(alike.calibration_error, abs=1e-3)


def test_recognised_labels_hide_the_gold_ones(prepared: Path) -> None:
    sample = all_samples(PreparedData(prepared, Limits()).split("test"))[2]
    gold = context_of(sample, "gold", 50)
    hidden = context_of(sample, "recognised", 50)
    assert [turn.label for turn in gold.turns] == [
        turn.label for turn in sample.dialogue.turns[: sample.response]
    ]
    assert {turn.label for turn in hidden.turns} == {UNKNOWN_LABEL}
    assert context_of(sample, "gold", 1).turns == gold.turns[-1:]


def test_full_report_states_everything_it_depends_on(full: Evaluation, prepared: Path) -> None:
    report = json.loads(json.dumps(full.as_dict()))
    assert report["kind"] == "checkpoint"
    assert report["engine"] == "eager"
    assert report["data"]["split"] == "test"
    assert [p["labels"] for p in report["perplexity"]["model"]] == ["gold", "recognised"]
    assert report["perplexity"]["model"][0] != report["perplexity"]["model"][1]
    assert report["perplexity"]["trigram"] > 1
    assert 0 < report["perplexity"]["unknown_percent"] < 50
    text = report["text"]
    assert text["labels"] == "recognised"
    assert text["samples"] == "table"
    assert text["search"]["beam_size"] == 1
    table = (prepared / "test_samples.jsonl").read_text("utf-8").count("\n")
    assert text["scores"]["n"] == table
    assert "predictions" not in text
    assert "tok:none" in text["scores"]["bleu"]["bleu_4"]["signature"]
    assert report["recogniser"]["n"] > table


def test_only_what_is_asked_for_is_scored(model: OpenedModel, prepared: Path) -> None:
    options = EvaluateOptions("validation", ("distinct",), limit=3, labels="gold")
    found = evaluate(model, prepared, options)
    report = found.as_dict()
    assert "perplexity" not in report
    assert "recogniser" not in report
    assert set(report["text"]["scores"]) == {"n", "length_ratio", "empty_hypotheses", "distinct"}
    assert report["text"]["scores"]["n"] == 3
    assert report["text"]["samples"] == "all"
    assert report["text"]["labels"] == "gold"


def test_a_limit_takes_the_first_samples(model: OpenedModel, prepared: Path) -> None:
    options = EvaluateOptions("test", ("perplexity",), "gold", limit=4)
    language = evaluate(model, prepared, options).language
    assert language is not None
    samples = all_samples(PreparedData(prepared, Limits()).split("test"))[:4]
    (scored,) = language.model
    assert scored.n == 4
    assert scored.tokens == sum(len(targets_of(sample, 60)) for sample in samples)


@pytest.mark.parametrize(
    "wrong",
    [
        {"metrics": ("meteor",)},
        {"metrics": ()},
        {"limit": 0},
        {"samples": "table", "split": "validation"},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        replace(EvaluateOptions(), **wrong)


def test_a_bundle_reads_with_its_own_words(folder: Path, prepared: Path) -> None:
    toy = open_model(str(make_toy_bundle(folder / "toy")))
    assert toy.generator is None
    found = evaluate(toy, prepared, EvaluateOptions(limit=6))
    assert found.language is not None
    assert found.language.vocabulary_size == 23
    assert found.language.unknown_percent > 50  # it knows nineteen words
    assert all(p.perplexity > 1 for p in found.language.model)
    assert found.generation is not None
    known = set(toy.featurizer.tokenizer.vocabulary)
    for prediction in found.generation.predictions:
        assert set(prediction.hypothesis.split()) <= known - {"<unk>"}
    assert found.as_dict()["bundle_id"]


def test_a_precision_is_a_bundles(folder: Path) -> None:
    assert open_model("tiny", "int8").facts["precision"] == "int8"
    with pytest.raises(InputError, match="precision 'int8'"):
        open_model(str(make_toy_bundle(folder / "plain")), "int8")
    with pytest.raises(InputError, match="a checkpoint in 'int8'"):
        open_model(str(folder / "any.safetensors"), "int8")


def test_models_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        open_model(str(tmp_path / "none.safetensors"))
    with pytest.raises(BundleError):
        open_model(str(tmp_path / "none"))


def test_saved_predictions_hold_no_corpus_text(full: Evaluation, folder: Path) -> None:
    assert full.generation is not None
    path = folder / "predictions.jsonl"
    save_predictions(full.generation.predictions, path)
    save_predictions(full.generation.predictions, path)  # replaces
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len(rows) == full.generation.scores.n
    assert all(set(row) == {"id", "hypothesis"} for row in rows)
    assert rows[0]["id"].startswith("test-")
    tests = PreparedData(prepare_own(folder), Limits()).split("test")
    tokenizer = PreparedData(prepare_own(folder), Limits()).featurizer.tokenizer
    gold = {" ".join(tokenizer.words(text)) for d in tests for text in d.texts}
    assert not gold & {row["hypothesis"] for row in rows}


def test_predictions_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError):
        save_predictions([Prediction("a#1", "x")], tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_predictions_are_refused_before_anything_is_computed(tmp_path: Path) -> None:
    options = EvaluateOptions()
    check_predictions_path(tmp_path / "new", options)
    for path in (tmp_path, tmp_path / "none" / "p"):
        with pytest.raises(InputError, match="folder"):
            check_predictions_path(path, options)
    with pytest.raises(InputError, match="no predictions come from perplexity, recogniser"):
        check_predictions_path(
            tmp_path / "new", replace(options, metrics=("perplexity", "recogniser"))
        )


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no file")
def test_a_folder_that_takes_no_file_is_told_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        check_predictions_path(Path("/proc/self/predictions"), EvaluateOptions())
    (tmp_path / "there").write_text("precious")
    check_predictions_path(tmp_path / "there", EvaluateOptions())
    assert (tmp_path / "there").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("package", ["sacrebleu.metrics.bleu", "rouge_score.rouge_scorer"])
def test_a_missing_package_is_told_before_anything_is_computed(
    model: OpenedModel, prepared: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(evaluate_module, "PreparedData", None)  # calling it fails otherwise
    with pytest.raises(DependencyError):
        evaluate(model, prepared, EvaluateOptions())


def test_a_perplexity_beyond_float64_is_a_divergence(
    model: OpenedModel, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sample, *_) = all_samples(PreparedData(prepared, Limits()).split("test"))
    targets = [targets_of(sample, 60)]
    for nats in (-800.0 * len(targets[0]), -math.inf, math.nan):
        monkeypatch.setattr(
            evaluate_module, "forced_log_probs", lambda *_, nats=nats: np.array([nats])
        )
        with pytest.raises(DivergenceError, match="nats per token"):
            backend_perplexity(model, [sample], targets, "gold")


@pytest.mark.slow
def test_an_exported_bundle_scores_as_its_checkpoint(
    model: OpenedModel, full: Evaluation, folder: Path, prepared: Path
) -> None:
    from empgan_export.options import ExportOptions
    from empgan_export.package import export_bundle

    options = ExportOptions(weights="fp32", num_contexts=5)
    bundle = export_bundle(small_checkpoint(folder), folder / "bundle", options).path
    found = evaluate(open_model(str(bundle)), prepared, EvaluateOptions(metrics=METRICS))
    assert found.language is not None
    assert full.language is not None
    for ours, eager in zip(found.language.model, full.language.model, strict=True):
        assert ours.perplexity == pytest.approx(eager.perplexity, rel=1e-3)
    assert found.recogniser is not None
    assert full.recogniser is not None
    error = found.recogniser.calibration_error
    assert error == pytest.approx(full.recogniser.calibration_error, abs=1e-3)
    assert found.recogniser == replace(full.recogniser, calibration_error=error)
    assert found.generation is not None
    assert full.generation is not None
    assert found.generation.predictions == full.generation.predictions
