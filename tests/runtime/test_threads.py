"""One number of threads for the process; what is process-wide is tested in processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from empgan_rt import threads
from empgan_rt.errors import InputError
from support.toy_bundle import make_toy_bundle


def in_a_process(code: str, *arguments: object) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # ONNX Runtime has nothing to complain of
    return done.stdout.strip()


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_toy_bundle(tmp_path_factory.mktemp("threads") / "toy")


@pytest.mark.parametrize("count", [0, -1, 1025, 1.0, True, "2", None])
def test_nonsense_is_refused(count: object) -> None:
    with pytest.raises(InputError, match="threads"):
        threads.set_num_threads(count)


LOAD_TWICE = """
import os, sys
import onnxruntime
from empgan_rt.backends.ort import OrtBackend
from empgan_rt.bundle import Bundle
from empgan_rt.threads import num_threads, set_num_threads
bundle = Bundle.open(sys.argv[1])
before = len(os.listdir("/proc/self/task"))
if sys.argv[2] != "default":
    set_num_threads(1)  # a change of mind costs nothing before the first model
    set_num_threads(int(sys.argv[2]))
first = OrtBackend(bundle)
second = OrtBackend(bundle)
print(num_threads(), len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_four_sessions_share_one_pool(toy: Path, count: int) -> None:
    assert in_a_process(LOAD_TWICE, toy, count) == f"{count} {count - 1}"


def test_default_is_the_allowed_cores(toy: Path) -> None:
    assert in_a_process(LOAD_TWICE, toy, "default").split()[0] == str(threads.allowed_cores())


CHANGE_LATE = """
import sys
from empgan_rt.backends.ort import OrtBackend
from empgan_rt.bundle import Bundle
from empgan_rt.errors import InputError
from empgan_rt.threads import num_threads, set_num_threads
set_num_threads(2)
OrtBackend(Bundle.open(sys.argv[1]))
set_num_threads(2)
try:
    set_num_threads(3)
except InputError as error:
    print(num_threads(), error)
"""


def test_a_late_change_is_refused(toy: Path) -> None:
    said = in_a_process(CHANGE_LATE, toy)
    assert said.startswith("2 3 threads, but 2 are in use")
    assert "before loading" in said


HOST = """
import sys
import onnxruntime
from empgan_rt.backends.ort import OrtBackend
from empgan_rt.bundle import Bundle
from empgan_rt.threads import set_num_threads
bundle = Bundle.open(sys.argv[1])
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
options.add_external_initializers_from_files_in_memory(
    ["weights.safetensors"], [bundle.weights], [len(bundle.weights)])
def own_session():
    onnxruntime.InferenceSession(bundle.graph("fp32", "turn_encoder"), options,
                                 providers=["CPUExecutionProvider"], enable_fallback=0)
own_session()
set_num_threads(int(sys.argv[2]))
OrtBackend(bundle)
try:
    own_session()
    print("free")
except RuntimeError as error:
    print("refused" if "use_per_session_threads" in str(error) else error)
"""


@pytest.mark.parametrize(("count", "outcome"), [(1, "free"), (2, "refused")])
def test_what_becomes_of_the_hosts_own_sessions(toy: Path, count: int, outcome: str) -> None:
    assert in_a_process(HOST, toy, count) == outcome


def test_a_pool_of_the_host_is_used(toy: Path) -> None:
    code = "import onnxruntime; onnxruntime.set_global_thread_pool_sizes(2, 1)\n" + LOAD_TWICE
    assert in_a_process("import logging; logging.disable()\n" + code, toy, 3) == "3 0"


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_quota_of_version_2_is_the_tightest_of_the_parents(tmp_path: Path) -> None:
    membership = tmp_path / "membership"
    membership.write_text("0::/outer/inner\n")
    root = tmp_path / "cgroup"
    group(root / "outer" / "inner", cpu__max="max 100000\n")
    assert threads.cgroup_quota(root, membership) is None
    group(root / "outer", cpu__max="150000 100000\n")
    assert threads.cgroup_quota(root, membership) == 1.5
    group(root / "outer" / "inner", cpu__max="50000 100000\n")
    assert threads.cgroup_quota(root, membership) == 0.5


def test_quota_inside_a_container(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    group(root, cpu__max="400000 100000\n")
    assert threads.cgroup_quota(root, tmp_path / "absent") == 4


def test_quota_of_version_1(tmp_path: Path) -> None:
    membership = tmp_path / "membership"
    membership.write_text("4:memory:/a\n3:cpu,cpuacct:/a\n")
    root = tmp_path / "cgroup"
    group(root / "cpu" / "a", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")
    assert threads.cgroup_quota(root, membership) is None
    group(root / "cpu" / "a", cpu__cfs_quota_us="200000\n")
    assert threads.cgroup_quota(root, membership) == 2


@pytest.mark.parametrize(("quota", "cores"), [(None, 8), (0.5, 1), (2.9, 2), (64.0, 8)])
def test_allowed_cores(monkeypatch: pytest.MonkeyPatch, quota: float | None, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "cgroup_quota", lambda root, membership: quota)
    assert threads.allowed_cores() == cores
