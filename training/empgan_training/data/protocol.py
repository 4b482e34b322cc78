"""The protocol of every result (see docs/paper-readings.md): clean splits, and the tables' samples.

The official split; duplicates dropped ignoring case, spaces and punctuation, and dialogues of
validation and test removed from train; as many turns as one sample needs, three where a feedback
has to follow the response. Several sources keep their splits each, and share the search for
duplicates: the test splits of all come first, then validation, then train, so that no training
dialogue of one source is a test dialogue of another.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from empgan_rt.config import check_seed
from empgan_rt.errors import DataError

from .corpora.corpus import SPLITS, WHOLE, LabelledDialogue
from .corpora.reading import NAMES_OF_SPLITS, missing_splits
from .reply_rule import ReplyRule
from .sources import ReadSource
from .vocabulary import VocabularyOptions

Splits = dict[str, list[LabelledDialogue]]
_SHORT_HINT = "--replies all asks for no feedback after a response, and so for two turns"


@dataclass(frozen=True)
class PrepareOptions:
    """What `data prepare` does beyond the protocol.

    Attributes:
        vocabulary: how words are chosen.
        label_change: keep only dialogues whose label changes (the paper's subset).
        split: None for the official split, else the shares of train, validation and test.
        min_turns: fewest turns of a dialogue; None for as many as one sample needs.
        test_dialogues: dialogues of each source drawn for the tables, all if there are fewer.
        samples_per_dialogue: table samples drawn from each of those.
        seed: of the re-split and of the draws.
        licence: of corpora that are not known to us, which what is trained on them inherits.

    Raises:
        InputError: the seed is negative or too large.
    """

    vocabulary: VocabularyOptions = field(default_factory=VocabularyOptions)
    label_change: bool = False
    split: tuple[int, int, int] | None = None
    min_turns: int | None = None
    test_dialogues: int = 925
    samples_per_dialogue: int = 1
    seed: int = 1
    licence: str = ""

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def turns_needed(self, rule: ReplyRule) -> int:
        """Return the fewest turns of a dialogue whose responses a rule tells."""
        return rule.least_turns if self.min_turns is None else max(self.min_turns, rule.least_turns)


@dataclass(frozen=True)
class CleanSource:
    """A source after the protocol.

    Attributes:
        dropped: how many dialogues, by reason.
    """

    source: ReadSource
    splits: Splits
    dropped: dict[str, int]


def apply_protocol(sources: Sequence[ReadSource], options: PrepareOptions) -> list[CleanSource]:
    """Return the clean splits of every source.

    Raises:
        DataError: a source lacks a split, or nothing is left of one.
    """
    raw = [_raw_splits(source, options) for source in sources]
    seen: set[str] = set()
    clean = [
        CleanSource(source, {}, {"duplicate": 0, "too_short": 0, "label_change": 0})
        for source in sources
    ]
    for name in ("test", "validation", "train"):  # so that train gives way to both
        for part, whole in zip(clean, raw, strict=True):
            part.splits[name] = _kept(part, name, whole[name], seen, options)
    return clean


def _raw_splits(source: ReadSource, options: PrepareOptions) -> Splits:
    """Return a source's splits, its own or drawn ones."""
    corpus = source.corpus
    needed = options.turns_needed(source.facts.rule)
    count = len(corpus.dialogues)
    if all(len(dialogue.utterances) < needed for dialogue in corpus.dialogues):
        raise DataError(
            f"{count:,} of {count:,} dialogues of {source.name} are too short; {needed} turns are "
            "needed",
            hint=_SHORT_HINT if needed > 2 else "",
        )
    if options.split is not None or WHOLE in corpus.splits:
        return _resplit(corpus.dialogues, options)
    missing = missing_splits(corpus)
    if missing:
        names = " or ".join(f"{name}.jsonl" for name in NAMES_OF_SPLITS[missing[0]])
        raise DataError(
            f"{source.name} has no {' and no '.join(missing)} split, wanted such as {names}",
            hint="add it, or let --split 10:1:1 draw all three",
        )
    return corpus.splits


def _kept(
    part: CleanSource,
    name: str,
    dialogues: Sequence[LabelledDialogue],
    seen: set[str],
    options: PrepareOptions,
) -> list[LabelledDialogue]:
    """Return the dialogues of a split that stay, count the others and add all to `seen`.

    Raises:
        DataError: none stays.
    """
    needed = options.turns_needed(part.source.facts.rule)
    before, kept = dict(part.dropped), []
    for dialogue in dialogues:
        key = duplicate_key(dialogue.utterances)
        if key in seen:
            part.dropped["duplicate"] += 1
            continue
        seen.add(key)
        if len(dialogue.utterances) < needed:
            part.dropped["too_short"] += 1
        elif options.label_change and len(set(dialogue.emotions)) < 2:
            part.dropped["label_change"] += 1
        else:
            kept.append(dialogue)
    if not kept:
        lost = {reason: part.dropped[reason] - before[reason] for reason in before}
        raise DataError(
            f"no {name} dialogue is left of {part.source.name}: of {len(dialogues):,}, "
            f"{lost['duplicate']:,} are duplicates, {lost['too_short']:,} too short ({needed} "
            f"turns are needed), {lost['label_change']:,} without a label change",
            hint="check the source and the filters",
        )
    return kept


def duplicate_key(utterances: Sequence[str]) -> str:
    """Return a dialogue's text without case, spaces and punctuation.

    Letters, digits and their marks stay, in every script. A turn without any, such as an emoji,
    stays whole, but for its spaces.
    """
    return "".join(map(_turn_key, utterances))


def _turn_key(text: str) -> str:
    lowered = text.lower()
    bare = "".join(c for c in lowered if c.isalnum() or unicodedata.category(c)[0] == "M")
    return bare if any(map(str.isalnum, bare)) else "".join(lowered.split())


def _resplit(dialogues: list[LabelledDialogue], options: PrepareOptions) -> Splits:
    shares = options.split or (10, 1, 1)
    order = random.Random(options.seed).sample(dialogues, len(dialogues))
    first = len(order) * shares[0] // sum(shares)
    second = first + len(order) * shares[1] // sum(shares)
    return dict(zip(SPLITS, (order[:first], order[first:second], order[second:]), strict=True))


def table_samples(part: CleanSource, options: PrepareOptions) -> list[tuple[str, int]]:
    """Draw a source's samples for the tables: some dialogues, a fixed number of responses in each.

    What is drawn of a source does not depend on the others.
    """
    dialogues, rule = part.splits["test"], part.source.facts.rule
    draw = random.Random(options.seed)
    chosen = draw.sample(range(len(dialogues)), min(options.test_dialogues, len(dialogues)))
    samples = []
    for index in sorted(chosen):
        responses = rule.responses(len(dialogues[index].utterances))
        count = min(options.samples_per_dialogue, len(responses))
        samples += [
            (dialogues[index].id, response) for response in sorted(draw.sample(responses, count))
        ]
    return samples
