"""Names that only this machine can have: the defence against DNS rebinding."""

from __future__ import annotations

import pytest

from poise.http.hosts import is_local, local_or, name_of

LOCAL = [
    None,
    "localhost",
    "LocalHost",
    "localhost:8000",
    "localhost.",
    "localhost.:8000",
    "foo.localhost",
    "a.b.localhost:1",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.0.0.1:",
    "127.1",
    "127.255.255.254",
    "[::1]",
    "[::1]:8000",
    "[::FFFF:127.0.0.1]:80",
]
FOREIGN = [
    "",
    "evil.com",
    "evil.com:8000",
    "evil.com.",
    "127.0.0.1.evil.com",
    "127.0.0.1.",
    "localhost.evil.com",
    "localhost.evil.com:8000",
    "evil-localhost",
    "evillocalhost",
    ".localhost",
    "localhost..",
    "1.2.3.4",
    "0.0.0.0",
    "10.0.0.1",
    "128.0.0.1",
    "1270.0.1",
    "127",
    "127.0.0.0.1",
    "[::2]",
    "[::1]evil.com",
    "[::1].localhost",
    "::1",
    "[::]",
    "localhost:80:80",
    "localhost:evil",
    "localhost:80\n",
    "localhost\n",
    "evil.com\nlocalhost",
    "evil.com:80@localhost",
    "user@localhost",
]


@pytest.mark.parametrize("host", LOCAL)
def test_local(host: str | None) -> None:
    assert is_local(host)
    assert local_or([])(host)


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign(host: str) -> None:
    assert not is_local(host)
    assert not local_or(["other.example"])(host)


@pytest.mark.parametrize("name", ["My.Example", "my.example:80", "MY.EXAMPLE"])
def test_names_that_are_allowed_besides(name: str) -> None:
    allowed = local_or([name, "second.example"])
    for host in ("my.example", "MY.example:8000", "second.example", "localhost", None):
        assert allowed(host)
    for host in ("example", "x.my.example", "my.example.evil.com", "1.2.3.4", ""):
        assert not allowed(host)


def test_a_name_is_without_port_and_case() -> None:
    assert name_of("A.Example:80") == "a.example"
    assert name_of("[::1]:80") == name_of("[::1]") == "[::1]"
