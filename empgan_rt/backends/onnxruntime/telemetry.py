"""ONNX Runtime's telemetry, switched off before the package is imported.

Its wheels for Linux have sent telemetry since 1.29.0: the import writes an identifier and a
database below the user's cache folder, and a process that lives on calls out. One variable of the
environment stops both, if it is set before the import; `disable_telemetry_events` comes too late.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

SWITCH = "ORT_DISABLE_TELEMETRY"
_OFF = ("1", "true", "yes", "on", "y")  # what ONNX Runtime takes for "off", in any case

_log = logging.getLogger(__name__)


def silence_onnxruntime() -> None:
    """Switch telemetry off in this process and in those that it starts, unless the user chose.

    A value that is set already stays, be it on or off. Where the host program imported ONNX Runtime
    first, this process cannot be helped any more, and the log says so once.
    """
    if SWITCH in os.environ:
        return
    os.environ[SWITCH] = "1"
    if "onnxruntime" in sys.modules:
        _log.warning(
            "onnxruntime was imported before empgan_rt, so its telemetry may be on; "
            "set %s=1 before that import",
            SWITCH,
        )


def telemetry_is_off(environment: Mapping[str, str]) -> bool:
    """Return whether ONNX Runtime, imported in this environment, keeps and sends nothing."""
    return environment.get(SWITCH, "").strip().lower() in _OFF
