"""Whatever a file holds, who reads it meets errors of our own tree, or reads it.

Damage is drawn from a fixed seed. Plain runs take the first few hundred draws; slow ones thousands.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import logging
import random
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from safetensors.torch import save_file

from empgan_export.contexts import read_contexts
from empgan_export.model_card import model_card
from empgan_rt.config import Limits
from empgan_training.checkpoint import Checkpoint
from empgan_training.config import AdversarialConfig, StageConfig, load_recipe
from empgan_training.data.batch import collate
from empgan_training.data.corpora.corpus import SPLITS
from empgan_training.data.corpora.reading import read_corpus
from empgan_training.data.lexicon_sources import lexicon_terms
from empgan_training.data.prepared import PreparedData, all_samples
from empgan_training.digest import file_digest
from empgan_training.human.scores import score_sheets
from empgan_training.human.sheet import SheetOptions, make_sheets
from empgan_training.reproduction.ledger import Ledger, Step
from empgan_training.run.run_log import truncate_metrics
from empgan_training.run.trainer import Trainer
from empgan_training.scoring.files import score_stored
from empgan_training.tables.costs import make_costs
from empgan_training.tables.results import read_runs
from empgan_training.tables.run_files import PACKED_SUFFIX
from support.damage import (
    ODD_TOML,
    damaged_bytes,
    damaged_json,
    damaged_lines,
    damaged_tensors,
    damaged_toml,
    outcome,
)
from support.human_sheets import fill, write_predictions
from support.runs import recipe
from support.small_data import own_corpus, prepare_own, small_checkpoint
from support.stored_results import table_references, write_run

Door = Callable[[random.Random, Path], object]


@dataclass(frozen=True)
class Ground:
    """What is damaged, made once.

    Attributes:
        folder: holds `prepared`, of our own dialogues.
        checkpoint: a small one; `run`: the folder of a run of EmpGAN that ended.
        texts: a recipe's text, and other files by name.
    """

    folder: Path
    checkpoint: Checkpoint
    run: Path
    last: Checkpoint
    trainer: Trainer
    results: Path
    sheets: Path
    ids: list[str]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("ground")
    prepared = prepare_own(folder, 60)
    short = StageConfig(batch_samples=28, max_epochs=1)
    against = AdversarialConfig(
        batch_samples=14,
        critic_pretrain=0,
        critic_steps=1,
        steps=1,
        validation_samples=2,
        max_drift=9.0,
    )
    config = recipe(
        folder, folder / "run", system="EmpGAN", recogniser=short, mle=short, adversarial=against
    )
    Trainer(config).run()
    references = table_references(prepared)
    facts = {
        "perplexity": {"gold": 30.0, "recognised": 31.0},
        "steps": {"mle": 9},
        "seconds": {"mle": 3.0},
    }
    for seed in (1, 2):
        write_run(folder / "results", seed, "EmpG", references, facts)
    predictions = write_predictions(prepared, folder / "replies", {"A": "i see .", "B": "oh no ."})
    make_sheets(prepared, predictions, folder / "sheets", SheetOptions(4, 2))
    for name in ("rater-1.csv", "rater-2.csv"):
        fill(folder / "sheets", name, lambda shown, criterion: "1")
    return Ground(
        folder,
        Checkpoint.load(small_checkpoint(folder)),
        folder / "run",
        Checkpoint.load(folder / "run" / "last.safetensors"),
        Trainer(config, resume=True),
        folder / "results",
        folder / "sheets",
        list(references),
    )


def sealed(
    path: Path, checkpoint: Checkpoint, texts: Mapping[str, str] = {}, **parts: dict
) -> Path:
    """Write a checkpoint whose header and tensors are what they are told to be, with its digest."""
    tensors = {
        f"{part}.{name}": tensor
        for part, found in (
            {"model": checkpoint.model, "trainer": checkpoint.trainer} | parts
        ).items()
        for name, tensor in found.items()
    }
    header = {
        "format": "empgan-checkpoint-1",
        "config": json.dumps(msgspec.to_builtins(checkpoint.config)),
        "info": json.dumps(dict(checkpoint.info)),
        **checkpoint.texts,
        **texts,
    }
    save_file(tensors, path, metadata=header | {"sha256": file_digest(header, tensors)})
    return path


def damaged_checkpoint(draw: random.Random, path: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint that is damaged in its facts, sizes, texts, tensors or bytes."""
    action = draw.choice(("info",) * 4 + ("config",) * 2 + ("tensor",) * 3 + ("lexicon", "bytes"))
    if action == "info":
        return sealed(
            path, checkpoint, {"info": damaged_json(draw, json.dumps(dict(checkpoint.info)))}
        )
    if action == "config":
        config = json.dumps(msgspec.to_builtins(checkpoint.config))
        return sealed(path, checkpoint, {"config": damaged_json(draw, config)})
    if action == "tensor":
        part = draw.choice([p for p in ("model", "trainer") if getattr(checkpoint, p)])
        return sealed(path, checkpoint, **{part: damaged_tensors(draw, getattr(checkpoint, part))})
    if action == "lexicon":
        name = draw.choice(("emotion_lexicon.tsv", "emotion_vocabulary.txt"))
        text = damaged_bytes(draw, checkpoint.texts[name].encode()).decode("utf-8", "replace")
        return sealed(path, checkpoint, {name: text})
    data = sealed(path, checkpoint).read_bytes()
    size = 8 + int.from_bytes(data[:8], "little")
    header = damaged_bytes(draw, data[:size]) if draw.random() < 0.5 else data[:size]
    path.write_bytes(header + data[size:] if header != data[:size] else damaged_bytes(draw, data))
    return path


def checkpoints(ground: Ground) -> Door:
    def door(draw: random.Random, folder: Path) -> None:
        checkpoint = Checkpoint.load(
            damaged_checkpoint(draw, folder / "a.safetensors", ground.checkpoint)
        )
        checkpoint.generator()
        checkpoint.featurizer(Limits())
        checkpoint.weights_sha256()
        model_card(checkpoint)

    return door


def resumed(ground: Ground) -> Door:
    def door(draw: random.Random, folder: Path) -> None:
        path = damaged_checkpoint(draw, folder / "last.safetensors", ground.last)
        ground.trainer._restore(Checkpoint.load(path))

    return door


def prepared(ground: Ground) -> Door:
    """A folder sealed again: its report names the hashes of what it holds."""
    source = ground.folder / "prepared"
    files = {path.name: path.read_bytes() for path in source.iterdir()}

    def door(draw: random.Random, folder: Path) -> None:
        changed = dict(files)
        names = [name for name in sorted(files) if name != "tokenizer.json"]
        name = draw.choice((*names, "train.jsonl", "test_samples.jsonl"))
        report = json.loads(files["report.json"])
        if name == "report.json":
            changed[name] = damaged_json(draw, files[name].decode()).encode("utf-8", "replace")
        else:
            damage = damaged_lines if name.endswith(".jsonl") else damaged_bytes
            changed[name] = damage(draw, files[name])
            report["sha256"][name] = hashlib.sha256(changed[name]).hexdigest()
            changed["report.json"] = json.dumps(report).encode()
        for name, data in changed.items():
            (folder / name).write_bytes(data)
        data = PreparedData(folder, Limits())
        read = {name: data.split(name) for name in SPLITS}
        data.table_samples(read["test"])
        assert all(all_samples(dialogues) for dialogues in read.values())
        collate(read["train"][:8], 20)

    return door


def recipes(ground: Ground) -> Door:
    text = (Path(load_recipe.__code__.co_filename).parent / "recipes" / "paper.toml").read_text(
        "utf-8"
    )

    def door(draw: random.Random, folder: Path) -> None:
        file = folder / "recipe.toml"
        file.write_text(damaged_toml(draw, text), "utf-8", "surrogateescape")
        overrides = []
        if draw.random() < 0.3:
            key = draw.choice(
                ("seed", "out", "mle.patience", "mle", "", "a.b.c", "model.dropout", "mle..x")
            )
            overrides = [f"{key}={draw.choice(ODD_TOML)}"]
        config = load_recipe(file, overrides)
        again = msgspec.json.decode(msgspec.json.encode(config), type=type(config))
        assert again == config
        (folder / "made" / config.out).parent.mkdir(parents=True, exist_ok=True)

    return door


def corpora(ground: Ground) -> Door:
    rows = (own_corpus(ground.folder / "corpus", 30) / "train.jsonl").read_bytes()
    parsed = [json.loads(line) for line in rows.splitlines()]
    texts = "".join(" __eou__ ".join([*row["dialogue"], "\n"]) for row in parsed).encode()
    labels = "".join(" ".join(map(str, row["emotion"])) + "\n" for row in parsed).encode()

    def door(draw: random.Random, folder: Path) -> None:
        form = draw.choice(("jsonl", "gz", "zip", "official"))
        if form == "jsonl":
            (folder / "train.jsonl").write_bytes(damaged_lines(draw, rows))
        elif form == "gz":
            data = gzip.compress(damaged_lines(draw, rows), 1)
            (folder / "train.jsonl.gz").write_bytes(damaged_bytes(draw, data))
        elif form == "zip":
            file = io.BytesIO()
            method = draw.choice((0, 8, 12, 14))
            with zipfile.ZipFile(file, "w", method) as archive:
                archive.writestr("dialogues_train.txt", texts)
                archive.writestr("dialogues_emotion_train.txt", labels)
            (folder / "train.zip").write_bytes(damaged_bytes(draw, file.getvalue()))
        else:
            (folder / "dialogues_text.txt").write_bytes(damaged_bytes(draw, texts))
            (folder / "dialogues_emotion.txt").write_bytes(damaged_bytes(draw, labels))
        read_corpus(folder)

    return door


def results(ground: Ground) -> Door:
    def door(draw: random.Random, folder: Path) -> None:
        shutil.copytree(ground.results, folder / "results")
        run = folder / "results" / f"seed-{draw.choice('12')}" / "EmpG"
        path = run / draw.choice(("facts.json", "costs.json", "greedy-recognised.jsonl"))
        data = path.read_bytes()
        if path.suffix == ".json" and draw.random() < 0.8:
            path.write_text(damaged_json(draw, data.decode()), "utf-8", "replace")
        else:
            path.write_bytes(
                damaged_lines(draw, data) if b"\n" in data else damaged_bytes(draw, data)
            )
        make_costs(read_runs(folder / "results", ground.ids))

    return door


def packed(ground: Ground) -> Door:
    """A packed run: its texts, its JSON, its gzip or its base64 damaged."""
    texts = {p.name: p.read_text("utf-8") for p in (ground.results / "seed-1" / "EmpG").iterdir()}
    whole = json.dumps(texts)

    def door(draw: random.Random, folder: Path) -> None:
        layer = draw.choice(("texts", "json", "gzip", "base64"))

        def met(name: str, data: bytes) -> bytes:
            return damaged_bytes(draw, data) if name == layer else data

        text = damaged_json(draw, whole) if layer == "texts" else whole
        zipped = met("gzip", gzip.compress(met("json", text.encode("utf-8", "replace"))))
        (folder / "seed-1").mkdir()
        (folder / "seed-1" / f"EmpG{PACKED_SUFFIX}").write_bytes(
            met("base64", base64.b64encode(zipped))
        )
        make_costs(read_runs(folder, ground.ids))

    return door


def sheets(ground: Ground) -> Door:
    """A key sealed again: its row ids follow from its draw."""

    def door(draw: random.Random, folder: Path) -> None:
        shutil.copytree(ground.sheets, folder / "sheets")
        path = folder / "sheets" / draw.choice(("key.json", "key.json", "rater-1.csv"))
        data = path.read_bytes()
        if path.name == "key.json":
            key = json.loads(data)
            try:
                key["draw"] = json.loads(damaged_json(draw, json.dumps(key["draw"])))
                from empgan_training.human.key import Draw

                ids = msgspec.convert(key["draw"], Draw).row_ids()
                key["rows"] = dict(zip(ids, key["draw"]["replies"], strict=True))
            except (ValueError, RecursionError):
                pass
            path.write_text(json.dumps(key), "utf-8", "replace")
        else:
            path.write_bytes(damaged_bytes(draw, data))
        score_sheets(folder / "sheets")

    return door


def small_files(ground: Ground) -> Door:
    """Contexts of an export, texts to score, lexicons, metrics and markers."""
    rows = own_corpus(ground.folder / "corpus", 30).joinpath("train.jsonl").read_bytes()
    metrics = (ground.run / "metrics.jsonl").read_bytes()
    lexicon = "".join(f"{word}\tjoy\t1\n" for word in ("glad", "merry", "calm")).encode()
    marker = b'{"inputs": {"a": 1}, "outputs": {"out": "x"}}'

    def door(draw: random.Random, folder: Path) -> None:
        kind = draw.choice(("contexts", "texts", "lexicon", "metrics", "marker"))
        if kind == "contexts":
            (folder / "a.jsonl").write_bytes(damaged_lines(draw, rows))
            read_contexts(folder / "a.jsonl", 9)
        elif kind == "texts":
            (folder / "a.txt").write_bytes(damaged_bytes(draw, b"i see .\noh no .\n"))
            (folder / "b.txt").write_bytes(b"i see .\noh no .\n")
            score_stored(folder / "a.txt", folder / "b.txt", None)
        elif kind == "lexicon":
            (folder / "a.tsv").write_bytes(damaged_bytes(draw, lexicon))
            lexicon_terms(str(folder / "a.tsv"))
        elif kind == "metrics":
            (folder / "metrics.jsonl").write_bytes(damaged_lines(draw, metrics))
            truncate_metrics(folder, dict.fromkeys(("recogniser", "mle", "adversarial"), (5, 1)))
        else:
            (folder / "steps").mkdir()
            (folder / "steps" / "a.json").write_bytes(damaged_bytes(draw, marker))
            (folder / "out").write_bytes(b"x")
            step = Step("a", {"a": 1}, [folder / "out"], lambda anew: None, lambda path: "x")
            Ledger(folder).perform(step)

    return door


KINDS = (checkpoints, resumed, prepared, recipes, corpora, results, packed, sheets, small_files)


@pytest.fixture(autouse=True)
def _silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "empgan_training")


def faults(
    kind: Callable[[Ground], Door], ground: Ground, folder: Path, draws: range
) -> Counter[str]:
    """Return how often each outcome came."""
    door, found = kind(ground), Counter[str]()
    for number in draws:
        place = folder / str(number)
        place.mkdir()
        draw = random.Random(f"{kind.__name__} {number}")
        found[outcome(lambda draw=draw, place=place: door(draw, place))] += 1
        shutil.rmtree(place)
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_damaged_files_meet_our_own_errors(
    kind: Callable[[Ground], Door], ground: Ground, tmp_path: Path
) -> None:
    found = faults(kind, ground, tmp_path, range(40))
    assert [what for what in found if what.startswith("FOREIGN")] == []
    assert sum(found.values()) - found["read"] > 5  # the damage is felt


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_thousands_of_damaged_files_meet_our_own_errors(
    kind: Callable[[Ground], Door], ground: Ground, tmp_path: Path
) -> None:
    found = faults(kind, ground, tmp_path, range(40, 440))
    print(f"{kind.__name__}: {dict(found)}")
    assert [what for what in found if what.startswith("FOREIGN")] == []
