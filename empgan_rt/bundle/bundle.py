"""A bundle: the folder that holds one model, opened whole, checked, and sealed.

    my.empgan/
      manifest.json                                 see `manifest`
      generation.json                               defaults of the search
      tokenizer.json  emotion_vocabulary.txt  emotion_lexicon.tsv
      weights.safetensors                           the weights, once
      turn_encoder.{fp32,fp16}.onnx                 graphs; their data is in weights.safetensors
      context_encoder.{fp32,fp16}.onnx
      decoder_step.{fp32,int8,fp16}.onnx
      goldens.{fp32,int8,fp16}.npz                  what each precision should compute
      MODEL_CARD.md  LICENSES/...

The graphs lie beside the weights because ONNX's checker and ONNX Runtime refuse external data
outside the graph's own folder. Every file is read once and hashed; whoever uses the bundle gets
those bytes, never a path.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..config import GeneratorConfig, Limits, SearchConfig
from ..errors import BundleError, InputError
from ..storage.file_set import replace_file
from ..storage.folders import list_files, open_folder, read_file, write_file
from ..text.emotion_lexicon import EmotionLexicon
from ..text.featurizer import Featurizer
from ..text.tokenizer import Tokenizer
from .manifest import (
    MANIFEST_NAME,
    MAX_BUNDLE_BYTES,
    MAX_MANIFEST_BYTES,
    WEIGHTS_NAME,
    Manifest,
    ManifestFields,
    Variant,
    file_entry,
    parse,
    render,
)
from .strict_json import load_json, strict_convert
from .weights_file import check_weights

EMBEDDED = ("default", "tiny")
ASSETS = Path(__file__).parents[1] / "assets"  # a plain folder, for descriptors cannot enter a zip
_SUBFOLDERS = ("LICENSES",)
_LITTER = (".DS_Store", ".git", "._", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Bundle:
    """One model in memory; every byte was checked against the manifest.

    Attributes:
        manifest: the decoded `manifest.json`.
        files: contents of every other file, by its name in the manifest.
        search: the defaults in `generation.json`.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    search: SearchConfig

    @classmethod
    def open(cls, path_or_name: str | os.PathLike[str]) -> Bundle:
        """Return the bundle in a folder, or the embedded one called "default" or "tiny".

        A folder of such a name is opened as "./default".

        Raises:
            BundleError: it is not there, or a file is missing, extra, altered, special or too
                large, or the manifest is unsound or too new.
            DivergenceError: a weight is NaN or infinite.
        """
        if isinstance(path_or_name, str) and path_or_name in EMBEDDED:
            if not (ASSETS / path_or_name).is_dir():
                raise BundleError(
                    f"the embedded bundle {path_or_name!r} is not in this installation",
                    hint="reinstall empgan-rt",
                )
            return cls._read(ASSETS / path_or_name)
        return cls._read(Path(path_or_name))

    @classmethod
    def _read(cls, folder: Path) -> Bundle:
        with open_folder(folder) as root:
            written = read_file(root, MANIFEST_NAME, MAX_MANIFEST_BYTES)
            _check_fetched(MANIFEST_NAME, written)
            manifest = parse(written)
            _check_names({*list_files(root, _SUBFOLDERS)}, {*manifest.files, MANIFEST_NAME})
            files = {}
            for name, entry in manifest.files.items():
                data = read_file(root, name, entry.size)
                if file_entry(data) != entry:
                    _check_fetched(name, data)
                    raise BundleError(
                        f"{name} was altered: its {len(data)} bytes are not the {entry.size} "
                        "that the manifest lists",
                        hint="fetch or export the bundle again",
                    )
                files[name] = data
        return cls._of(manifest, files)

    @classmethod
    def _of(cls, manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
        """Return the bundle of files whose digests are those in the manifest."""
        generation = load_json(files["generation.json"], "generation.json")
        search = strict_convert(generation, SearchConfig, "generation.json")
        check_weights(files[WEIGHTS_NAME])
        return cls(manifest, files, search)

    @classmethod
    def seal(
        cls,
        staging: str | os.PathLike[str],
        fields: ManifestFields,
        *,
        unchanged: Bundle | None = None,
    ) -> Bundle:
        """Write the manifest of the files in `staging`, last of all, and return the bundle.

        Each file is read and hashed once. `storage.folders.publish` puts the folder in its place.

        Args:
            staging: a folder that holds every file of the bundle.
            fields: what the manifest says besides.
            unchanged: what was sealed of this folder before, if nothing but the manifest is to
                change; its files are not read again.

        Raises:
            BundleError: the files do not make a bundle.
            DivergenceError: a weight is NaN or infinite.
            StorageError: the manifest could not be written.
        """
        path = Path(staging) / MANIFEST_NAME
        files: Mapping[str, bytes]
        if unchanged is None:
            with open_folder(path.parent) as root:
                names = list_files(root, _SUBFOLDERS)
                files = {name: read_file(root, name, MAX_BUNDLE_BYTES) for name in names}
            written = render(fields, {name: file_entry(data) for name, data in files.items()})
            write_file(path, written)
        else:
            written = render(fields, unchanged.manifest.files)
            replace_file(path, written)
            files = unchanged.files
        return cls._of(parse(written), files)

    @property
    def bundle_id(self) -> str:
        """16 hex digits that name the model."""
        return self.manifest.bundle_id

    @property
    def model(self) -> GeneratorConfig:
        """Sizes of the generator."""
        return self.manifest.model

    @property
    def limits(self) -> Limits:
        """How much of a dialogue is read."""
        return self.manifest.limits

    @property
    def weights(self) -> bytes:
        """The safetensors file that the graphs refer to as external data.

        Raises:
            InputError: they were given back.
        """
        if WEIGHTS_NAME not in self.files:
            raise InputError(
                "the weights of this bundle were given back when a backend had loaded them",
                hint="open the bundle again",
            )
        return self.files[WEIGHTS_NAME]

    def without_weights(self) -> Bundle:
        """Return the bundle without its weights, for whoever keeps it beside a loaded backend."""
        files = {name: data for name, data in self.files.items() if name != WEIGHTS_NAME}
        return replace(self, files=files)

    def graph(self, precision: str, which: str) -> bytes:
        """Return the ONNX bytes of a graph of `graph_names`.

        Raises:
            InputError: the bundle has no such precision; the message lists those it has.
        """
        return self.files[self._variant(precision).graphs[which]]

    def graph_names(self, precision: str) -> frozenset[str]:
        """Return which graphs a precision has: `graph_spec.GRAPH_NAMES`, and perhaps `CONTINUED`.

        Raises:
            InputError: the bundle has no such precision; the message lists those it has.
        """
        return frozenset(self._variant(precision).graphs)

    def goldens(self, precision: str) -> bytes:
        """Return what the graphs of a precision should compute, for `parity.replay`.

        Raises:
            InputError: the bundle has no such precision; the message lists those it has.
        """
        return self.files[self._variant(precision).goldens]

    def _variant(self, precision: str) -> Variant:
        variant = self.manifest.variants.get(precision)
        if variant is None:
            have = ", ".join(map(repr, sorted(self.manifest.variants)))
            raise InputError(f"precision {precision!r}", hint=f"this bundle has {have}")
        return variant

    def featurizer(self, remembered: int = 0) -> Featurizer:
        """Return the reader and writer of text for this model.

        Args:
            remembered: turns whose ids it keeps.

        Raises:
            BundleError: a text file is damaged, of another size than the model's vocabularies, or
                bans what is no word.
        """
        tokenizer = Tokenizer.from_json(self.files["tokenizer.json"])
        lexicon = EmotionLexicon.from_files(
            self.files["emotion_lexicon.tsv"], self.files["emotion_vocabulary.txt"]
        )
        found = len(tokenizer.vocabulary), len(lexicon.vocabulary)
        wanted = self.model.vocabulary_size, self.model.emotion_vocabulary_size
        if found != wanted:
            raise BundleError(
                f"vocabularies of {found[0]} and {found[1]} words for a model of {wanted[0]} and "
                f"{wanted[1]}",
                hint="export the bundle again",
            )
        featurizer = Featurizer(tokenizer, lexicon, self.limits, remembered)
        try:
            featurizer.bans(self.search.banned_words)
        except InputError as error:
            raise BundleError(f"generation.json: {error.message}", hint=error.hint) from None
        return featurizer

    def text(self, name: str) -> str:
        """Return a text file of the bundle.

        Raises:
            BundleError: it is not there or not UTF-8.
        """
        try:
            return self.files[name].decode("utf-8")
        except KeyError:
            raise BundleError(f"the bundle holds no {name}") from None
        except UnicodeDecodeError:
            raise BundleError(f"{name} is not UTF-8") from None


def _check_names(found: set[str], wanted: set[str]) -> None:
    """Raise BundleError, naming a few, if files are missing or extra."""
    for names, what in ((wanted - found, "missing"), (found - wanted, "not in the manifest")):
        if names:
            shown = ", ".join(repr(name[:60]) for name in sorted(names)[:5])
            known = all(name.rpartition("/")[2].startswith(_LITTER) for name in names)
            hint = "delete what a file manager or git left there" if known else ""
            raise BundleError(f"{len(names)} files {what}: {shown}", hint=hint)


def _check_fetched(name: str, data: bytes) -> None:
    """Raise BundleError if a file is Git LFS's note of where it lies."""
    if data.startswith(b"version https://git-lfs.github.com/spec/"):
        raise BundleError(
            f"{name} is a pointer of Git LFS, not the file", hint="run `git lfs pull`"
        )
