"""The three worked cases of docs/seeing.md: each program of examples/watched with the clients that bring its fault about."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from tests.examples.running import Example, running
from tests.support.program import PATIENCE

REQUEST = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAGE = re.compile(r"what the loop does: (\S+)")


class Started(NamedTuple):
    """A program of examples/watched that runs."""

    example: Example
    port: int
    url: str
    """Of the page that shows it."""
    clients: ExitStack
    """What is to be closed in the end."""


@contextmanager
def started(name: str, *options: str, command: Sequence[str] = ()) -> Iterator[Started]:
    """``python3 -m examples.watched.NAME``, or ``python3 COMMAND`` that is the same; it goes quietly in the end."""
    with running([*(command or ["-m", f"examples.watched.{name}"]), *options]) as example:
        port = example.listening()
        found = PAGE.fullmatch(example.line())
        assert found, example.lines
        with ExitStack() as clients:
            yield Started(example, port, found[1], clients)
        example.interrupt()


def connected(case: Started) -> tuple[socket.socket, str]:
    """A client, and what the page calls it."""
    client = case.clients.enter_context(socket.create_connection(("127.0.0.1", case.port), PATIENCE))
    return client, "{}:{}".format(*client.getsockname())


def ask_for_the_report(case: Started) -> str:
    """One wants the report, and a visitor behind it only the front page."""
    client, peer = connected(case)
    visitor, _ = connected(case)
    client.sendall(REQUEST % b"/report")
    visitor.sendall(REQUEST % b"/")
    return peer


def come_and_go(case: Started) -> str:
    """Two stay, and one has said everything."""
    for _ in range(2):
        connected(case)[0].sendall(b"a line of one who stays\n")
    client, peer = connected(case)
    client.sendall(b"the last line\n")
    client.close()
    return peer


def do_not_read(case: Started) -> str:
    """Two read, and one does not."""
    for _ in range(2):
        reader, _ = connected(case)
        thread = threading.Thread(target=read_all, args=(reader,))
        thread.start()
        case.clients.callback(thread.join, PATIENCE)
        case.clients.callback(end, reader)
    return connected(case)[1]


def end(reader: socket.socket) -> None:
    with suppress(OSError):  # the other side has ended it before
        reader.shutdown(socket.SHUT_RDWR)


def read_all(reader: socket.socket) -> None:
    with suppress(OSError):  # in the end the program goes first, and what it had not sent yet goes with it
        while reader.recv(1 << 16):
            pass


FAULTS: dict[str, Callable[[Started], str]] = {
    "report": ask_for_the_report,
    "collector": come_and_go,
    "ticker": do_not_read,
}
"""By the name of the program: what brings its fault about; the client that it is about."""
