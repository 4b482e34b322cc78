"""The figures that the paper prints (Li et al., EmpGAN, Tables 1, 2 and 4), as literal tables.

They are copied as printed, errors included: Emo-S2S's ROUGE-L recall passes its ROUGE-1 recall,
which cannot be. The paper does not say which BLEU its one column holds.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..systems import SystemName

# The columns of Table 1, by the names that our own columns have; "bleu" has no counterpart there.
COLUMNS = (
    *("bleu", "distinct_1", "distinct_2"),
    *("rouge_1_f", "rouge_1_p", "rouge_1_r"),
    *("rouge_2_f", "rouge_2_p", "rouge_2_r"),
    *("rouge_l_f", "rouge_l_p", "rouge_l_r"),
)


def _row(*figures: float) -> dict[str, float]:
    return dict(zip(COLUMNS, figures, strict=True))


TABLE_1: Mapping[SystemName, Mapping[str, float]] = {
    "HRED": _row(10.82, 2.91, 6.41, 8.95, 13.78, 7.30, 0.95, 1.47, 0.78, 7.31, 13.21, 7.03),
    "SeqGAN": _row(10.39, 0.68, 0.92, 9.64, 15.34, 7.71, 1.10, 1.74, 0.89, 7.93, 14.99, 7.59),
    "Emo-S2S": _row(11.37, 0.52, 0.75, 9.47, 14.18, 7.86, 0.68, 1.12, 0.52, 7.78, 13.61, 9.47),
    "Emo-HRED": _row(11.83, 2.94, 6.61, 9.57, 14.40, 7.91, 1.21, 2.06, 0.94, 7.93, 13.91, 7.68),
    "EmpG": _row(12.02, 6.45, 18.07, 12.02, 17.31, 10.07, 2.31, 3.59, 1.93, 9.80, 16.49, 9.60),
    "EmpD": _row(12.12, 7.26, 19.35, 11.63, 17.17, 9.85, 2.16, 3.22, 1.80, 9.56, 16.20, 9.31),
    "EmpWD-next": _row(
        12.35, 7.43, 20.03, 11.89, 17.36, 10.09, 2.33, 3.40, 1.95, 9.75, 16.33, 9.51
    ),
    "EmpWD": _row(12.53, 7.69, 20.62, 11.97, 17.18, 10.21, 2.36, 3.38, 1.99, 9.88, 16.25, 9.64),
    "EmpGAN": _row(12.66, 7.67, 20.24, 12.20, 17.72, 10.41, 2.42, 3.44, 2.04, 10.02, 16.63, 9.80),
}

# criterion -> mean and "stdev", which cannot be that of single marks (see human/scores.py)
TABLE_2: Mapping[SystemName, Mapping[str, tuple[float, float]]] = {
    "HRED": {"content": (1.23, 0.27), "empathy": (0.79, 0.25)},
    "SeqGAN": {"content": (1.14, 0.21), "empathy": (0.76, 0.26)},
    "Emo-S2S": {"content": (1.13, 0.29), "empathy": (0.83, 0.30)},
    "Emo-HRED": {"content": (1.26, 0.23), "empathy": (0.91, 0.24)},
    "EmpGAN": {"content": (1.33, 0.19), "empathy": (1.08, 0.23)},
}

TABLE_4: Mapping[SystemName, tuple[str, ...]] = {
    "HRED": ("I", "go", "you", "Yes", "That", "like", "think", "it", "good", "know"),
    "SeqGAN": ("I", "you", "go", "think", "You", "What", "good", "going", "would", "well"),
    "Emo-S2S": ("I", "that", "think", "like", "go", "Yes", "good", "know", "OK", "It"),
    "Emo-HRED": ("I", "you", "That", "good", "idea", "go", "like", "Yes", "glad", "know"),
    "EmpG": ("I", "think", "good", "would", "Yes", "like", "great", "go", "know", "one"),
    "EmpGAN": ("I", "think", "like", "Yes", "good", "idea", "going", "love", "sorry", "Here"),
}
# What Table 4 prints in bold, the same words in every row.
TABLE_4_EMOTIONAL = frozenset(("like", "good", "well", "glad", "great", "love", "sorry"))
