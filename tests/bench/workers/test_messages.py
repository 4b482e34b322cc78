"""The protocol of the workers has a number, which rises when an older build would not follow."""

from __future__ import annotations

import hashlib
import inspect

import msgspec

from empgan_bench.engines.base import Timing
from empgan_bench.workers import messages, requests

KNOWN = {1: "c742d8b284f8fda6"}


def test_a_change_of_the_messages_needs_a_new_number() -> None:
    structs = {
        name: found
        for module in (messages, requests)
        for name, found in vars(module).items()
        if inspect.isclass(found) and issubclass(found, msgspec.Struct)
    } | {"Timing": Timing}
    told = [
        f"{name} {found.__struct_config__.tag} "
        + ", ".join(f"{f.name}: {f.type} {f.required}" for f in msgspec.structs.fields(found))
        for name, found in sorted(structs.items())
    ]
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
    assert KNOWN[messages.PROTOCOL] == digest, (
        "a message has changed: raise PROTOCOL, or enter the new digest beside its number if a "
        "worker of an older build still understands"
    )
