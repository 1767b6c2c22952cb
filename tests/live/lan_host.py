"""A program for one host of a test network: hears datagrams, or sends one.

``hear HOST PORT [GROUP]``       says that it listens, then prints one line for each datagram: data and sender
``send FROM HOST PORT TEXT``     to a host, a broadcast address or a group, over ``eth0``
"""

from __future__ import annotations

import sys
from typing import Any

from poise.loop.reactor import Reactor
from poise.net.datagram import Datagram, open_datagram
from poise.net.options import SocketOptions
from poise.net.protocol import DatagramProtocol

INTERFACE = "eth0"


class Hearing(DatagramProtocol):
    def __init__(self, group: str | None) -> None:
        self.group = group

    def connection_made(self, transport: Datagram) -> None:
        if self.group is not None:
            transport.join_group(self.group, INTERFACE)
        print("listening", flush=True)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        print(data.decode(), addr[0], flush=True)


class Failing(DatagramProtocol):
    def error_received(self, exc: OSError) -> None:
        raise SystemExit(str(exc))


def hear(reactor: Reactor, host: str, port: str, group: str | None = None) -> None:
    options = SocketOptions(reuse_address=True)
    open_datagram(reactor, lambda: Hearing(group), local=(host, int(port)), options=options)
    reactor.run()


def send(reactor: Reactor, source: str, host: str, port: str, text: str) -> None:
    options = SocketOptions(broadcast=None if ":" in host else True, multicast_interface=INTERFACE)
    transport = open_datagram(reactor, Failing, local=(source, 0), options=options)
    transport.sendto(text.encode(), (host, int(port)))
    transport.close()
    reactor.turn(0)


if __name__ == "__main__":
    with Reactor() as the_reactor:
        if sys.argv[1] == "hear":
            hear(the_reactor, *sys.argv[2:])
        else:
            send(the_reactor, *sys.argv[2:])
