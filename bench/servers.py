"""Starts and stops the servers under measurement, each in a session of its own, pinned to one core.

A process inherits the cores of the one that starts it, so the harness moves itself to the wanted core for the moment of
the start: no child of the server can slip through before it is pinned, as it could if it were moved afterwards.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.memory import private_bytes
from bench.place import Peer, Place

START_TIME = 15.0  # seconds until a server must answer
STOP_TIME = 5.0  # seconds until one that was asked to stop is made to
GLANCE = 0.02  # seconds between two looks at a server that is starting
ATTEMPTS = 3  # a port that was free a moment ago may be taken by the time the server asks for it

PROC = Path("/proc")
# What this shell tells its Pythons (to write no bytecode, to trace, …) is no affair of a server under measurement.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
ANNOUNCEMENT = re.compile(rb"//127\.0\.0\.1:(\d+)/")


class CannotStart(Exception):
    """A server did not come up; the message says what it printed."""


@dataclass(slots=True)
class Server:
    """A running server; ``process`` leads the session that all of its processes belong to."""

    peer: Peer
    command: list[str]
    process: subprocess.Popen[bytes]
    place: Place
    port: int = 0
    reply: bytes = b""  # head and body of one reply, as it came
    memory: int = 0  # private bytes before it met any load
    idle_memory: float = 0.0  # private bytes for each idle connection, where there is a crowd

    def pids(self) -> list[int]:
        return session_members(self.process.pid)

    def private_bytes(self) -> int:
        return private_bytes(self.pids())

    def take_log(self) -> int | None:
        """How many lines its access log has, which begins anew; None when it keeps none."""
        if not self.place.conditions.log:
            return None
        with self.place.log.open("rb+") as file:
            count = sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))
            file.truncate(0)
        return count

    @property
    def said(self) -> Path:
        """What it has printed."""
        return self.place.scratch / "stdout"

    def stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
            try:
                self.process.wait(STOP_TIME)
            except subprocess.TimeoutExpired:
                continue
            break
        self.process.wait()


def session_members(session: int, proc: Path = PROC) -> list[int]:
    """The processes of one session (proc(5): the sixth field of stat; the second, a name, may hold anything)."""
    members = []
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = stat_fields((entry / "stat").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session:
            members.append(int(entry.name))
    return sorted(members)


def stat_fields(stat: str) -> list[str]:
    """The fields of ``/proc/PID/stat`` after the name: state, ppid, pgrp, session, …"""
    return stat.rpartition(")")[2].split()


@contextmanager
def pinned(cores: Collection[int]) -> Iterator[None]:
    """What is started inside runs on ``cores`` only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(peer: Peer, place: Place, cores: Collection[int]) -> Server:
    """Start one server in ``place`` and wait until it accepts connections. Raises CannotStart.

    The port of ``place`` does not count, and its scratch folder is where each attempt gets one of its own.
    """
    failure = "it was not tried"
    for attempt in range(1 if peer.announces else ATTEMPTS):
        own = place.scratch / f"{peer.name}-{attempt}"
        own.mkdir(mode=0o755)
        port = 0 if peer.announces else free_port()
        try:
            return launch(peer, replace(place, scratch=own, port=port), cores)
        except CannotStart as error:
            failure = str(error)
        except (OSError, subprocess.CalledProcessError) as error:
            raise CannotStart(f"{peer.name}: {error}") from error
    raise CannotStart(failure)


def launch(peer: Peer, place: Place, cores: Collection[int]) -> Server:
    out, err = place.scratch / "stdout", place.scratch / "stderr"
    command = peer.command(place)
    with out.open("wb") as stdout, err.open("wb") as stderr, pinned(cores):
        process = subprocess.Popen(
            command,
            cwd=peer.folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL if peer.logs else stderr,
            start_new_session=True,
        )
    server = Server(peer, command, process, place)
    try:
        server.port = listening_port(server, place, out)
    except CannotStart:
        server.stop()
        said = err.read_bytes()[-500:].decode(errors="replace").strip()
        raise CannotStart(f"{peer.name} did not start: {said or 'it printed nothing'}") from None
    except BaseException:
        server.stop()
        raise
    return server


def listening_port(server: Server, place: Place, out: Path) -> int:
    deadline = time.monotonic() + START_TIME
    while time.monotonic() < deadline and server.process.poll() is None:
        port = place.port
        if server.peer.announces and (found := ANNOUNCEMENT.search(out.read_bytes())):
            port = int(found[1])
        if port and accepts(port):
            return port
        time.sleep(GLANCE)
    raise CannotStart


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
