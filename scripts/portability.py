"""Replays a bundle's goldens in other readers of ONNX, each in an environment of its own.

`scripts/portability` writes docs/portability.md from it. The half that computes, `replayed`, knows
nothing of this project but the files of a bundle, as whoever takes them elsewhere would: it needs
NumPy and the reader.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

Graph = Callable[[dict[str, Any]], Sequence[Any]]
GRAPHS = ("turn_encoder", "context_encoder", "decoder_step")
PRECISIONS = ("fp32", "int8", "fp16")
NUM_CANDIDATES, STRUCK = 8, -5000.0
SENTENCE = 160  # characters of an error that a cell shows


def onnxruntime_graph(path: Path) -> Graph:
    """Return a graph in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    known = {value.name for value in session.get_inputs()}
    return lambda feeds: session.run(None, {n: v for n, v in feeds.items() if n in known})


def openvino_graph(path: Path, **settings: str) -> Graph:
    """Return a graph in OpenVINO."""
    import openvino

    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    outputs = list(compiled.outputs)
    return lambda feeds: [compiled(feeds)[output] for output in outputs]


def openvino_float32_graph(path: Path) -> Graph:
    """Return a graph in OpenVINO, told to compute in float32."""
    return openvino_graph(path, INFERENCE_PRECISION_HINT="f32")


def reference_graph(path: Path) -> Graph:
    """Return a graph in onnx's reference."""
    from onnx.reference import ReferenceEvaluator

    graph = ReferenceEvaluator(str(path))
    return lambda feeds: graph.run(None, feeds)


def simplified_graph(path: Path) -> Graph:
    """Return what onnxsim makes of a graph, in ONNX Runtime."""
    import onnx
    import onnxsim

    model, _ = onnxsim.simplify(onnx.load(path))
    return _written(model, path)


def slimmed_graph(path: Path) -> Graph:
    """Return what onnxslim makes of a graph, in ONNX Runtime."""
    import onnx
    import onnxslim

    return _written(onnxslim.slim(onnx.load(path)), path)


def _written(model: Any, path: Path) -> Graph:
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / path.name
        onnx.save(model, target)
        return onnxruntime_graph(target)


def tract_graph(path: Path) -> Graph:
    """Return a graph in tract."""
    import tract

    model = tract.onnx().load(str(path))
    names = [model.input_name(i) for i in range(model.input_count())]
    runnable = model.into_model().into_runnable()
    return lambda feeds: [t.to_numpy() for t in runnable.run([feeds[name] for name in names])]


def tinygrad_graph(path: Path) -> Graph:
    """Return a graph in tinygrad, whose file must hold its weights."""
    import onnx
    from tinygrad.nn.onnx import OnnxRunner

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / path.name
        onnx.save(onnx.load(path), target)
        graph = OnnxRunner(target)
    return lambda feeds: [tensor.numpy() for tensor in graph(feeds).values()]


@dataclass(frozen=True)
class Reader:
    """A library that reads ONNX.

    Attributes:
        packages: what is installed for it, with versions.
        module: what is imported.
        graph: opens a file.
        needs: what whoever uses it must know.
    """

    packages: tuple[str, ...]
    module: str
    graph: Callable[[Path], Graph]
    needs: str


RUNTIME, ONNX = "onnxruntime==1.32.0", "onnx==1.23.2"
READERS = {
    "ONNX Runtime": Reader(
        (RUNTIME,), "onnxruntime", onnxruntime_graph, "`weights.safetensors` beside the graphs"
    ),
    "OpenVINO, told float32": Reader(
        ("openvino==2026.4.1",),
        "openvino",
        openvino_float32_graph,
        '`INFERENCE_PRECISION_HINT` set to "f32"; weights beside the graphs',
    ),
    "OpenVINO as it comes": Reader(
        ("openvino==2026.4.1",),
        "openvino",
        openvino_graph,
        "weights beside the graphs; it takes bfloat16 where the processor has it",
    ),
    "onnx.reference": Reader(
        (ONNX,), "onnx.reference", reference_graph, "patience; weights beside the graphs"
    ),
    "onnxsim, then ONNX Runtime": Reader(
        ("onnxsim==0.8.1", ONNX, RUNTIME), "onnxsim", simplified_graph, "weights loaded into it"
    ),
    "onnxslim, then ONNX Runtime": Reader(
        ("onnxslim==0.1.98", ONNX, RUNTIME), "onnxslim", slimmed_graph, "weights loaded into it"
    ),
    "tract": Reader(("tract==0.23.9",), "tract", tract_graph, "weights beside the graphs"),
    "tinygrad": Reader(
        ("tinygrad==0.14.0", ONNX),
        "tinygrad",
        tinygrad_graph,
        "weights inside the files; a device of its own",
    ),
}


def replayed(reader: Reader, bundle: Path, precision: str) -> str:
    """Return a cell of the table: how the goldens of one precision fare in a reader.

    "equal" means that every candidate of every step is the one that PyTorch recorded.
    """
    variant = json.loads((bundle / "manifest.json").read_bytes())["variants"][precision]
    try:
        graphs = {which: reader.graph(bundle / variant[which]) for which in GRAPHS}
        with np.load(bundle / variant["goldens"]) as arrays:
            cases = [_case(arrays, i) for i in range(len(arrays.files) // 7)]
        differing = sum(_differing(graphs, case) for case in cases)
    except Exception as error:  # each reader has errors of its own
        return f"refuses: {_sentence(error)}"
    total = sum(case["candidate_ids"].size for case in cases)
    return "equal" if not differing else f"{differing} of {total:,} ids differ"


def _case(arrays: Any, index: int) -> dict[str, Any]:
    names = (name for name in arrays.files if name.startswith(f"{index}."))
    return {name.partition(".")[2]: arrays[name] for name in names}


def _differing(graphs: dict[str, Graph], case: dict[str, Any]) -> int:
    """Return how many candidates of one golden are not those recorded; struck ones are left out."""
    rows, turns, _ = case["utterances"].shape
    words = {n: case[n].reshape(rows * turns, -1) for n in ("utterances", "emotion_words")}
    (vectors,) = graphs["turn_encoder"](words)
    values, keys, mask, first, _ = graphs["context_encoder"](
        {
            "turn_vectors": np.asarray(vectors).reshape(rows, turns, -1),
            "utterances": case["utterances"],
            "emotion_labels": case["emotion_labels"],
        }
    )
    memory = {"values": values, "keys": keys, "mask": mask}
    steps, _, beams = case["token_ids"].shape
    hidden = np.repeat(np.asarray(first)[:, None], beams, axis=1)
    differing = 0
    for step in range(steps):
        hidden, ids, _ = graphs["decoder_step"](
            {
                "token_ids": case["token_ids"][step],
                "parents": case["parents"][step],
                "hidden": hidden,
                **memory,
                "banned": np.zeros((rows, beams, 1), np.int32),
                "num_candidates": np.array([NUM_CANDIDATES]),
            }
        )
        live = case["log_probs"][step] > STRUCK
        differing += int(((np.asarray(ids) != case["candidate_ids"][step]) & live).sum())
    return differing


def _sentence(error: Exception) -> str:
    """Return the first words of an error, without paths and control characters."""
    text = re.sub(r"\x1b\[[0-9;]*m|\S*/\S+/\S*", "", f"{type(error).__name__}: {error}")
    text = (
        " ".join(text.partition("Stack backtrace")[0].split()).replace("|", "/").replace("`", "'")
    )
    return f"`{text[:SENTENCE].rstrip()}`"


def installed(reader: Reader) -> bool:
    """Return whether this interpreter has the packages of a reader, in the versions wanted."""
    try:
        return all(metadata.version(n) == v for n, v in (p.split("==") for p in reader.packages))
    except metadata.PackageNotFoundError:
        return False


def in_an_environment(name: str, bundle: Path, folder: Path) -> list[str]:
    """Return the cells of a reader that is installed into a new environment in `folder`."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    wanted = ["numpy", *READERS[name].packages]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    command = [python, __file__, "--bundle", bundle, "--cells", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return list(json.loads(done.stdout.splitlines()[-1]))


def page(cells: dict[str, list[str]], bundle_id: str) -> str:
    """Return docs/portability.md."""
    rows = []
    for name, row in cells.items():
        reader = READERS[name]
        rows.append(
            " | ".join([f"| {name}", ", ".join(reader.packages), reader.needs, *row]) + " |"
        )
    return "\n".join([_BEFORE.format(bundle_id=bundle_id), *rows, _AFTER])


_BEFORE = """\
# Our graphs in other readers

A bundle's graphs are plain ONNX of opset 18 over `weights.safetensors`: no operators but the
standard's, every constant a tensor. `scripts/portability` installs each reader below into an
environment of its own, runs the three graphs of `tiny` there (bundle `{bundle_id}`) on the recorded
inputs, forced tokens and parents, and counts the candidates that are not those that PyTorch
recorded. It writes this page; [the bundle format](bundle-format.md#graphs) says what goes in and
what comes out.

| reader | versions | needs | fp32 | int8 | fp16 |
|---|---|---|---|---|---|"""
_AFTER = """
"Equal" is said of all ids; probabilities differ in their last digits from reader to reader. In fp16
candidates change places where two are as near as float16's rounding, in ONNX Runtime too; the
manifest's `parity` counts these ties. A refusal is cut off after its first words.
"""


def main() -> None:
    """Write the page, or print the cells of one reader."""
    root = Path(__file__).parents[1]
    parser = argparse.ArgumentParser(description=__doc__)
    tiny = root / "empgan_rt" / "assets" / "tiny"
    parser.add_argument("--bundle", type=Path, default=tiny, help="its folder; tiny if not given")
    out = root / "docs" / "portability.md"
    parser.add_argument(
        "--out", type=Path, default=out, help="the page; docs/portability.md if not"
    )
    parser.add_argument("--here", action="store_true", help="what this interpreter has, it runs")
    parser.add_argument("--cells", choices=READERS, help=argparse.SUPPRESS)
    options = parser.parse_args()

    try:
        bundle_id = json.loads((options.bundle / "manifest.json").read_bytes())["bundle_id"]
    except (OSError, ValueError, KeyError) as error:
        parser.error(f"--bundle {options.bundle} is no bundle: {error}")
    if not options.out.parent.is_dir():
        parser.error(f"--out {options.out}: there is no folder {options.out.parent}")

    def here(name: str) -> list[str]:
        return [replayed(READERS[name], options.bundle, precision) for precision in PRECISIONS]

    if options.cells:
        print(json.dumps(here(options.cells)))
        return
    cells = {}
    for name, reader in READERS.items():
        print(name, file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            alone = not (options.here and installed(reader))
            cells[name] = (
                in_an_environment(name, options.bundle, Path(folder)) if alone else here(name)
            )
    options.out.write_text(page(cells, bundle_id), "utf-8")


if __name__ == "__main__":
    main()
