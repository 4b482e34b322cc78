"""A hand-made bundle: toy graphs with the real signatures, and the same maths in NumPy.

The maths is arbitrary but has every part that a backend must get right: shared fp16 weights as
external data, masked memory, parents, banned ids and a top-k of any size.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import onnx
import safetensors.numpy
from onnx import TensorProto, helper

from empgan_rt.bundle.manifest import ManifestFields, Variant
from empgan_rt.config import GeneratorConfig, Limits, SearchConfig
from empgan_rt.graph_spec import (
    NUM_LABELS,
    PAD,
    SPECIALS,
    STRUCK,
    EncoderInput,
    GraphSpec,
    TensorSpec,
    graph_specs,
)
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.tokenizer import Tokenizer

Weights = Mapping[str, np.ndarray]

MODEL = GeneratorConfig(
    vocabulary_size=23, emotion_vocabulary_size=11, embedding_size=6, hidden_size=8
)
VARIANT = Variant(
    "turn_encoder.fp32.onnx",
    "context_encoder.fp32.onnx",
    "decoder_step.fp32.onnx",
    "goldens.fp32.npz",
    1e-4,
)
WORDS = ["I", "you", "am", "'m", "is", "not", "happy", "sad", "great", "that", "the", "day"]
WORDS += ["what", "a", "we", ".", "?", "!", ","]
EMOTION_WORDS = ["happy", "sad", "great", "joy", "fear", "angry", "love"]
_ONNX_TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
}


def toy_weights(model: GeneratorConfig = MODEL, seed: int = 0) -> dict[str, np.ndarray]:
    """Return random fp16 weights of the toy for these sizes."""
    draw = np.random.default_rng(seed).standard_normal
    h, e, v = model.hidden_size, model.embedding_size, model.vocabulary_size
    shapes = {
        "embedding": (v, e),
        "emotion_embedding": (model.emotion_vocabulary_size, h),
        "label_embedding": (9, h),
        "turn": (e, h),
        "heard": (e, model.recogniser_size),
        "value": (h, h),
        "key": (h, h),
        "recogniser": (model.recogniser_size, NUM_LABELS),
        "input": (e, h),
        "recurrent": (h, h),
        "output": (h, v),
    }
    weights = {name: (draw(shape) / 2).astype(np.float16) for name, shape in shapes.items()}
    for name in ("embedding", "emotion_embedding"):
        weights[name][PAD] = 0  # so that padding a turn changes nothing
    return weights


def numpy_encode(weights: Weights, inputs: EncoderInput) -> dict[str, np.ndarray]:
    """Return the encoders' outputs by name, computed in float64."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    words = w["embedding"][inputs.utterances].sum(axis=2)  # (B, M, E)
    turns = words @ w["turn"] + w["emotion_embedding"][inputs.emotion_words].sum(axis=2)
    turns = np.tanh(turns + w["label_embedding"][inputs.emotion_labels])
    real = (inputs.emotion_labels != 0)[..., None]
    return {
        "values": turns @ w["value"],
        "keys": turns @ w["key"],
        "mask": np.where(real[..., 0], 0.0, STRUCK),
        "hidden": np.tanh((turns * real).sum(axis=1)),
        "label_probs": _softmax(words @ w["heard"] @ w["recogniser"]),
    }


def numpy_step(
    weights: Weights,
    memory: Mapping[str, np.ndarray],
    hidden: np.ndarray,
    token_ids: np.ndarray,
    parents: np.ndarray,
    banned: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the next hidden (B, K, H) and log-probabilities (B, K, V), banned ids at STRUCK."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    hidden = np.take_along_axis(hidden, parents[..., None].astype(np.int64), axis=1)
    scores = hidden @ memory["keys"].swapaxes(1, 2) + memory["mask"][:, None]  # (B, K, M)
    attended = _softmax(scores) @ memory["values"]
    hidden = np.tanh(w["embedding"][token_ids] @ w["input"] + hidden @ w["recurrent"] + attended)
    log_probs = np.log(_softmax(hidden @ w["output"]))
    np.put_along_axis(log_probs, banned.astype(np.int64), STRUCK, axis=2)
    log_probs[..., PAD] = STRUCK
    return hidden, log_probs


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


class _Graph:
    """Collects nodes; every weight is read from the safetensors file as fp16 and cast."""

    def __init__(self, weights_file: bytes) -> None:
        self._file = weights_file
        self._size = int.from_bytes(weights_file[:8], "little")
        self._header = json.loads(weights_file[8 : 8 + self._size])
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, *inputs: str, out: str = "", **attributes: object) -> str:
        out = out or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def weight(self, name: str) -> str:
        if name not in self._initializers:
            entry = self._header[name]
            first, last = entry["data_offsets"]
            tensor = TensorProto(
                name=name,
                data_type=_ONNX_TYPES["float16"],
                dims=entry["shape"],
                data_location=TensorProto.EXTERNAL,
            )
            place = {
                "location": "weights.safetensors",
                "offset": 8 + self._size + first,
                "length": last - first,
            }
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
            self._initializers[name] = tensor
            self.op("Cast", name, out=f"{name}_fp32", to=TensorProto.FLOAT)
        return f"{name}_fp32"

    def constant(self, value: object, dtype: str = "int64") -> str:
        name = f"constant_{len(self._initializers)}"
        array = np.asarray(value, dtype)
        self._initializers[name] = onnx.numpy_helper.from_array(array, name)
        return name

    def finish(self, spec: GraphSpec) -> bytes:
        graph = helper.make_graph(
            self._nodes,
            spec.name,
            [_value_info(tensor) for tensor in spec.inputs],
            [_value_info(tensor) for tensor in spec.outputs],
            list(self._initializers.values()),
        )
        opset = [helper.make_opsetid("", 20)]
        return helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()


def _value_info(tensor: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, _ONNX_TYPES[tensor.dtype], tensor.axes)


def turn_encoder_graph(weights_file: bytes, model: GeneratorConfig) -> bytes:
    """Return the ONNX bytes of the first half of `numpy_encode`."""
    g = _Graph(weights_file)
    last = g.constant([1])
    words = g.op("Gather", g.weight("embedding"), "utterances")
    words = g.op("ReduceSum", words, last, keepdims=0)
    feelings = g.op("Gather", g.weight("emotion_embedding"), "emotion_words")
    g.op(
        "Concat",
        g.op("MatMul", words, g.weight("turn")),
        g.op("ReduceSum", feelings, last, keepdims=0),
        g.op("MatMul", words, g.weight("heard")),
        axis=1,
        out="turn_vectors",
    )
    return g.finish(graph_specs(model)["turn_encoder"])


def context_encoder_graph(weights_file: bytes, model: GeneratorConfig) -> bytes:
    """Return the ONNX bytes of the second half of `numpy_encode`."""
    g = _Graph(weights_file)
    last = g.constant([2])
    names = ["words", "feelings", "heard_words"]
    sizes = g.constant(model.turn_sizes)
    g._nodes.append(helper.make_node("Split", ["turn_vectors", sizes], names, axis=2))
    labels = g.op("Gather", g.weight("label_embedding"), "emotion_labels")
    turns = g.op("Tanh", g.op("Add", g.op("Add", "words", "feelings"), labels))
    g.op("MatMul", turns, g.weight("value"), out="values")
    g.op("MatMul", turns, g.weight("key"), out="keys")
    padding = g.op("Equal", "emotion_labels", g.constant(0, "int32"))
    zero, struck = g.constant(0, "float32"), g.constant(STRUCK, "float32")
    g.op("Where", padding, struck, zero, out="mask")
    real = g.op("Where", g.op("Unsqueeze", padding, last), zero, turns)
    g.op("Tanh", g.op("ReduceSum", real, g.constant([1]), keepdims=0), out="hidden")
    heard = g.op("MatMul", "heard_words", g.weight("recogniser"))
    g.op("Softmax", heard, axis=-1, out="label_probs")
    return g.finish(graph_specs(model)["context_encoder"])


def decoder_step_graph(weights_file: bytes, model: GeneratorConfig) -> bytes:
    """Return the ONNX bytes of `numpy_step`, with the best candidates picked."""
    g = _Graph(weights_file)
    parents = g.op("Unsqueeze", "parents", g.constant([2]))
    parents = g.op("Expand", parents, g.op("Shape", "hidden"))
    hidden = g.op("GatherElements", "hidden", parents, axis=1)
    scores = g.op("MatMul", hidden, g.op("Transpose", "keys", perm=[0, 2, 1]))
    scores = g.op("Add", scores, g.op("Unsqueeze", "mask", g.constant([1])))
    attended = g.op("MatMul", g.op("Softmax", scores, axis=-1), "values")
    words = g.op("Gather", g.weight("embedding"), "token_ids")
    total = g.op("MatMul", words, g.weight("input"))
    total = g.op("Add", total, g.op("MatMul", hidden, g.weight("recurrent")))
    g.op("Tanh", g.op("Add", total, attended), out="next_hidden")
    logits = g.op("MatMul", "next_hidden", g.weight("output"))
    log_probs = g.op("LogSoftmax", logits, axis=-1)
    pads = g.constant([0, 0, 0, 0, 0, 1])  # one more banned id per beam: PAD
    banned = g.op("Pad", "banned", pads, g.constant(PAD, "int32"))
    struck = g.op("Expand", g.constant(STRUCK, "float32"), g.op("Shape", banned))
    log_probs = g.op("ScatterElements", log_probs, banned, struck, axis=2)
    g._nodes.append(
        helper.make_node("TopK", [log_probs, "num_candidates"], ["candidate_log_probs", "ids"])
    )
    g.op("Cast", "ids", out="candidate_ids", to=TensorProto.INT32)
    return g.finish(graph_specs(model)["decoder_step"])


def text_files(model: GeneratorConfig) -> dict[str, bytes]:
    """Return tokenizer and emotion words with exactly the entries that the model has."""
    words = [*WORDS, *(f"word{i}" for i in range(model.vocabulary_size))]
    feelings = [*EMOTION_WORDS, *(f"feeling{i}" for i in range(model.emotion_vocabulary_size))]
    feelings = feelings[: model.emotion_vocabulary_size - len(SPECIALS)]
    tokenizer = Tokenizer.from_words(words[: model.vocabulary_size - len(SPECIALS)])
    lexicon, vocabulary = EmotionLexicon(dict.fromkeys(feelings, "own"), feelings).to_files()
    return {
        "tokenizer.json": tokenizer.to_json(),
        "emotion_vocabulary.txt": vocabulary,
        "emotion_lexicon.tsv": lexicon,
    }


def write_staging(
    folder: Path,
    model: GeneratorConfig = MODEL,
    weights: Weights | None = None,
    goldens: bytes | None = None,
) -> ManifestFields:
    """Fill a new folder with everything but the manifest; return what the manifest needs."""
    weights = toy_weights(model) if weights is None else weights
    file = safetensors.numpy.save(dict(weights))
    folder.mkdir()
    (folder / "LICENSES").mkdir()
    placeholder = io.BytesIO()
    np.savez(placeholder, placeholder=np.zeros(1))
    contents = {
        "weights.safetensors": file,
        "turn_encoder.fp32.onnx": turn_encoder_graph(file, model),
        "context_encoder.fp32.onnx": context_encoder_graph(file, model),
        "decoder_step.fp32.onnx": decoder_step_graph(file, model),
        "generation.json": msgspec.json.encode(SearchConfig(beam_size=2)),
        **text_files(model),
        "goldens.fp32.npz": goldens or placeholder.getvalue(),
        "MODEL_CARD.md": b"# A toy\n",
        "LICENSES/CC0-1.0.txt": b"Do what you like.\n",
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return ManifestFields(
        model=model,
        limits=Limits(),
        variants={"fp32": VARIANT},
        parity={"max_abs": 1e-6},
        provenance={"seed": 0, "data": "none"},
        licence="CC0-1.0",
    )


def make_toy_bundle(
    folder: Path,
    model: GeneratorConfig = MODEL,
    weights: Weights | None = None,
    goldens: bytes | None = None,
) -> Path:
    """Return the folder of a sealed toy bundle."""
    from empgan_rt.bundle.bundle import Bundle

    Bundle.seal(folder, write_staging(folder, model, weights, goldens))
    return folder


def make_verified_bundle(folder: Path) -> Path:
    """Return the folder of a sealed toy bundle whose goldens ONNX Runtime recorded."""
    from empgan_rt.backends.onnxruntime.backend import OrtBackend
    from empgan_rt.bundle.bundle import Bundle
    from empgan_rt.verification import parity
    from empgan_rt.verification.goldens import seeded_goldens

    plain = make_toy_bundle(folder.with_name(f"{folder.name}-plain"))
    goldens = parity.record(OrtBackend(Bundle.open(plain)), seeded_goldens(MODEL))
    return make_toy_bundle(folder, goldens=goldens)


def toy_inputs(
    rows: int = 2, turns: int = 3, tokens: int = 5, words: int = 2, seed: int = 0
) -> EncoderInput:
    """Return random dialogues; row i has `turns - i` turns (at least one), the rest is padding."""
    draw = np.random.default_rng(seed)
    utterances = draw.integers(1, MODEL.vocabulary_size, (rows, turns, tokens))
    emotion_words = draw.integers(1, MODEL.emotion_vocabulary_size, (rows, turns, words))
    labels = draw.integers(1, 9, (rows, turns))
    for row in range(rows):
        used = max(1, turns - row)
        for array in (utterances, emotion_words, labels):
            array[row, used:] = 0
    return EncoderInput(
        utterances.astype(np.int32), emotion_words.astype(np.int32), labels.astype(np.int32)
    )
