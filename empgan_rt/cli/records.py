"""Replies and errors as JSON objects, the same in every command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..dialogue import Alternative, Reply, Verdict
from ..errors import EmpganError


def reply_record(reply: Reply) -> dict[str, Any]:
    """Return a reply as plain JSON values; probabilities of the emotions from 0 to 1."""
    return {
        "text": reply.text,
        "score": reply.score,
        "finish_reason": reply.finish_reason,
        "emotions": [
            {
                "label": emotion.label.name.lower(),
                "probability": emotion.probabilities[emotion.label],
                "given": emotion.given,
            }
            for emotion in reply.emotions
        ],
        "alternatives": alternative_records(reply.alternatives),
        "unk_ratio": reply.unk_ratio,
        "turns_dropped": reply.turns_dropped,
        "tokens_dropped": reply.tokens_dropped,
        "bundle_id": reply.bundle_id,
        "source": reply.source,
        "verdict": None if reply.verdict is None else verdict_record(reply.verdict),
    }


def verdict_record(verdict: Verdict) -> dict[str, str]:
    """Return a guard's verdict as plain JSON values; its text is the reply's."""
    return {
        "action": verdict.action,
        "category": verdict.category,
        "rule": verdict.rule,
        "message": verdict.message,
    }


def alternative_records(alternatives: Iterable[Alternative]) -> list[dict[str, Any]]:
    """Return alternatives as plain JSON values, in their order."""
    return [
        {"text": other.text, "score": other.score, "finish_reason": other.finish_reason}
        for other in alternatives
    ]


def error_record(error: EmpganError) -> dict[str, str]:
    """Return an error as plain JSON values; what UTF-8 cannot hold is escaped."""
    return {"code": error.code, "message": _utf8(error.message), "hint": _utf8(error.hint)}


def _utf8(text: str) -> str:
    """Return a text with its lone surrogates escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
