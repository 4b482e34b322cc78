"""A FastAPI site of your own with the whole API of `empgan-rt serve` mounted into it.

    pip install 'empgan-rt[serve]' fastapi
    python examples/fastapi_mount.py

Then http://127.0.0.1:8000/empathy/v1 is an address for OpenAI's clients, and
http://127.0.0.1:8000/feeling?text=I+lost+my+keys is a page of this site that asks the same model.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from empgan_rt import AsyncResponder
from empgan_rt.server import ServerSettings, app

# The name of an embedded model, or a folder. One model serves the whole process.
responder = AsyncResponder.load(sys.argv[2] if len(sys.argv) > 2 else "default")


@asynccontextmanager
async def lifespan(site: FastAPI) -> AsyncIterator[None]:
    """Closes the model when the site ends, after the requests that it is in."""
    async with responder:
        yield


site = FastAPI(lifespan=lifespan)
# Keys, limits and origins are set here and not by options; see `ServerSettings`.
site.mount("/empathy", app(responder, settings=ServerSettings(request_timeout_s=30.0)))


@site.get("/feeling")
async def feeling(text: str) -> dict[str, str]:
    """Returns what the model hears in a sentence, and what it would say to it."""
    reply = await responder.reply([text])
    return {"emotion": reply.emotions[-1].label.name.lower(), "reply": reply.text}


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    # One thread computes, so more processes (`--workers` of uvicorn) use more cores.
    uvicorn.run(site, host="127.0.0.1", port=port)
