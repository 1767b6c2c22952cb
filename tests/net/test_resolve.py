"""Names to addresses, with a resolver that tests replace: nobody out there is asked."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from poise.errors import MachineFault
from poise.limits import LoopLimits
from poise.loop.offload import Overloaded
from poise.loop.reactor import Reactor
from poise.net import resolve as room
from poise.net.resolve import Candidate, ResolveError, check, look_up, resolve
from tests.support.loops import turn_until

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    with Reactor() as made:
        yield made


class Asker:
    """Asks, and keeps what it hears."""

    def __init__(self, reactor: Reactor, address: Any) -> None:
        self.found: list[list[Candidate]] = []
        self.failed: list[Exception] = []
        self.lookup = resolve(reactor, address, self.found.append, self.failed.append)
        assert not self.heard  # never from inside the call

    @property
    def heard(self) -> bool:
        return bool(self.found or self.failed)


@pytest.mark.parametrize(
    ("address", "candidates"),
    [
        (("127.0.0.1", 80), [(V4, ("127.0.0.1", 80))]),
        (("::1", 80), [(V6, ("::1", 80, 0, 0))]),
        (("[::1]", 80), [(V6, ("::1", 80, 0, 0))]),
        (("::1", 80, 0, 0), [(V6, ("::1", 80, 0, 0))]),
        (("localhost", 80), [(V6, ("::1", 80, 0, 0)), (V4, ("127.0.0.1", 80))]),
        ("unix:/a/path", [(socket.AF_UNIX, "/a/path")]),
    ],
)
def test_some_addresses_need_no_asking(
    reactor: Reactor, monkeypatch: pytest.MonkeyPatch, address: Any, candidates: list[Candidate]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    asker = Asker(reactor, address)
    reactor.turn(0)
    assert (asker.found, asker.failed) == ([candidates], [])
    assert check(address) == candidates


@pytest.mark.parametrize(
    "address",
    [
        ("", 80),
        ("<broadcast>", 80),
        ("a\0b", 80),
        (80, 80),
        (None, 80),
        ("name.example",),
        ("name.example", -1),
        ("name.example", 65536),
        ("name.example", "80"),
        ("name.example", True),
        ("localhost", 65536),
        ("127.0.0.1", -1),
        (),
        b"name",
        None,
        "name.example:80",
        "unix:",
        "unix:/" + "x" * 200,
    ],
)
def test_what_is_no_address_is_refused_at_once(reactor: Reactor, address: Any) -> None:
    with pytest.raises(ValueError):
        resolve(reactor, address, print, print)


def test_a_name_is_looked_up_off_the_loop(reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def fake(host: str, port: int, **options: Any) -> list[Any]:
        threads.append(threading.current_thread())
        assert (host, port, options) == ("name.example", 80, {"type": socket.SOCK_STREAM})
        return [
            (V6, 1, 6, "", ("::1", 80, 0, 0)),
            (V4, 1, 6, "", ("127.0.0.1", 80)),
            (V4, 1, 6, "", ("127.0.0.1", 80)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    asker = Asker(reactor, ("name.example", 80))
    turn_until(reactor, lambda: asker.heard)
    assert asker.found == [[(V6, ("::1", 80, 0, 0)), (V4, ("127.0.0.1", 80))]]  # in its order, each once
    assert threads != [threading.current_thread()]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (UnicodeError("label too long"), "label too long"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),  # EAI_SYSTEM
        (OSError("what system?"), "what system?"),
    ],
)
def test_an_unknown_name_is_told(
    reactor: Reactor, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fake(*args: Any, **options: Any) -> list[Any]:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    asker = Asker(reactor, ("name.example", 80))
    turn_until(reactor, lambda: asker.heard)
    assert asker.found == []
    assert isinstance(asker.failed[0], ResolveError)
    assert f"'name.example': {said}" in str(asker.failed[0])
    unknown = isinstance(error, UnicodeError | socket.gaierror) or not error.args[1:]
    assert asker.failed[0].errno == (errno.EADDRNOTAVAIL if unknown else errno.EMFILE)


def test_a_real_resolver_refuses_a_label_that_is_too_long() -> None:
    with pytest.raises(ResolveError, match="cannot resolve"):
        look_up("x" * 64 + ".invalid", 80)


def test_who_cancels_hears_nothing(reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def fake(*args: Any, **options: Any) -> list[Any]:
        done.wait(20)
        return [(V4, 1, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    asker = Asker(reactor, ("name.example", 80))
    other = Asker(reactor, ("name.example", 80))
    literal = Asker(reactor, ("127.0.0.1", 80))
    reactor.turn(0)
    asker.lookup.cancel()
    asker.lookup.cancel()
    done.set()
    turn_until(reactor, lambda: other.heard)
    assert not asker.heard
    literal.lookup.cancel()
    early = Asker(reactor, ("127.0.0.1", 80))
    early.lookup.cancel()
    reactor.turn(0)
    assert not early.heard


def test_too_many_at_once_is_told_like_any_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    hold = threading.Event()
    monkeypatch.setattr(room, "look_up", lambda host, port: hold.wait(20) and [])
    with Reactor(limits=LoopLimits(threads=1, waiting=0)) as reactor:
        first = Asker(reactor, ("name.example", 80))
        second = Asker(reactor, ("name.example", 80))
        turn_until(reactor, lambda: second.heard)
        assert isinstance(second.failed[0], Overloaded)
        assert isinstance(second.failed[0], MachineFault)
        hold.set()
        turn_until(reactor, lambda: first.heard)
        assert first.found == [[]]


def test_a_loop_that_closes_tells_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    hold = threading.Event()
    monkeypatch.setattr(room, "look_up", lambda host, port: hold.wait(20) and [])
    reactor = Reactor()
    asker = Asker(reactor, ("name.example", 80))
    reactor.close()
    hold.set()
    assert len(asker.failed) == 1
