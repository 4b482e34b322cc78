"""What the training wing's commands print for people; `--json` has the same and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.corpora.corpus import SPLITS
from ..metrics.scores import TextScores
from .evaluation import TEXT_METRICS, Evaluation, Generation, LanguageScores
from .recognition import RecogniserScores

Row = tuple[str, ...]


def aligned(rows: Sequence[Row]) -> str:
    """Return the rows as lines with columns of equal width, the first one to the left."""
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    lines = []
    for row in rows:
        first = row[0].ljust(widths[0])
        lines.append(
            "  ".join([first, *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=False))])
        )
    return "\n".join(line.rstrip() for line in lines)


def prepare_text(report: Mapping[str, Any], out: Path) -> str:
    """Return the counts of a prepared folder, the paper's beside them."""
    splits = report["splits"]
    counts: list[Row] = [("split", "dialogues", "turns", "samples")]
    counts += [
        (name, *(f"{part[key]:,}" for key in ("dialogues", "turns", "samples")))
        for name, part in splits.items()
    ]
    shares: list[Row] = [("label %", *splits)]
    labels = dict.fromkeys(label for part in splits.values() for label in part["labels_percent"])
    for label in labels:
        percents = (part["labels_percent"].get(label, 0.0) for part in splits.values())
        shares.append((label, *(f"{percent:.2f}" for percent in percents)))
    sizes: list[Row] = [("size", "ours", "paper")]
    for key in ("dialogues", "vocabulary", "emotion_vocabulary"):
        sizes.append(
            (key.replace("_", " "), f"{report[key]['ours']:,}", f"{report[key]['paper']:,}")
        )
    read = ", ".join(f"{count:,} {name}" for name, count in report["read"].items())
    bad, dropped = report["bad_lines"], report["dropped"]
    hashes: list[Row] = [("file", "sha256")]
    hashes += [(name, digest[:12]) for name, digest in report["sha256"].items()]
    notes = [
        f"read: {read}; malformed lines left out: {len(bad)}",
        f"dropped: {dropped['duplicate']:,} duplicates, {dropped['too_short']:,} too short, "
        f"{dropped['label_change']:,} without a label change (--label-change)",
        f"unknown words in train: {report['train_unknown_percent']} %",
        f"table samples: {report['table_samples']}",
        *(f"note: {note}" for note in report.get("notes", ())),
        f"licence: {report['licence']}; what is trained on it inherits that",
        f"written to {out}",
    ]
    tables = [aligned(rows) for rows in (counts, shares, sizes, hashes)]
    if "sources" in report:
        tables.insert(1, aligned(_source_rows(report["sources"])))
    return "\n\n".join([*tables, "\n".join(notes)])


def _source_rows(sources: Mapping[str, Any]) -> list[Row]:
    """Return how much of each split is of which source, and what holds for that one."""
    rows: list[Row] = [("samples", *SPLITS, "weight", "replies", "licence")]
    for name, part in sources.items():
        sizes = (f"{split['samples']:,}" for split in part["splits"].values())
        rows.append((name, *sizes, f"{part['weight']:g}", part["replies"], part["licence"]))
    return rows


def train_text(result: Mapping[str, Any]) -> str:
    """Return where a run stands: each stage's best validation as a table, and what was kept."""
    scores, speeds = result["scores"], result["samples_per_second"]
    stages = [name for name in result["precision"] if name in scores or name in speeds]
    rows: list[Row] = [("best on validation", *stages)]
    rows.append(("at", *(_reached(scores[name]) if name in scores else "-" for name in stages)))
    found = {k: v for each in scores.values() for k, v in each.items() if isinstance(v, float)}
    for key in found:
        values = [scores.get(name, {}).get(key) for name in stages]
        told = ("-" if value is None else f"{value:,.4g}" for value in values)
        rows.append((key.replace("_", " "), *told))
    paces = [speeds.get(name) for name in stages]
    rows.append(
        ("samples/s, whole run", *("-" if pace is None else f"{pace:,.1f}" for pace in paces))
    )
    rows.append(("precision", *(result["precision"][name] for name in stages)))
    best = result["best"] or "none yet, no epoch of the generator has ended"
    lines = [aligned(rows), f"trained on {result['device']}", f"best checkpoint: {best}"]
    if not result["finished"]:
        lines.append("stopped before the end; go on with --resume")
    return "\n".join(lines)


def _reached(scores: Mapping[str, Any]) -> str:
    return f"epoch {scores['epoch']}" if "epoch" in scores else f"step {scores['step']}"


def text_scores_text(scores: TextScores, metrics: Sequence[str] = TEXT_METRICS) -> str:
    """Return text metrics as a table, with their signatures."""
    rows: list[Row] = [("metric", "value")]
    notes = []
    if "bleu" in metrics:
        bleu = scores.bleu
        orders = (bleu.bleu_1, bleu.bleu_2, bleu.bleu_3, bleu.bleu_4)
        rows += [(f"BLEU-{n}", f"{score.value:.2f}") for n, score in enumerate(orders, start=1)]
        notes.append(f"BLEU {bleu.bleu_4.signature}")
    if "distinct" in metrics:
        rows.append(("Distinct-1", f"{scores.distinct.distinct_1:.2f}"))
        rows.append(("Distinct-2", f"{scores.distinct.distinct_2:.2f}"))
    if "rouge" in metrics:
        rouge = scores.rouge
        for name, score in (("1", rouge.rouge_1), ("2", rouge.rouge_2), ("L", rouge.rouge_l)):
            rows.append(
                (f"ROUGE-{name} F / P / R", f"{score.f:.2f} / {score.p:.2f} / {score.r:.2f}")
            )
        notes.append(f"ROUGE {rouge.signature}")
    rows.append(("texts", f"{scores.n:,}"))
    rows.append(("empty texts", f"{scores.empty_hypotheses:,}"))
    rows.append(("length ratio", f"{scores.length_ratio:.3f}"))
    return "\n".join([aligned(rows), *notes])


def evaluation_text(evaluation: Evaluation) -> str:
    """Return every score of a model as tables."""
    facts = evaluation.facts
    parts = [
        f"{facts['kind']} {facts['model']} on {facts['engine']}, split {facts['data']['split']}, "
        f"{facts['data']['dialogues']:,} dialogues"
    ]
    if evaluation.language is not None:
        parts.append(_language_text(evaluation.language))
    if evaluation.generation is not None:
        parts.append(_generation_text(evaluation.generation, evaluation.options.metrics))
    if evaluation.recogniser is not None:
        parts.append(_recogniser_text(evaluation.recogniser))
    return "\n\n".join(parts)


def _language_text(language: LanguageScores) -> str:
    rows: list[Row] = [("perplexity", "per token")]
    rows += [(f"model, {p.labels} labels", f"{p.perplexity:.2f}") for p in language.model]
    rows.append(("add-one trigram", f"{language.trigram:.2f}"))
    scored = language.model[0]
    note = (
        f"{scored.n:,} responses, {scored.tokens:,} tokens with EOS, "
        f"{language.unknown_percent:.2f} % unknown, V = {language.vocabulary_size:,}"
    )
    return f"{aligned(rows)}\n{note}"


def _generation_text(generation: Generation, metrics: Sequence[str]) -> str:
    search = generation.search
    how = "greedy" if search.beam_size == 1 else f"beam {search.beam_size}"
    return (
        f"{generation.samples} samples, {generation.labels} labels, {how}, at most "
        f"{search.max_length} words; mean length {generation.mean_length:.2f}, of references "
        f"{generation.reference_length:.2f}\n{text_scores_text(generation.scores, metrics)}"
    )


def _recogniser_text(scores: RecogniserScores) -> str:
    rows: list[Row] = [
        ("recogniser", "%"),
        ("accuracy", f"{scores.accuracy:.2f}"),
        ("always the commonest label", f"{scores.majority_accuracy:.2f}"),
        ("macro-F1", f"{scores.macro_f1:.2f}"),
        ("calibration error", f"{scores.calibration_error:.2f}"),
    ]
    return f"{aligned(rows)}\n{scores.n:,} turns"
