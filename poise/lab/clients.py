"""Scripted clients: each function runs in a process of its own, speaks to the loopback address only, and returns what it saw.

The first argument is a seeded source of chance. No client waits longer for an answer than the limit ``silence``.
"""

from __future__ import annotations

import random
import selectors
import socket
import time
from typing import Any

from poise.limits.lab import LabLimits

LOOPBACK = "127.0.0.1"
LIMITS = LabLimits()
SIZE = 65536


def connected(port: int) -> socket.socket:
    """A connection to a server of this run, which says every small thing at once."""
    client = socket.create_connection((LOOPBACK, port), LIMITS.silence)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def ask(client: socket.socket, line: bytes) -> float:
    """Send a line, wait for the whole answer; returns the seconds it took. Raises TimeoutError, ConnectionError."""
    began = time.monotonic()
    client.sendall(line)
    left = len(line)
    while left > 0:
        data = client.recv(left)
        if not data:
            raise ConnectionResetError("the server has hung up")
        left -= len(data)
    return time.monotonic() - began


def paced(chance: random.Random, port: int, lines: int, gap: float) -> dict[str, Any]:
    """One client that says a line every ``gap`` seconds, about; the delay of each answer in seconds."""
    delays = []
    with connected(port) as client:
        for number in range(lines):
            time.sleep(gap * (0.8 + 0.4 * chance.random()))
            delays.append(ask(client, b"line %d\n" % number))
    return {"delays": delays}


def silent_and_talkers(_chance: random.Random, port: int, silence: float, talkers: int) -> dict[str, Any]:
    """One that connects first and says nothing, then several that ask at once. Silence ends when all are answered, or after ``silence``."""
    delays: dict[int, float] = {}
    with connected(port) as first:
        ask(first, b"there?\n")  # what a server needs to start is no part of what follows
    with connected(port) as silent, selectors.DefaultSelector() as selector:
        began = time.monotonic()
        for number in range(talkers):
            client = connected(port)
            client.sendall(b"hello\n")
            selector.register(client, selectors.EVENT_READ, number)
        quiet_until = began + silence
        while selector.get_map() and time.monotonic() < began + LIMITS.silence:
            if silent.fileno() >= 0 and time.monotonic() >= quiet_until:
                silent.close()
            for key, _mask in selector.select(max(0.001, quiet_until - time.monotonic())):
                client = key.fileobj  # type: ignore[assignment]
                client.recv(SIZE)
                delays[key.data] = time.monotonic() - began
                selector.unregister(client)
                client.close()  # or a server that serves one at a time never comes to the next
        silent_for = time.monotonic() - began if silent.fileno() >= 0 else silence
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return {"delays": [delays.get(number, LIMITS.silence) for number in range(talkers)], "silent": silent_for}
