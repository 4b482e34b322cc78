"""Whatever a report or a workload holds, who reads it meets errors of our own tree, or reads it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from empgan_bench.batches.comparison import compare, read_report
from empgan_bench.batches.report import Report
from empgan_bench.measuring import timing
from empgan_bench.measuring.workload import load_workload
from empgan_rt.config import Limits
from empgan_rt.errors import InputError
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.featurizer import Featurizer
from empgan_rt.text.tokenizer import Tokenizer
from support.bench_engines import WORDS
from support.bench_reports import make_report
from support.damage import damaged_bytes, damaged_json, damaged_lines, outcome

Door = Callable[[random.Random, Path], object]


@pytest.fixture(scope="module")
def report() -> Report:
    """A report with two cells, so that each of its values is met often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "_SETTLE_S", 0.0)
        made = make_report("throughput")
    cells = [series.cell for series in made.outcome.series][:1]
    kept = [series for series in made.outcome.series if series.cell in cells]
    return msgspec.structs.replace(made, outcome=msgspec.structs.replace(made.outcome, series=kept))


@pytest.fixture(scope="module")
def reports(report: Report) -> Door:
    text = msgspec.json.encode(report).decode()
    series = json.dumps(msgspec.to_builtins(report.outcome.series))
    assert series != "[]"

    def door(draw: random.Random, folder: Path) -> None:
        kind = draw.choice(("any", "series", "series", "bytes"))
        if kind == "any":
            altered = damaged_json(draw, text)
        elif kind == "series":
            document = json.loads(text)
            document["outcome"]["series"] = "@"
            altered = json.dumps(document).replace('"@"', damaged_json(draw, series))
        else:
            altered = damaged_bytes(draw, text.encode()).decode("latin-1")
        (folder / "report.json").write_text(altered, "utf-8", "replace")
        compare(report, read_report(folder / "report.json"), 0.05)

    return door


@pytest.fixture(scope="module")
def workloads() -> Door:
    lexicon = EmotionLexicon({"word1": "own"}, ["word1"])
    featurizer = Featurizer(Tokenizer.from_words(WORDS), lexicon, Limits())
    rows = b'{"turns": ["word1 word2", "word3"]}\n{"dialogue": ["word1", "word2", "word3"]}\n' * 3

    def door(draw: random.Random, folder: Path) -> None:
        (folder / "work.jsonl").write_bytes(damaged_lines(draw, rows))
        load_workload(folder / "work.jsonl", featurizer).batches(2, 0)

    return door


def outcomes(door: Door, folder: Path, draws: range) -> Counter[str]:
    found = Counter[str]()
    for number in draws:
        draw = random.Random(number)
        found[outcome(lambda draw=draw: door(draw, folder))] += 1
    return found


@pytest.mark.parametrize("kind", ["reports", "workloads"])
def test_damaged_files_meet_our_own_errors(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    found = outcomes(request.getfixturevalue(kind), tmp_path, range(40))
    assert [what for what in found if what.startswith("FOREIGN")] == []
    assert sum(found.values()) - found["read"] > 5  # the damage is felt


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # times of 1e308 ms have no finite ratio
@pytest.mark.parametrize("kind", ["reports", "workloads"])
def test_hundreds_of_damaged_files_meet_our_own_errors(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    found = outcomes(request.getfixturevalue(kind), tmp_path, range(40, 440))
    print(f"{kind}: {dict(found)}")
    assert [what for what in found if what.startswith("FOREIGN")] == []


@pytest.mark.parametrize("damage", ["odd", "none", "fewer", "zero", "seed"])
def test_reports_that_cannot_be_compared_are_refused(
    report: Report, tmp_path: Path, damage: str
) -> None:
    document = msgspec.to_builtins(report)
    series = document["outcome"]["series"]
    if damage == "odd":
        del series[0]["visits"][0]
    elif damage == "none":
        series[0]["visits"] = []
    elif damage == "fewer":
        del series[0]["visits"][:2]
    elif damage == "zero":
        series[0]["visits"][0]["timings"] = []
    else:
        document["plan"]["seed"] = -1
    (tmp_path / "report.json").write_bytes(msgspec.json.encode(document))
    with pytest.raises(InputError, match=r"report\.json has"):
        read_report(tmp_path / "report.json")
