#!/usr/bin/env bash
# A key in a header spelt with small letters makes a guarded API look open.
#
# One would guess: names of headers have no case (RFC 9110, 5.1), so "authorization: Bearer KEY" and
# "Authorization: Bearer KEY" are one option.
# What happens with schemathesis 4.32.5: with the first, its check of ignored authentication still sends the key when
# it means to send none, and reports "API accepts requests without authentication" of a server that
# answers 401 to whoever has none. With the second, nothing fails.
# Source: schemathesis/specs/openapi/checks.py, ignored_auth.
#
# Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.32.5
cd "$folder"
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

KEY = "Bearer the-key"
ERROR = {"description": "No key."}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "guarded", "version": "1"},
    "security": [{"key": []}],
    "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    "paths": {"/thing": {"get": {"responses": {"200": {"description": "It."}, "401": ERROR}}}},
}


class Guarded(BaseHTTPRequestHandler):
    def do_GET(self):
        is_open = self.path == "/openapi.json"
        body = json.dumps(DOCUMENT if is_open else {}).encode()
        self.send_response(200 if is_open or self.headers["Authorization"] == KEY else 401)
        self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
print("schemathesis", version("schemathesis"))
try:
    urllib.request.urlopen(f"{url}/thing")
except urllib.error.HTTPError as error:
    print("who has no key gets", error.code)
seen = []
for name in ("Authorization", "authorization"):
    program = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"]
    options = ["-H", f"{name}: {KEY}", "-c", "ignored_auth", "--no-color"]
    done = subprocess.run([*program, *options], capture_output=True, text=True)
    seen.append((done.returncode, "API accepts requests without authentication" in done.stdout))
    print(f"{name}: exit code {seen[-1][0]},", "said to be open" if seen[-1][1] else "nothing found")
sys.exit(seen != [(0, False), (1, True)])
PYTHON
