"""Answers those who ask in the local network who is there (docs/discovery.md).

For each family that the server listens on there are two sockets:

* the **ear** is bound to every interface, for a socket that is bound to an address hears no broadcasts. Several
  servers share its port; the kernel gives each of them a copy of what is broadcast or sent to a group;
* the **mouth** is bound to the address on which the server listens, for the one who has asked takes an answer's
  source for the server's address. It never speaks further than the link.

Groups are joined on every interface, and on those that come later: the list is looked at again now and then. What has
gone needs no notice: broadcasts need no membership, and the kernel drops those of an interface with it.
"""

from __future__ import annotations

import math
import os
import socket
import sys
from typing import Any

from poise.errors import MachineFault
from poise.limits import DatagramLimits, DiscoveryLimits
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle
from poise.net import lan
from poise.net.datagram import Datagram, open_datagram
from poise.net.options import SocketOptions
from poise.net.protocol import DatagramProtocol
from poise.wire import discovery
from poise.wire.discovery import Answer, Question

WILDCARD = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
# Linux shares a port among users with SO_REUSEADDR; SO_REUSEPORT there is for one user's processes. BSD wants both.
SHARED = SocketOptions(reuse_address=True, reuse_port=None if sys.platform == "linux" else True)
SHARED_IPV6 = SocketOptions(reuse_address=True, reuse_port=SHARED.reuse_port, ipv6_only=True)
WINDOW = 1.0  # seconds, over which answers are counted


class Allowance:
    """How many answers there may be: so many a second for each who asks, and so many for all of them."""

    __slots__ = ("_counts", "_ends", "_left", "limits")

    def __init__(self, limits: DiscoveryLimits) -> None:
        self.limits = limits
        self._counts: dict[str, int] = {}  # no more entries than answers in a window
        self._left = 0
        self._ends = -math.inf

    def take(self, source: str, now: float) -> bool:
        """Whether ``source`` may have one more answer at the time ``now``."""
        if now >= self._ends:
            self._ends = now + WINDOW
            self._left = self.limits.answers
            self._counts.clear()
        count = self._counts.get(source, 0)
        if not self._left or count >= self.limits.answers_per_source:
            return False
        self._left -= 1
        self._counts[source] = count + 1
        return True


class Announcer:
    """Says ``name`` to everybody in the local network who asks, until it is closed.

    ``host`` and ``port`` are where the server listens: every interface, or one address. A server on loopback is
    announced on loopback. ``scheme`` is ``"http"`` or ``"https"``. Raises ValueError for what is no name,
    MachineFault when the port for questions cannot be shared.
    """

    def __init__(
        self,
        reactor: Reactor,
        name: str,
        address: tuple[str, int],
        *,
        scheme: str = "http",
        ask_at: int = discovery.PORT,
        limits: DiscoveryLimits | None = None,
    ) -> None:
        self.reactor = reactor
        self.name = name
        self.host, self.port = address
        self.scheme = scheme
        self.ask_at = ask_at
        self.limits = limits or DiscoveryLimits()
        self.local_only = lan.is_loopback(self.host)
        self._instance = os.urandom(discovery.NUMBER_SIZE)
        self._since = reactor.clock.monotonic()
        self._allowance = Allowance(self.limits)
        self._voices: list[Voice] = []
        self._timer: TimerHandle | None = None
        self.answer(Question(bytes(discovery.NUMBER_SIZE)))  # what cannot be said is an error now
        try:
            self._open()
        except OSError as error:
            self.close()
            raise MachineFault(
                error.errno, f"cannot listen for questions on UDP port {ask_at}: {error.strerror}"
            ) from error
        self._look()

    def _open(self) -> None:
        if ":" in self.host:
            self._voices.append(Voice(self, socket.AF_INET6))
        if ":" not in self.host or self.host == "::":  # a listener on "::" takes both families
            self._voices.append(Voice(self, socket.AF_INET))

    def _look(self) -> None:
        """Join the groups where we have not yet."""
        links = [each for each in lan.interfaces() if each.loopback or not self.local_only]
        for voice in self._voices:
            voice.join({each.index for each in links if each.index})
        self._timer = self.reactor.call_later(self.limits.look, self._look)

    def may_answer(self, source: str) -> bool:
        """Whether the host that has asked gets an answer now."""
        if self.local_only and not lan.is_loopback(source):
            return False
        return self._allowance.take(source, self.reactor.now)

    def answer(self, question: Question) -> bytes:
        """The datagram for the one who has asked."""
        age = int(self.reactor.clock.monotonic() - self._since)
        return discovery.write(Answer(question.query, self._instance, self.scheme, self.port, age, self.name))

    def close(self) -> None:
        """Be silent from now on. Twice is no error."""
        if self._timer is not None:
            self._timer.cancel()
        while self._voices:
            self._voices.pop().close()


class Voice(DatagramProtocol):
    """One family's ear and mouth."""

    def __init__(self, announcer: Announcer, family: socket.AddressFamily) -> None:
        self._announcer = announcer
        self._mouth: Datagram | None = None
        six = family == socket.AF_INET6
        self._group = discovery.GROUP_IPV6 if six else discovery.GROUP_IPV4
        self._joined: set[int] = set()
        wildcard = WILDCARD[family]
        # A link-local address cannot be bound without its link, and on its link the kernel chooses it anyway.
        everywhere = announcer.host == "::" or lan.is_link_local(announcer.host)
        host = wildcard if everywhere else announcer.host
        reactor = announcer.reactor
        self._ear = open_datagram(
            reactor,
            lambda: self,
            local=(wildcard, announcer.ask_at),
            options=SHARED_IPV6 if six else SHARED,
            limits=DatagramLimits(size=discovery.SIZE),
        )
        try:
            self._mouth = open_datagram(
                reactor,
                DatagramProtocol,  # nobody has anything to tell it
                local=(host, 0),
                options=SocketOptions(ipv6_only=True) if six else None,
                limits=DatagramLimits(size=discovery.SIZE),
            )
            lan.keep_on_link(self._mouth)
        except BaseException:
            self.close()
            raise

    def datagram_received(self, data: bytes, addr: Any) -> None:
        question = discovery.parse(data)
        if isinstance(question, Question) and self._announcer.may_answer(addr[0]) and self._mouth is not None:
            self._mouth.sendto(self._announcer.answer(question), addr)

    def join(self, links: set[int]) -> None:
        """Be a member of the group on exactly these interfaces, as far as the kernel allows."""
        for index in self._joined - links:
            try:
                self._ear.leave_group(self._group, index)
            except OSError:  # it went with its interface
                pass
        self._joined &= links
        for index in links - self._joined:
            try:
                self._ear.join_group(self._group, index)
            except OSError:  # not on this interface, or not on so many: broadcasts are heard all the same
                continue
            self._joined.add(index)

    def close(self) -> None:
        self._ear.abort()
        if self._mouth is not None:
            self._mouth.abort()
