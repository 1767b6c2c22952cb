"""What a remembered request costs the kernel: one recvfrom, one sendto, one wait, and nothing else.

strace sees system calls only: the clock is read without one (vdso(7)), so here "no clock" says that it stays so.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support.client import Answer, connected, read_answer
from tests.support.program import PATIENCE, serve_command, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]

REQUESTS = 1000
RARE = 0.05  # of the requests: looking at the file again and the date, a few times a second
CALL = re.compile(r"^(?:\[pid +[0-9]+\] |[0-9]+ +)?([a-z_0-9]+)\(", re.MULTILINE)


def calls(trace: str, first: str, last: str) -> Counter[str]:
    """How often each system call stands in ``trace`` between the requests for ``first`` and ``last``."""
    begin, end = trace.index(f"GET {first} "), trace.index(f"GET {last} ")
    return Counter(CALL.findall(trace[trace.index("\n", begin) : end]))


def traced_pid(strace: int) -> int:
    """The one child of ``strace``."""
    return int(Path(f"/proc/{strace}/task/{strace}/children").read_text().split()[0])


@pytest.mark.timeout(120)
def test_a_remembered_request_is_two_calls_and_a_wait(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    site = tmp_path / "site"
    site.mkdir()
    (site / "small.txt").write_bytes(b"x" * 1024)
    trace = tmp_path / "trace"
    command = [strace, "-f", "-s", "24", "-o", str(trace)]
    command += serve_command(site, "--port", "0", "--poller", "epoll", "--no-access-log")
    with serving(site, command=command) as served:
        with connected(served.port) as sock:

            def ask(path: str) -> Answer:
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                return read_answer(sock)

            # A reply is remembered once its file is at rest, which the strong validator says, and at second sight.
            while ask("/small.txt").fields["etag"].startswith("W/"):
                pass
            # What only a page of the server's own needs is loaded with the first one.
            for path in (
                "/small.txt",
                "/small.txt",
                "/before",
                "/first",
                *["/small.txt"] * REQUESTS,
                "/last",
            ):
                ask(path)
        os.kill(traced_pid(served.pid), signal.SIGTERM)
        assert served.process.wait(PATIENCE) == 0  # then the trace is whole
    counted = calls(trace.read_text("utf-8", "replace"), "/first", "/last")
    # The replies to /first and /last are the two that are not remembered; the last one's is behind the end.
    assert counted["recvfrom"] in (REQUESTS, REQUESTS + 1), counted
    assert counted["sendto"] in (REQUESTS, REQUESTS + 1), counted
    assert REQUESTS <= counted["epoll_wait"] + counted["epoll_pwait"] <= REQUESTS * (1 + RARE) + 2, counted
    hot = {"recvfrom", "sendto", "epoll_wait", "epoll_pwait"}
    others = sum(count for name, count in counted.items() if name not in hot)
    assert others < REQUESTS * RARE, counted
    assert not counted["epoll_ctl"], counted
