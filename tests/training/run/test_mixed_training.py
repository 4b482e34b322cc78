"""Training on several corpora: weights, responses without feedback, turns without labels."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from empgan_rt.config import Limits
from empgan_rt.errors import InputError
from empgan_training.algorithms.mle import generator_loss, recogniser_loss, sample_memory
from empgan_training.config import AdversarialConfig, StageConfig
from empgan_training.data.batch import collate
from empgan_training.data.prepare import prepare
from empgan_training.data.prepared import PreparedData
from empgan_training.data.protocol import PrepareOptions
from empgan_training.data.sources import Source
from empgan_training.run.trainer import Trainer
from empgan_training.scoring.evaluate import evaluate
from empgan_training.scoring.evaluation import EvaluateOptions
from empgan_training.scoring.opened_model import open_model
from support.corpora import splits, write_daily, write_empathetic
from support.runs import recipe
from support.small_data import small_checkpoint, write_jsonl

SHORT = StageConfig(batch_samples=60, max_epochs=1)
AGAINST = AdversarialConfig(
    batch_samples=30,
    critic_pretrain=1,
    critic_steps=1,
    steps=1,
    validate_every=1,
    validation_samples=2,
    max_drift=9.0,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled daily talk, people's stories that count one and a half times, and plain turns."""
    folder = tmp_path_factory.mktemp("mixed")
    plain = folder / "plain"
    for name, rows in splits(120).items():
        write_jsonl(plain / f"{name}.jsonl", [{"dialogue": row["dialogue"]} for row in rows])
    sources = [
        Source(write_daily(folder / "d")),
        Source(write_empathetic(folder / "e"), weight=1.5),
        Source(plain, "plain", licence="MIT"),
    ]
    prepare(sources, folder / "prepared", PrepareOptions())
    return folder


def test_it_trains_against_critics_where_a_feedback_is_and_else_by_likelihood(
    folder: Path, tmp_path: Path
) -> None:
    config = recipe(
        folder, tmp_path / "run", system="EmpGAN", recogniser=SHORT, mle=SHORT, adversarial=AGAINST
    )
    trainer = Trainer(config)
    _, mle, against = trainer.stages
    train = trainer.data.split("train")
    assert mle.data.dialogues == train
    assert against.data.dialogues == [d.answered() for d in train if d.answered() is not None]
    assert 0 < len(against.data.dialogues) < len(train)
    epoch = [d.id for group in mle._order(0) for d in group]
    assert len(epoch) > len(train)
    scores = trainer.run()
    assert math.isfinite(scores["adversarial"]["perplexity"])
    again = Trainer(config, resume=True)
    assert all(stage.state.finished for stage in again.stages)


def test_each_corpus_is_scored_by_itself(folder: Path) -> None:
    model = open_model(str(small_checkpoint(folder / "own")))
    scored = {}
    for source in ("dailydialog", "empatheticdialogues", "plain", None):
        options = EvaluateOptions(metrics=("perplexity", "recogniser"), source=source)
        found = evaluate(model, folder / "prepared", options)
        assert found.language is not None
        scored[source] = found.language.model[0].n
        assert (found.recogniser is None) == (source == "plain")
    assert scored.pop(None) == sum(scored.values())


def test_without_any_label_the_recogniser_has_to_come_from_elsewhere(
    folder: Path, tmp_path: Path
) -> None:
    options = PrepareOptions(licence="MIT")
    prepare(folder / "plain", tmp_path / "prepared", options)
    with pytest.raises(InputError, match="no turn of the data has an emotion label"):
        Trainer(recipe(tmp_path, tmp_path / "run"))


def test_a_label_that_is_not_there_is_the_recognisers(folder: Path) -> None:
    data = PreparedData(folder / "prepared", Limits())
    config = recipe(folder, folder / "unused")
    generator = Trainer(config).generator
    daily = data.split("train", "dailydialog")[:6]
    bare = [replace(d, turns=tuple(replace(turn, label=8) for turn in d.turns)) for d in daily]
    labelled, unlabelled = collate(daily, 20), collate(bare, 20)
    mixed = collate([*daily[:3], *bare[3:]], 20)
    generator.train()
    for batch in (unlabelled, mixed):
        loss = generator_loss(generator, batch)
        loss.total.backward()
        assert math.isfinite(loss.total.item())
        assert (loss.label is None) == (batch is unlabelled)
    assert generator.recogniser.training
    assert all(p.grad is None for p in generator.recogniser.parameters())
    generator.eval()
    with torch.no_grad():
        logits = generator.recogniser(labelled.utterances)
        soft = sample_memory(generator, unlabelled)
    wanted = generator.memory(
        labelled.utterances,
        labelled.emotion_words,
        torch.softmax(logits, -1) * (labelled.labels > 0).unsqueeze(-1),
        labelled.context_turns,
        labelled.dialogue_of,
    )
    torch.testing.assert_close(soft.newest, wanted.newest.detach())
    gold = sample_memory(generator, labelled).newest.detach()
    assert not torch.allclose(soft.newest, gold)
    weights = torch.ones(len(data.sources), 7)
    assert recogniser_loss(generator, unlabelled, weights).item() == 0.0
    alone = recogniser_loss(generator, collate(daily[:3], 20), weights)
    assert recogniser_loss(generator, mixed, weights).item() == pytest.approx(
        alone.item(), rel=1e-5
    )
