"""What a trained system leaves for the tables and for whoever doubts them: replies, facts and costs
(see `tables.results`), its recipe and its log. No file names a place on the machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from empgan_rt.config import Limits, SearchConfig

from ..checkpoint import Checkpoint
from ..config import TrainConfig
from ..data.folder import write_folder
from ..data.prepared import PreparedData
from ..eager import EagerBackend
from ..facts import Progress
from ..progress import OnProgress, silent
from ..scoring.decoding import generate
from ..scoring.evaluate import evaluate
from ..scoring.evaluation import EvaluateOptions, LanguageScores, Prediction
from ..scoring.opened_model import OpenedModel, open_model
from ..stored_json import json_file, json_lines
from ..tables.cases import CASES
from ..tables.results import CASE_STUDY_NAME, COSTS_NAME, FACTS_NAME, KINDS, MAIN
from .options import without_places
from .reply_emotions import reply_emotions

_SEARCHES = {"greedy": SearchConfig(beam_size=1), "beam5": SearchConfig(beam_size=5)}
RECIPE_NAME, LOG_NAME = "recipe.json", "metrics.jsonl"
STORED_NAMES = (*(kind.file_name for kind in KINDS), CASE_STUDY_NAME, FACTS_NAME, RECIPE_NAME)


@dataclass(frozen=True)
class TrainedSystem:
    """The places of a trained system's run.

    Attributes:
        recipe: of the run.
        folder: of the run; its best checkpoint's replies are stored.
        classifier: a checkpoint whose recogniser labels the replies.
    """

    recipe: TrainConfig
    folder: Path
    classifier: Path

    @property
    def best(self) -> Path:
        """The checkpoint that won."""
        return self.folder / "best.safetensors"

    @property
    def last(self) -> Path:
        """The latest checkpoint, which knows the steps and seconds of every stage."""
        return self.folder / "last.safetensors"


def store(system: TrainedSystem, data: Path, out: Path, on_progress: OnProgress = silent) -> None:
    """Write what the tables need of a system into the folder `out`, all or nothing.

    Raises:
        CheckpointError: a checkpoint cannot be read.
        DataError: the prepared folder cannot be read.
        StorageError: the folder cannot be written.
    """
    model = open_model(str(system.best))
    predictions: dict[str, tuple[Prediction, ...]] = {}
    for kind in KINDS:
        options = EvaluateOptions(
            metrics=("distinct",), labels=kind.labels, search=_SEARCHES[kind.search]
        )
        generation = evaluate(model, data, options, on_progress).generation
        predictions[kind.file_name] = generation.predictions if generation is not None else ()
    predictions[CASE_STUDY_NAME] = _case_replies(model, on_progress)
    files = {name: json_lines(rows) for name, rows in predictions.items()}
    states = Checkpoint.load(system.last).facts().stages
    only_perplexity = EvaluateOptions(metrics=("perplexity",))
    language = evaluate(model, data, only_perplexity, on_progress).language
    facts = _facts(system, language, data, predictions[MAIN.file_name], states)
    files[FACTS_NAME] = json_file(facts)
    files[COSTS_NAME] = json_file({name: state.seconds for name, state in _ran(states).items()})
    files[RECIPE_NAME] = json_file(msgspec.to_builtins(without_places(system.recipe)))
    if (system.folder / LOG_NAME).is_file():
        files[LOG_NAME] = (system.folder / LOG_NAME).read_bytes()
    write_folder(out, files)


def _facts(
    system: TrainedSystem,
    language: LanguageScores | None,
    data: Path,
    predictions: Sequence[Prediction],
    states: Mapping[str, Progress],
) -> dict[str, Any]:
    checkpoint = Checkpoint.load(system.best)
    known = checkpoint.facts()
    stage = "adversarial" if "adversarial" in known.scores else "mle"
    return {
        "system": system.recipe.system,
        "seed": system.recipe.seed,
        "perplexity": {p.labels: p.perplexity for p in (language.model if language else ())},
        "validation_perplexity": known.score(stage, "perplexity"),
        "steps": {name: state.step for name, state in _ran(states).items()},
        "reply_emotions": _emotions(system.classifier, data, predictions),
        "weights_sha256": checkpoint.weights_sha256(),
        "sources": known.sources,
        "versions": known.versions,
    }


def _emotions(path: Path, data: Path, predictions: Sequence[Prediction]) -> dict[str, Any]:
    checkpoint = Checkpoint.load(path)
    classifier = EagerBackend.from_checkpoint(checkpoint)
    opened = PreparedData(data, Limits())
    samples = opened.table_samples(opened.split("test"))
    replies = {prediction.id: prediction.hypothesis.split() for prediction in predictions}
    return reply_emotions(
        classifier,
        opened.featurizer.tokenizer,
        samples,
        [replies[sample.id] for sample in samples],
        Limits().max_turns,
    )


def _case_replies(model: OpenedModel, on_progress: OnProgress) -> tuple[Prediction, ...]:
    tokenizer = model.featurizer.tokenizer
    contexts = [model.featurizer.features(case.dialogue) for case in CASES]
    vocabulary_size = len(tokenizer.vocabulary)
    search = _SEARCHES["greedy"]
    replies = generate(model.backend, contexts, search, vocabulary_size, on_progress)
    return tuple(
        Prediction(case.id, " ".join(tokenizer.words_of(reply)))
        for case, reply in zip(CASES, replies, strict=True)
    )


def _ran(states: Mapping[str, Progress]) -> dict[str, Progress]:
    """Return the stages that this run has run itself."""
    return {name: state for name, state in states.items() if state.step}
