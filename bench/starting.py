"""How long a server takes from the start of its program to the first byte of a reply.

A round is one start. The program is asked again and again until it answers, so the time that is found is late by no
more than one look. It has been started before, so Python's bytecode is there for everybody.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bench.asking import Unequal
from bench.load import Load, Sample
from bench.measure import SOURCES, cpu_ns
from bench.scenarios import Scenario
from bench.servers import ENVIRONMENT, START_TIME, Server, free_port, pinned, session_members

LOOK = 0.0002  # seconds between two looks


def measure_start(
    server: Server, scenario: Scenario, folder: Path, cores: Collection[int], own: Collection[int], clock: str
) -> Sample:
    """Start another of ``server`` on ``cores``, beside the one that runs idle; ask it from ``own``, and end it.

    Raises Unequal when it does not answer.
    """
    place = replace(server.place, scratch=folder / "started", port=free_port())
    place.scratch.mkdir(mode=0o755)
    command = server.peer.command(place)
    request = scenario.heads(place.port)[0].encode()
    with pinned(cores):
        began = time.monotonic_ns()
        process = subprocess.Popen(
            command,
            cwd=server.peer.folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.sched_setaffinity(0, own)  # what the program starts has its own cores already
        try:
            wait_for_answer(process, place.port, request)
            passed = time.monotonic_ns() - began
            spent = cpu_ns(session_members(process.pid), SOURCES[clock])
        finally:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            shutil.rmtree(place.scratch)
    return Sample(Load(requests=1, seconds=passed / 1e9), cpu_ns=spent, wall_ns=passed)


def wait_for_answer(process: subprocess.Popen[bytes], port: int, request: bytes) -> None:
    deadline = time.monotonic() + START_TIME
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=START_TIME) as connection:
                connection.sendall(request)
                if connection.recv(1):
                    return
        except OSError:
            time.sleep(LOOK)
    raise Unequal("did not answer after a start")
