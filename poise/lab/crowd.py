"""Many clients in one process, which connect, wait, and speak when they are told to."""

from __future__ import annotations

import json
import random
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from poise.lab.clients import LIMITS, SIZE, connected
from poise.lab.descriptors import allow
from poise.lab.stage import Stage

SPARE = 64  # descriptors that a process has besides its clients


class Crowd:
    """The remote control. Raises ChildProcessError when the clients have ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control.makefile("rw", encoding="utf-8")

    def close(self) -> None:
        """Let them all leave."""
        self._control.close()

    def _told(self, word: str, number: int) -> dict[str, Any]:
        self._control.write(json.dumps([word, number]) + "\n")
        self._control.flush()
        answer = self._control.readline()
        if not answer:
            raise ChildProcessError("the clients have ended")
        told: dict[str, Any] = json.loads(answer)
        return told

    def grow(self, number: int) -> int:
        """Until there are so many; returns how many there are."""
        return int(self._told("grow", number)["clients"])

    def talk(self, rounds: int = 1) -> dict[str, Any]:
        """Everyone says a line and gets it back, ``rounds`` times: {"seconds", "median", "worst"}, all in seconds."""
        return self._told("talk", rounds)


@contextmanager
def crowd(stage: Stage, port: int) -> Iterator[Crowd]:
    """Clients of the server at ``port``, in a process of their own; none at first."""
    ours, theirs = socket.socketpair()
    child = stage.clients(_obey, port, theirs, ours)
    theirs.close()
    remote = Crowd(ours)
    ours.close()  # the file has it
    try:
        yield remote
    finally:
        remote.close()
        child.result()


def _obey(_chance: random.Random, port: int, control: socket.socket, other: socket.socket) -> None:
    other.close()
    clients: list[socket.socket] = []
    with control, control.makefile("rw", encoding="utf-8") as orders:
        for order in orders:
            word, number = json.loads(order)
            answer = _grow(clients, port, number) if word == "grow" else _talk(clients, number)
            orders.write(json.dumps(answer) + "\n")
            orders.flush()
    for client in clients:
        client.close()


def _grow(clients: list[socket.socket], port: int, number: int) -> dict[str, Any]:
    most = min(number, LIMITS.clients, allow(number + SPARE) - SPARE)
    while len(clients) < most:
        clients.append(connected(port))
    return {"clients": len(clients)}


def _talk(clients: list[socket.socket], rounds: int) -> dict[str, Any]:
    delays: list[float] = []
    began = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        for _ in range(rounds):
            asked = {}
            for client in clients:
                asked[client] = time.monotonic()
                client.sendall(b"hello\n")
            while asked:
                ready = selector.select(LIMITS.silence)
                if not ready:
                    raise TimeoutError(f"{len(asked)} clients got no answer")
                for key, _mask in ready:
                    client = key.fileobj  # type: ignore[assignment]
                    client.recv(SIZE)
                    delays.append(time.monotonic() - asked.pop(client))
    return {"seconds": time.monotonic() - began, "median": median(delays), "worst": max(delays)}
