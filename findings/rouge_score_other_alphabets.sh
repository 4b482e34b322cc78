#!/usr/bin/env bash
# Text in another alphabet scores 0 against itself, without a word.
#
# One would guess: ROUGE compares words, so a text against itself is 1 in any language; or it refuses.
# What happens with rouge-score 0.1.2: its tokenizer keeps a to z and 0 to 9 and drops the rest, so a Russian
# sentence has no tokens and scores 0.0 against itself, while two that share nothing but a number score 1.0.
# Source: rouge_score/tokenize.py, NON_ALPHANUM_PATTERN.
#
# Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rouge-score==0.1.2
HOME="$folder" ORT_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

from rouge_score import rouge_scorer

scorer = rouge_scorer.RougeScorer(["rouge1"])
seen = []
for reference, hypothesis in (
    ("I am glad", "I am glad"),
    ("я очень рада", "я очень рада"),
    ("мне 30 лет", "осталось 30 минут"),
):
    seen.append(scorer.score(reference, hypothesis)["rouge1"].fmeasure)
    print(f"ROUGE-1 of {hypothesis!r} against {reference!r}: {seen[-1]}")
sys.exit(seen != [1.0, 0.0, 1.0])
PYTHON
