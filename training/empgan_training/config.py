"""A training recipe: what to train, on what, and how. Unknown keys are refused."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from empgan_rt.config import MAX_SEED
from empgan_rt.errors import InputError

from .stored_json import Whole
from .systems import SystemName

Precision = Literal["fp32", "bf16"]
CriticLoss = Literal["wasserstein", "relativistic"]
Relaxation = Literal["straight_through", "soft", "reinforce"]

SHIPPED_NAMES = ("default", "paper", "tiny")
_MAX_BYTES = 2**16  # of a recipe; ours are of two thousand
SHIPPED = resources.files(__package__) / "recipes"

# Bounds above, too: infinity is no JSON, and an integer of thousands of digits no setting.
Positive = Annotated[float, Meta(gt=0, le=1e30)]
NotNegative = Annotated[float, Meta(ge=0, le=1e30)]
Count = Annotated[int, Meta(ge=1, le=2**63 - 1)]
# A NUL ends a path before its end, and what is no Unicode cannot be written into a run's files.
Place = Annotated[str, Meta(pattern=r"\A[^\x00\ud800-\udfff]*\Z")]
Share = Annotated[float, Meta(ge=0, lt=1)]


class ModelSizes(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Widths of the generator, and what goes beyond the paper; the defaults are the paper's.

    Attributes:
        word_turns, tied: as in `empgan_rt.config.GeneratorConfig`.
    """

    embedding_size: Count = 300
    emotion_embedding_size: Count = 200
    label_embedding_size: Count = 100
    hidden_size: Count = 400
    recogniser_size: Count = 64
    recogniser_buckets: Annotated[int, Meta(ge=0, le=1 << 24)] = 0
    dropout: Share = 0.4
    word_turns: Annotated[int, Meta(ge=0, le=8)] = 0
    tied: bool = False


class StageConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One run of the optimiser until its validation score stops improving.

    Attributes:
        learning_rate: of Adam.
        batch_samples: responses per step, about; whole dialogues are kept together.
        max_epochs: passes over the training split, at most.
        max_steps: optimiser steps, at most; 0 sets no limit.
        patience: epochs without improvement before the stage ends.
        plateau_factor: the learning rate is multiplied by this after an epoch that did not
            improve; 1 keeps it constant, as in the paper.
        clip_norm: largest gradient norm.
        precision: "bf16" allows products in bfloat16, where hardware has it.
    """

    learning_rate: Positive = 1e-4
    batch_samples: Count = 32
    max_epochs: Count = 20
    max_steps: Whole = 0
    patience: Count = 3
    plateau_factor: Annotated[float, Meta(gt=0, le=1)] = 1.0
    clip_norm: Positive = 1.0
    precision: Precision = "fp32"


class AdversarialConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Training against critics, for the systems that have some.

    Attributes:
        learning_rate: of Adam for the generator; critic_learning_rate: for the critics.
        batch_samples: responses per step, about; whole dialogues are kept together.
        critic_pretrain: critic steps before the first round.
        critic_steps: critic steps before each generator step.
        steps: generator steps, at most.
        adversarial_weight: of the adversarial term beside Psi_g.
        penalty: sigma of Eq. 15, of Wasserstein critics.
        critic_loss: of both sides, of Wasserstein critics, see `algorithms.wgan_gp`.
        relaxation: how their gradient reaches the generator: through "straight_through" Gumbel
            samples, "soft" distributions under teacher forcing, or as the reward of samples
            ("reinforce").
        temperature: of that relaxation.
        rollouts: Monte-Carlo completions of each prefix, of policy gradients.
        max_length: most words of a generated reply; real ones are cut to as many.
        validate_every: generator steps between validations.
        validation_samples: validation contexts that are answered each time.
        max_drift: the stage ends when validation perplexity has risen by more than this share.
        clip_norm: largest gradient norm of the generator.
        precision: "bf16" allows products in bfloat16, where hardware has it.
    """

    learning_rate: Positive = 1e-4
    critic_learning_rate: Positive = 1e-4
    batch_samples: Count = 32
    critic_pretrain: Whole = 500
    critic_steps: Count = 5
    steps: Count = 2000
    adversarial_weight: NotNegative = 1.0
    penalty: NotNegative = 10.0
    critic_loss: CriticLoss = "wasserstein"
    relaxation: Relaxation = "straight_through"
    temperature: Positive = 1.0
    rollouts: Count = 5
    max_length: Count = 30
    validate_every: Count = 200
    validation_samples: Count = 200
    max_drift: Positive = 0.05
    clip_norm: Positive = 1.0
    precision: Precision = "fp32"


class TrainConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole recipe.

    Attributes:
        system: one of the paper's nine; EmpG is the generator without critics.
        data: the prepared folder.
        out: the run's folder: checkpoints, metrics.jsonl, TensorBoard.
        seed: of weights, dropout and data order.
        threads: of PyTorch on a CPU; 0 takes every allowed core.
        max_response: longer responses are cut to this many tokens in training.
        save_every_s: seconds between checkpoints within an epoch.
        recogniser_balance: a turn weighs in the recogniser's loss as the frequency of its label, in
            its corpus, to the power of minus this: 0 weighs all turns alike, 1 all labels.
        recogniser_from: a checkpoint whose recogniser is taken instead of training one.
        generator_from: a checkpoint whose generator and recogniser are taken, so that nothing is
            left but training against critics.
    """

    system: SystemName = "EmpG"
    data: Place = "prepared"
    out: Place = "runs/empg"
    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)] = 1
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    max_response: Count = 60
    save_every_s: Positive = 600.0
    model: ModelSizes = ModelSizes()
    recogniser: StageConfig = StageConfig(learning_rate=1e-3, batch_samples=64)
    mle: StageConfig = StageConfig()
    adversarial: AdversarialConfig = AdversarialConfig()
    recogniser_balance: Annotated[float, Meta(ge=0, le=1)] = 0.5
    recogniser_from: Place = ""
    generator_from: Place = ""


def find_recipe(name: str) -> Path | Traversable:
    """Return the recipe that ships under a name, such as "paper", or else the path `name`.

    A file of such a name is reached as "./paper".
    """
    return SHIPPED / f"{name}.toml" if name in SHIPPED_NAMES else Path(name)


def load_recipe(path: Path | Traversable, overrides: Sequence[str] = ()) -> TrainConfig:
    """Return the recipe of a TOML file, with `section.key=value` overrides applied.

    Raises:
        InputError: the file cannot be read, or a key or value is not acceptable.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES:,} bytes")
        tree = _toml(raw.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"recipe {path} cannot be read: {error}") from error
    for override in overrides:
        _apply(tree, override)
    try:
        return msgspec.convert(tree, TrainConfig)
    except msgspec.ValidationError as error:
        raise InputError(
            f"recipe {path}: {error}", hint="see the recipe `paper` for every key"
        ) from error


def _toml(text: str) -> dict[str, Any]:
    """Return TOML as a tree.

    Raises:
        ValueError: it is none, or nested deeper than can be read.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _apply(tree: dict[str, Any], override: str) -> None:
    name, sep, text = override.partition("=")
    if not sep or not name:
        raise InputError(f"--set {override[:80]!r}", hint="wanted section.key=value")
    try:
        value: Any = _toml(f"value = {text}")["value"]
    except ValueError:
        value = text  # a bare word is a string
    *sections, key = name.strip().split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise InputError(f"--set {override[:80]!r}", hint=f"{section[:40]} is no section")
    tree[key] = value
