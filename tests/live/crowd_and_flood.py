"""The load of the fairness test, in a process of its own: a crowd with manners, and one client without.

Fifty clients each send a request every 20 ms over their own connection and note how long the answer takes. The flood fills
one connection with requests, 64 KiB of them at a time, as fast as the server takes them, and reads the answers.

Usage: ``crowd_and_flood.py TALK PORT SERVER-PID CORE RUNS SECONDS``, where TALK is ``http`` or ``echo``. For each run it
prints one line of JSON: the 99th percentiles without and with the flood, and what the server's processor did for one
request of a flood alone.
"""

from __future__ import annotations

import heapq
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

CLIENTS = 50
INTERVAL = 0.020  # seconds
BLOCK = 64 * 1024  # bytes of requests that the flood hands over at a time
RECEIVE = 64 * 1024
GET = b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"
PING = b"ping" * 16


class Talk(NamedTuple):
    """What is asked, and what the answer looks like."""

    request: bytes
    begins: bytes
    reply: int  # bytes of one answer: as many for each in one load

    @property
    def block(self) -> bytes:
        return self.request * (BLOCK // len(self.request))


def http(port: int) -> Talk:
    """Asked for anew each time: the tag of a file that was just written is a little longer (RFC 9110 section 8.8.1)."""
    with dial(port) as sock:
        sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        data = b""
        while more := sock.recv(RECEIVE):
            data += more
    return Talk(GET, b"HTTP/1.1 200 ", len(data) - len(b"Connection: close\r\n"))


def echo(port: int) -> Talk:
    return Talk(PING, PING[:1], len(PING))


TALKS: dict[str, Callable[[int], Talk]] = {"http": http, "echo": echo}


def cpu_seconds(pid: int) -> float:
    """Time that the process has had a processor (proc(5): schedstat, nanoseconds)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def dial(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Flood:
    """Sends whenever it can and reads whenever it can."""

    def __init__(self, port: int, poller: select.epoll, talk: Talk) -> None:
        self.sock = dial(port)
        self.sock.setblocking(False)
        self.received = 0
        self._reply = talk.reply
        self._block = memoryview(talk.block)
        self._rest = self._block
        self._scratch = bytearray(RECEIVE)
        poller.register(self.sock, select.EPOLLIN | select.EPOLLOUT)

    @property
    def answered(self) -> float:
        return self.received / self._reply

    def ready(self, mask: int) -> None:
        if mask & select.EPOLLIN:
            count = self.sock.recv_into(self._scratch)
            if not count:
                raise ConnectionError("the flood was cut off")
            self.received += count
        if mask & select.EPOLLOUT:
            self._rest = self._rest[self.sock.send(self._rest) :] or self._block


class Crowd:
    """The clients with manners: each asks at its own time, one request at a time."""

    def __init__(self, port: int, poller: select.epoll, talk: Talk) -> None:
        self.times: list[float] = []
        self._talk = talk
        self._since: dict[int, float] = {}
        self._missing: dict[int, int] = {}
        self.socks = {sock.fileno(): sock for sock in (dial(port) for _ in range(CLIENTS))}
        begin = time.monotonic()
        self.due = [(begin + number * INTERVAL / CLIENTS, fd) for number, fd in enumerate(self.socks)]
        for fd in self.socks:
            poller.register(fd, select.EPOLLIN)

    def ask(self, now: float) -> None:
        """Send what is due."""
        while self.due and self.due[0][0] <= now:
            _, fd = heapq.heappop(self.due)
            self._missing[fd] = self._talk.reply
            self._since[fd] = time.monotonic()
            self.socks[fd].send(self._talk.request)

    def ready(self, fd: int) -> None:
        data = self.socks[fd].recv(RECEIVE)
        now = time.monotonic()
        if not data or (self._missing[fd] == self._talk.reply and not data.startswith(self._talk.begins)):
            raise ConnectionError(f"not served: {data[:100]!r}")
        self._missing[fd] -= len(data)
        if not self._missing[fd]:
            self.times.append(now - self._since[fd])
            heapq.heappush(self.due, (max(now, self._since[fd] + INTERVAL), fd))


def load(kind: str, port: int, seconds: float, *, crowd: bool, flood: bool) -> tuple[list[float], float]:
    """Run for ``seconds``; the crowd's times, and how many requests of the flood were answered."""
    talk = TALKS[kind](port)
    with select.epoll() as poller:
        many = Crowd(port, poller, talk) if crowd else None
        one = Flood(port, poller, talk) if flood else None
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            wait = end - now
            if many is not None:
                many.ask(now)
                wait = min(wait, many.due[0][0] - now) if many.due else wait
            mine = 0
            for fd, mask in poller.poll(max(0.0, wait)):
                if one is not None and fd == one.sock.fileno():
                    mine = mask  # last: its own work must not count as the others' waiting
                elif many is not None:
                    many.ready(fd)
            if one is not None and mine:
                one.ready(mine)
        for sock in [*(many.socks.values() if many else ()), *([one.sock] if one else ())]:
            sock.close()
    return (many.times if many else []), (one.answered if one else 0.0)


def p99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def main(kind: str, port: int, pid: int, core: int, runs: int, seconds: float) -> None:
    if core >= 0:
        os.sched_setaffinity(0, {core})
    for _ in range(runs):
        before = cpu_seconds(pid)
        _, answered = load(kind, port, seconds / 3, crowd=False, flood=True)
        cost = (cpu_seconds(pid) - before) / answered
        quiet, _ = load(kind, port, seconds, crowd=True, flood=False)
        flooded, served = load(kind, port, seconds, crowd=True, flood=True)
        result = {
            "cost": cost,
            "quiet": p99(quiet),
            "flooded": p99(flooded),
            "asked": len(flooded),
            "flood": served,
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    port, pid, core, runs = map(int, sys.argv[2:6])
    main(sys.argv[1], port, pid, core, runs, float(sys.argv[6]))
