"""How much one read takes: little while little comes, more from a peer that fills it, and never by page faults."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from poise import Reactor, StreamLimits
from poise.net.stream import Stream
from tests.support.loops import Recorder, turn_until

LIMITS = StreamLimits(read_size=4000, read_first=1000)


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    with Reactor() as made:
        yield made


def test_a_peer_that_fills_a_read_is_read_in_larger_pieces(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    heard = Recorder()
    stream = Stream(reactor, ours, heard, "", LIMITS)
    stream.begin()
    with theirs:
        theirs.sendall(b"x" * 10_500)
        turn_until(reactor, lambda: len(heard.data) == 10_500)
        assert heard.pieces == [1000, 4000, 4000, 1500]
        for size in (999, 1000, 999, 4000):
            heard.pieces.clear()
            theirs.sendall(b"x" * size)
            turn_until(reactor, lambda: sum(heard.pieces) == size)  # noqa: B023 - it is asked at once
            assert heard.pieces == ([1000, 3000] if size == 4000 else [size])
        stream.abort()
        turn_until(reactor, lambda: heard.lost)


FAULTS = """
import resource, socket, sys
if sys.argv[1] == "with":
    import poise.net.stream
ours, theirs = socket.socketpair()
message = b"x" * 65536
ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
for _ in range(3):
    theirs.send(message)
    ours.recv(262144)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    theirs.send(message)
    ours.recv(262144)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(which: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, which], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the page faults of Linux are counted")
def test_large_reads_do_not_fault() -> None:
    assert faults("with") < 100, "less than one fault for a read"
