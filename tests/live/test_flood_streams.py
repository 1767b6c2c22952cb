"""A stream that is written to without pause: fifty others that ping go on nearly as if it were not there.

Here without HTTP: what bounds the flood is the stream's own share of a turn, ``StreamLimits.read_size`` bytes.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

import pytest

from poise.limits import StreamLimits
from poise.loop.reactor import Reactor
from poise.net.stream import Stream
from poise.readiness.poller import available
from tests.live.crowd_and_flood import PING
from tests.live.fairness import assert_fair
from tests.support.loops import Recorder, turn_until
from tests.support.program import program

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.mark.pitfall(24)
@pytest.mark.parametrize("poller", available())
def test_one_turn_reads_one_share(poller: str) -> None:
    """However much is there, nobody gets more than one read of a turn, and nobody is left out of it."""
    with Reactor(poller) as reactor:
        pairs = [socket.socketpair() for _ in range(3)]
        recorders = [Recorder() for _ in pairs]
        for (near, far), recorder in zip(pairs, recorders, strict=True):
            near.setblocking(False)
            far.setblocking(False)
            Stream(reactor, near, recorder, "", StreamLimits(read_size=1000)).begin()
            far.sendall(b"x" * 10_000)
        for turn in range(1, 11):
            reactor.turn(1)
            assert [recorder.pieces for recorder in recorders] == [[1000] * turn] * 3
        for _, far in pairs:
            far.close()
        turn_until(reactor, lambda: all(recorder.lost for recorder in recorders))


@pytest.mark.pitfall(24)
@pytest.mark.skipif(sys.platform != "linux", reason="processor time and cores are asked in Linux's own way")
@pytest.mark.parametrize("poller", ["select", "poll", "epoll"])
def test_a_flood_of_bytes_is_nobody_elses_trouble(
    poller: str, record_property: Callable[[str, object], None]
) -> None:
    with program([sys.executable, "-m", "tests.live.echoing", poller]) as served:
        port = int(served.line())
        in_a_turn = StreamLimits().read_size / len(PING)
        assert_fair("echo", port, served.pid, in_a_turn, record_property)
