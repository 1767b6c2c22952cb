"""The load of the test for constant memory, in a process of its own: a crowd with manners, and one client that asks for much.

Fifty clients as in :mod:`tests.live.crowd_and_flood`, while another one asks for ``PATH``, takes all of it as fast as it
comes, and asks again.

Usage: ``crowd_beside.py PORT CORE RUNS SECONDS PATH``. For each run it prints one line of JSON: the 99th percentiles
without and with the other one, how many of the crowd's requests were answered meanwhile, and how many bytes it took.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time

from tests.live.crowd_and_flood import RECEIVE, Crowd, dial, http, p99


class Heavy:
    """Asks for one path again and again, each time on a connection of its own."""

    def __init__(self, port: int, poller: select.epoll, path: str) -> None:
        self.received = 0
        self.answers = 0
        self._port = port
        self._poller = poller
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        self._scratch = bytearray(RECEIVE)
        self.sock: socket.socket = self._begin()

    def _begin(self) -> socket.socket:
        sock = dial(self._port)
        sock.sendall(self._request)
        sock.setblocking(False)
        self._poller.register(sock, select.EPOLLIN)
        return sock

    def close(self) -> None:
        """Leave with a reset, so that nobody goes on working for it."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def ready(self) -> None:
        count = self.sock.recv_into(self._scratch)
        if count:
            if not self.received and not self._scratch.startswith(b"HTTP/1.1 20"):
                raise ConnectionError(f"not served: {bytes(self._scratch[:100])!r}")
            self.received += count
        else:
            self.answers += 1
            self._poller.unregister(self.sock)
            self.sock.close()
            self.sock = self._begin()


def load(port: int, seconds: float, path: str | None) -> tuple[list[float], int]:
    """Run for ``seconds``; the crowd's times, and how much the other one has received."""
    talk = http(port)
    with select.epoll() as poller:
        many = Crowd(port, poller, talk)
        one = Heavy(port, poller, path) if path is not None else None
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            many.ask(now)
            wait = min(end - now, many.due[0][0] - now) if many.due else end - now
            heavy = False
            for fd, _ in poller.poll(max(0.0, wait)):
                if one is not None and fd == one.sock.fileno():
                    heavy = True  # last: its own work must not count as the others' waiting
                else:
                    many.ready(fd)
            if one is not None and heavy:
                one.ready()
        for sock in many.socks.values():
            sock.close()
        if one is not None:
            one.close()
    return many.times, one.received if one else 0


def main(port: int, core: int, runs: int, seconds: float, path: str) -> None:
    if core >= 0:
        os.sched_setaffinity(0, {core})
    for _ in range(runs):
        quiet, _ = load(port, seconds, None)
        beside, received = load(port, seconds, path)
        result = {"quiet": p99(quiet), "beside": p99(beside), "asked": len(beside), "received": received}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
