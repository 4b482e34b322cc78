"""Which addresses may be listened on, and what is said of those that cannot be had."""

from __future__ import annotations

import socket

import pytest

from empgan_rt.errors import InputError
from empgan_rt.server.binding import bound, check_free, check_public, is_local, url_of


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_this_machine_alone_needs_no_key(host: str) -> None:
    assert is_local(host)
    check_public(host, has_keys=False, no_auth=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "::ffff:8.8.8.8"])
def test_any_other_needs_a_decision(host: str) -> None:
    assert not is_local(host)
    with pytest.raises(InputError, match="can be reached from elsewhere"):
        check_public(host, has_keys=False, no_auth=False)
    check_public(host, has_keys=True, no_auth=False)
    check_public(host, has_keys=False, no_auth=True)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("no such host", 0, "no address is called 'no such host'"),
        ("a" * 300, 0, "no address is called"),
        ("", 70000, "port is 70000"),
        ("127.0.0.1", -1, "port is -1"),
        ("192.0.2.1", 0, "is not on this machine"),
    ],
)
def test_addresses_that_cannot_be_had(host: str, port: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        bound(host, port)


def test_a_shared_port_is_taken_for_those_who_do_not_share() -> None:
    with bound("127.0.0.1", 0, shared=True) as first:
        port = first.getsockname()[1]
        first.listen()
        with bound("127.0.0.1", port, shared=True) as second:
            second.listen()
        for take in (check_free, bound):
            with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 is in use"):
                take("127.0.0.1", port)
    check_free("127.0.0.1", port)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_where_it_is(host: str, shown: str) -> None:
    with bound(host, 0) as made:
        assert url_of(made) == f"http://{shown}:{made.getsockname()[1]}"
        assert isinstance(made, socket.socket)
        assert not made.getblocking()
