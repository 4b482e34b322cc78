"""Serve the whole API of `empgan-rt serve` from as many processes and machines as are needed.

    pip install 'empgan-rt[serve]' 'ray[serve]==2.60.*'
    python examples/on_ray/serve_replies.py dialogues.db            # on this machine alone

    ray start --head --resources '{"dialogues": 1}'                 # on the one with the file
    ray start --address HOST:6379                                   # on each other one
    RAY_ADDRESS=auto python examples/on_ray/serve_replies.py dialogues.db

http://127.0.0.1:8000/v1 is an address for OpenAI's clients then, and any process may answer any
message of a dialogue: /v1/sessions/{key} needs no sticky routing. docs/scale.md tells the rest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import ray
from ray import serve
from shared_dialogues import KEPT_S, SharedStore
from starlette.types import ASGIApp

from empgan_rt import AsyncResponder, WordGuard, set_num_threads
from empgan_rt.server import ServerSettings, app


@serve.deployment(
    ray_actor_options={"num_cpus": 1},
    max_ongoing_requests=64,  # 32 in decoding, and as many to take their places
    max_queued_requests=512,  # what comes then is refused
    backpressure_config={"status_code": 429, "retry_after_s": 1},
)
@serve.ingress()
class Answers:
    """One process with the model, which computes with one thread."""

    def __init__(self, dialogues: str, bundle: str) -> None:
        set_num_threads(1)
        self._responder = AsyncResponder.load(bundle, guard=WordGuard())
        self._dialogues = SharedStore(dialogues)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Return the application of this process."""
        settings = ServerSettings(limit_sessions=100_000, session_ttl_s=KEPT_S)
        return app(self._responder, settings=settings, sessions=self._dialogues)


def main(dialogues: str, port: str = "8000", bundle: str = "default", least: str = "1") -> None:
    """Serve until Ctrl-C with so many processes at least, and more under load."""
    if "RAY_ADDRESS" in os.environ:
        ray.init()
    else:
        ray.init("local", resources={"dialogues": 1})
    serve.start(http_options={"host": "127.0.0.1", "port": int(port)})
    scaling = {"min_replicas": int(least), "max_replicas": 64, "target_ongoing_requests": 4}
    answers = Answers.options(autoscaling_config=scaling | {"upscale_delay_s": 5})
    path = str(Path(dialogues).absolute())
    serve.run(answers.bind(path, bundle), name="replies", blocking=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
