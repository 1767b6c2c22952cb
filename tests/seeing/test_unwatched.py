"""Who is not looked at pays nothing: a request makes the very calls that it made before anybody could look, and after all have left."""

from __future__ import annotations

import select
import socket
from functools import partial

import pytest

import poise
from poise.loop.clock import ManualClock
from poise.seeing.shared import Looker, watching_of
from tests.loop.test_turn_calls import calls_of_a_turn
from tests.support.loops import turn_until
from tests.support.program import PATIENCE

pytestmark = pytest.mark.usefixtures("folder")


class Hello(poise.HTTPServer):
    def respond(self, request: poise.Request) -> poise.Reply:
        del request
        return poise.Reply(200, [], b"hello")


def calls_of_a_request(reactor: poise.Reactor, client: socket.socket) -> list[str]:
    """Every call of Python and of C, and so every system call, that answering it takes."""
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    (connection,) = [fd for fd in reactor._handlers if readable(fd)]
    calls = calls_of_a_turn(reactor)
    assert client.recv(65536).startswith(b"HTTP/1.1 200"), connection
    return calls


def at(viewer: Looker, level: str) -> bool:
    return bool(viewer.state()["level"] == level)


def readable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def test_a_request_makes_the_same_calls_before_and_after_somebody_looked() -> None:
    # At every full second a request makes the new Date, which has nothing to do with who looks.
    with poise.Reactor(clock=ManualClock()) as reactor:
        listener = Hello(reactor).listen(("127.0.0.1", 0))
        with socket.create_connection(("127.0.0.1", int(listener.address[1])), PATIENCE) as client:
            turn_until(reactor, lambda: len(reactor._handlers) > 2)
            for _ in range(3):  # the first ones are answered by a longer way
                calls_of_a_request(reactor, client)
            never = calls_of_a_request(reactor, client)
            assert {"turn", "poll", "recv", "send", "respond"} <= set(never)
            shown = poise.watch(reactor)
            assert calls_of_a_request(reactor, client) == never
            for full, level in ((False, "recorder"), (True, "full")):
                viewer = watching_of(reactor).attach(full=full)
                turn_until(reactor, partial(at, viewer, level))
                assert calls_of_a_request(reactor, client) != never
                viewer.close()
                reactor.turn(0)
                assert calls_of_a_request(reactor, client) == never
            shown.close()
        listener.close()
        reactor.turn(0)
