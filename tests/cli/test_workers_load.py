"""Workers that are replaced, told to end and killed under load: who notices, and that nobody else does.

A connection belongs to the worker that has accepted it: to the process among whose descriptors its socket is (/proc/PID/fd), and that
socket's other end is in /proc/net/tcp. A worker is stopped before it is looked at and killed, so that it accepts nothing in between.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from poise.limits import WorkerLimits
from tests.cli.test_workers import children, crew, descriptors, reload, said, state, until
from tests.support.load import Failure, Load, load

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc"),
]

LONG = [pytest.mark.long, pytest.mark.timeout(600)]
FEW, MANY = 3_000, 100_000
ROUNDS = 20  # reloads, or workers told to end, in the course of MANY requests
PERIOD = 1.0  # seconds between two workers that are killed
MOST_KILLS = 20

times = pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=LONG)])
ways = pytest.mark.parametrize("keep_alive", [True, False], ids=["kept", "closed"])
Record = Callable[[str, object], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "site"
    made.mkdir()
    (made / "small.txt").write_bytes(b"small")
    return made


def rounds(count: int) -> int:
    return max(2, count * ROUNDS // MANY)


def figures(clients: Load, record: Record) -> None:
    for what in ("answered", "connections", "asked_again"):
        record(what, getattr(clients, what))
    record("failed", len(clients.failures))


# -- those who know that they are to end --------------------------------------------------------------------


@times
@ways
def test_reloads_under_load_lose_no_request(
    keep_alive: bool, count: int, folder: Path, record_property: Record
) -> None:
    with (
        crew(folder, "--no-access-log") as served,
        load(served.port, keep_alive=keep_alive, spread=True) as clients,
    ):
        seen = set(children(served.pid))
        for _ in range(rounds(count)):
            new = reload(served)
            assert not seen & set(new)
            seen |= set(new)
            clients.wait(count // rounds(count))
            until(lambda new: sorted(children(served.pid)) == sorted(new), new)
        clients.stop()
        figures(clients, record_property)
        assert clients.failures == []
        assert clients.answered >= count


@times
@ways
def test_whoever_is_told_to_end_finishes_and_another_one_goes_on(
    keep_alive: bool, count: int, folder: Path, record_property: Record
) -> None:
    """One worker after the other; a kept connection that ends without a word of the reply is asked on a new one."""
    with (
        crew(folder, "--no-access-log") as served,
        load(served.port, keep_alive=keep_alive, spread=True, insistent=True) as clients,
    ):
        begun = dict.fromkeys(children(served.pid), time.monotonic())
        for _ in range(rounds(count)):
            victim = min(begun, key=begun.__getitem__)
            until(lambda at: time.monotonic() > at, begun[victim] + WorkerLimits().soon * 1.5)
            os.kill(victim, signal.SIGTERM)
            said(served, f"worker {victim} has ended with exit code 0; another one begins\n")
            until(
                lambda victim: len(children(served.pid)) == 2 and victim not in children(served.pid), victim
            )
            begun = {pid: begun.get(pid, time.monotonic()) for pid in children(served.pid)}
            clients.wait(count // rounds(count))
        clients.stop()
        figures(clients, record_property)
        assert clients.failures == []
        assert clients.refused == 0, "somebody listens all the while"
        if not keep_alive:
            assert clients.asked_again == 0


# -- those who do not ---------------------------------------------------------------------------------------


class Killed(NamedTuple):
    """A worker's end: when it was stopped, when it was killed, and the connections that it had, by the client's end."""

    stopped: float
    killed: float
    connections: set[tuple[str, int]]

    def explains(self, failure: Failure) -> bool:
        """Whether the connection was its own: the same address and port, opened before and cut after."""
        own = (failure.source, failure.port) in self.connections
        return own and failure.opened <= self.stopped and failure.noticed >= self.stopped


def connections_of(pid: int, port: int) -> set[tuple[str, int]]:
    """The clients' ends of the connections that a process holds, as it has accepted them on ``port``."""
    inodes = {each[8:-1] for each in descriptors(pid) if each.startswith("socket:[")}
    found = set()
    with open("/proc/net/tcp") as table:
        for line in table:
            _, local, remote, status, *rest = line.split(maxsplit=10)
            if local.endswith(f":{port:04X}") and rest[5] in inodes and status != LISTENING:
                address, _, number = remote.partition(":")
                source = socket.inet_ntoa(struct.pack("=I", int(address, 16)))
                found.add((source, int(number, 16)))
    return found


LISTENING = "0A"  # TCP_LISTEN (proc(5))


def kill(victim: int, port: int) -> Killed:
    os.kill(victim, signal.SIGSTOP)
    until(lambda: state(victim) == "T")
    stopped = time.monotonic()
    connections = connections_of(victim, port)
    os.kill(victim, signal.SIGKILL)
    return Killed(stopped, time.monotonic(), connections)


def had(kills: list[Killed]) -> list[int]:
    """How many connections each of them had."""
    return [len(each.connections) for each in kills]


@times
@ways
def test_a_worker_killed_every_second_takes_only_its_own_connections_along(
    keep_alive: bool, count: int, folder: Path, record_property: Record
) -> None:
    with (
        crew(folder, "--no-access-log") as served,
        load(served.port, keep_alive=keep_alive, spread=True) as clients,
    ):
        kills: list[Killed] = []
        # One that has no connection at the moment has none to lose: then the next one shows it.
        while clients.answered < count or len(kills) < 2 or not (any(had(kills)) or len(kills) >= MOST_KILLS):
            again = time.monotonic() + PERIOD
            if len(kills) % 3 == 2:
                reload(served)
                until(lambda: len(children(served.pid)) == 2)
            victim = children(served.pid)[len(kills) % 2]
            kills.append(kill(victim, served.port))
            said(served, f"worker {victim} was ended by SIGKILL; another one begins")
            until(
                lambda victim: len(children(served.pid)) == 2 and victim not in children(served.pid), victim
            )
            clients.wait(1)
            select.select([], [], [], max(0.0, again - time.monotonic()))
        clients.stop()
        figures(clients, record_property)
        own = sum(had(kills))
        record_property("workers killed", len(kills))
        record_property("connections that they had", own)
        unexplained = [each for each in clients.failures if not any(one.explains(each) for one in kills)]
        assert unexplained == []
        assert len(clients.failures) <= own
        assert served.process.poll() is None
        assert own > 0, "or nothing was shown"
