"""Dialogues that clients have with a server over HTTP until it is killed, and what must be left."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from support.event_streams import documents
from support.keep_alive import GONE, KeptConnection
from support.served import request

EXCHANGES = 5  # of a dialogue, after which its client deletes it or begins another
JSON = "content-type: application/json"


@dataclass
class Talk:
    """One dialogue as its client knows it.

    Attributes:
        key: names it.
        turns: those that were answered; the client has read each reply to its end.
        asked: what was said and not answered yet.
        deletes: whether the client has asked that it be deleted.
        is_deleted: whether the server has said that it is.
    """

    key: str
    turns: list[str] = field(default_factory=list)
    asked: str | None = None
    deletes: bool = False
    is_deleted: bool = False

    def fault(self, found: Sequence[str]) -> str | None:
        """Return what is wrong if these are the turns that are there after a kill."""
        if self.is_deleted:
            return f"{self.key} was deleted and has {len(found)} turns" if found else None
        if self.deletes and not found:
            return None
        if [*found[: len(self.turns)]] != self.turns:
            return f"{self.key} has other than the {len(self.turns)} turns that were answered"
        more = found[len(self.turns) :]  # its reply was not read, and it may be there whole
        if more and (len(more) != 2 or more[0] != self.asked):
            return f"{self.key} has {len(more)} turns more, not one exchange"
        return None


class Talker:
    """A client that has one dialogue after another, the last one on after the server was killed.

    Args:
        name: what the keys of its dialogues begin with.

    Attributes:
        talks: its dialogues, oldest first.
        answered: how many of its messages were answered.
        is_wrong: what was answered otherwise than by a reply.
    """

    def __init__(self, name: str) -> None:
        self.talks = [Talk(f"{name}-0")]
        self.answered = 0
        self.is_wrong: list[str] = []
        self._name, self._dice = name, random.Random(name)

    async def talk(self, port: int, began: asyncio.Event) -> None:
        """Go on until the server is not there any more; `began` is set by each answer."""
        connection = KeptConnection(port)
        try:
            while not self.is_wrong:
                talk = self.talks[-1]
                if talk.is_deleted:
                    self.talks.append(Talk(f"{self._name}-{len(self.talks)}"))
                elif len(talk.turns) < 2 * EXCHANGES:
                    await self._say(connection, talk)
                    began.set()
                elif self._dice.random() < 0.5:
                    talk.deletes = True
                    await self._ask(connection, request(_path(talk), method="DELETE"))
                    talk.is_deleted = True
                else:
                    self.talks.append(Talk(f"{self._name}-{len(self.talks)}"))
        except GONE:
            pass
        finally:
            connection.close()

    async def look(self, port: int, talks: Sequence[Talk]) -> list[str]:
        """Return what is wrong with some dialogues as a server shows them.

        What their clients did not know of they know then: they go on from there.
        """
        connection, faults = KeptConnection(port), []
        for talk in talks:
            status, body = await connection.ask(request(_path(talk)))
            found = [turn["text"] for turn in json.loads(body)["turns"]] if status == 200 else []
            if fault := talk.fault(found):
                faults.append(fault)
            talk.turns, talk.asked = found, None
            talk.is_deleted = talk.deletes = talk.deletes and not found
        connection.close()
        return faults

    async def _say(self, connection: KeptConnection, talk: Talk) -> None:
        streams = self._dice.random() < 0.5
        talk.asked = f"I lost {self._dice.randrange(1000)} keys {self._dice.randrange(9)} days ago."
        body = json.dumps({"text": talk.asked, "stream": streams}).encode()
        read = await self._ask(connection, request(_path(talk), JSON, method="POST", body=body))
        if read is not None:
            reply = documents(read.decode())[-1]["reply"] if streams else json.loads(read)
            talk.turns += [talk.asked, reply["text"]]
            talk.asked = None
            self.answered += 1

    async def _ask(self, connection: KeptConnection, sent: bytes) -> bytes | None:
        status, body = await connection.ask(sent)
        if status == 200:
            return body
        self.is_wrong.append(f"{status} {body.decode()}")
        return None


def _path(talk: Talk) -> str:
    return f"/v1/sessions/{talk.key}"
