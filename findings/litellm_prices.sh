#!/usr/bin/env bash
# A client of a server on this machine calls a server elsewhere when it is imported.
#
# One would guess: importing a client calls nobody, and a request to 127.0.0.1 stays there.
# What happens with litellm 1.110.2: the import alone fetches a table of prices from raw.githubusercontent.com, and
# tries it three times where there is no way out.
# LITELLM_LOCAL_MODEL_COST_MAP=True, set before the import, stops it.
# Source: litellm/litellm_core_utils/get_model_cost_map.py.
#
# The proxy is a listener of this script, so nothing leaves the machine. Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import os
import socket
import subprocess
import sys
import threading
from importlib.metadata import version

listener = socket.create_server(("127.0.0.1", 0))
calls = []


def listen():
    while True:
        connection, _ = listener.accept()
        with connection:
            calls.append(connection.recv(200).decode("latin-1").split("\r")[0])


threading.Thread(target=listen, daemon=True).start()
proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
spelt = {name: proxy for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
print("litellm", version("litellm"))
seen = []
for given in ({}, {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}):
    calls.clear()
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **spelt, **given}
    program = [sys.executable, "-c", "import litellm, time; time.sleep(5)"]
    subprocess.run(program, env=environment, stderr=subprocess.DEVNULL, check=True)
    seen.append(sorted({*calls}))
    print(given or "as it comes", "->", seen[-1] or "called nobody")
sys.exit(seen != [["CONNECT raw.githubusercontent.com:443 HTTP/1.1"], []])
PYTHON
