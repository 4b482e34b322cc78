"""Scores of a model on a split of a prepared folder.

Perplexity is per token, EOS included, UNK counted and its share stated; it comes from forced
decoding through the `Backend`, or, where a checkpoint reads gold labels, from the equal but
faster teacher forcing of training. Texts are compared as words of the model's own tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from empgan_rt.errors import InputError
from empgan_rt.graph_spec import UNK
from empgan_rt.storage.file_set import check_writable, replace_file

from ..data.prepared import PreparedData, PreparedDialogue, Sample, all_samples
from ..metrics.inputs import import_eval_package
from ..metrics.ngram_lm import AddOneTrigram
from ..metrics.scores import score_texts
from ..progress import OnProgress, silent
from ..stored_json import json_lines
from .decoding import (
    Labels,
    context_of,
    forced_log_probs,
    generate,
    perplexity_of,
    recognised,
    targets_of,
)
from .evaluation import (
    TEXT_METRICS,
    EvaluateOptions,
    Evaluation,
    Generation,
    LanguageScores,
    Perplexity,
    Prediction,
)
from .opened_model import OpenedModel
from .recognition import RecogniserScores, score_recognised

TEXT_PACKAGES = ("sacrebleu.metrics.bleu", "rouge_score.rouge_scorer")


def evaluate(
    model: OpenedModel, folder: Path, options: EvaluateOptions, on_progress: OnProgress = silent
) -> Evaluation:
    """Return the scores of a model on a split of a prepared folder.

    Args:
        on_progress: is told of each pass through the split.

    Raises:
        InputError: `folder` is no prepared folder, or the split is unknown.
        DataError: the folder's files cannot be read.
        DependencyError: a package of the wanted metrics is missing.
        DivergenceError: the model computed NaN or infinity.
    """
    wanted = set(options.metrics)
    if wanted.intersection(TEXT_METRICS):
        for module in TEXT_PACKAGES:  # found to be missing now, not after an hour of replies
            import_eval_package(module)
    data = PreparedData(folder, model.featurizer.limits)
    data.featurizer = model.featurizer  # the folder may have been made with other vocabularies
    dialogues = data.split(options.split, options.source)
    language = generation = recogniser = None
    if "perplexity" in wanted:
        train = data.split("train", options.source)
        language = _language(model, train, dialogues, options, on_progress)
    if wanted.intersection(TEXT_METRICS):
        generation = _generation(model, data, dialogues, options, on_progress)
    if "recogniser" in wanted:
        recogniser = _recogniser(model, dialogues[: options.limit], on_progress)
    facts = {
        **model.facts,
        "data": {
            "split": options.split,
            "source": options.source,
            "dialogues": len(dialogues),
            "limit": options.limit,
            "sha256": data.sha256[f"{options.split}.jsonl"],
        },
    }
    return Evaluation(facts, options, language, generation, recogniser)


def check_predictions_path(path: Path, options: EvaluateOptions) -> None:
    """Refuse, before anything is computed, a file that `save_predictions` could not write.

    Raises:
        InputError: no metric generates replies, `path` is a folder, or its folder is missing.
        StorageError: nothing can be written in its folder.
    """
    if not set(options.metrics).intersection(TEXT_METRICS):
        raise InputError(
            f"no predictions come from {', '.join(options.metrics)}",
            hint=f"add one of {', '.join(TEXT_METRICS)} to --metrics",
        )
    try:
        is_folder, has_folder = path.is_dir(), path.parent.is_dir()
    except OSError as error:
        raise InputError(f"{path} cannot be a file: {error.strerror}") from error
    if is_folder:
        raise InputError(f"{path} is a folder", hint="name a file in it")
    if not has_folder:
        raise InputError(f"no folder {path.parent}", hint="make it first")
    check_writable(path)


def save_predictions(predictions: Sequence[Prediction], path: Path) -> None:
    """Write one `{"id": ..., "hypothesis": ...}` a line, replacing the file in one step.

    Raises:
        StorageError: the file cannot be written.
    """
    replace_file(path, json_lines(predictions))


def _language(
    model: OpenedModel,
    train: Sequence[PreparedDialogue],
    dialogues: Sequence[PreparedDialogue],
    options: EvaluateOptions,
    on_progress: OnProgress,
) -> LanguageScores:
    samples = all_samples(dialogues)[: options.limit]
    targets = [targets_of(sample, options.max_response) for sample in samples]
    tokens = sum(map(len, targets))
    vocabulary_size = len(model.featurizer.tokenizer.vocabulary)
    kinds: tuple[Labels, ...] = (options.labels,) if options.labels else ("gold", "recognised")
    perplexities = []
    for labels in kinds:
        if labels == "gold" and model.generator is not None and options.limit is None:
            from .validation import teacher_forced  # needs torch, which a bundle does without

            value = teacher_forced(model.generator, dialogues, options.max_response).perplexity
        else:
            value = backend_perplexity(model, samples, targets, labels, on_progress)
        perplexities.append(Perplexity(labels, value, len(samples), tokens))
    learnt = [targets_of(sample, options.max_response)[:-1] for sample in all_samples(train)]
    trigram = AddOneTrigram.fit(learnt, vocabulary_size)
    return LanguageScores(
        model=tuple(perplexities),
        trigram=trigram.perplexity([target[:-1] for target in targets]),
        vocabulary_size=vocabulary_size,
        unknown_percent=100 * sum(target.count(UNK) for target in targets) / tokens,
        max_response=options.max_response,
    )


def backend_perplexity(
    model: OpenedModel,
    samples: Sequence[Sample],
    targets: Sequence[Sequence[int]],
    labels: Labels,
    on_progress: OnProgress = silent,
) -> float:
    """Return the perplexity of `targets` by forced decoding through the model's backend.

    Args:
        targets: from `targets_of`, one for each sample.

    Raises:
        DivergenceError: the mean loss is not finite, or too large for a perplexity.
    """
    limits = model.featurizer.limits
    log_probs = forced_log_probs(
        model.backend,
        [context_of(sample, labels, limits.max_turns) for sample in samples],
        targets,
        len(model.featurizer.tokenizer.vocabulary),
        on_progress,
    )
    return perplexity_of(-float(log_probs.sum()), sum(map(len, targets)))


def _generation(
    model: OpenedModel,
    data: PreparedData,
    dialogues: Sequence[PreparedDialogue],
    options: EvaluateOptions,
    on_progress: OnProgress,
) -> Generation:
    kind = options.samples or ("table" if options.split == "test" else "all")
    if kind == "table":
        drawn = data.table_samples(dialogues, options.source)
    else:
        drawn = all_samples(dialogues)
    samples = drawn[: options.limit]
    labels = options.labels or "recognised"
    tokenizer = model.featurizer.tokenizer
    max_turns = model.featurizer.limits.max_turns
    contexts = [context_of(sample, labels, max_turns) for sample in samples]
    vocabulary_size = len(tokenizer.vocabulary)
    replies = generate(model.backend, contexts, options.search, vocabulary_size, on_progress)
    hypotheses = [tokenizer.words_of(reply) for reply in replies]
    references = [tokenizer.words(sample.dialogue.texts[sample.response]) for sample in samples]
    return Generation(
        labels=labels,
        samples=kind,
        search=options.search,
        mean_length=sum(map(len, hypotheses)) / len(samples),
        reference_length=sum(map(len, references)) / len(samples),
        scores=score_texts(hypotheses, references),
        predictions=tuple(
            Prediction(sample.id, " ".join(words))
            for sample, words in zip(samples, hypotheses, strict=True)
        ),
    )


def _recogniser(
    model: OpenedModel, dialogues: Sequence[PreparedDialogue], on_progress: OnProgress
) -> RecogniserScores | None:
    """Return how well emotions are recognised, None where no turn has a label."""
    max_turns = model.featurizer.limits.max_turns
    probs, gold = recognised(model.backend, dialogues, max_turns, on_progress)
    return score_recognised(probs, gold) if len(gold) else None
