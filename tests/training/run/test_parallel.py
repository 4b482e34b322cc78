"""Two processes take the step that one takes, and a run of two resumes as a run of two."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from empgan_rt.config import Limits
from empgan_rt.errors import ProviderError
from empgan_training.checkpoint import Checkpoint
from empgan_training.data.batch import collate
from empgan_training.data.prepared import PreparedData
from empgan_training.run.parallel import Workers
from support.parallel_worker import gradients
from support.runs import assert_same_run
from support.small_data import prepare_own

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
PATHS = [ROOT, *(ROOT / name for name in ("training", "export", "bench", "tests"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parallel")
    prepare_own(folder, 70)
    return folder


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join(map(str, PATHS))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize(
    "stage",
    ["adversarial", *(pytest.param(s, marks=pytest.mark.slow) for s in ("recogniser", "mle"))],
)
def test_two_processes_leave_the_gradients_of_one(folder: Path, tmp_path: Path, stage: str) -> None:
    """After one step, or after four critic steps and one generator step."""
    port = free_port()
    worker = ROOT / "tests" / "support" / "parallel_worker.py"
    out = tmp_path / "gradients.safetensors"
    processes = [
        subprocess.Popen(
            [sys.executable, worker, folder, stage, out],
            env=environment(
                RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port
            ),
        )
        for rank in range(2)
    ]
    before = torch.get_num_threads()
    alone = gradients(folder, stage, Workers())
    torch.set_num_threads(before)
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    together = load_file(out)
    assert together.keys() == alone.keys()
    assert any(tensor.abs().max() > 0 for tensor in together.values())
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name], tensor, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_gradients_travel_together_and_arrive_as_if_each_went_alone(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    """The other process has one fixed number for each of ours."""
    draw = torch.Generator().manual_seed(1)
    shapes = [(3, 5), (), (7,), (2, 1, 4)]
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in shapes]
    drawn = [torch.randn(shape, generator=draw) for shape in shapes]
    ours = [drawn[0].T.contiguous().T, drawn[1], None, drawn[3]]  # the first lies transposed
    theirs = torch.randn(sum(map(torch.Tensor.numel, parameters)), generator=draw)
    sent: list[int] = []

    def all_reduce(tensor: torch.Tensor) -> None:
        sent.append(tensor.numel())
        tensor += theirs

    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    norm = Workers(0, 2).set_gradients(parameters, ours, factor)
    assert sent == [len(theirs)]
    rest = theirs
    for parameter, mine in zip(parameters, ours, strict=True):
        their, rest = rest[: parameter.numel()].view(parameter.shape), rest[parameter.numel() :]
        share = torch.zeros_like(parameter) if mine is None else mine * factor
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, share + their)
    found = [parameter.grad.norm() for parameter in parameters if parameter.grad is not None]
    assert norm == float(torch.stack(found).norm())
    assert theirs.numel() == 15 + 1 + 7 + 8


def test_a_process_alone_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "all_reduce", None)  # calling it fails
    parameters = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    assert Workers().set_gradients(parameters, [torch.tensor([3.0, 4.0]), None]) == 5.0
    assert parameters[1].grad is None
    assert Workers().set_gradients(parameters, [None, None]) == 0.0


def test_shares_of_a_step_make_it_up(folder: Path) -> None:
    dialogues = PreparedData(prepare_own(folder), Limits()).split("train")[:5]
    whole = collate(dialogues, 20)
    shares = [collate(dialogues, 20, Workers(rank, 2).share()) for rank in range(2)]
    assert [share.samples for share in shares] != [whole.samples] * 2
    assert sum(share.samples for share in shares) == whole.samples
    assert {share.counts for share in shares} == {whole.counts}
    assert whole.counts.tokens == int((whole.response_out != 0).sum())
    assert whole.counts.emotion_tokens == int((whole.emotion_out != 0).sum())
    assert sum(map(sum, whole.counts.labels)) == int((whole.labels != 0).sum())
    empty = collate(dialogues[:1], 20, Workers(1, 2).share())
    assert empty.weight == 0.0
    assert empty.counts == collate(dialogues[:1], 20).counts


def torchrun(folder: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    recipe = folder / "small.toml"
    recipe.write_text(
        f"""
system = "EmpWD"
data = "{prepare_own(folder)}"
out = "{out}"
threads = 1
[recogniser]
max_steps = 3
[mle]
max_steps = 3
[adversarial]
batch_samples = 14
critic_pretrain = 1
critic_steps = 1
steps = 2
validate_every = 1
validation_samples = 4
max_length = 5
max_drift = 9.0
[model]
hidden_size = 8
embedding_size = 6
emotion_embedding_size = 5
label_embedding_size = 4
recogniser_size = 7
""",
        "utf-8",
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launch += ["--master-port", free_port(), "-m", "empgan_rt", "--json", "train", str(recipe)]
    return subprocess.run(
        [*launch, *options], env=environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_torchrun_trains_resumes_to_the_bit_and_minds_its_number(
    folder: Path, tmp_path: Path
) -> None:
    whole = torchrun(folder, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    assert json.loads(whole.stdout)["finished"]  # one process speaks
    stopped = torchrun(folder, tmp_path / "run", "--max-steps", "7")
    assert not json.loads(stopped.stdout)["finished"]
    info = Checkpoint.load(tmp_path / "run" / "last.safetensors").info
    assert info["processes"] == 2
    alone = subprocess.run(
        [sys.executable, "-m", "empgan_rt", "train", str(folder / "small.toml"), "--resume"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert alone.returncode == 2
    assert "had 2 processes, now 1" in alone.stderr
    resumed = torchrun(folder, tmp_path / "run", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_a_process_takes_its_own_gpu_or_says_that_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert Workers.of_environment().device() == torch.device("cuda", 1)
    assert taken == [torch.device("cuda", 1)]
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ProviderError, match="process 2 of this machine has no GPU: there are 2"):
        Workers.of_environment()
