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


@pytest.mark.parametrize(
    "count", [0, -1, 1025, 1.0, True, "2", None, 10**5000], ids=lambda value: type(value).__name__
)
def test_nonsense_is_refused(count: object) -> None:
    with pytest.raises(InputError, match="threads"):
        threads.set_num_threads(count)


def test_far_more_threads_than_cores_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "allowed_cores", lambda: 3)
    threads.check_count(24)
    with pytest.raises(InputError, match="25 threads") as raised:
        threads.check_count(25)
    assert "from 1 to 24" in raised.value.hint


LOAD_TWICE = """
import os, sys, time
import onnxruntime
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.threads import num_threads, set_num_threads
bundle = Bundle.open(sys.argv[1])
before = len(os.listdir("/proc/self/task"))
if sys.argv[2] != "default":
    set_num_threads(1)  # a change of mind costs nothing before the first model
    set_num_threads(int(sys.argv[2]))
first = OrtBackend(bundle)
second = OrtBackend(bundle)
counts = []
for _ in range(20):  # a thread that has ended is listed for a moment more
    counts.append(len(os.listdir("/proc/self/task")))
    time.sleep(0.02)
print(num_threads(), min(counts) - before)
"""


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="counts threads in /proc"
)


@needs_proc
@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_session_has_so_many_threads_with_its_callers(toy: Path, count: int) -> None:
    sessions = 2 * 3
    assert in_a_process(LOAD_TWICE, toy, count) == f"{count} {sessions * (count - 1)}"


CLOSE = """
import os, sys, time
from empgan_rt import Responder, set_num_threads
set_num_threads(3)

def tasks():
    return len(os.listdir("/proc/self/task"))

def with_a_model():
    with Responder.load(sys.argv[1]) as responder:
        responder.reply(["I lost my keys today."])
        return tasks()

with_a_model()  # whatever the process keeps from its first model
time.sleep(0.5)
before = tasks()
for _ in range(3):
    print(with_a_model() - before, end=" ")
    for _ in range(1000):  # a thread that has ended is listed for a moment more
        if tasks() == before:
            break
        time.sleep(0.01)
    print(tasks() - before, end=" ")
"""


@needs_proc
def test_threads_end_with_the_responder() -> None:
    decoding, in_pools = 1, 3 * 2
    assert in_a_process(CLOSE, "tiny").split() == [str(decoding + in_pools), "0"] * 3


def test_default_is_the_allowed_cores(toy: Path) -> None:
    assert in_a_process(LOAD_TWICE, toy, "default").split()[0] == str(threads.allowed_cores())


CHANGE_LATE = """
import sys
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
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
import sys, threading
import numpy as np
import onnxruntime
from empgan_rt import Responder, set_num_threads
from empgan_rt.bundle.bundle import Bundle
bundle = Bundle.open(sys.argv[1])
def own_session():
    options = onnxruntime.SessionOptions()
    options.add_external_initializers_from_files_in_memory(
        ["weights.safetensors"], [bundle.weights], [len(bundle.weights)])
    return onnxruntime.InferenceSession(bundle.graph("fp32", "turn_encoder"), options,
                                        providers=["CPUExecutionProvider"])
feeds = {"utterances": np.full((2, 3), 5, np.int32), "emotion_words": np.full((2, 1), 1, np.int32)}
ends = threading.Event()
runs = []
def use(session):
    while not ends.is_set():
        runs.append(session.run(None, feeds)[0].tobytes())
set_num_threads(int(sys.argv[2]))
before = own_session()
with Responder.load(sys.argv[1]) as responder:
    alone = responder.reply(["I lost my keys today."])
    after = own_session()
    hosts = [threading.Thread(target=use, args=(session,)) for session in (before, after)]
    for host in hosts:
        host.start()
    replies = [responder.reply(["I lost my keys today."]) for _ in range(20)]
    ends.set()
    for host in hosts:
        host.join()
    print({reply.text == alone.text for reply in replies}, len(set(runs)))
"""


@pytest.mark.parametrize("count", [1, 2])
def test_sessions_of_the_host_work_beside_ours(count: int) -> None:
    assert in_a_process(HOST, "tiny", count) == "{True} 1"


@pytest.mark.parametrize("count", [1, 3])
def test_a_pool_of_the_host_is_used(toy: Path, count: int) -> None:
    code = "import onnxruntime; onnxruntime.set_global_thread_pool_sizes(2, 1)\n" + LOAD_TWICE
    assert in_a_process("import logging; logging.disable()\n" + code, toy, count) == f"{count} 0"


REFUSED = """
import sys, threading
from empgan_rt import Responder, set_num_threads
from empgan_rt.errors import InputError
start, left = threading.Thread.start, 4
def limited(self):
    global left
    if not left:
        raise RuntimeError("can't start new thread")
    left -= 1
    start(self)
threading.Thread.start = limited
set_num_threads(8)
try:
    Responder.load(sys.argv[1])
except InputError as error:
    print(error)
threading.Thread.start = start
set_num_threads(2)
with Responder.load(sys.argv[1]) as responder:
    print(bool(responder.reply(["I lost my keys today."]).text))
"""


def test_threads_that_the_system_refuses_are_told_beforehand() -> None:
    said = in_a_process(REFUSED, "tiny")
    assert said.startswith("the system starts 4 more threads for this process, not 7")
    assert said.endswith("True")


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
