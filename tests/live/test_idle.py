"""Five thousand connections that want nothing: what they cost, and that nobody waits because of them."""

from __future__ import annotations

import re
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.client import connected, get, read_answer
from tests.support.program import Served, serving

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc/PID/smaps_rollup"),
]

HELD = 5_000
PRIVATE = 3 * 1024  # bytes for each connection at most
ANSWER = 0.050  # seconds for a request meanwhile
ASKED = 200  # requests, of which none may take longer
REQUEST = b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\nUser-Agent: idle\r\nAccept: */*\r\n\r\n"
SPARE = 300  # descriptors of the test besides


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = HELD + SPARE
    if hard != resource.RLIM_INFINITY and hard < wanted * 5 // 4 + SPARE:
        pytest.skip(f"a process may open only {hard} files here")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def served(tmp_path: Path, many_descriptors: None) -> Iterator[Served]:
    (tmp_path / "small.txt").write_bytes(b"hello")
    long = ("--head-timeout", "600", "--keep-alive-timeout", "600")
    with serving(tmp_path, "--poller", "epoll", *long) as running:
        yield running


def private_dirty(pid: int) -> int:
    """Bytes of memory that the process has written to and shares with nobody."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"^Private_Dirty: +([0-9]+) kB", rollup, re.MULTILINE)) * 1024


def established(pid: int) -> int:
    """How many sockets the process holds."""
    return sum(1 for link in Path(f"/proc/{pid}/fd").iterdir() if link.readlink().name.startswith("socket:"))


def hold(port: int, sockets: list[socket.socket], *, ask: bool) -> None:
    """Open HELD connections from several addresses, as the cap per client wants it; ``ask`` for a file on each."""
    for number in range(HELD):
        source = f"127.0.0.{2 + number // 500}"
        sock = socket.create_connection(("127.0.0.1", port), 10, (source, 0))
        sockets.append(sock)
        if ask:
            sock.sendall(REQUEST)
            assert read_answer(sock).status == 200


@pytest.mark.parametrize("ask", [False, True], ids=["silent", "kept-alive"])
def test_idle_connections_cost_little(
    served: Served, ask: bool, record_property: Callable[[str, object], None]
) -> None:
    with connected(served.port) as sock:  # whatever is made once is made
        for _ in range(100):
            sock.sendall(REQUEST)
            assert read_answer(sock).status == 200
    sockets: list[socket.socket] = []
    try:
        before = private_dirty(served.pid)
        hold(served.port, sockets, ask=ask)
        assert get(served.port, "/small.txt").status == 200  # all before it have been accepted
        assert established(served.pid) >= HELD
        each = (private_dirty(served.pid) - before) / HELD
        times = sorted(timed(served.port, fresh) for fresh in (True, False) for _ in range(ASKED // 2))
        record_property("private bytes for each connection", each)
        assert each <= PRIVATE, f"{each:.0f} bytes for each of {HELD} connections"
        assert times[-1] <= ANSWER, f"the slowest of {ASKED} answers took {times[-1] * 1000:.1f} ms"
    finally:
        for sock in sockets:
            sock.close()


def timed(port: int, fresh: bool) -> float:
    """Seconds for one answer: with the connecting or without."""
    begun = time.monotonic()
    with connected(port) as sock:
        if not fresh:
            begun = time.monotonic()
        sock.sendall(REQUEST)
        assert read_answer(sock).body == b"hello"
        return time.monotonic() - begun
