"""Five hundred TLS connections that want nothing any more: what each of them costs."""

from __future__ import annotations

import re
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.client import read_answer
from tests.support.program import serving

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc/PID/smaps_rollup"),
]

HELD = 500
PRIVATE = 24 * 1024  # bytes for each connection at most
REQUEST = b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\nUser-Agent: idle\r\nAccept: */*\r\n\r\n"


def private_dirty(pid: int) -> int:
    """Bytes of memory that the process has written to and shares with nobody."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"^Private_Dirty: +([0-9]+) kB", rollup, re.MULTILINE)) * 1024


def asked(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection that has had one answer."""
    plain = socket.create_connection(("127.0.0.1", port), 10)
    secure = context.wrap_socket(plain, server_hostname="127.0.0.1")
    secure.sendall(REQUEST)
    assert read_answer(secure).status == 200
    return secure


def test_an_idle_tls_connection_costs_little(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "small.txt").write_bytes(b"hello")
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=authority.file)
    options = ("--poller", "epoll", "--keep-alive-timeout", "600", "--tls-cert", authority.local())
    with serving(tmp_path / "served", *options) as served:
        held: list[ssl.SSLSocket] = []
        try:
            held += [asked(served.port, context) for _ in range(50)]  # whatever is made once is made
            before = private_dirty(served.pid)
            held += [asked(served.port, context) for _ in range(HELD)]
            each = (private_dirty(served.pid) - before) / HELD
            record_property("private bytes for each TLS connection", each)
            assert each <= PRIVATE, f"{each:.0f} bytes for each of {HELD} connections"
        finally:
            for sock in held:
                sock.close()
