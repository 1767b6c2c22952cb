"""A TCP proxy: what comes in on one side goes out on the other, at the pace of the slower one.

The two sides of a proxy are seldom equally fast. When more waits for one side than its high-water mark, the proxy stops
reading from the other. Then the kernel's receive buffer fills, the TCP window closes, and the fast sender has to
wait. That is backpressure end to end: the proxy holds some 64 KiB for each direction, however much goes through.

    python3 -m examples.proxy 127.0.0.1:80 --port 7002
"""

from __future__ import annotations

import argparse
import signal

from poise import ConnectError, Connecting, Protocol, Reactor, Stream, connect, listen

PATIENCE = 10.0  # seconds for the connection to the target


class Side(Protocol):
    """One of the two streams; ``other`` is where its bytes go."""

    stream: Stream | None = None
    other: Side
    ended = False  # it has said everything

    def connection_made(self, stream: Stream) -> None:
        self.stream = stream

    def data_received(self, data: bytes) -> None:
        if self.other.stream is not None:
            self.other.stream.write(data)

    def eof_received(self) -> bool:
        # Half a close: this side has said everything, and may still be waiting for the answer.
        self.ended = True
        if self.other.stream is not None:
            self.other.stream.write_eof()
        return not self.other.ended  # when both have ended there is nothing to wait for

    def pause_writing(self) -> None:
        if self.other.stream is not None:
            self.other.stream.pause_reading()

    def resume_writing(self) -> None:
        if self.other.stream is not None:
            self.other.stream.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        other, self.stream = self.other.stream, None
        if other is None:
            return
        if error is None:
            other.close()  # what is queued for it is still sent
        else:
            other.abort()  # it ended badly here, so it must not look like a good end there


class Client(Side):
    """The side that came to us. It is not read before the target is there."""

    def __init__(self, reactor: Reactor, target: tuple[str, int]) -> None:
        self.reactor = reactor
        self.target = target
        self.other = Target(self)
        self.connecting: Connecting | None = None

    def connection_made(self, stream: Stream) -> None:
        super().connection_made(stream)
        stream.pause_reading()
        self.connecting = connect(
            self.reactor, self.target, lambda: self.other, timeout=PATIENCE, on_failure=self.no_target
        )

    def no_target(self, error: Exception) -> None:
        print(error if isinstance(error, ConnectError) else repr(error), flush=True)
        if self.stream is not None:
            self.stream.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if self.connecting is not None:
            self.connecting.cancel()
        super().connection_lost(error)


class Target(Side):
    """The side that we have connected to."""

    def __init__(self, client: Client) -> None:
        self.other: Side = client

    def connection_made(self, stream: Stream) -> None:
        super().connection_made(stream)
        if self.other.stream is not None:
            self.other.stream.resume_reading()


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def main() -> None:
    parser = argparse.ArgumentParser(description="Passes TCP connections on.")
    parser.add_argument("target", type=address, help="HOST:PORT to connect to")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default: %(default)s)")
    args = parser.parse_args()
    with Reactor() as reactor:
        reactor.signals.add(signal.SIGINT, reactor.stop)
        listener = listen(reactor, (args.host, args.port), lambda: Client(reactor, args.target))
        print(f"listening on {listener.address[0]}:{listener.address[1]}", flush=True)
        reactor.run()
        listener.close()


if __name__ == "__main__":
    main()
