"""Echo (RFC 862): whatever comes is sent back, over TCP and over UDP, from one loop.

The difference between the two is in the classes: a stream has connections, each with an object of its own; datagrams
have none, so one object answers everybody and has to say whom it answers.

    python3 -m examples.echo --port 7000
"""

from __future__ import annotations

import argparse
import signal
from typing import Any

from poise import Datagram, DatagramProtocol, Protocol, Reactor, Stream, listen, open_datagram


class EchoStream(Protocol):
    """One connection."""

    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def data_received(self, data: bytes) -> None:
        self.stream.write(data)

    def pause_writing(self) -> None:
        # It sends and does not read. What we do not take waits in the kernel's buffers, and when those are full the
        # client's own write blocks: nobody's memory grows.
        self.stream.pause_reading()

    def resume_writing(self) -> None:
        self.stream.resume_reading()


class EchoDatagrams(DatagramProtocol):
    """Everybody's datagrams."""

    def connection_made(self, transport: Datagram) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)  # what the kernel does not take is dropped: UDP promised nothing


def main() -> None:
    parser = argparse.ArgumentParser(description="Sends back whatever comes, over TCP and UDP.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=0, help="for both; 0 takes free ones (default: %(default)s)"
    )
    args = parser.parse_args()
    with Reactor() as reactor:
        reactor.signals.add(signal.SIGINT, reactor.stop)
        listener = listen(reactor, (args.host, args.port), EchoStream)
        datagrams = open_datagram(reactor, EchoDatagrams, local=(args.host, args.port))
        for name, bound in (("TCP", listener.address), ("UDP", datagrams.address)):
            print(f"{name} on {bound[0]}:{bound[1]}", flush=True)
        reactor.run()
        listener.close()
        datagrams.close()


if __name__ == "__main__":
    main()
