"""A program that sends back what it receives: ``python -m tests.live.echoing POLLER`` prints the port of 127.0.0.1."""

from __future__ import annotations

import sys

from poise.loop.reactor import Reactor
from poise.net.listener import listen
from poise.net.protocol import Protocol
from poise.net.stream import Stream


class Echo(Protocol):
    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def data_received(self, data: bytes) -> None:
        self.stream.write(data)

    def pause_writing(self) -> None:
        self.stream.pause_reading()

    def resume_writing(self) -> None:
        self.stream.resume_reading()


if __name__ == "__main__":
    with Reactor(sys.argv[1]) as reactor:
        print(listen(reactor, ("127.0.0.1", 0), Echo).address[1], flush=True)
        reactor.run()
