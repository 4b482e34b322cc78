"""What pytest has found so far, read from the log of pytest-reportlog.

It is written test by test, so one that ends the process leaves what was found before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gpu.report import Check, Figures, Outcome, Status

_MOST = 300  # characters of a reason


def read_log(file: Path, *, stopped: bool = False) -> Outcome:
    """Return the tests of a log, and the figures and notes that they told.

    `stopped` tells that the process was, which is no fault of the test that was under way.
    """
    checks: dict[str, Check] = {}
    figures, under_way = list[Figures](), ""
    raw = file.read_bytes() if file.is_file() else b""
    for line in raw.rpartition(b"\n")[0].splitlines():  # the last one may be cut short
        entry = msgspec.json.decode(line)
        if entry["$report_type"] not in ("TestReport", "CollectReport"):
            continue
        test, phase, result = entry["nodeid"], entry.get("when"), entry["outcome"]
        if phase:
            under_way = "" if phase == "teardown" else test
        if phase == "teardown":  # it has all that the test told
            figures += [row for name, row in entry["user_properties"] if name == "figures"]
        if result == "failed" or (result == "skipped" and test not in checks):
            checks[test] = Check(test, result, _why(entry["longrepr"]))
        elif phase == "call":
            checks[test] = Check(test, "passed")
    if under_way:
        result, how = ("skipped", "was stopped") if stopped else ("failed", "ended")
        checks[under_way] = Check(under_way, result, f"the process {how} in it")
    status: Status = "skipped"
    reasons = [check.why for check in checks.values()]
    if failed := [check for check in checks.values() if check.result == "failed"]:
        status, reasons = "failed", [f"{c.test.rpartition('/')[2]}: {c.why}" for c in failed]
    elif any(check.result == "passed" for check in checks.values()):
        status, reasons = "passed", []
    return Outcome(status, "; ".join(dict.fromkeys(reasons)), figures, [*checks.values()])


def _why(longrepr: Any) -> str:
    """Return on one line why a test failed or was skipped."""
    if isinstance(longrepr, dict):
        longrepr = (longrepr.get("reprcrash") or {}).get("message", "")
    elif isinstance(longrepr, list):  # where it was skipped, and why
        longrepr = longrepr[-1].removeprefix("Skipped: ")
    return " ".join(str(longrepr).split())[:_MOST]
