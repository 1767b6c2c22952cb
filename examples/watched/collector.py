"""A spinning descriptor: a collector of lines that forgets to close who has gone.

python3 -m examples.watched.collector --port 7002
python3 -m examples.watched.collector --port 7002 --fixed
"""

from __future__ import annotations

import socket

from examples.watched.start import start
from poise import READ, Reactor

PIECE = 64 * 1024


class Collector:
    """Counts the lines that everybody sends, with sockets of its own on the reactor."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.lines = 0
        self.senders: set[Sender] = set()

    def open(self, address: tuple[str, int]) -> tuple[str, int]:
        self.listening = socket.create_server(address)
        self.listening.setblocking(False)
        self.reactor.register(self.listening.fileno(), READ, self.accept)
        host, port = self.listening.getsockname()
        return host, port

    def close(self) -> None:
        for sender in list(self.senders):
            self.forget(sender)
        self.reactor.unregister(self.listening.fileno())
        self.listening.close()

    def accept(self, _mask: int) -> None:
        connection, _ = self.listening.accept()
        connection.setblocking(False)
        sender = Sender(self, connection)
        self.senders.add(sender)
        self.reactor.register(connection.fileno(), READ, sender.readable)

    def gone(self, sender: Sender) -> None:
        self.senders.discard(sender)

    def forget(self, sender: Sender) -> None:
        self.senders.discard(sender)
        self.reactor.unregister(sender.connection.fileno())
        sender.connection.close()


class TidyCollector(Collector):
    """Whoever has gone is closed, and so leaves the loop as well as the program's own list."""

    def gone(self, sender: Sender) -> None:
        self.forget(sender)


class Sender:
    """One who sends lines."""

    def __init__(self, collector: Collector, connection: socket.socket) -> None:
        self.collector = collector
        self.connection = connection

    def readable(self, _mask: int) -> None:
        data = self.connection.recv(PIECE)
        self.collector.lines += data.count(b"\n")
        if not data:  # the end: the kernel says "readable" for as long as nobody closes it
            self.collector.gone(self)


def main() -> None:
    start("Counts the lines that it is sent.", Collector, TidyCollector)


if __name__ == "__main__":
    main()
