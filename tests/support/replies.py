"""Replies that no model gave."""

from __future__ import annotations

from empgan_rt import Reply, Timings


def reply_saying(text: str, turns_dropped: int = 0) -> Reply:
    """Return a reply of a text, about which nothing else is known."""
    return Reply(
        text=text,
        score=0.0,
        token_ids=(),
        emotions=(),
        alternatives=(),
        finish_reason="eos",
        timings=Timings(0, 0, 0, 0, 0, 0),
        unk_ratio=0.0,
        turns_dropped=turns_dropped,
        tokens_dropped=0,
        bundle_id="none",
    )
