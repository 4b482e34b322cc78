"""Emotion words of real and of generated text come from the same rule."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from empgan_rt.config import Limits
from empgan_rt.dialogue.turns import Turn
from empgan_rt.graph_spec import EOS
from empgan_rt.text.featurizer import Featurizer
from empgan_training.data.prepared import PreparedData
from empgan_training.model.words import EmotionWordView, Words
from support.small_data import prepare_own


@pytest.fixture(scope="module")
def featurizer(tmp_path_factory: pytest.TempPathFactory) -> Featurizer:
    return PreparedData(prepare_own(tmp_path_factory.mktemp("words")), Limits()).featurizer


@pytest.fixture(scope="module")
def texts(featurizer: Featurizer, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = prepare_own(tmp_path_factory.mktemp("texts"))
    data = PreparedData(folder, Limits())
    return [text for dialogue in data.split("train")[:20] for text in dialogue.texts]


def test_the_view_of_ids_is_what_the_featurizer_extracts(
    featurizer: Featurizer, texts: list[str]
) -> None:
    """For words of the vocabulary; a rare word has no id that generated text could hold."""
    view = EmotionWordView(featurizer)
    compared = 0
    for text in texts:
        turn = featurizer.turn_features(Turn(text))
        if 1 in turn.token_ids:
            continue
        found = view(Words(torch.tensor([[*turn.token_ids, EOS]])))
        assert found.ids[0].tolist() == turn.emotion_ids
        compared += turn.emotion_ids != [EOS]
    assert compared > 10


def test_real_and_generated_text_are_seen_alike(featurizer: Featurizer, texts: list[str]) -> None:
    view = EmotionWordView(featurizer)
    rows = [[*featurizer.turn_features(Turn(text)).token_ids, EOS] for text in texts[:8]]
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    size = len(featurizer.tokenizer.vocabulary)
    weights = functional.one_hot(ids, size).float().requires_grad_()
    real, fake = view(Words(ids)), view(Words(ids, weights))
    assert torch.equal(real.ids, fake.ids)
    assert fake.weights is not None
    one_hot = functional.one_hot(real.ids, view.size) * (real.ids != 0).unsqueeze(-1)
    assert torch.equal(fake.weights, one_hot.float())


def test_a_gradient_reaches_the_emotion_words_and_no_others(featurizer: Featurizer) -> None:
    view = EmotionWordView(featurizer)
    emotional = int((view.emotion_id > 1).nonzero()[0])
    plain = next(i for i in range(4, len(view.emotion_id)) if view.emotion_id[i] == 0)
    ids = torch.tensor([[plain, emotional, EOS], [plain, plain, EOS]])
    weights = functional.one_hot(ids, len(view.emotion_id)).float().requires_grad_()
    seen = view(Words(ids, weights))
    assert seen.ids.tolist() == [[int(view.emotion_id[emotional])], [EOS]]
    assert seen.weights is not None
    (seen.weights * torch.rand(seen.weights.shape)).sum().backward()
    assert weights.grad is not None
    reached = weights.grad.abs().amax(-1) > 0
    assert reached.tolist() == [[False, True, False], [False, False, False]]
