"""The process that trains on the pretended GPU, and then makes mistakes: `child.py LIBRARY CASE
FOLDER`, what happened as JSON on stdout.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

from support.pretended.torch_cuda import load

load(Path(sys.argv[1]))

import msgspec  # noqa: E402
import torch  # noqa: E402

from empgan_training.config import AdversarialConfig, ModelSizes, StageConfig  # noqa: E402
from empgan_training.model.critic import Critic  # noqa: E402
from empgan_training.model.gru import GRU  # noqa: E402
from empgan_training.run.trainer import Trainer  # noqa: E402
from support.pretended.torch_cuda.tensors import DEVICE, pretended_gpu  # noqa: E402
from support.runs import assert_same_run, recipe, records  # noqa: E402
from support.small_data import SMALL_SIZES  # noqa: E402


def train(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    """Train whole, stopped and resumed, and on the CPU."""
    few = StageConfig(
        learning_rate=0.02, batch_samples=20, max_steps=2, precision=case["precision"]
    )
    against = AdversarialConfig(
        batch_samples=8,
        critic_pretrain=1,
        critic_steps=1,
        steps=2,
        validate_every=2,
        validation_samples=2,
        max_length=4,
        max_drift=9.0,
        rollouts=2,
        precision=case["precision"],
        relaxation=case["relaxation"],
    )
    config = recipe(
        folder,
        folder / "cpu",
        system=case["system"],
        model=ModelSizes(**SMALL_SIZES, dropout=0.0),
        recogniser=few,
        mle=few,
        adversarial=against,
    )
    Trainer(config).run()
    with pretended_gpu() as waits:
        whole = msgspec.structs.replace(config, out=str(folder / "whole"))
        trainer = Trainer(whole)
        trainer.run()
        threads = [thread.name for thread in threading.enumerate()]
        seen = dict(waits)
        stopped = msgspec.structs.replace(config, out=str(folder / "stopped"))
        for i in range(1, 3):  # within the second stage, and the third
            Trainer(stopped, resume=i > 1).run(max_steps=3 * i)
            torch.rand(7)
        Trainer(stopped, resume=True).run()
    assert_same_run(folder / "stopped", folder / "whole")
    return {
        "facts": trainer.facts,
        "threads": threads,
        "waits": seen,
        "steps": sum(stage.state.step for stage in trainer.stages),
        "cpu": records(folder / "cpu"),
        "gpu": records(folder / "whole"),
    }


def faults() -> dict[str, str]:
    """Return what is said to mistakes."""
    with pretended_gpu():
        gru, critic = GRU(3, 4).to(DEVICE), Critic(5, 4, 8, 4).to(DEVICE)
        there, here = torch.ones(2, 5, 3, device=DEVICE), torch.ones(2, 5, 3)

        def autocast() -> None:
            with torch.autocast("cuda", torch.bfloat16):
                gru(there)

        tried = {
            "mixed": lambda: there + here,
            "index": lambda: there[here.long()],
            "numpy": there.numpy,
            "autocast": autocast,
            "evaluation": lambda: critic.eval().lstm(torch.ones(2, 5, 4, device=DEVICE)),
            "state": lambda: gru(there, torch.ones(1, 4, 2, device=DEVICE).transpose(1, 2)),
        }
        said = {}
        for name, mistake in tried.items():
            try:
                mistake()
                said[name] = ""
            except (AssertionError, TypeError, RuntimeError) as error:
                said[name] = str(error)
    return said


if __name__ == "__main__":
    torch.set_num_threads(1)
    done = train(Path(sys.argv[3]), json.loads(sys.argv[2]))
    print(json.dumps({**done, "mistakes": faults()}))
