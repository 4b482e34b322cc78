#!/usr/bin/env bash
# One library's global thread pool breaks every other user of ONNX Runtime in the process.
#
# One would guess: after onnxruntime.set_global_thread_pool_sizes(2, 1) a session that does not ask for the
# global pool gets threads of its own, as before.
# What happens with onnxruntime 1.32.0: it is refused, "use_per_session_threads must be false when using a
# global thread pool". Sessions made before go on working. There is no way back in the process.
# Source: onnxruntime/python/onnxruntime_pybind_state.cc, which the message names.
#
# Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0
HOME="$folder" ORT_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy
import onnxruntime
from onnxruntime.datasets import get_example

model = get_example("sigmoid.onnx")
zeros = numpy.zeros((3, 4, 5), numpy.float32)


def session(options=None):
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(one):
    return one.run(None, {one.get_inputs()[0].name: zeros})[0].shape


print("onnxruntime", onnxruntime.__version__)
before = session()
print("before the pool, an ordinary session:", run(before))
onnxruntime.set_global_thread_pool_sizes(2, 1)
print("after it, the same session:", run(before))
try:
    session()
except RuntimeError as error:
    said = str(error)[str(error).index("use_per"):].strip()
    print("after it, a new ordinary session:", said)
else:
    said = ""
    print("after it, a new ordinary session: works")
asking = onnxruntime.SessionOptions()
asking.use_per_session_threads = False
print("after it, one that asks for the pool:", run(session(asking)))
sys.exit(said != "use_per_session_threads must be false when using a global thread pool")
PYTHON
