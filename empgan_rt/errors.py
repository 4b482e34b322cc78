"""Every error that users of empgan-rt can meet, as one tree.

EmpganError                 exit code
├── InputError                  2   a dialogue, a parameter or an option is not acceptable
├── DependencyError             3   a package or an extra is missing, or two wheels conflict
├── ProviderError               3   the wanted device or execution provider is not there
├── DeadlineError               3   no reply within the time that the caller allowed
├── QueueFullError              3   more requests wait than the caller allowed
├── BundleError                 4   a bundle is incomplete, altered or too new
├── CheckpointError             4   a checkpoint is incomplete, altered or of another model
├── ParityError                 5   an exported graph does not compute what eager PyTorch does
├── GateError                   6   a benchmark missed the objective it was given
├── DataError                   7   a corpus or a request file holds too many bad lines
├── DivergenceError             8   training or inference met NaN or infinity
└── StorageError                9   a file could not be written; the old state is intact

A message holds the value seen and the value wanted; `hint` holds the mend. Neither holds the
text of a user's dialogue.
"""

from __future__ import annotations

from typing import ClassVar


class EmpganError(Exception):
    """Base of the tree; catch this to catch everything the SDK raises on purpose.

    Args:
        message: what was seen and what was wanted, one sentence.
        hint: what the reader can do about it; may be empty, and may have several lines.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        if "\n" in self.hint:  # each can be copied as it is, without a bracket at its end
            return "\n  ".join([f"{self.message}:", *self.hint.split("\n")])
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InputError(EmpganError, ValueError):
    """A dialogue, parameter or option is outside what is accepted."""

    exit_code = 2
    code = "bad_input"


class DependencyError(EmpganError):
    """A package is missing, or installed packages exclude each other."""

    exit_code = 3
    code = "dependency"


class ProviderError(EmpganError):
    """The wanted device or ONNX Runtime execution provider cannot be used."""

    exit_code = 3
    code = "provider"


class DeadlineError(EmpganError):
    """The reply was not there within the time allowed; no partial reply is invented."""

    exit_code = 3
    code = "deadline"


class QueueFullError(EmpganError):
    """As many requests wait for the model as may; this one was not accepted."""

    exit_code = 3
    code = "overloaded"


class BundleError(EmpganError):
    """A bundle is incomplete, altered, hostile or written by a newer version."""

    exit_code = 4
    code = "bad_bundle"


class CheckpointError(EmpganError):
    """A checkpoint is incomplete, altered or belongs to another model."""

    exit_code = 4
    code = "bad_checkpoint"


class ParityError(EmpganError):
    """An exported graph deviates from eager PyTorch beyond the tolerance."""

    exit_code = 5
    code = "parity"


class GateError(EmpganError):
    """A benchmark missed an objective that the caller set."""

    exit_code = 6
    code = "gate"


class DataError(EmpganError):
    """A corpus or a file of requests holds data that cannot be used."""

    exit_code = 7
    code = "bad_data"


class DivergenceError(EmpganError):
    """A loss, a weight or a log-probability is NaN or infinite."""

    exit_code = 8
    code = "divergence"


class StorageError(EmpganError):
    """A file could not be written; what was there before is untouched."""

    exit_code = 9
    code = "storage"
