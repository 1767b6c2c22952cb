"""Addresses of datagrams: literals are understood, names are refused, and nobody is asked."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.net import literal

V4, V6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX


@pytest.fixture(autouse=True)
def no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"the resolver was asked: {args}")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        monkeypatch.setattr(socket, name, asked)


@pytest.mark.parametrize(
    ("address", "family", "found"),
    [
        (("127.0.0.1", 80), None, (V4, ("127.0.0.1", 80))),
        (("127.0.0.1", 80), V4, (V4, ("127.0.0.1", 80))),
        (("127.0.0.1", 80), V6, (V6, ("::ffff:127.0.0.1", 80, 0, 0))),
        (("::1", 80), None, (V6, ("::1", 80, 0, 0))),
        (("[::1]", 80), None, (V6, ("::1", 80, 0, 0))),
        (("0:0::0:1", 80, 5, 0), V6, (V6, ("::1", 80, 5, 0))),
        (("FE80::1", 80, 0, 3), V6, (V6, ("fe80::1", 80, 0, 3))),
        (("fe80::1%3", 80), None, (V6, ("fe80::1", 80, 0, 3))),
        (("localhost", 1), None, (V4, ("127.0.0.1", 1))),
        (("localhost", 1), V6, (V6, ("::1", 1, 0, 0))),
        (("<broadcast>", 1), V4, (V4, ("255.255.255.255", 1))),
        (("", 0), None, (V4, ("0.0.0.0", 0))),
    ],
)
def test_a_literal_is_found(address: Any, family: Any, found: Any) -> None:
    assert literal.find(address, family) == found
    if family is not None:
        assert literal.destination(family, address) == found[1]


def test_a_zone_by_name_is_looked_up_each_time() -> None:
    index, name = socket.if_nameindex()[0]
    assert literal.destination(V6, (f"fe80::1%{name}", 80)) == ("fe80::1", 80, 0, index)
    with pytest.raises(ValueError, match="no network interface 'nowhere0'"):
        literal.destination(V6, ("fe80::1%nowhere0", 80))


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (("example.org", 80), "resolve names before sending"),
        (("1.2.3", 80), "is no address"),
        (("127.0.0.1 ", 80), "is no address"),
        (("1.2.3.4%1", 80), "is no address"),
        (("\udcff", 80), "is no address"),
        (("a\0b", 80), "is no address"),
        (("127.0.0.1", 65_536), "a port is a number from 0 to 65535, not 65536"),
        (("127.0.0.1", -1), "a port"),
        (("127.0.0.1", "80"), "a port"),
        (("127.0.0.1", False), "a port"),
        (("::1", 80, 1 << 20), "a flow"),
        (("::1", 80, 0, -1), "a scope"),
        ((b"127.0.0.1", 80), "a host is a string"),
        (("127.0.0.1",), "an address is"),
        ((), "an address is"),
        (("::1", 80, 0, 0, 0), "an address is"),
    ],
)
def test_what_is_no_literal_is_refused(address: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        literal.find(address)
    with pytest.raises(ValueError, match=why):
        literal.destination(V6, address)


def test_another_family_is_refused() -> None:
    with pytest.raises(ValueError, match="IPv6 address, and the socket is for IPv4"):
        literal.destination(V4, ("::1", 80))
    with pytest.raises(ValueError, match=r"a destination is \(host, port\)"):
        literal.destination(V4, "unix:/tmp/x")
    with pytest.raises(ValueError, match="a destination is"):
        literal.destination(UNIX, ("127.0.0.1", 80))


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_the_sender_of_a_unix_datagram_is_a_destination(path: str) -> None:
    source = literal.unix_source(path)
    assert literal.destination(UNIX, source) == path


def test_unix_names_of_the_other_kinds() -> None:
    assert literal.unix_source(b"\0abstract") == b"\0abstract"
    assert literal.destination(UNIX, b"\0abstract") == b"\0abstract"
    assert literal.unix_source("") is literal.unix_source(None) is literal.unix_source(b"") is None
    for wrong in ("/tmp/x", "unix:a\0b", 7):
        with pytest.raises(ValueError, match='a destination is "unix:/path"'):
            literal.destination(UNIX, wrong)


def test_a_zone_that_is_no_number_of_an_interface() -> None:
    with pytest.raises(ValueError, match="zone"):
        literal.find(("fe80::1%99999999999", 1))
