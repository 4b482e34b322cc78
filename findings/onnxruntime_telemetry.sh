#!/usr/bin/env bash
# What importing ONNX Runtime does behind one's back, shown without this product.
#
# One would guess: importing a library for inference writes nothing and calls nobody.
# What happens with onnxruntime 1.32.0 on Linux: the import writes an identifier of this installation and
# a database below the user's cache folder, and a process that lives for ten seconds calls out.
# ORT_DISABLE_TELEMETRY=1, set before the import, stops both; disable_telemetry_events() does not.
# onnxruntime 1.24.1, for contrast, does neither.
# Source: Privacy.md inside the wheel ("Telemetry is turned ON by default in the official builds").
#
# The proxy is a listener of this script, so nothing leaves the machine. Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

cat >"$folder/watch.py" <<'PYTHON'
"""Runs a program in a fresh home with a listener as its proxy; prints what it left and whom it called."""
import os, pathlib, socket, subprocess, sys, tempfile, threading

home = pathlib.Path(tempfile.mkdtemp(dir=sys.argv[1]))
listener = socket.create_server(("127.0.0.1", 0))
calls = set()

def listen():
    while True:
        connection, _ = listener.accept()
        with connection:
            calls.add(connection.recv(200).decode("latin-1").split("\r")[0])

threading.Thread(target=listen, daemon=True).start()
proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
names = ("http_proxy", "https_proxy", "all_proxy")
given = dict(pair.split("=") for pair in sys.argv[3:])
environment = {"PATH": os.environ["PATH"], "HOME": str(home), **given}
environment |= {spelt: proxy for name in names for spelt in (name, name.upper())}
subprocess.run([sys.executable, "-c", sys.argv[2]], env=environment, check=True)
for path in sorted(path for path in home.rglob("*") if path.is_file()):
    text = "an identifier" if path.name == "deviceid" else f"{path.stat().st_size} bytes"
    print("  wrote ~/" + str(path.relative_to(home)) + ": " + text)
for call in sorted(calls):
    print("  called " + call)
print("  in all: " + ("files, " if any(home.rglob("deviceid")) else "no file, ")
      + ("a call" if calls else "no call"))
PYTHON

failures=0
expect() {  # expect SAID WANTED
  printf '%s\n' "$1"
  case "$1" in
  *"in all: $2"*) ;;
  *) printf '  EXPECTED %s\n' "$2"; failures=1 ;;
  esac
}

program='
import sys, time
import onnxruntime, numpy
from onnxruntime.datasets import get_example
model = get_example("sigmoid.onnx")
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
session.run(None, {session.get_inputs()[0].name: numpy.zeros((3, 4, 5), numpy.float32)})
time.sleep(14)'
after='
import onnxruntime, time
onnxruntime.disable_telemetry_events()
time.sleep(14)'

for version in 1.24.1 1.32.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "onnxruntime==$version"
done
new="$folder/1.32.0/bin/python"
old="$folder/1.24.1/bin/python"

echo "onnxruntime 1.24.1"
expect "$("$old" "$folder/watch.py" "$folder" "$program")" "no file, no call"
echo "onnxruntime 1.32.0"
expect "$("$new" "$folder/watch.py" "$folder" "$program")" "files, a call"
echo "onnxruntime 1.32.0, disable_telemetry_events() after the import"
expect "$("$new" "$folder/watch.py" "$folder" "$after")" "files, a call"
echo "onnxruntime 1.32.0, ORT_DISABLE_TELEMETRY=1"
expect "$("$new" "$folder/watch.py" "$folder" "$program" ORT_DISABLE_TELEMETRY=1)" "no file, no call"
exit "$failures"
