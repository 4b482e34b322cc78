"""Licences of corpora, as texts that travel from a corpus to the weights."""

from __future__ import annotations

from collections.abc import Iterable

from empgan_rt.errors import InputError

DAILYDIALOG = "CC-BY-NC-SA-4.0"
EMPATHETICDIALOGUES = "CC-BY-NC-4.0"
MAX_CHARACTERS = 200


def checked_licence(text: str) -> str:
    """Return a licence as it is carried on: an SPDX expression, or a line in anybody's words.

    Raises:
        InputError: it is empty, longer than 200 characters, or does not fit on a line.
    """
    licence = text.strip()
    if not licence or len(licence) > MAX_CHARACTERS or not licence.isprintable():
        raise InputError(
            f"a licence of {len(licence)} characters",
            hint=f"give an SPDX expression such as MIT, or a line of at most {MAX_CHARACTERS}",
        )
    return licence


def joint_licence(licences: Iterable[str]) -> str:
    """Return the licence of what is made of several corpora.

    All of them hold, so they are joined by AND, each once. CC BY-NC-SA asks for itself again and
    allows what CC BY-NC allows, so that it stands alone for both.
    """
    found = [*dict.fromkeys(licences)]
    if DAILYDIALOG in found:
        found = [licence for licence in found if licence != EMPATHETICDIALOGUES]
    if len(found) == 1:
        return found[0]
    return " AND ".join(f"({text})" if " " in text else text for text in found)
