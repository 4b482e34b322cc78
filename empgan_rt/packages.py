"""Packages that an extra brings, imported when they are needed; what is wrong with them is said.

Only a ModuleNotFoundError of that very name means that a package is not installed. Ctrl-C during
the import of a compiled module arrives as an ImportError whose cause is the KeyboardInterrupt.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from .errors import DependencyError


def import_module(name: str, missing: str, hint: str) -> Any:
    """Return the module `name`.

    Args:
        name: dotted.
        missing: what to say if its package is not installed.
        hint: how to install it.

    Raises:
        DependencyError: its package is not installed, or is damaged.
        KeyboardInterrupt: Ctrl-C was pressed during the import.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: a library that it loads is missing
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        if is_missing(error, name):
            raise DependencyError(missing, hint=hint) from None
        # A compiled module whose start was interrupted cannot start again in the same process.
        raise DependencyError(
            f"{name} cannot be loaded: {reason(error)}",
            hint=f"start the program again; if that does not help:\n{hint}".rstrip(),
        ) from error


def is_missing(error: BaseException, name: str) -> bool:
    """Return whether an error says that the module `name`, or a package around it, is not there."""
    return (
        isinstance(error, ModuleNotFoundError)
        and error.name is not None
        and f"{name}.".startswith(f"{error.name}.")
    )


def was_interrupted(error: BaseException) -> bool:
    """Return whether an import failed because Ctrl-C was pressed."""
    return isinstance(error, ImportError) and any(
        isinstance(each, KeyboardInterrupt) for each in _with_causes(error)
    )


def reason(error: BaseException) -> str:
    """Return on one line, in at most 300 characters, what an error rests on."""
    *_, first = _with_causes(error)
    return f"{type(first).__name__}: {' '.join(str(first).split())}"[:300]


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that led to it, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
