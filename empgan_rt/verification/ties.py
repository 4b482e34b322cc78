"""When two replies are so close that rounding alone decides between them."""

from __future__ import annotations

TIE = 1e-4  # natural-log probability of a whole reply


def tie_gap(
    log_probs: tuple[float, float], lengths: tuple[int, int], length_penalty: float
) -> float:
    """Return how much log-probability would reverse the order of two whole replies.

    A search ranks by log P / length ** length_penalty, so those scores are compared and their
    difference is brought back to the scale of the longer reply's log P. Below TIE, rounding alone
    decides between the two.

    Args:
        log_probs: of both replies, computed in float64.
        lengths: their tokens, the end of sequence included.
        length_penalty: of the search.
    """
    scales = [float(max(length, 1) ** length_penalty) for length in lengths]
    return abs(log_probs[0] / scales[0] - log_probs[1] / scales[1]) * max(scales)
