"""A listener: who gets in, and how fast.

Facts it relies on (accept(2)): the call may fail for reasons that belong to one newcomer (ECONNABORTED, EPROTO,
network errors of the new connection), and then the next one is tried; or because the system is out of
descriptors or memory, and then the newcomer stays in the queue, readiness stays true, and only *not
watching* ends the spinning: accepting pauses, with a delay that doubles while the trouble lasts (pitfall 5).

Beyond ``limits.connections`` accepting pauses too: newcomers wait in the kernel's queue until a place is free.

With ``limits.defer`` the kernel hands a TCP connection over when its first bytes have come (tcp(7), TCP_DEFER_ACCEPT), so
they are read in the same turn. Then ``at_once`` may answer a newcomer that will ask nothing more: it never becomes a stream.

Processes that have inherited one listening socket are all woken for each newcomer, and whoever is fastest takes it. With a
``balance`` they share: one that is ahead pauses for a moment, in which another can take what waits, and only then takes a few.
"""

from __future__ import annotations

import errno
import math
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from poise.errors import PeerFault
from poise.limits import ListenLimits, StreamLimits, TLSLimits
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle
from poise.net import address as addresses
from poise.net.address import Address
from poise.net.kernel import UNIX
from poise.net.newcomer import AtOnce, Bare, accept, meet, whole
from poise.net.protocol import AnyProtocol, check_factory
from poise.net.stream import Stream
from poise.readiness.glance import glance
from poise.readiness.interest import READ

if TYPE_CHECKING:
    from poise.net.bound import SocketFile
    from poise.net.certificates import ServerTLS
    from poise.net.options import SocketOptions

OF_ONE_NEWCOMER = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.EPERM,  # a firewall rule (Linux)
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.ENOTCONN,
        errno.ETIMEDOUT,
        errno.EINTR,
    }
)
AHEAD_PART = 8  # of many connections one may have an eighth more than another: they come and go all the time
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def listen(
    reactor: Reactor,
    address: Address,
    factory: Callable[[], AnyProtocol],
    *,
    tls: ServerTLS | None = None,
    tls_limits: TLSLimits | None = None,
    options: SocketOptions | None = None,
    limits: ListenLimits | None = None,
    stream_limits: StreamLimits | None = None,
) -> Listener:
    """Accept connections on ``address`` and give each a protocol from ``factory()``.

    ``address`` is ``(host, port)``, with port 0 for a free one and an empty host for every interface, ``"unix:/path"``, or
    a socket that was bound by somebody else. A connection's life is bounded by ``limits`` and ``stream_limits``.

    With ``tls`` the protocol is made when the handshake is done, and its stream is a TLSStream. ``options`` are set before
    binding, instead of what is usual here (``nodelay``, ``reuse_address``), and hold for every accepted connection too.

    Raises OSError (EADDRINUSE, EACCES, …), MachineFault for an unknown host name and for an option that such a socket does
    not have, ValueError for no address, ProgramFault when the reactor is closed.
    """
    reactor.check_open()
    limits = limits if limits is not None else ListenLimits()
    check_factory(factory)
    if tls is not None:
        from poise.net.certificates import ServerTLS  # the library is large, and most programs do not need it
        from poise.net.tls import server_side

        if not isinstance(tls, ServerTLS):
            raise TypeError(f"a listener needs a ServerTLS, not {tls!r}")

        def failed(stream: Stream, error: Exception) -> None:
            listener._handshake_failed(stream, error)

        factory = server_side(tls, factory, tls_limits, failed)
    listening = addresses.bind(address, limits.backlog, options)
    try:
        listener = Listener(
            reactor,
            listening,
            factory,
            limits,
            stream_limits or StreamLimits(),
            owns_file=isinstance(address, str),  # whoever has bound an inherited socket removes its file
            not_inherited=options if listening.family == UNIX else None,
        )
    except BaseException:
        listening.close()
        raise
    return listener


class Balance(Protocol):
    """What processes that accept from one socket know of each other."""

    def tell(self, connections: int) -> None:
        """So many connections are ours now."""

    def least(self) -> int:
        """How many he has who has the fewest."""


class Listener:
    """A listening socket on a reactor. ``address`` is the bound one, ``(host, port)`` or ``"unix:/path"``."""

    def __init__(
        self,
        reactor: Reactor,
        listening: socket.socket,
        factory: Callable[[], AnyProtocol],
        limits: ListenLimits,
        stream_limits: StreamLimits,
        *,
        owns_file: bool = False,
        not_inherited: SocketOptions | None = None,
    ) -> None:
        self.reactor = reactor
        self.limits = limits
        self.factory = factory
        self.streams: set[Stream] = set()
        self.accepted = 0
        self.refused = 0
        self.balance: Balance | None = None
        self.on_exhausted: Callable[[OSError, float], None] = _say_nothing
        self.on_empty: Callable[[], object] = _say_nothing
        """Called when the last connection of a listener that was closed is gone."""
        self.on_handshake_failed: Callable[[Stream, Exception], object] = _say_nothing
        """Told of each TLS handshake that fails: the connection below TLS, and a TLSError, DeadlineExceeded or OSError.

        ``stream.peer`` is who it was. Unless the peer has gone, what is written to that stream still goes out, in plain.
        """
        self.at_once: AtOnce | None = None
        """Asked about each newcomer that has said something already, where the kernel waits for that."""
        self._stream_limits = stream_limits
        self._not_inherited = not_inherited
        self._socket = listening
        self._fd = listening.fileno()
        self._per_client: dict[str, int] = {}
        self._crowding: set[str] = set()  # those of them who have no place left
        self._delay = limits.first_delay
        self._retry: TimerHandle | None = None
        self._accepting = True
        self._deferred = defer(listening, limits.defer)
        self._another = glance(self._fd)
        """Whether one more waits. That nobody does is accept(2)'s dearest answer, as it makes a socket first and looks then."""
        self._owed = 0  # newcomers that are taken without looking at others, who had their time
        self._closed = False
        self.sockname: Any = listening.getsockname()
        self._socket_file: SocketFile | None = None
        if owns_file:
            from poise.net.bound import SocketFile  # unix sockets alone have one

            self._socket_file = SocketFile(self.sockname)
        reactor.register(self._fd, READ, self._on_ready)

    @property
    def address(self) -> tuple[str, int] | str:
        """Where it is bound: ``(host, port)``, with the real port when 0 was asked for, or ``"unix:/path"``."""
        return addresses.of(self.sockname)

    def pause(self) -> None:
        """Stop accepting; newcomers wait in the kernel's queue."""
        self._accepting = False
        self._watch()

    def resume(self) -> None:
        """Accept again, if a place is free."""
        self._accepting = True
        self._watch()

    def close(self) -> None:
        """Stop listening at once; connections that were accepted live on. Twice is no error."""
        if self._closed:
            return
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        self.reactor.retire(self._socket)
        if self._socket_file is not None:
            self._socket_file.remove()

    def take_waiting(self) -> None:
        """Accept at once what the kernel has queued, as far as there is room: closing would reset it (pitfall 39)."""
        if self._closed:
            return
        self.balance = None  # those beside us may be about to end, too
        rounds = self.limits.backlog // self.limits.accepts + 1
        while rounds and not self._closed and self._accepting:
            rounds -= 1
            before = self.accepted
            try:
                self._on_ready(READ)
            except Exception as error:  # noqa: BLE001 - whoever stops a server must get on with it
                self.reactor.on_error(error)
            if self.accepted == before:
                break

    def _watch(self) -> None:
        if self._closed:
            return
        wanted = self._accepting and self._retry is None and len(self.streams) < self.limits.connections
        mask = READ if wanted else 0
        if mask != self.reactor.poller.interest(self._fd):
            self.reactor.modify(self._fd, mask)

    def _on_ready(self, _mask: int) -> None:
        another = self._another
        for number in range(self.limits.accepts):
            if number and another is not None and not another():
                return
            if len(self.streams) >= self.limits.connections:
                self._watch()
                return
            if self.balance is not None and self._leaves_it(self.balance):
                return
            try:
                newcomer, peer = accept(self._socket)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in OF_ONE_NEWCOMER:
                    continue
                if error.errno in EXHAUSTED:
                    self._back_off(error)
                    return
                self.close()  # this socket will never accept again, and would say so for ever
                raise
            self._delay = self.limits.first_delay
            self.accepted += 1
            self._receive(newcomer, peer)
            if self._closed or not self._accepting:
                return

    def _leaves_it(self, balance: Balance) -> bool:
        """Whether the next newcomer is left to others for a moment."""
        if self._owed:
            self._owed -= 1
            return False
        least = balance.least()
        if len(self.streams) <= least + self.limits.ahead + least // AHEAD_PART:
            return False
        self._owed = self.limits.ahead
        self._retry = self.reactor.call_later(self.limits.aside, self._try_again)
        self._watch()
        return True

    def _receive(self, newcomer: Bare, peer: Any) -> None:
        """Turn a newcomer away, answer it at once, or make a stream of it."""
        try:
            if self._crowding and client_of(peer) in self._crowding:
                self.refused += 1
                newcomer.close()
                return
            said = rest = b""
            if self._deferred and self.at_once is not None:
                met = meet(newcomer, peer, self.at_once)
                if met is None:
                    newcomer.close()
                    return
                said, rest = met
            stream = self._welcome(newcomer, peer)
        except Exception:
            newcomer.close()
            raise
        self._count(stream)
        try:
            stream.begin(said, read=self._deferred)
            if rest:
                stream.write(rest)
                stream.close()
        except Exception:
            stream.abort()  # the poller refused it: select(2) and a descriptor beyond its set
            raise

    def _welcome(self, newcomer: Bare, peer: Any) -> Stream:
        connection = whole(newcomer)
        try:
            connection.setblocking(False)  # Linux does not inherit it from the listener (pitfall 21)
            if self._not_inherited is not None:
                self._not_inherited.apply(connection)
            if type(peer) is tuple:  # one text for all who come from one address: they stay, and may be many
                peer = (sys.intern(peer[0]), *peer[1:])
            return Stream(self.reactor, connection, self.factory(), peer, self._stream_limits, self._gone)
        except Exception:
            connection.close()
            raise

    def _count(self, stream: Stream) -> None:
        self.streams.add(stream)
        if self.balance is not None:
            self.balance.tell(len(self.streams))
        client, cap = client_of(stream.peer), self.limits.per_client
        if client and cap:
            self._per_client[client] = count = self._per_client.get(client, 0) + 1
            if count >= cap:
                self._crowding.add(client)

    def _gone(self, stream: Stream) -> None:
        self.streams.discard(stream)
        if self.balance is not None:
            self.balance.tell(len(self.streams))
        client = client_of(stream.peer)
        if client and self.limits.per_client:
            self._crowding.discard(client)
            left = self._per_client[client] - 1
            if left:
                self._per_client[client] = left
            else:
                del self._per_client[client]
        if len(self.streams) == self.limits.connections - 1:
            self._watch()
        if self._closed and not self.streams:
            self.on_empty()

    def _handshake_failed(self, stream: Stream, error: Exception) -> None:
        if isinstance(error, (PeerFault, OSError)):  # any other is what the factory raised, and was reported
            self.on_handshake_failed(stream, error)

    def _back_off(self, error: OSError) -> None:
        self._retry = self.reactor.call_later(self._delay, self._try_again)
        self.on_exhausted(error, self._delay)
        self._delay = min(self._delay * 2, self.limits.longest_delay)
        self._watch()

    def _try_again(self) -> None:
        self._retry = None
        self._watch()

    def fail(self, error: Exception) -> None:
        """The reactor has reported that a protocol could not be made: the listening goes on."""

    def __repr__(self) -> str:
        return f"<Listener {addresses.show(self.sockname)} {len(self.streams)} connections>"


def defer(listening: socket.socket, seconds: float) -> bool:
    """Have the kernel keep newcomers until they have said something; False where it does not, and where none is to wait."""
    if not seconds or listening.family == UNIX or not hasattr(socket, "TCP_DEFER_ACCEPT"):
        return False
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, math.ceil(seconds))
    return True


def _say_nothing(*_told: object) -> None:
    pass


def client_of(peer: Any) -> str:
    """What one client is, for the cap: an IPv4 address, or the /64 network that an IPv6 host chooses its own from."""
    if not isinstance(peer, tuple):
        return ""
    host = addresses.plain_host(peer[0])
    if ":" not in host:
        return host
    return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])[:8].hex()
