"""A flood of pipelined requests: fifty others go on nearly as if it were not there. :mod:`tests.live.fairness` judges."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from poise.http.exchange import Exchange
from poise.http.message import Reply, Request
from poise.http.server import HTTPServer
from poise.limits import HttpLimits, StreamLimits
from poise.loop.reactor import Reactor
from poise.net.stream import Stream
from poise.readiness.poller import available
from tests.live.fairness import assert_fair
from tests.support.program import serving

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux", reason="processor time and cores are asked in Linux's own way"
    ),
]


class Counting(HTTPServer):
    """Counts the requests that it answers."""

    answered = 0

    def respond(self, request: Request) -> Reply:
        self.answered += 1
        return Reply(204)


@pytest.mark.pitfall(24)
@pytest.mark.parametrize("poller", available())
def test_one_turn_answers_one_share(poller: str) -> None:
    """The turn in which the requests arrive included."""
    with Reactor(poller) as reactor:
        server = Counting(reactor)
        near, far = socket.socketpair()
        near.setblocking(False)
        Stream(reactor, near, Exchange(server, "http", server.memo), "", StreamLimits()).begin()
        with far:
            far.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
            shares: list[int] = []
            while server.answered < 1000 and len(shares) < 1000:
                before = server.answered
                reactor.turn(1)
                shares.append(server.answered - before)
            server.close()
        reactor.turn(0)
    assert server.answered == 1000
    assert max(shares) <= server.limits.requests_per_turn, shares


@pytest.mark.pitfall(24)
@pytest.mark.parametrize("poller", ["select", "poll", "epoll"])
def test_a_flood_of_pipelined_requests_is_nobody_elses_trouble(
    tmp_path: Path, poller: str, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "small.txt").write_bytes(b"x" * 1024)
    with serving(tmp_path, "--poller", poller, "--no-access-log") as served:
        assert_fair("http", served.port, served.pid, HttpLimits().requests_per_turn, record_property)
