"""The child process of `graph_audit.probe`: checks a bundle's graphs and loads them, or dies.

Prints {"bundle_id": ..., "error": ...}; the error is empty if all went well.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from .backends.loader import load_backend
from .bundle import Bundle
from .errors import BundleError, EmpganError
from .graph_audit import graph_names
from .manifest import WEIGHTS_NAME
from .threads import set_num_threads


def load_all(path: str) -> str:
    """Check and load every variant of a bundle; return the bundle's id.

    Raises:
        EmpganError: the bundle cannot be used.
    """
    set_num_threads(1)
    bundle = Bundle.open(path)
    _check(bundle)
    for precision in bundle.manifest.variants:
        load_backend(bundle, precision=precision).close()
    return bundle.bundle_id


def _check(bundle: Bundle) -> None:
    """Run ONNX's own checker, which wants the graphs and their data as files."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, WEIGHTS_NAME).write_bytes(bundle.weights)
        for name in graph_names(bundle):
            graph = Path(folder, name)
            graph.write_bytes(bundle.files[name])
            try:
                onnx.checker.check_model(str(graph), full_check=True)
            except Exception as error:  # checker and shape inference raise unrelated types
                reason = str(error).replace(folder, "").splitlines()
                raise BundleError(f"{name}: {' '.join(reason)[:300]}") from None


def main(path: str) -> None:
    """Print what came of loading the bundle at `path`."""
    answer = {"bundle_id": "", "error": ""}
    try:
        answer["bundle_id"] = load_all(path)
    except EmpganError as error:
        answer["error"] = error.message
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
