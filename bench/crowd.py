"""Connections that stay open and idle while others are measured.

``python3 -m bench.crowd PORT COUNT HEAD`` opens COUNT connections, sends HEAD over each once, as the clients behind
the idle connections of the real world have asked for something before, says ``held COUNT``, and waits for the end of its
standard input. Then it says how many of them the server has closed meanwhile. It is a process of its own, because the
descriptors of one process are counted. The connections come from many addresses: a server may well bound how many it
takes from one.
"""

from __future__ import annotations

import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

PER_ADDRESS = 500  # fewer than any server here bounds
FIRST_ADDRESS = 2  # 127.0.0.1 belongs to the client that asks
PATIENCE = 15.0  # seconds for one answer
SPARE = 64  # descriptors for everything else


class NoCrowd(Exception):
    """The connections could not be opened, or were not kept."""


class Crowd:
    """The process that holds the connections to one server."""

    def __init__(self, port: int, count: int, head: str) -> None:
        """Raises NoCrowd when they cannot all be opened and answered."""
        self.count = count
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.crowd", str(port), str(count), head],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != f"held {count}\n":
            said = self._process.communicate()[1].strip().splitlines()
            raise NoCrowd(said[-1] if said else "the connections were not answered")

    def leave(self) -> int:
        """Close them; how many of them the server had closed before."""
        if self._process.returncode is not None:
            return 0
        said = self._process.communicate()[0]
        found = re.fullmatch(r"lost (\d+)\n", said)
        return int(found[1]) if found else self.count


def hold(port: int, count: int, head: bytes) -> list[socket.socket]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + SPARE:
        raise NoCrowd(f"{count} connections need as many descriptors; the limit is {hard}")
    if soft != resource.RLIM_INFINITY and soft < count + SPARE:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + SPARE, hard))
    held: list[socket.socket] = []
    for number in range(count):
        own = f"127.0.0.{FIRST_ADDRESS + number // PER_ADDRESS}"
        connection = socket.create_connection(("127.0.0.1", port), PATIENCE, source_address=(own, 0))
        held.append(connection)
        connection.sendall(head)
        read_one(connection)
    return held


def read_one(connection: socket.socket) -> None:
    """One whole reply, whichever it is. Raises NoCrowd when the connection ends instead, or nobody knows its length."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += receive(connection)
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if length is None:
        raise NoCrowd("the reply to an idle connection has no length")
    while len(body) < int(length[1]):
        body += receive(connection)


def receive(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise NoCrowd("the server closed a connection that was to be idle")
    return data


def lost(held: list[socket.socket]) -> int:
    """How many of them are no longer open and silent."""
    count = 0
    for connection in held:
        connection.setblocking(False)
        try:
            connection.recv(1)
        except BlockingIOError:
            continue
        except OSError:
            pass
        count += 1
    return count


def main(port: int, count: int, head: str) -> int:
    try:
        held = hold(port, count, head.encode())
    except (NoCrowd, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"held {count}", flush=True)
    sys.stdin.read()
    print(f"lost {lost(held)}", flush=True)
    for connection in held:
        connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
