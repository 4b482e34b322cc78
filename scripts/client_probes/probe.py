"""What every probe of a client is given, and how it tells what it saw.

A probe is a program that does with one client what its users do, and prints a line of JSON for each
thing that it asked. `scripts/clients.py` gives it an `Errand` as its argument.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.request import Request, urlopen

CROWD = 48  # requests at once: more than a server answers that lets nobody wait
PATIENCE = 300  # times that one of them asks again, a second apart, on however slow a machine
LONG = {"max_tokens": 200, "extra_body": {"ignore_eos": True}}  # what keeps it busy
AT_ONCE = {"x-request-timeout": "0.000001"}  # a deadline that is over when it is read


class OtherwiseError(Exception):
    """A client did not do what it should."""


@dataclass(frozen=True)
class Errand:
    """What a probe is given.

    Attributes:
        url: of a server.
        busy_url: of a server that lets no request wait.
        key: that both want.
        model, busy_model: what they serve.
        said: what is said to the model.
        reply: what the model answers.
    """

    url: str
    busy_url: str
    key: str
    model: str
    busy_model: str
    said: str
    reply: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """What is said, as messages; the first one has no effect."""
        return [{"role": "system", "content": "Be kind."}, {"role": "user", "content": self.said}]

    def same(self, text: str | None) -> str:
        """Return that a text is the model's reply.

        Raises:
            OtherwiseError: it is not.
        """
        expect(text, self.reply)
        return "the reply"

    def joined(self, pieces: Iterable[str | None]) -> str:
        """Return that some pieces are the model's reply."""
        return self.same("".join(piece or "" for piece in pieces))

    def patience(self, ask: Callable[[], object]) -> str:
        """Return that all of a crowd are answered, some of them not at once."""
        before = self.refused(self.busy_url, 429)
        with ThreadPoolExecutor(CROWD) as pool:
            answers = [*pool.map(lambda _: ask(), range(CROWD))]
        expect(all(answers), True)
        if self.refused(self.busy_url, 429) == before:
            raise OtherwiseError("nobody was refused")
        return "all answered"

    def asked_once(self, ask: Callable[[], object]) -> str:
        """Return how a deadline is told that is over, if it was not asked for again."""
        before = self.refused(self.url, 504)
        told = raised(ask)
        expect(self.refused(self.url, 504) - before, 1)
        return f"{told}, asked once"

    def refused(self, url: str, status: int) -> int:
        """Return how many answers of a server had this status."""
        request = Request(f"{url}/metrics", headers={"authorization": f"Bearer {self.key}"})
        with urlopen(request) as answer:
            page = answer.read().decode()
        line = rf'^empgan_request_refused_total{{.*status="{status}"}} (\S+)'
        return sum(int(float(count)) for count in re.findall(line, page, re.MULTILINE))


def errand() -> Errand:
    """Return what this program was given."""
    return Errand(**json.loads(sys.argv[1]))


def expect(found: object, wanted: object) -> None:
    """Do nothing if a client did what it should.

    Raises:
        OtherwiseError: it did not.
    """
    if found != wanted:
        raise OtherwiseError(f"{found!r} instead of {wanted!r}")


def raised(ask: Callable[[], object], status: int | None = None) -> str:
    """Return what an error is called.

    Args:
        ask: what is to raise it.
        status: that its `status_code` is to be; None for any.

    Raises:
        OtherwiseError: there is none, or of another status.
    """
    try:
        answer = ask()
    except Exception as error:
        found = getattr(error, "status_code", None)
        if status is not None and found != status:
            raise OtherwiseError(f"{type(error).__name__} of status {found}: {error}") from error
        return type(error).__name__
    raise OtherwiseError(f"no error, but {answer!r}")


def tell(**asked: Callable[[], str]) -> None:
    """Do each thing and print what happened."""
    for name, ask in asked.items():
        try:
            happened, is_right = ask(), True
        except Exception as error:
            happened, is_right = f"{type(error).__name__}: {error}", False
        print(json.dumps({"asked": name, "happened": happened, "is_right": is_right}), flush=True)
