"""Users of `/v1/sessions/{key}` who say a message again where they are told to."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from urllib.error import HTTPError
from urllib.request import Request, urlopen

TEXTS = ("I lost my keys today.", "I have some good news.", "We are moving to the sea.", "Oh no!")
AGAIN = (408, 429, 500, 503)  # of a killed process, or of too much work
MESSAGES = 6  # of a dialogue; a model's window has them all


def call(
    url: str, method: str, path: str, body: object = None
) -> tuple[int, dict[str, str], object]:
    """Return status, headers and body of an answer; status 0 if the connection broke."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url + path, data, {"content-type": "application/json"}, method=method)
    try:
        with urlopen(request, timeout=120) as answer:
            return answer.status, _lower(answer.headers.items()), json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, _lower(error.headers.items()), error.read()
    except (OSError, http.client.IncompleteRead, http.client.BadStatusLine):
        return 0, {}, None


def _lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


class Talkers:
    """Many users at once, each with one message under way.

    Args:
        url: the server.
        number: how many.

    Attributes:
        said: by key, the pairs of a message and its reply that were acknowledged, in order.
        statuses: how often each status was the answer; 0 for connections that broke.
    """

    def __init__(self, url: str, number: int) -> None:
        self.said: dict[str, list[tuple[str, str]]] = {}
        self.statuses: Counter[int] = Counter()
        self._url, self._is_over, self._lock = url, threading.Event(), threading.Lock()
        self._threads = [
            threading.Thread(target=self._talk, args=(place,)) for place in range(number)
        ]

    def __enter__(self) -> Talkers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """End when every message that was begun is answered."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    @property
    def answered(self) -> int:
        """How many messages were acknowledged so far."""
        with self._lock:
            return sum(map(len, self.said.values()))

    def _talk(self, place: int) -> None:
        number = 0
        while not self._is_over.is_set():
            key = f"talker-{place}-{number // MESSAGES}"
            text = TEXTS[(place + number) % len(TEXTS)]
            status, _, found = call(self._url, "POST", f"/v1/sessions/{key}", {"text": text})
            with self._lock:
                self.statuses[status] += 1
                if status == 200:
                    assert isinstance(found, dict)
                    self.said.setdefault(key, []).append((text, found["text"]))
                    number += 1
            if status in AGAIN or status == 0:
                time.sleep(0.2)
            elif status != 200:
                return  # who is refused for good says nothing more: see `statuses`
