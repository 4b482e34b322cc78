"""All tables of a made-up results folder: cells by hand, what is missing, what is refused."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.config import Limits
from empgan_rt.errors import DataError, InputError
from empgan_training.data.prepared import PreparedData
from empgan_training.human.sheet import SheetOptions, make_sheets
from empgan_training.tables.cases import CASES
from empgan_training.tables.figures import Figure
from empgan_training.tables.make import Tables, make_tables
from empgan_training.tables.markdown import tables_markdown
from support.human_sheets import fill
from support.small_data import prepare_own
from support.stored_results import table_references, write_predictions, write_run

ALL_KINDS = ("greedy-recognised", "greedy-gold", "beam5-recognised", "beam5-gold")
DULL = "but Tom felt glad"  # no word that a reference holds
FACTS = {
    "perplexity": {"gold": 40.0, "recognised": 42.0},
    "validation_perplexity": 41.5,
    "steps": {"mle": 1000, "adversarial": 200},
    "seconds": {"mle": 61.4, "adversarial": 3600.0},
    "reply_emotions": {"macro_f1": 31.0, "accuracy": 70.0, "classifier_macro_f1": 45.0, "n": 8},
    "checkpoint_sha256": "0" * 64,
}


def first_half(texts: dict[str, str]) -> dict[str, str]:
    """Return the texts, the second half of them empty."""
    return {key: text if i < len(texts) / 2 else "" for i, (key, text) in enumerate(texts.items())}


def cells(page: str, heading: str, first: str) -> list[str]:
    """Return the cells of the row that begins so, in the first table with it below a heading."""
    section = page.split(f"# {heading}")[1].split("\n## ")[0]
    row = next(line for line in section.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in row.strip("|").split(" | ")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_own(tmp_path_factory.mktemp("tables"), 80)


@pytest.fixture(scope="module")
def references(prepared: Path) -> dict[str, str]:
    return table_references(prepared)


@pytest.fixture(scope="module")
def stored(prepared: Path, references: dict[str, str]) -> Path:
    """HRED, EmpG, EmpD (as EmpG), EmpWD and EmpGAN; two seeds of EmpGAN; facts of two runs."""
    results = prepared.parent / "results"
    dull = dict.fromkeys(references, DULL)
    write_run(results, 1, "HRED", dict.fromkeys(references, "but but"), {})
    write_run(results, 1, "EmpG", dull, FACTS)
    write_run(results, 1, "EmpD", dull)
    write_run(results, 1, "EmpWD", first_half(references))
    write_run(results, 1, "EmpGAN", references, FACTS, ALL_KINDS)
    write_run(results, 2, "EmpGAN", first_half(references), {"steps": {"mle": 1002}}, ALL_KINDS)
    return results


@pytest.fixture
def results(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored, tmp_path / "results"))


@pytest.fixture(scope="module")
def tables(stored: Path, prepared: Path) -> Tables:
    return make_tables(stored, prepared, resamples=100)


def test_the_small_folder_is_as_the_hand_computed_cells_need_it(
    references: dict[str, str],
) -> None:
    assert len(references) == 8
    assert not any({*DULL.split()} & {*text.split()} for text in references.values())


def test_what_is_there_and_what_is_not(tables: Tables) -> None:
    assert (tables.n, tables.seeds) == (8, (1, 2))
    assert tables.systems == ("HRED", "EmpG", "EmpD", "EmpWD", "EmpGAN")
    assert tables.absent == ("SeqGAN", "Emo-S2S", "Emo-HRED", "EmpWD-next")
    assert tables.table_2 is None
    assert tables.table_3 is None
    assert [(t.search, t.labels) for t in tables.table_1] == [
        *(("greedy", "recognised"), ("greedy", "gold")),
        *(("beam5", "recognised"), ("beam5", "gold")),
    ]
    assert [row.system for row in tables.table_1[1].rows] == ["EmpGAN", "Human"]


def test_table_1_by_hand(tables: Tables) -> None:
    rows = {row.system: row for row in tables.table_1[0].rows}
    # eight times the same four words: 4 of 32 unigrams and 3 of 24 bigrams differ
    assert rows["EmpG"].figures["distinct_1"] == Figure(12.5, None, 1)
    assert rows["EmpG"].figures["distinct_2"] == Figure(12.5, None, 1)
    assert rows["EmpG"].figures["rouge_1_f"].mean == 0.0
    assert rows["HRED"].figures["distinct_1"].mean == 6.25  # 1 of 16
    # the references themselves in seed 1, half of them in seed 2: 100 and 50
    gan = rows["EmpGAN"]
    assert gan.seeds == (1, 2)
    assert gan.figures["rouge_1_f"].mean == pytest.approx(75.0)
    assert gan.figures["rouge_1_f"].sd == pytest.approx(1250**0.5)
    assert gan.figures["rouge_l_p"].mean == pytest.approx(75.0)
    assert rows["EmpWD"].figures["rouge_2_r"].mean == pytest.approx(50.0)
    assert rows["Human"].figures.keys() == {"distinct_1", "distinct_2"}


def test_table_1_page(tables: Tables) -> None:
    page = tables_markdown(tables)
    title = "Table 1: greedy search, recognised labels"
    gan = cells(page, title, "EmpGAN")
    assert gan[1] == "1, 2"
    assert gan[6] == "12.66"  # the paper's BLEU, in a column of its own
    empg = cells(page, title, "EmpG")
    assert (empg[1], empg[7:]) == ("1", ["12.50 (6.45)", "12.50 (18.07)"])
    human = cells(page, title, "Human")
    assert human[1:7] == ["-"] * 6
    assert "(" not in human[7]
    rouge = page.split("ROUGE, standard:")[1].split("ROUGE as")[0]
    assert "| EmpGAN | 75.00 ± 35.36 (12.20) | 75.00 ± 35.36 (17.72) |" in rouge
    assert "Human" not in rouge
    assert "N = 8 test samples" in page
    assert "Not there: SeqGAN, Emo-S2S, Emo-HRED, EmpWD-next." in page
    assert page.count("nrefs:1|case:mixed|eff:no") == 1  # signatures once


def test_differences(tables: Tables) -> None:
    found = tables.comparisons
    assert (found.seed, found.resamples, found.n) == (1, 100, 8)
    assert [(d.system, d.baseline) for d in found.against_baseline] == [
        *(("HRED", "EmpG"), ("EmpD", "EmpG"), ("EmpWD", "EmpG"), ("EmpGAN", "EmpG")),
    ]
    # EmpWD-next is missing, so EmpWD has no row above it
    assert [(d.system, d.baseline) for d in found.against_above] == [
        ("EmpD", "EmpG"),
        ("EmpGAN", "EmpWD"),
    ]
    page = tables_markdown(tables)
    same = cells(page, "Differences", "EmpD - EmpG")
    assert same[1:] == ["+0.00 [+0.00, +0.00]"] * 6
    gan = cells(page, "Differences", "EmpGAN - EmpG")
    assert gan[5] == "**+100.00 [+100.00, +100.00]**"  # ROUGE-1 F: 100 against 0, in every draw


def test_orderings(tables: Tables) -> None:
    verdicts = {(o.higher, o.lower, o.metric): o.verdict for o in tables.comparisons.orderings}
    assert {(a, b) for a, b, _ in verdicts} == {
        *(("EmpD", "EmpG"), ("EmpGAN", "EmpWD"), ("EmpGAN", "EmpG"), ("EmpGAN", "HRED")),
    }
    assert verdicts["EmpGAN", "EmpG", "rouge_1_f"] == "holds"
    assert verdicts["EmpD", "EmpG", "bleu_2"] == "undecided"
    row = cells(tables_markdown(tables), "The paper's orderings", "EmpD > EmpG")
    # the paper's own table contradicts its claim on ROUGE-1: 11.63 - 12.02
    assert row[3] == "undecided, +0.00 [+0.00, +0.00] (-0.39)"


def test_a_reversed_ordering(results: Path, prepared: Path, references: dict[str, str]) -> None:
    write_run(results, 1, "EmpGAN", dict.fromkeys(references, "so"))
    write_run(results, 1, "EmpWD", references)
    tables = make_tables(results, prepared, resamples=100)
    verdict = {(o.higher, o.lower, o.metric): o.verdict for o in tables.comparisons.orderings}
    assert verdict["EmpGAN", "EmpWD", "rouge_1_f"] == "reversed"


def test_beyond_and_missing_facts(tables: Tables) -> None:
    page = tables_markdown(tables)
    gan = cells(page, "Beyond the paper", "EmpGAN")
    assert gan[1:] == ["40.00", "42.00", "41.50", "31.00", "70.00", "45.00"]  # of seed 1
    assert cells(page, "Beyond the paper", "EmpD")[1:] == ["-"] * 6
    rows = {row.system: row.figures for row in tables.beyond.rows}
    assert rows["HRED"]["repetition_rate"].mean == 100.0
    assert rows["HRED"]["generic_rate"].mean == 100.0
    assert rows["EmpG"]["entropy_2"].mean == pytest.approx(1.0986, abs=1e-4)  # ln 3
    assert rows["Human"]["length_ratio"].mean == 1.0
    assert f"- self-BLEU: `nrefs:{tables.n - 1}|" in page
    assert f"|version:{version('sacrebleu')}`" in page
    assert "the same corpus" in page


def test_costs(tables: Tables) -> None:
    page = tables_markdown(tables)
    section = page.split("## Costs")[1].split("\n## ")[0]
    assert "| EmpG | mle | 1,000 | 61 |" in section
    assert "| EmpGAN | mle | 1,001 ± 1 | 61 |" in section
    assert "| EmpGAN | adversarial | 200 | 3,600 |" in section
    assert "EmpD" not in section


def test_most_frequent_words(tables: Tables) -> None:
    row = cells(tables_markdown(tables), "Table 4", "EmpG")
    assert row[1] == "Tom, felt, **glad**"  # "but" is a function word
    assert row[2].startswith("I, think, **good**, would,")
    assert tables.table_4.rows["EmpG"][0].count == 8


def test_nobody_has_rated_until_somebody_has(
    results: Path, prepared: Path, references: dict[str, str]
) -> None:
    files = {
        name: results / "seed-1" / name / "greedy-recognised.jsonl" for name in ("HRED", "EmpGAN")
    }
    make_sheets(prepared, files, results / "human", SheetOptions(contexts=3, raters=2))
    page = tables_markdown(make_tables(results, prepared, resamples=40))
    assert "Nobody has rated yet" in page
    for sheet in ("rater-1.csv", "rater-2.csv"):
        fill(results / "human", sheet, lambda shown, _: "2" if shown["system"] == "HRED" else "1")
    page = tables_markdown(make_tables(results, prepared, resamples=40))
    assert "Nobody has rated" not in page
    hred = cells(page, "Table 2", "HRED")
    assert hred[1:5] == ["2.00 (1.23)", "0.00", "0.00 (0.27)", "6"]
    assert "Krippendorff's alpha: content 1.000; empathy 1.000." in page


def test_case_study(results: Path, prepared: Path) -> None:
    replies = {case.id: f"I | hear *{case.id}*" for case in CASES} | {"own-2": ""}
    write_predictions(results / "seed-1" / "EmpGAN" / "case-study.jsonl", replies)
    page = tables_markdown(make_tables(results, prepared, resamples=40))
    section = page.split("## Table 3")[1].split("\n## ")[0]
    assert "- T2: They turned me down . (sadness) - *turned, down*" in section
    assert r"| EmpGAN | I \| hear \*paper-1\* | I know . I think that's a really difficult . |" in (
        section
    )
    assert "| HRED | - | I 'm afraid . |" in section
    assert "| EmpGAN | *(empty)* |" in section  # said nothing, which is not "unknown"


def test_same_inputs_same_bytes_and_json(tables: Tables, stored: Path, prepared: Path) -> None:
    again = make_tables(stored, prepared, resamples=100)
    assert tables_markdown(again) == tables_markdown(tables)
    assert json.dumps(again.as_dict()) == json.dumps(tables.as_dict())
    assert json.loads(json.dumps(tables.as_dict()))["n"] == 8


def test_no_text_of_the_corpus_comes_out(tables: Tables, prepared: Path) -> None:
    """EmpGAN's replies are the references here, so a leak of either would show."""
    opened = PreparedData(prepared, Limits())
    out = tables_markdown(tables) + json.dumps(tables.as_dict(), ensure_ascii=False)
    texts = {text for dialogue in opened.split("test") for text in dialogue.texts}
    words = {" ".join(opened.featurizer.tokenizer.words(text)) for text in texts}
    assert len(texts) > 20
    assert [text for text in texts | words if text in out] == []


def test_one_seed_has_no_deviation(results: Path, prepared: Path) -> None:
    shutil.rmtree(results / "seed-2")
    page = tables_markdown(make_tables(results, prepared, resamples=40))
    assert "±" not in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test-99999#1": "so"}, "9 samples, 1 of them unknown and 0 missing; the 8"),
        (None, "7 samples, 0 of them unknown and 1 missing"),
    ],
)
def test_replies_to_other_samples_are_refused(
    results: Path,
    prepared: Path,
    references: dict[str, str],
    change: dict[str, str] | None,
    message: str,
) -> None:
    replies = dict(list(references.items())[1:]) if change is None else references | change
    write_run(results, 1, "EmpD", replies)
    with pytest.raises(DataError, match=message) as caught:
        make_tables(results, prepared, resamples=40)
    assert not any(text in str(caught.value) for text in references.values())


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"seed": 2}, "is of EmpD, seed 2; EmpD, seed 1 wanted"),
        ({"system": "EmpG"}, "is of EmpG, seed 1; EmpD, seed 1 wanted"),
        ({"steps": {"mle": "many"}}, "cannot be read"),
    ],
)
def test_facts_of_another_run_are_refused(
    results: Path,
    prepared: Path,
    references: dict[str, str],
    facts: dict[str, Any],
    message: str,
) -> None:
    write_run(results, 1, "EmpD", references, facts)
    with pytest.raises(DataError, match=message):
        make_tables(results, prepared, resamples=40)


def test_a_folder_without_replies_is_refused(tmp_path: Path, prepared: Path) -> None:
    (tmp_path / "seed-1" / "EmpG").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds 1 runs, none with greedy-recognised\.jsonl"):
        make_tables(tmp_path, prepared)
