"""What the programs of this folder have in common: options, a reactor, and the page that shows it."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from typing import Protocol

from poise import Reactor, watch

HOST = "127.0.0.1"


class Server(Protocol):
    """What is started."""

    def open(self, address: tuple[str, int]) -> tuple[str, int] | str:
        """Listen there; the address that it has got."""

    def close(self) -> None:
        """Listen no more."""


def start(description: str, faulty: Callable[[Reactor], Server], fixed: Callable[[Reactor], Server]) -> None:
    """Run one of the two until Ctrl-C."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--fixed", action="store_true", help="without the fault")
    args = parser.parse_args()
    with Reactor() as reactor:
        reactor.signals.add(signal.SIGINT, reactor.stop)
        server = (fixed if args.fixed else faulty)(reactor)
        print(f"listening on {HOST}, port {server.open((HOST, args.port))[1]}", flush=True)
        print("what the loop does:", watch(reactor).url, flush=True)
        reactor.run()
        server.close()
