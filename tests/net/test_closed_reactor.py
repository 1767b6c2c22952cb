"""A reactor that is closed: nothing begins on it, and what was there can still end."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poise.errors import ProgramFault
from poise.loop.reactor import Reactor
from poise.net.connect import connect
from poise.net.datagram import open_datagram
from poise.net.listener import listen
from poise.net.pipe import read_pipe, write_pipe
from poise.net.process import ProcessProtocol, spawn
from poise.net.protocol import DatagramProtocol
from poise.readiness.poller import available
from tests.support.loops import Recorder, turn_until

OPENERS: dict[str, Callable[[Reactor, str, Callable[[], Any]], object]] = {
    "listen": lambda reactor, path, factory: listen(reactor, f"unix:{path}", factory),
    "connect to a number": lambda reactor, path, factory: connect(reactor, ("127.0.0.1", 1), factory),
    "connect to a name": lambda reactor, path, factory: connect(reactor, ("name.example", 1), factory),
    "open_datagram": lambda reactor, path, factory: open_datagram(reactor, factory, local=f"unix:{path}"),
    "spawn": lambda reactor, path, factory: spawn(reactor, [f"{path}/nothing"], ProcessProtocol()),
}


@pytest.mark.parametrize("how", OPENERS)
def test_nothing_is_opened(how: str, tmp_path: Path) -> None:
    made: list[Recorder] = []

    def factory() -> Recorder:
        made.append(Recorder())
        return made[-1]

    reactor = Reactor()
    reactor.close()
    with pytest.raises(ProgramFault, match="this reactor is closed"):
        OPENERS[how](reactor, str(tmp_path / "s"), factory)
    assert made == []
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_given_back() -> None:
    reactor = Reactor()
    reactor.close()
    for open_pipe, end in ((read_pipe, 0), (write_pipe, 1)):
        pipe = os.pipe()
        with pytest.raises(ProgramFault, match="this reactor is closed"):
            open_pipe(reactor, pipe[end], Recorder())
        for fd in pipe:
            os.close(fd)


@pytest.mark.parametrize("poller", available())
def test_what_is_open_can_still_end_and_nobody_hears_of_it(poller: str) -> None:
    server, client, datagram, ends = Recorder(), Recorder(), DatagramProtocol(), (Recorder(), Recorder())
    reactor = Reactor(poller)
    listener = listen(reactor, ("127.0.0.1", 0), lambda: server)
    connecting = connect(reactor, listener.address, lambda: client)
    turn_until(reactor, lambda: connecting.stream and listener.streams)
    pending = connect(reactor, listener.address, Recorder)
    opened: list[Any] = [client.stream, server.stream, open_datagram(reactor, lambda: datagram)]
    fds = os.pipe()
    opened += [read_pipe(reactor, fds[0], ends[0]), write_pipe(reactor, fds[1], ends[1])]
    reactor.close()
    assert connecting.stream is not None
    for each in opened:
        each.abort()
        assert each.is_closing()
    listener.close()
    connecting.cancel()
    pending.cancel()
    assert not listener.streams
    assert client.lost == server.lost == ends[0].lost == ends[1].lost == []


def test_what_a_reactor_that_closes_calls_may_still_begin_something() -> None:
    """``at_close`` is for those who clean up, and cleaning up may take a posted call or a registration."""
    ours, theirs = socket.socketpair()
    with ours, theirs, Reactor() as reactor:

        def clean_up() -> None:
            reactor.call_soon(print)
            reactor.call_later(1.0, print)
            reactor.register(ours.fileno(), 1, print)
            reactor.unregister(ours.fileno())

        errors: list[Exception] = []
        reactor.on_error = errors.append
        reactor.at_close.append(clean_up)
        reactor.close()
        assert errors == []
