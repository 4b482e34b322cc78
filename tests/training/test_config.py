"""Recipes: what is read, what `--set` does, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

import empgan_training
from empgan_rt.errors import InputError
from empgan_training.config import ModelSizes, StageConfig, TrainConfig, load_recipe

RECIPES = sorted((Path(empgan_training.__file__).parent / "recipes").glob("*.toml"))


def recipe(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, "utf-8")
    return path


def test_there_are_recipes() -> None:
    assert {"default", "tiny"} <= {path.stem for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_our_recipes_are_acceptable(path: Path) -> None:
    assert load_recipe(path).system == ("EmpGAN" if path.stem == "default" else "EmpG")


def test_an_empty_recipe_is_the_papers(tmp_path: Path) -> None:
    config = load_recipe(recipe(tmp_path, ""))
    assert config == TrainConfig()
    assert config.model == ModelSizes(
        embedding_size=300,
        emotion_embedding_size=200,
        label_embedding_size=100,
        hidden_size=400,
        dropout=0.4,
    )
    assert config.mle == StageConfig(learning_rate=1e-4, batch_samples=32, plateau_factor=1.0)


def test_the_papers_recipe_lists_every_key_with_its_default() -> None:
    (path,) = (path for path in RECIPES if path.stem == "paper")
    listed = tomllib.loads(path.read_text("utf-8"))
    assert listed == msgspec.to_builtins(TrainConfig(out="runs/paper"))


def test_values_are_read_from_their_sections(tmp_path: Path) -> None:
    text = 'out = "runs/x"\nseed = 7\n[mle]\nmax_epochs = 3\nprecision = "bf16"\n'
    config = load_recipe(recipe(tmp_path, text))
    assert (config.out, config.seed) == ("runs/x", 7)
    assert (config.mle.max_epochs, config.mle.precision) == (3, "bf16")
    assert config.recogniser.max_epochs == StageConfig().max_epochs


def test_overrides_of_every_type(tmp_path: Path) -> None:
    overrides = [
        "seed=3",
        "out=runs/a b",
        'data="quoted"',
        "mle.learning_rate=2e-3",
        "mle.precision=bf16",
        "recogniser.max_epochs = 2",
        "model.dropout=0.0",
        "seed=4",  # the last one wins
    ]
    config = load_recipe(recipe(tmp_path, "[mle]\nlearning_rate = 1.0\npatience = 9\n"), overrides)
    assert (config.seed, config.out, config.data) == (4, "runs/a b", "quoted")
    assert (config.mle.learning_rate, config.mle.precision) == (2e-3, "bf16")
    assert config.mle.patience == 9
    assert config.recogniser.max_epochs == 2
    assert config.model.dropout == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "sede = 1",
        "[mle]\nlearningrate = 1.0",
        "[adversarial]\nweight = 1",
        "seed = -1",
        "seed = 1.5",
        f"seed = {2**63}",
        f"seed = {2**64}",
        f"seed = {10**4000}",
        "seed = 1" + "0" * 9000,
        'seed = "1"',
        "seed = true",
        'system = "SeqGAN2"',
        "[mle]\nlearning_rate = 0.0",
        "[mle]\nplateau_factor = 1.5",
        "[mle]\nmax_epochs = 0",
        '[mle]\nprecision = "fp8"',
        "[model]\ndropout = 1.0",
        "[model]\nhidden_size = 0",
        "mle = 3",
        "seed = ",
        "seed = " + "9" * 30,
        "seed = " + "9" * 5000,
        "threads = 1025",
        "[mle]\nlearning_rate = inf",
        "[mle]\nlearning_rate = nan",
        "[mle]\nmax_steps = " + "9" * 30,
        "[adversarial]\npenalty = inf",
        'out = "a\\u0000b"',
        'data = "\\u0000"',
        "seed = 1979-05-27",
        "data = " + "[" * 5000,
        "data = " + "{a=" * 5000 + "1" + "}" * 5000,
        "#" * (2**16 + 1),
    ],
    ids=lambda text: text[:40],
)
def test_unknown_keys_and_bad_values_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"recipe\.toml"):
        load_recipe(recipe(tmp_path, text))


def test_the_message_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"learningrate.*\$\.mle"):
        load_recipe(recipe(tmp_path, "[mle]\nlearningrate = 1.0"))


@pytest.mark.parametrize(
    "override",
    [
        *("seed", "=3", "mle.learnig_rate=1", "seed.x=1", "nothing.here=1", "mle=3", ""),
        "seed=" + "9" * 5000,
        "seed=" + "[" * 5000,
        "a." * 5000 + "a=1",
        "out=a\udc80",  # an argument that is no UTF-8
        "out=a\x00b",
    ],
    ids=lambda text: repr(text[:40]),
)
def test_bad_overrides_are_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(InputError):
        load_recipe(recipe(tmp_path, "seed = 1"), [override])


@pytest.mark.parametrize("data", [b"\xff", b"seed = 1\nseed = 2", b"a\x00b"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "recipe.toml").write_bytes(data)
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "recipe.toml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "absent.toml")
