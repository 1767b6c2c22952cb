"""Asks in the local network who is there, and collects who answers (docs/discovery.md).

Over IPv4 there is one socket for each interface's address: the source of a broadcast chooses its link, and the answers
come back to it. Over IPv6 one socket asks the group on each link by its number. A question is asked a few times,
because datagrams get lost and wireless stations sleep; all of them carry one random number, so whoever answers
each of them is still one.

**An answer is a claim.** The only thing in it that is known to be so is that somebody at the address it came from has
heard the question. So the address is never taken from the answer, and answers are put under one heading (a server with
several addresses) without any address being hidden by another.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from poise.errors import MachineFault
from poise.limits import DatagramLimits, DiscoveryLimits
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle
from poise.net import address as addresses
from poise.net import lan
from poise.net.datagram import Datagram, open_datagram
from poise.net.lan import Interface
from poise.net.options import SocketOptions
from poise.net.protocol import DatagramProtocol
from poise.wire import discovery
from poise.wire.discovery import Answer, Question

Destination = tuple[str, int] | tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """A server that has answered: its own name and age in seconds, and the URLs where it did, the best one first."""

    name: str
    urls: tuple[str, ...]
    age: int

    @property
    def url(self) -> str:
        return self.urls[0]


class Finder(DatagramProtocol):
    """Asks on every interface for ``timeout`` seconds, then calls ``done`` with who has answered, by name.

    Raises MachineFault when there is no network that could be asked, not even this machine's own.
    """

    def __init__(
        self,
        reactor: Reactor,
        done: Callable[[list[Found]], object],
        *,
        timeout: float | None = None,
        ask_at: int = discovery.PORT,
        limits: DiscoveryLimits | None = None,
    ) -> None:
        self.reactor = reactor
        self.limits = limits or DiscoveryLimits()
        self.timeout = self.limits.timeout if timeout is None else timeout
        self.ask_at = ask_at
        self._done = done
        self._query = os.urandom(discovery.NUMBER_SIZE)
        self._question = discovery.write(Question(self._query))
        self._answers: dict[tuple[Answer, str], tuple[int, str]] = {}
        self._asking: list[tuple[Datagram, list[Destination]]] = []
        self._timers: list[TimerHandle] = []
        self._open(lan.interfaces())
        if not self._asking:
            raise MachineFault("there is no network to ask in")
        for number in range(self.limits.rounds):
            # All in the first half: what is asked last must have time to be answered.
            pause = self.timeout / 2 * number / self.limits.rounds
            self._timers.append(reactor.call_later(pause, self._ask))
        self._timers.append(reactor.call_later(self.timeout, self._finish))

    def _open(self, links: list[Interface]) -> None:
        for ipv4 in dict.fromkeys(each.ipv4 for each in links if each.ipv4 is not None):
            everybody: list[Destination] = [
                (lan.EVERYWHERE_IPV4, self.ask_at),
                (discovery.GROUP_IPV4, self.ask_at),
            ]
            self._add(ipv4, everybody, SocketOptions(broadcast=True, multicast_interface=ipv4))
        group: list[Destination] = [
            (discovery.GROUP_IPV6, self.ask_at, 0, each.index) for each in links if each.index
        ]
        # Linux has no IPv6 multicast on loopback. Of several servers there one hears what is sent to the address.
        group.append(("::1", self.ask_at))
        self._add("::", group, SocketOptions(ipv6_only=True))

    def _add(self, host: str, everybody: list[Destination], options: SocketOptions) -> None:
        try:
            transport = open_datagram(
                self.reactor,
                lambda: self,
                local=(host, 0),
                options=options,
                limits=DatagramLimits(size=discovery.SIZE),
            )
        except OSError:  # the address has gone, or the machine has no IPv6
            return
        self._asking.append((transport, everybody))
        lan.keep_on_link(transport)

    def _ask(self) -> None:
        """Where a question cannot be sent, nobody answers it: the errors say no more than that."""
        for transport, everybody in self._asking:
            for each in everybody:
                transport.sendto(self._question, each)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = discovery.parse(data)
        if not isinstance(answer, Answer) or answer.query != self._query:
            return
        if len(self._answers) >= self.limits.found:
            return
        age, key = answer.age, _ageless(answer)
        self._answers.setdefault((key, url_of(answer, addr)), (age, addr[0]))

    @property
    def found(self) -> list[Found]:
        """Who has answered until now, sorted by name, then by URL."""
        servers: dict[Answer, list[tuple[int, str, int]]] = {}
        for (answer, url), (age, host) in self._answers.items():
            servers.setdefault(answer, []).append((_rank(host), url, age))
        found = [
            Found(answer.name, tuple(url for _, url, _ in sorted(places)), min(age for _, _, age in places))
            for answer, places in servers.items()
        ]
        return sorted(found, key=lambda each: (each.name.casefold(), each.name, each.urls))

    def _finish(self) -> None:
        found = self.found
        self.close()
        self._done(found)

    def close(self) -> None:
        """Stop asking and listening; ``done`` is not called any more. Twice is no error."""
        for timer in self._timers:
            timer.cancel()
        while self._asking:
            self._asking.pop()[0].abort()


def _ageless(answer: Answer) -> Answer:
    """What is the same in every answer of one server."""
    return Answer(b"", answer.instance, answer.scheme, answer.port, 0, answer.name)


def url_of(answer: Answer, addr: Any) -> str:
    """The URL of the server that has sent ``answer`` from the socket address ``addr``; a link with RFC 6874's zone."""
    host = addr[0]
    if lan.is_link_local(host) and addr[3]:
        host = f"{host}%25{_name_of(addr[3])}"
    return f"{answer.scheme}://{addresses.show((host, answer.port))}/"


def _name_of(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:  # it has gone meanwhile
        return str(index)


def _rank(host: str) -> int:
    """The order of a server's addresses: what works for most programs first."""
    if lan.is_loopback(host):
        return 3
    if ":" not in host:
        return 0
    return 2 if lan.is_link_local(host) else 1
