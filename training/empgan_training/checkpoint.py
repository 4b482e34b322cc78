"""A checkpoint: one safetensors file with weights, vocabularies and what is known of them.

One file is replaced in one step, so a crash leaves the old checkpoint or the new one. Texts
(tokenizer, emotion lexicon) travel in the header; nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from empgan_rt.config import GeneratorConfig, Limits
from empgan_rt.errors import BundleError, CheckpointError, StorageError
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.featurizer import Featurizer
from empgan_rt.text.tokenizer import Tokenizer

from .model.generator import Generator

FORMAT = "empgan-checkpoint-1"
_FACTS = ("system", "recipe", "scores", "data", "licence", "versions")
_TEXTS = ("tokenizer.json", "emotion_lexicon.tsv", "emotion_vocabulary.txt")


@dataclass(frozen=True)
class Checkpoint:
    """A trained or half-trained system.

    Attributes:
        config: sizes of the generator.
        model: its weights by parameter name.
        texts: tokenizer.json, emotion_lexicon.tsv, emotion_vocabulary.txt.
        info: JSON-ready facts: system, recipe, scores, data, licence, versions; more where the
            run can be resumed.
        trainer: optimiser and random states; empty unless the run can be resumed from it.
    """

    config: GeneratorConfig
    model: Mapping[str, Tensor]
    texts: Mapping[str, str]
    info: Mapping[str, Any]
    trainer: Mapping[str, Tensor]

    def save(self, path: Path) -> None:
        """Write the file and put it in place in one step.

        Raises:
            StorageError: the file cannot be written; an older one is untouched.
        """
        tensors = {f"model.{name}": t for name, t in self.model.items()}
        tensors |= {f"trainer.{name}": t for name, t in self.trainer.items()}
        header = {
            "format": FORMAT,
            "config": json.dumps(asdict(self.config)),
            "info": json.dumps(dict(self.info)),
            **self.texts,
        }
        staging = path.with_name(f".{path.name}.writing")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            contiguous = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
            save_file(contiguous, staging, metadata=header)
            with staging.open("rb") as written:
                os.fsync(written.fileno())
            staging.replace(path)
        except (OSError, SafetensorError) as error:
            with suppress(OSError):
                staging.unlink(missing_ok=True)
            raise StorageError(f"checkpoint {path} cannot be written: {error}") from error

    def weights_sha256(self) -> str:
        """Return the SHA-256 over names and bytes of the weights, whatever else the file says."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Return the checkpoint in a file.

        Raises:
            CheckpointError: the file is missing, truncated, altered or of another format.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"checkpoint {path} cannot be read: {error}") from error
        if header.get("format") != FORMAT:
            raise CheckpointError(
                f"{path} has format {header.get('format')!r}", hint=f"wanted {FORMAT}"
            )
        try:
            config = msgspec.json.decode(header["config"], type=GeneratorConfig)
            info = dict(json.loads(header["info"]).items())
            texts = {name: header[name] for name in _TEXTS}
        except (KeyError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} has a damaged header: {error}") from error
        missing = [name for name in _FACTS if name not in info]
        if missing:
            raise CheckpointError(f"{path} does not state its {', '.join(missing)}")
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "trainer": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = tensor
        return cls(config, parts["model"], texts, info, parts["trainer"])

    def generator(self, dropout: float = 0.0) -> Generator:
        """Return the generator with these weights, in evaluation mode.

        Raises:
            CheckpointError: a weight is missing, superfluous, misshapen or not finite.
        """
        generator = Generator(self.config, dropout)
        try:
            generator.load_state_dict(dict(self.model))
        except RuntimeError as error:
            raise CheckpointError(f"the weights do not fit the configuration: {error}") from error
        bad = [name for name, t in self.model.items() if not torch.isfinite(t).all()]
        if bad:
            raise CheckpointError(f"weights that are not finite: {', '.join(bad[:3])}")
        return generator.eval()

    def featurizer(self, limits: Limits) -> Featurizer:
        """Return the featurizer that the system was trained with.

        Raises:
            CheckpointError: a vocabulary is damaged, or its size is not the configuration's.
        """
        tokenizer, lexicon, vocabulary = (self.texts[name].encode() for name in _TEXTS)
        try:
            words = Tokenizer.from_json(tokenizer)
            emotions = EmotionLexicon.from_files(lexicon, vocabulary)
        except BundleError as error:
            raise CheckpointError(f"a damaged vocabulary: {error}") from error
        found = len(words.vocabulary), len(emotions.vocabulary)
        wanted = self.config.vocabulary_size, self.config.emotion_vocabulary_size
        if found != wanted:
            raise CheckpointError(
                f"vocabularies of {found[0]} words and {found[1]} emotion words",
                hint=f"the configuration wants {wanted[0]} and {wanted[1]}",
            )
        return Featurizer(words, emotions, limits)


def texts_of(featurizer: Featurizer) -> dict[str, str]:
    """Return the texts of a checkpoint for a featurizer."""
    lexicon, vocabulary = featurizer.lexicon.to_files()
    files = (featurizer.tokenizer.to_json(), lexicon, vocabulary)
    return {name: data.decode() for name, data in zip(_TEXTS, files, strict=True)}
