import pytest

from empgan_rt.errors import DataError, DependencyError
from empgan_training.metrics import inputs
from empgan_training.metrics.toxicity import score_toxicity

KIND = ["i", "lost", "my", "keys", "today", "."]
RUDE = ["you", "are", "a", "stupid", "idiot", "!"]


def test_the_share_of_rude_texts() -> None:
    scores = score_toxicity([KIND, RUDE, KIND, []])
    assert (scores.n, scores.value) == (4, 25.0)
    assert scores.signature.startswith("alt-profanity-check|version:1.")
    assert score_toxicity([KIND]).value == 0


def test_order_and_company_change_nothing() -> None:
    assert score_toxicity([RUDE, KIND, RUDE, KIND]).value == 50
    assert score_toxicity([KIND, KIND, RUDE, RUDE]).value == 50


def test_nothing_to_score() -> None:
    with pytest.raises(DataError):
        score_toxicity([])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(inputs.importlib, "import_module", missing)
    with pytest.raises(DependencyError, match="profanity_check is missing"):
        score_toxicity([KIND])
