"""Small real things for tests: a prepared folder of our own dialogues, and a tiny checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import torch

import empgan_training
from empgan_rt.config import GeneratorConfig, Limits
from empgan_training.checkpoint import Checkpoint, texts_of
from empgan_training.config import TrainConfig
from empgan_training.data.prepare import prepare
from empgan_training.data.prepared import PreparedData
from empgan_training.data.protocol import PrepareOptions
from empgan_training.model.generator import Generator
from empgan_training.systems import SYSTEMS, SystemName

OWN_DIALOGUES = Path(empgan_training.__file__).parent / "assets" / "own_dialogues.jsonl"
SMALL_SIZES = {
    "embedding_size": 6,
    "emotion_embedding_size": 5,
    "label_embedding_size": 4,
    "hidden_size": 8,
    "recogniser_size": 7,
}


def own_dialogues() -> list[dict[str, Any]]:
    """Return our own dialogues, `{"dialogue": [str], "emotion": [int]}` each."""
    return [json.loads(line) for line in OWN_DIALOGUES.read_text("utf-8").splitlines()]


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    """Write one JSON value a line and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def own_options(**changes: Any) -> PrepareOptions:
    """Return options for a corpus of our own dialogues, whose licence nobody else can know."""
    return PrepareOptions(**{"licence": "Apache-2.0", **changes})


def own_corpus(folder: Path, dialogues: int | None = None) -> Path:
    """Write our own dialogues as a corpus of three splits, 8:1:1, and return its folder.

    Args:
        dialogues: take only the first so many.
    """
    rows = own_dialogues()[:dialogues]
    split_of = {8: "validation", 9: "test"}
    for split in ("train", "validation", "test"):
        write_jsonl(
            folder / f"{split}.jsonl",
            [row for i, row in enumerate(rows) if split_of.get(i % 10, "train") == split],
        )
    return folder


def prepare_own(tmp_path: Path, dialogues: int | None = None) -> Path:
    """Return a prepared folder below `tmp_path`, made from our own dialogues.

    A folder prepared there before is returned as it is.
    """
    out = tmp_path / "prepared"
    if not out.exists():
        prepare(own_corpus(tmp_path / "corpus", dialogues), out, own_options())
    return out


def small_generator(config: GeneratorConfig, seed: int = 0, std: float = 0.5) -> Generator:
    """Return a generator in evaluation mode whose weights are large enough to tell apart.

    PyTorch's own initial weights give nearly equal probabilities to all words.
    """
    torch.manual_seed(seed)
    generator = Generator(config).eval()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.normal_(std=std)
        for module in generator.modules():
            if isinstance(module, torch.nn.Embedding):
                module.weight[0] = 0.0  # padding
    return generator


def small_checkpoint(
    tmp_path: Path, seed: int = 0, system: SystemName = "EmpG", **changes: Any
) -> Path:
    """Return a checkpoint of random weights with the tokenizer and lexicon of `prepare_own`.

    Its vocabularies are real (about a thousand words), its widths are `SMALL_SIZES`,
    but for `changes` of `GeneratorConfig`'s fields.
    """
    data = PreparedData(prepare_own(tmp_path), Limits())
    config = SYSTEMS[system].generator_config(
        vocabulary_size=len(data.featurizer.tokenizer.vocabulary),
        emotion_vocabulary_size=len(data.featurizer.lexicon.vocabulary),
        **{**SMALL_SIZES, **changes},
    )
    info = {
        "system": system,
        "recipe": msgspec.to_builtins(TrainConfig(seed=seed, system=system)),
        "scores": {"mle": {"perplexity": 1000.0}},
        "data": {"sha256": data.report["sha256"], "restricted_lexicons": []},
        "licence": "Apache-2.0",
        "device": "cpu",
        "precision": {"recogniser": "fp32", "mle": "fp32"},
        "versions": {"torch": str(torch.__version__)},
        "sources": {},
    }
    path = tmp_path / ("-".join([system, str(seed), *changes]) + ".safetensors")
    generator = small_generator(config, seed)
    Checkpoint(config, generator.state_dict(), texts_of(data.featurizer), info, {}).save(path)
    return path
