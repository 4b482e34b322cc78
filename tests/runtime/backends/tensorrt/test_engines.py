"""Engines against a fake TensorRT: order of calls, keys, altered files, failures of a build."""

from __future__ import annotations

import dataclasses
import logging
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.backends.cache import EngineCache
from empgan_rt.backends.tensorrt import engines as engines_module
from empgan_rt.backends.tensorrt.engines import (
    EngineRoom,
    Request,
    enough_candidates,
    requests,
)
from empgan_rt.backends.tensorrt.machine import Gpu, Machine
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.cli.engines import build_all
from empgan_rt.errors import BundleError, InputError, ProviderError
from support.pretended.tensorrt import TensorRt

GPU = Gpu("NVIDIA H100", "9.0", "580.95")
STEP = Request("fp32", "decoder_step", 5, 6)


@pytest.fixture
def bundle(toy_folder: Path) -> Bundle:
    return Bundle.open(toy_folder)


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path)


def room(bundle: Bundle, cache: EngineCache, trt: Any = None, **options: Any) -> EngineRoom:
    gpu = options.pop("gpu", GPU)
    return EngineRoom(bundle, Machine(trt or TensorRt(), gpu), cache, **options)


def test_the_order_of_calls(bundle: Bundle, cache: EngineCache) -> None:
    trt = TensorRt()
    phases: list[str] = []
    engine = room(bundle, cache, trt).engine(STEP, phases.append)
    assert trt.names() == [
        "create_network",
        "parse",
        "clear_flag",
        *["add_optimization_profile"] * 4,
        "create_timing_cache",
        "set_timing_cache",
        "build",
    ]
    assert trt.calls[0] == ("create_network", 2)  # strongly typed
    assert phases == ["Timing tactics"]
    assert not engine.cached
    assert [profile["B"] for profile in engine.profiles] == [
        (1, 1, 1),
        (2, 8, 8),
        (9, 32, 64),
        (65, 128, 512),
    ]
    assert trt.profiles[1]["keys"] == ([2, 1, 8], [8, 5, 8], [8, 50, 8])
    assert trt.profiles[1]["hidden"] == ([2, 5, 8], [8, 5, 8], [8, 5, 8])
    assert "num_candidates" not in trt.profiles[1]
    assert [tensor.axes for tensor in engine.spec.outputs] == [
        ("B", 5, 8),
        ("B", 5, 6),
        ("B", 5, 6),
    ]


def test_tf32_is_set_where_it_is_wanted(bundle: Bundle, cache: EngineCache) -> None:
    trt = TensorRt()
    room(bundle, cache, trt, tf32=True).engine(STEP)
    assert ("set_flag", "TF32") in trt.calls
    assert "clear_flag" not in trt.names()


def test_an_engine_is_built_once(bundle: Bundle, cache: EngineCache) -> None:
    trt = TensorRt()
    first = room(bundle, cache, trt).engine(STEP)
    again = room(bundle, EngineCache(cache.folder.parents[1]), trt).engine(STEP)
    assert again.cached
    assert again.plan == first.plan
    assert trt.names().count("build") == 1


def test_timings_of_one_build_serve_the_next(bundle: Bundle, cache: EngineCache) -> None:
    trt = TensorRt()
    maker = room(bundle, cache, trt)
    maker.engine(STEP)
    maker.engine(Request("fp32", "turn_encoder"))
    given = [call[1] for call in trt.calls if call[0] == "create_timing_cache"]
    assert given == [b"", b"timings"]


def test_rtx_has_no_timing_cache(bundle: Bundle, cache: EngineCache) -> None:
    trt = TensorRt("tensorrt_rtx", "1.7.1")
    room(bundle, cache, trt).engine(STEP)
    assert not {"create_timing_cache", "set_timing_cache"} & {*trt.names()}


@pytest.mark.parametrize(
    "change",
    [
        {"trt": TensorRt(version="11.5.0")},
        {"trt": TensorRt("tensorrt_rtx")},
        {"gpu": dataclasses.replace(GPU, name="NVIDIA L4")},
        {"gpu": dataclasses.replace(GPU, compute_capability="8.9")},
        {"gpu": dataclasses.replace(GPU, driver="590.10")},
        {"tf32": True},
        {"request": dataclasses.replace(STEP, beam=4)},
        {"request": dataclasses.replace(STEP, candidates=7)},
        {"request": Request("fp32", "turn_encoder")},
    ],
    ids=[
        "version",
        "flavour",
        "gpu",
        "capability",
        "driver",
        "tf32",
        "beam",
        "candidates",
        "graph",
    ],
)
def test_whatever_an_engine_depends_on_makes_another(
    bundle: Bundle, cache: EngineCache, change: dict[str, Any]
) -> None:
    room(bundle, cache).engine(STEP)
    request = change.pop("request", STEP) if "request" in change else STEP
    trt = change.get("trt") or TensorRt()
    rest = {name: value for name, value in change.items() if name != "trt"}
    assert not room(bundle, cache, trt, **rest).engine(request).cached


@pytest.mark.parametrize("name", ["weights.safetensors", "decoder_step.fp32.onnx"])
def test_other_bytes_of_the_bundle_make_another(
    bundle: Bundle, cache: EngineCache, name: str
) -> None:
    room(bundle, cache).engine(STEP)
    entry = bundle.manifest.files[name]
    changed = type(entry)("0" * 64, entry.size)
    files = {**bundle.manifest.files, name: changed}
    manifest = type(bundle.manifest)(
        **{
            f: getattr(bundle.manifest, f)
            for f in bundle.manifest.__struct_fields__
            if f != "files"
        },
        files=files,
    )
    assert not room(dataclasses.replace(bundle, manifest=manifest), cache).engine(STEP).cached


def test_another_recipe_or_profile_makes_another(
    bundle: Bundle, cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    room(bundle, cache).engine(STEP)
    monkeypatch.setattr(engines_module, "RECIPE", 99)
    assert not room(bundle, cache).engine(STEP).cached
    monkeypatch.undo()
    narrow = engines_module.profiles
    monkeypatch.setattr(engines_module, "profiles", lambda *args: narrow(*args)[:2])
    assert not room(bundle, cache).engine(STEP).cached


@pytest.mark.parametrize("place", [5, 200, -1])
def test_an_altered_engine_is_built_anew(
    bundle: Bundle, cache: EngineCache, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    trt = TensorRt()
    maker = room(bundle, cache, trt)
    maker.engine(STEP)
    [path] = cache.folder.glob("decoder_step-*.plan")
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert not maker.engine(STEP).cached
    assert "was altered" in caplog.text
    assert maker.engine(STEP).cached  # the new one stands


def test_full_gpu_memory(bundle: Bundle, cache: EngineCache) -> None:
    trt = TensorRt(says="[virtualMemoryBuffer.cpp] OutOfMemory (Requested size was 17 bytes.)")
    with pytest.raises(
        ProviderError, match="ran out of GPU memory while it built the decoder_step"
    ):
        room(bundle, cache, trt).engine(STEP)
    assert list(cache.folder.iterdir()) == []


def test_any_other_failure_tells_what_tensorrt_said(bundle: Bundle, cache: EngineCache) -> None:
    with pytest.raises(ProviderError, match="no tactic"):
        room(bundle, cache, TensorRt(says="no tactic")).engine(STEP)
    with pytest.raises(ProviderError, match="no reason"):
        room(bundle, cache, TensorRt(says="")).engine(STEP)


def test_a_graph_that_tensorrt_does_not_read(bundle: Bundle, cache: EngineCache) -> None:
    with pytest.raises(BundleError, match="QuantizeLinear node 7: zero point"):
        room(bundle, cache, TensorRt(refuses="zero point")).engine(STEP)


def test_a_graph_of_another_signature(bundle: Bundle, cache: EngineCache) -> None:
    files = {**bundle.files, "decoder_step.fp32.onnx": bundle.files["turn_encoder.fp32.onnx"]}
    other = dataclasses.replace(bundle, files=files)
    with pytest.raises(BundleError, match="TensorRT reads another decoder_step"):
        room(other, cache).engine(STEP)


def test_ctrl_c_cancels_a_build(bundle: Bundle, cache: EngineCache) -> None:
    before = signal.getsignal(signal.SIGINT)
    trt = TensorRt(during=lambda config: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        room(bundle, cache, trt).engine(STEP)
    assert signal.getsignal(signal.SIGINT) is before
    assert list(cache.folder.iterdir()) == []


def test_a_build_in_another_thread(bundle: Bundle, cache: EngineCache) -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(room(bundle, cache).engine(STEP).cached))
    thread.start()
    thread.join()
    assert found == [False]


def test_what_a_search_needs(bundle: Bundle) -> None:
    assert requests(bundle) == [
        Request("fp32", "turn_encoder"),
        Request("fp32", "context_encoder"),
        Request("fp32", "decoder_step", 1, 2),
        Request("fp32", "decoder_step", 5, 6),
    ]
    assert requests(bundle, ("fp32",), (3,), 4)[2:] == [Request("fp32", "decoder_step", 3, 4)]
    # there are no more words than 23
    assert requests(bundle, beams=(64,))[-1].candidates == 23


@pytest.mark.parametrize(
    ("beam", "wanted", "words", "offered"),
    [
        (5, 1, 9000, 6),
        (5, 6, 9000, 6),
        (5, 7, 9000, 8),
        (5, 9, 9000, 64),
        (1, 50, 9000, 64),
        (100, 64, 9000, 101),
        (100, 102, 9000, 512),
        (1, 513, 9000, 3840),
        (5, 6, 6, 6),
        (5, 9, 20, 20),
        (1, 3840, 9000, 3840),
    ],
)
def test_candidates_come_in_few_sizes(beam: int, wanted: int, words: int, offered: int) -> None:
    assert enough_candidates(beam, wanted, words) == offered


def test_more_candidates_than_tensorrt_has_are_refused() -> None:
    with pytest.raises(InputError, match=r"3841 candidates .* 3840 at most") as raised:
        enough_candidates(5, 3841, 9000)
    assert "top_k" in raised.value.hint


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"precisions": ("fp8",)}, "precision 'fp8'"),
        ({"beams": (0,)}, "beam 0"),
        ({"beams": (129,)}, "beam 129"),
        ({"candidates": 2}, "2 candidates with beam 5"),
        ({"candidates": 24}, "24 candidates"),
    ],
)
def test_what_cannot_be(bundle: Bundle, wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        requests(bundle, **{"beams": (5,), **wanted})


def test_progress_names_engine_and_phase(
    bundle: Bundle, cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[tuple[int, str]] = []

    class Bar:
        def update(self, done: int, note: str = "") -> None:
            notes.append((done, note))

    class Shown:
        def __enter__(self) -> Bar:
            return Bar()

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("empgan_rt.cli.console.progress", lambda title, total: Shown())
    build_all(room(bundle, cache), requests(bundle, beams=(1,))[1:])
    assert notes == [
        (0, "context_encoder in fp32: Timing tactics"),
        (1, "decoder_step in fp32, beam 1, 2 candidates: Timing tactics"),
        (2, ""),
    ]
