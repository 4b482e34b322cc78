"""CUDA sessions, without CUDA: what they are asked for, and what becomes of their failures.

The texts of the exceptions are ONNX Runtime's. Where one was not seen here, the issue of
microsoft/onnxruntime that quotes it stands beside it; host names and paths are left in, because
they may not come through.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from empgan_rt.backends.loader import load_backend
from empgan_rt.backends.onnxruntime import cuda
from empgan_rt.backends.onnxruntime import session as ort_session
from empgan_rt.backends.onnxruntime.device_rows import rows_graph
from empgan_rt.backends.onnxruntime.failures import translated
from empgan_rt.backends.onnxruntime.session import import_onnxruntime, session_of_any_signature
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import BundleError, ProviderError
from empgan_rt.graph_spec import GRAPH_NAMES
from support.cuda_kernels import without_kernel
from support.pretended.onnxruntime_gpu import Machine, OnnxRuntimeGpu, be_on

FILE = "file=/onnxruntime_src/onnxruntime/core/providers/cuda/x.cc ; line=1"
# Seen on a machine without CUDA: the whole text.
NO_FALLBACK = (
    "[ONNXRuntimeError] : 1 : FAIL : This session contains graph nodes that are assigned to the "
    "default CPU EP, but fallback to CPU EP has been explicitly disabled by the user."
)
# Seen with 1.31.1's CUDA provider over a stand-in for CUDA's libraries that computes nothing.
NO_CUDNN = (
    "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Exception during initialization: /onnxruntime_src/"
    "onnxruntime/core/providers/cuda/cuda_kernel.h:296 static cudnnContext* onnxruntime::cuda::"
    "CudaKernel::RequireCudnnHandle(cudnnHandle_t) [ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : "
    "cuDNN is unavailable or disabled for CUDA Execution Provider: dlopen failed for libcudnn.so: "
    "libcudnn.so: cannot open shared object file: No such file or directory"
)
# In the strings of that provider.
NO_CUDNN_EITHER = (
    "cuDNN is not available. Install cuDNN, update the system library search path, or set "
    "enable_cudnn=0 to force native CUDA paths where available."
)
NO_GPU = (
    "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:146 CUDA failure 100: no "
    "CUDA-capable device is detected ; GPU=-1 ; hostname=vm ; file=/onnxruntime_src/onnxruntime/"
    "core/providers/cuda/cuda_execution_provider.cc ; line=355 ; "
    "expr=cudaSetDevice(info_.device_id); "
)
LISTED = "CUDAExecutionProvider is listed but cannot be used: "


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    be_on(found, monkeypatch)
    return found


def opened(monkeypatch: pytest.MonkeyPatch, ort: OnnxRuntimeGpu, whole: bool = False) -> object:
    monkeypatch.setattr(ort_session, "import_onnxruntime", lambda: ort)
    return session_of_any_signature(b"graph", b"weights", "step", "cuda", whole)


@pytest.mark.usefixtures("machine")
def test_what_a_session_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ort = OnnxRuntimeGpu(
        nodes={"CUDAExecutionProvider": ["GRU"], "CPUExecutionProvider": ["Concat"]}
    )
    opened(monkeypatch, ort)
    opened(monkeypatch, ort, whole=True)
    settings = {"use_tf32": "0", "arena_extend_strategy": "kNextPowerOfTwo"}
    for _, providers, fallback in ort.asked:
        assert providers == [("CUDAExecutionProvider", settings)]
        assert fallback == 0
    (sharing, *_), (alone, *_) = ort.asked
    assert sharing == {"session.record_ep_graph_assignment_info": "1"}
    assert alone == {"session.disable_cpu_ep_fallback": "1"}
    assert ort.preloads == 1
    assert capsys.readouterr().out == ""  # preload_dlls prints where commands write their answer


@pytest.mark.usefixtures("machine")
def test_costly_nodes_on_the_cpu_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ort = OnnxRuntimeGpu(
        nodes={"CPUExecutionProvider": ["Concat", "GRU"], "CUDAExecutionProvider": []}
    )
    with pytest.raises(ProviderError, match="left GRU of the step to the CPU"):
        opened(monkeypatch, ort)


def test_the_real_package_tells_where_nodes_run() -> None:
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.add_session_config_entry(cuda.RECORD_NODES, "1")
    options.log_severity_level = 4
    graph = Bundle.open("tiny").graph("fp32", "turn_encoder")
    weights = Bundle.open("tiny").weights
    options.add_external_initializers_from_files_in_memory(
        ["weights.safetensors"], [weights], [len(weights)]
    )
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    with pytest.raises(ProviderError, match="left GRU of the turn_encoder to the CPU"):
        cuda.check_nodes(session, "turn_encoder")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (NO_FALLBACK, "ONNX Runtime left nodes of the step to the CPU"),
        (NO_CUDNN, "onnxruntime-gpu 1.31.1 needs cuDNN 9 for our encoders"),
        (NO_CUDNN_EITHER, "onnxruntime-gpu 1.31.1 needs cuDNN 9 for our encoders"),
        (NO_GPU, f"{LISTED}CUDA failure 100: no CUDA-capable device is detected"),
        # Issue 316 of onnxruntime/mobius.
        (
            "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:114 CUDA failure 35: "
            "CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; "
            f"hostname=c4327 ; {FILE} ; expr=cudaSetDevice(info_.device_id); ",
            f"{LISTED}CUDA failure 35: CUDA driver version is insufficient for CUDA runtime",
        ),
    ],
)
def test_a_refusal_of_the_device_is_no_fault_of_the_bundle(
    monkeypatch: pytest.MonkeyPatch, refusal: str, message: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        opened(monkeypatch, OnnxRuntimeGpu(refuses=RuntimeError(refusal)))
    assert caught.value.message.startswith(message)
    assert_clean(caught.value)
    assert len(caught.value.hint.splitlines()) == 2


@pytest.mark.usefixtures("machine")
def test_other_refusals_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BundleError, match="refused the step: protobuf parsing failed"):
        opened(monkeypatch, OnnxRuntimeGpu(refuses=RuntimeError("protobuf parsing failed")))


@pytest.mark.usefixtures("machine")
def test_cuda_is_never_exchanged_for_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProviderError, match="ONNX Runtime chose CPUExecutionProvider"):
        opened(monkeypatch, OnnxRuntimeGpu(chosen="CPUExecutionProvider"))


def test_without_a_driver_no_session_is_tried(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.driver = False
    ort = OnnxRuntimeGpu()
    with pytest.raises(ProviderError, match="there is none"):
        opened(monkeypatch, ort)
    assert ort.asked == []  # ONNX Runtime would print to stderr, with paths


def test_the_build_for_cpus_says_what_to_install(
    toy_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ProviderError, match="CUDAExecutionProvider is not in") as caught:
        load_backend(Bundle.open(toy_folder), device="cuda")
    assert caught.value.hint.splitlines() == [
        "pip uninstall -y onnxruntime",
        "pip install 'empgan-rt[gpu]'",
    ]


NODE = "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running "
ARENA = "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* AllocateRawInternal() "


@pytest.mark.parametrize(
    "text",
    [
        # Issue 22702.
        f"{NODE}Conv node. Name:'c' Status Message: {ARENA}Failed to allocate memory for requested "
        "buffer of size 4585490524",
        # Issue 584 of hacksider/Deep-Live-Cam.
        "CUDA failure 2: out of memory ; GPU=0 ; hostname=DESKTOP-QUBEI ; "
        f"{FILE} ; expr=cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);",
        # Issue 645 of hacksider/Deep-Live-Cam.
        f"{NODE}Gemm node. Name:'fc1' Status Message: CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED "
        f"; GPU=0 ; hostname=TOBI ; {FILE} ; expr=cublasCreate(&cublas_handle_);",
    ],
)
def test_memory_that_ran_out_is_called_that(text: str) -> None:
    with (
        pytest.raises(ProviderError, match="memory ran out in the step") as caught,
        translated("step"),
    ):
        raise RuntimeError(text)
    assert "smaller batches" in caught.value.hint
    assert_clean(caught.value)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        # Issue 26312, with the ending of pykeio/ort's issue 321.
        (
            "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=10cb601 "
            f"; {FILE} ; expr=cudaStreamSynchronize(static_cast<cudaStream_t>(stream_)); ",
            "CUDA failure 700: an illegal memory access was encountered",
        ),
        # Of the same form, which is in the strings of 1.31.1: "%s failure %d: %s ; GPU=%d ; ...".
        (
            f"{NODE}GRU node. Name:'' Status Message: CUDNN failure 5000: "
            f"CUDNN_STATUS_EXECUTION_FAILED ; GPU=0 ; hostname=a ; {FILE} ; expr=x; ",
            "CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED",
        ),
    ],
)
def test_a_lost_device_is_called_that(text: str, cause: str) -> None:
    with pytest.raises(ProviderError) as caught, translated("step"):
        raise RuntimeError(text)
    assert caught.value.message == f"the device failed in the step: {cause}"
    assert "start a new one" in caught.value.hint
    assert_clean(caught.value)


def test_cudnn_that_is_missing_at_the_first_run_is_called_that() -> None:
    text = f"{NODE}GRU node. Name:'n' Status Message: CUDNN failure 1001: {NO_CUDNN_EITHER} ; GPU=0"
    with pytest.raises(ProviderError, match="turn_encoder needs cuDNN"), translated("turn_encoder"):
        raise RuntimeError(text)


def test_anything_else_keeps_its_text_to_itself() -> None:
    with pytest.raises(ProviderError) as caught, translated("step"):
        raise RuntimeError("/a/path/of/this/machine")
    assert caught.value.message == "ONNX Runtime failed in the step: RuntimeError"


def assert_clean(error: ProviderError) -> None:
    assert "hostname" not in str(error)
    assert "onnxruntime_src" not in str(error)


@pytest.mark.parametrize("which", GRAPH_NAMES)
def test_cuda_has_kernels_for_the_graphs_of_a_bundle(which: str) -> None:
    bundle = Bundle.open("tiny")
    for precision in bundle.manifest.variants:
        model = onnx.load_from_string(bundle.graph(precision, which))
        assert [*without_kernel(model)] == []


def test_cuda_has_kernels_for_the_graph_of_rows() -> None:
    assert [*without_kernel(onnx.load_from_string(rows_graph()))] == []


def test_an_operator_without_a_kernel_is_found() -> None:
    text = "g (int64[N] x, int64[2] pads) => (int64[M] y) { y = Pad(x, pads) }"
    graph = onnx.parser.parse_graph(text)
    for opset, newer in ((18, []), (19, ["opset [19]"])):
        imports = [onnx.helper.make_opsetid("", opset)]
        model = onnx.helper.make_model(graph, opset_imports=imports)
        assert [*without_kernel(model)] == [*newer, "Pad of int64"]
