"""Which TCP ports of this machine are open? Many connections at once, but never more than allowed.

Each connection waits for the kernel, not for us, so a hundred at once take hardly longer than one. Without a bound
65,535 sockets would be asked for, and the first thousand or so would take all descriptors.

It looks at this machine only, and refuses everything else: scanning other people's machines is not done unasked.

    python3 -m examples.scan --first 1 --last 1023
"""

from __future__ import annotations

import argparse
import ipaddress
import signal
import sys

from poise import Protocol, Reactor, Stream, connect

PATIENCE = 2.0  # seconds; loopback answers in microseconds unless a firewall swallows the question


class Knock(Protocol):
    """Somebody is there, and that is all we wanted to know."""

    def connection_made(self, stream: Stream) -> None:
        stream.abort()  # by a reset: an orderly end would leave each port in TIME_WAIT for a minute


class Scan:
    """Asks every port of ``ports``; ``at_once`` connections at most are under way."""

    def __init__(self, reactor: Reactor, host: str, ports: range, at_once: int) -> None:
        self.reactor = reactor
        self.host = host
        self.ports = iter(ports)
        self.under_way = 0
        self.open = 0
        for _ in range(at_once):
            self.next()

    def next(self) -> None:
        """Start one more; the last one that ends stops the loop."""
        port = next(self.ports, None)
        if port is not None:
            self.under_way += 1
            connect(
                self.reactor,
                (self.host, port),
                lambda: self.found(port),
                timeout=PATIENCE,
                on_failure=lambda _error: self.ended(),
            )
        elif not self.under_way:
            self.reactor.stop()

    def found(self, port: int) -> Knock:
        print(f"{port} is open", flush=True)
        self.open += 1
        self.ended()
        return Knock()

    def ended(self) -> None:
        self.under_way -= 1
        self.next()


def loopback(text: str) -> str:
    try:
        address = ipaddress.ip_address("127.0.0.1" if text == "localhost" else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no address") from error
    if not address.is_loopback:
        raise argparse.ArgumentTypeError(f"{text} is not this machine's own loopback address")
    return str(address)


def main() -> int:
    parser = argparse.ArgumentParser(description="Lists the open TCP ports of this machine.")
    parser.add_argument(
        "--host", type=loopback, default="127.0.0.1", help="a loopback address (default: %(default)s)"
    )
    parser.add_argument("--first", type=int, default=1, help="port (default: %(default)s)")
    parser.add_argument("--last", type=int, default=65535, help="port (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=100, help="connections (default: %(default)s)")
    args = parser.parse_args()
    if not 1 <= args.first <= args.last <= 65535 or not 1 <= args.at_once <= 500:
        parser.error("ports are 1 to 65535, and 1 to 500 connections go at once")
    with Reactor() as reactor:
        reactor.signals.add(signal.SIGINT, reactor.stop)
        scan = Scan(reactor, args.host, range(args.first, args.last + 1), args.at_once)
        reactor.run()
    print(f"{scan.open} open ports on {args.host}")
    return 0 if scan.under_way == 0 else 130  # interrupted, as a shell says it


if __name__ == "__main__":
    sys.exit(main())
