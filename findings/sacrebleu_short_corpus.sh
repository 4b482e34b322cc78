#!/usr/bin/env bash
# A corpus of short sentences that are all right scores 0 BLEU.
#
# One would guess: where every hypothesis equals its reference, corpus BLEU is 100.
# What happens with sacrebleu 2.6.0: fifty times "Yes I do" against itself is 0.0, since a corpus without a
# sequence of four tokens has no 4-gram precision; one sentence by sentence_bleu, which counts only the
# orders that there are (effective_order), is 100. Replies of a dialogue model are often that short.
# Source: sacrebleu/metrics/bleu.py, BLEU.compute_bleu, "effective_order".
#
# Exit 1: something else was seen.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sacrebleu==2.6.0
HOME="$folder" ORT_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import sacrebleu

same = ["Yes I do"] * 50
corpus = sacrebleu.corpus_bleu(same, [same]).score
sentence = sacrebleu.sentence_bleu(same[0], [same[0]]).score
orders = sacrebleu.corpus_bleu(same, [same], use_effective_order=True).score
longer = ["Yes I do today"] * 50
print("sacrebleu", sacrebleu.__version__)
print("corpus BLEU of three words against themselves:", round(corpus, 6))
print("the same, with the orders that there are:", round(orders, 6))
print("sentence BLEU of one of them:", round(sentence, 6))
four = sacrebleu.corpus_bleu(longer, [longer]).score
print("corpus BLEU of four words against themselves:", round(four, 6))
sys.exit([round(score, 6) for score in (corpus, orders, sentence, four)] != [0, 100, 100, 100])
PYTHON
