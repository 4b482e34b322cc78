"""A checkpoint: one safetensors file with weights, vocabularies and what is known of them.

One file is replaced in one step, so a crash leaves the old checkpoint or the new one. Texts
(tokenizer, emotion lexicon) travel in the header; nothing is ever unpickled. A SHA-256 over texts
and tensors travels with them: whatever bit of a file is altered by accident, it is not read. It
vouches for nothing else, since whoever alters a file on purpose can compute it anew. Checkpoints
from before it was there are read still, with a warning.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from empgan_rt.config import GeneratorConfig, Limits
from empgan_rt.errors import BundleError, CheckpointError
from empgan_rt.storage.file_set import replace_file
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.featurizer import Featurizer
from empgan_rt.text.tokenizer import Tokenizer

from .digest import file_digest, weights_digest
from .facts import Facts, facts_of, read_info
from .model.generator import Generator
from .model.shapes import Shapes, generator_shapes, shapes_of
from .stored_json import decode_json

FORMAT = "empgan-checkpoint-1"
DIGEST = "sha256"
_TEXTS = ("tokenizer.json", "emotion_lexicon.tsv", "emotion_vocabulary.txt")
_HEADER = ("format", "config", "info", *_TEXTS)
_PARTS = ("model", "trainer")
_ANEW = "fetch or train it anew"

log = logging.getLogger(__name__)


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
        contiguous = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
        header[DIGEST] = file_digest(header, contiguous)
        # not by `save_file`, which gives the file away under a name, mode and lock of its own
        replace_file(path, save(contiguous, metadata=header))

    def facts(self) -> Facts:
        """Return what the checkpoint states of itself.

        Raises:
            CheckpointError: a fact is missing or of another type.
        """
        try:
            return facts_of(self.info)
        except ValueError as error:
            raise CheckpointError(f"the checkpoint's facts: {error}", hint=_ANEW) from error

    def weights_sha256(self) -> str:
        """Return the SHA-256 over names and bytes of the weights, whatever else the file says."""
        return weights_digest(self.model)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Return the checkpoint in a file.

        Raises:
            CheckpointError: the file is missing, truncated, altered or of another format. That a
                bit was altered is not noticed in a file without a digest, as older versions wrote
                them; a warning says that it has none.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header: dict[str, str] = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (OSError, SafetensorError, TypeError, ValueError, RuntimeError) as error:
            # PyTorch's own errors are among them: of a shape that it cannot have
            raise CheckpointError(f"checkpoint {path} cannot be read: {error}") from error
        if header.get("format") != FORMAT:
            raise CheckpointError(
                f"{path} has format {header.get('format')!r}", hint=f"wanted {FORMAT}"
            )
        _check_digest(path, header, tensors)
        try:
            config = decode_json(header["config"].encode(), GeneratorConfig)
            texts = {name: header[name] for name in _TEXTS}
            info = read_info(header["info"])
            facts_of(info)
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{path} has a damaged header: {error}", hint=_ANEW) from error
        return cls(config, _part("model", tensors), texts, info, _part("trainer", tensors))

    def load_into(self, generator: Generator) -> None:
        """Put the weights into a generator.

        Raises:
            CheckpointError: a weight is missing, superfluous, misshapen, of another dtype or not
                finite; the generator is as it was.
        """
        _check_fit(self.model, shapes_of(generator.state_dict()))
        bad = [name for name, t in self.model.items() if not torch.isfinite(t).all()]
        if bad:
            raise CheckpointError(f"weights that are not finite: {', '.join(bad[:3])}", hint=_ANEW)
        generator.load_state_dict(dict(self.model))

    def generator(self, dropout: float = 0.0) -> Generator:
        """Return the generator with these weights, in evaluation mode.

        Raises:
            CheckpointError: as `load_into`.
        """
        # before the generator is made: a damaged size may ask for any amount of memory
        _check_fit(self.model, generator_shapes(self.config))
        generator = Generator(self.config, dropout)
        self.load_into(generator)
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


def _check_digest(path: Path, header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError unless a file holds what was written; warn where nobody can say."""
    unknown = sorted(header.keys() - {*_HEADER, DIGEST})
    unknown += [name for name in tensors if name.partition(".")[0] not in _PARTS]
    if unknown:  # the digest itself may have lost its name
        raise CheckpointError(
            f"{path} holds {unknown[0][:40]!r}, which no checkpoint has", hint=_ANEW
        )
    texts = {name: text for name, text in header.items() if name != DIGEST}
    if DIGEST not in header:
        log.warning("%s has no digest: whether it was altered since cannot be told", path)
    elif header[DIGEST] != file_digest(texts, tensors):
        raise CheckpointError(f"{path} was altered since it was written", hint=_ANEW)


def _check_fit(tensors: Mapping[str, Tensor], wanted: Shapes) -> None:
    """Raise CheckpointError unless names, shapes and dtypes are those wanted."""
    odd = sorted(name for name, _ in shapes_of(tensors).items() ^ wanted.items())
    if odd:
        raise CheckpointError(
            f"the weights do not fit the configuration: {odd[0][:80]} is missing, unknown or of "
            "another shape or dtype",
            hint=_ANEW,
        )


def _part(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a part's, by the rest of their names."""
    return {n.removeprefix(f"{part}."): t for n, t in tensors.items() if n.startswith(f"{part}.")}
