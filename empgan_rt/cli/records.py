"""Errors as JSON objects, the same in every command."""

from __future__ import annotations

from ..errors import EmpganError


def error_record(error: EmpganError) -> dict[str, str]:
    """Return an error as plain JSON values; what UTF-8 cannot hold is escaped."""
    return {"code": error.code, "message": _utf8(error.message), "hint": _utf8(error.hint)}


def _utf8(text: str) -> str:
    """Return a text with its lone surrogates escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
