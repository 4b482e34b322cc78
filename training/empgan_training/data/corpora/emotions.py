"""What corpora call an emotion, as DailyDialog's integer: one literal table.

There are two codings of the same seven. DailyDialog counts from 0 to 6, and so do corpora, prepared
folders and everything in this room; `empgan_rt.Emotion`, whose values are the ids that a model
reads, counts from 1 to 7. `Emotion.from_dailydialog` leads from the one to the other.
"""

from __future__ import annotations

from collections.abc import Sequence

LABELS = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")

# DailyDialog's names; MELD's; EmoryNLP's; IEMOCAP's; the 32 words of EmpatheticDialogues; and the
# intents that Welivita and Pu 2020 add to these for listeners.
NAMES: dict[str, tuple[str, ...]] = {
    "neutral": (
        *("neutral", "no emotion", "neu"),
        *("questioning", "acknowledging", "agreeing", "consoling", "encouraging"),
        *("sympathizing", "suggesting", "wishing"),
    ),
    "anger": (
        *("anger", "angry", "mad", "ang", "frustration", "frustrated", "fru"),
        *("annoyed", "furious", "jealous"),
    ),
    "disgust": ("disgust", "disgusted", "dis"),
    "fear": (
        *("fear", "fearful", "scared", "fea"),
        *("afraid", "anxious", "apprehensive", "terrified"),
    ),
    "happiness": (
        *("happiness", "happy", "hap", "joy", "joyful", "peaceful", "powerful", "excitement"),
        *("exc", "anticipating", "caring", "confident", "content", "excited", "faithful"),
        *("grateful", "hopeful", "impressed", "prepared", "proud", "trusting"),
    ),
    "sadness": (
        *("sadness", "sad", "ashamed", "devastated", "disappointed", "embarrassed", "guilty"),
        *("lonely", "nostalgic", "sentimental"),
    ),
    "surprise": ("surprise", "surprised", "sur"),
}
_FEW = 50  # of fewer labels, none says anything
_LABEL_OF = {name: LABELS.index(label) for label, names in NAMES.items() for name in names}


def label_of(value: object) -> int | None:
    """Return DailyDialog's integer, 0 to 6, of what a corpus says of a turn's emotion.

    Args:
        value: such an integer, in digits or not, or a name of `NAMES` in any case; None, or an
            empty text, where the turn has no label.

    Raises:
        ValueError: it is anything else.
    """
    if value is None or value == "":
        return None
    if type(value) is int and 0 <= value < len(LABELS):
        return value
    if isinstance(value, str):
        name = value.strip().lower().replace("_", " ")
        if len(name) == 1 and name in "0123456":
            return int(name)
        if name in _LABEL_OF:
            return _LABEL_OF[name]
    shown = repr(value) if type(value) is int and abs(value) < 1000 else type(value).__name__
    raise ValueError(f"an emotion is {shown}, no integer from 0 to 6 and no name of one")


def told_of_labels(labels: Sequence[int | None]) -> list[str]:
    """Return a sentence for each thing that speaks against the labels of a corpus's turns."""
    given = [label for label in labels if label is not None]
    told = []
    if len(given) < len(labels):
        told.append(
            f"{len(labels) - len(given):,} of {len(labels):,} turns have no label; in training "
            "what the recogniser says stands in"
        )
    if len(given) >= _FEW and 0 not in given:
        told.append(
            f"none of {len(given):,} labels is 0, neutral: they may count from 1, as "
            "empgan_rt.Emotion does; give names, or DailyDialog's 0 to 6"
        )
    elif len(given) >= _FEW and given.count(1) > len(given) / 2:
        told.append(
            f"{given.count(1) / len(given):.0%} of the labels are 1, anger: they may count from "
            "1, as empgan_rt.Emotion does; give names, or DailyDialog's 0 to 6"
        )
    return told
