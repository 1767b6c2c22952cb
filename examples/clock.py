"""A broadcast clock: one datagram a second, for everybody in the network segment who listens.

Broadcast (RFC 919) has no connections and no subscribers: the sender's cost is one datagram, however many hear it. The
kernel sends to a broadcast address only with SO_BROADCAST set, and otherwise says EACCES: nobody should
shout by mistake.

    python3 -m examples.clock listen --port 7001
    python3 -m examples.clock send --port 7001 --to 192.168.1.255

On one machine alone ``--to 127.255.255.255`` is the broadcast address of the loopback network (Linux).
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from datetime import UTC, datetime
from typing import Any

from poise import Datagram, DatagramLimits, DatagramProtocol, Reactor, SocketOptions, open_datagram

# What comes from the network is untrusted: one spelling, matched in full, or it is not the time.
TIME = re.compile(rb"poise-clock/1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z")


class Sender(DatagramProtocol):
    """Says the time whenever a period has begun."""

    def __init__(self, reactor: Reactor, to: tuple[str, int], period: float) -> None:
        self.reactor = reactor
        self.to = to
        self.period = period
        self.next = reactor.clock.monotonic()

    def connection_made(self, transport: Datagram) -> None:
        self.transport = transport
        self.tick()

    def tick(self) -> None:
        now = datetime.fromtimestamp(self.reactor.clock.wall(), UTC)
        self.transport.sendto(f"poise-clock/1 {now:%Y-%m-%dT%H:%M:%S}Z".encode(), self.to)
        # From moment to moment, not from call to call: being late once does not make it late for ever.
        self.next = max(self.next + self.period, self.reactor.clock.monotonic())
        self.reactor.call_at(self.next, self.tick)

    def error_received(self, exc: OSError) -> None:
        print(f"not sent: {exc}", file=sys.stderr)  # no network now; the next second may be better


class Watcher(DatagramProtocol):
    """Prints every good time that is heard."""

    def datagram_received(self, data: bytes, addr: Any) -> None:
        found = TIME.fullmatch(data)
        if found is not None:
            print(f"{found[1].decode()}Z from {addr[0]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="A clock by UDP broadcast.")
    commands = parser.add_subparsers(dest="command", required=True)
    sender = commands.add_parser("send", help="send the time")
    sender.add_argument("--to", default="255.255.255.255", help="broadcast address (default: %(default)s)")
    sender.add_argument("--port", type=int, required=True, help="the port of the listeners")
    sender.add_argument(
        "--every", type=float, default=1.0, help="seconds, at least 0.01 (default: %(default)s)"
    )
    listener = commands.add_parser("listen", help="print the time")
    listener.add_argument("--port", type=int, default=0, help="0 takes a free one (default: %(default)s)")
    args = parser.parse_args()
    with Reactor() as reactor:
        reactor.signals.add(signal.SIGINT, reactor.stop)
        if args.command == "send":
            period = max(args.every, 0.01)
            socket = open_datagram(
                reactor, lambda: Sender(reactor, (args.to, args.port), period), broadcast=True
            )
            print(f"sending to {args.to}:{args.port}", flush=True)
        else:
            socket = open_datagram(
                reactor,
                Watcher,
                local=("", args.port),
                options=SocketOptions(reuse_address=True),  # several listeners on one machine
                limits=DatagramLimits(size=64),  # bytes; a longer one cannot be the time
            )
            print(f"listening on port {socket.address[1]}", flush=True)
        reactor.run()
        socket.close()


if __name__ == "__main__":
    main()
