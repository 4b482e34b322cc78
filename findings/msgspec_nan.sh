#!/usr/bin/env bash
# A float that is no number is written as null, which the same type does not read back.
#
# One would guess: what encodes a typed record either round-trips it or refuses.
# What happens with msgspec 0.22.0: NaN and infinities in a field of type float become null in JSON without a
# word, and decoding into the same type raises ValidationError. MessagePack keeps them.
# Source: the documentation, "Supported Types", float: nan, inf and -inf are encoded as null in JSON.
#
# Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.22.0
HOME="$folder" ORT_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" - <<'PYTHON'
import math
import sys

import msgspec


class Score(msgspec.Struct):
    perplexity: float


print("msgspec", msgspec.__version__)
written = msgspec.json.encode(Score(math.inf))
print("infinity as JSON:", written.decode())
try:
    msgspec.json.decode(written, type=Score)
except msgspec.ValidationError as error:
    said = str(error)
else:
    said = ""
print("read back by the same type:", said or "accepted")
kept = msgspec.msgpack.decode(msgspec.msgpack.encode(Score(math.inf)), type=Score)
print("through MessagePack:", kept)
expected = (b'{"perplexity":null}', "Expected `float`, got `null` - at `$.perplexity`", math.inf)
sys.exit((written, said, kept.perplexity) != expected)
PYTHON
