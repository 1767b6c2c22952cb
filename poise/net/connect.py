"""Connecting: from a name to a stream, within one time limit.

The rules are those of RFC 8305 (Happy Eyeballs, version 2). A name has several addresses, some of them dead without
saying so; waiting for each in turn is what makes programs feel broken. So the addresses are tried in the
system's order of preference (RFC 6724) with the families interleaved, a new attempt starts when the last one has
failed or has been silent for a quarter of a second, the first to succeed wins, and the others are closed.

Facts it relies on:

* A non-blocking connect is over when the socket becomes *writable*, which does not mean that it succeeded: SO_ERROR
  says so, once (connect(2); pitfall 33).
* A unix socket whose listener's queue is full says EAGAIN, and no readiness will ever follow: only trying again
  after a while helps (pitfall 34).
* A connect to a port of one's own machine in the ephemeral range can, by chance, connect to itself (pitfall 35).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from poise.errors import DeadlineExceeded, MachineFault
from poise.limits import ConnectLimits, StreamLimits
from poise.loop.handle import Handle
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle
from poise.net import address as addresses
from poise.net.ending import RESET
from poise.net.literal import find
from poise.net.options import Planned, SocketOptions, check_options
from poise.net.protocol import AnyProtocol, check_factory
from poise.net.resolve import Candidate, check, resolve
from poise.net.stream import Stream
from poise.readiness.interest import WRITE

if TYPE_CHECKING:
    from poise.net.certificates import ClientTLS
    from poise.net.tls import TLSStream

# The last is how Windows says it. EAGAIN is not among them: it is a refusal (pitfall 34).
PENDING = {
    errno.EINPROGRESS,
    errno.EALREADY,
    errno.EINTR,
    getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS),
}


def connect(
    reactor: Reactor,
    address: tuple[str, int] | str,
    factory: Callable[[], AnyProtocol],
    *,
    tls: ClientTLS | None = None,
    server_name: str | None = None,
    timeout: float | None = None,
    on_failure: Callable[[Exception], object] | None = None,
    local: tuple[str, int] | None = None,
    options: SocketOptions | None = None,
    limits: ConnectLimits | None = None,
    stream_limits: StreamLimits | None = None,
) -> Connecting:
    """Connect to ``(host, port)`` or ``"unix:/path"``; the protocol from ``factory()`` hears ``connection_made``.

    With ``tls`` that is after the handshake, in which the server shows a certificate for ``server_name``, or for the host.
    ``timeout`` is the limit for all of it in seconds, name resolution and handshake included. ``local`` is the address to
    connect from, a number. ``options`` are set on every socket that is tried, before it connects.

    When it fails, ``on_failure(error)`` is called once, from the loop: ConnectError, whose ``errors`` has the cause of each
    attempt, ResolveError, TLSError, DeadlineExceeded, or what ``factory`` raised, which is reported to the reactor's
    ``on_error`` besides. Without ``on_failure`` all of them go there.

    Raises ValueError for what is no address, no name, no time, MachineFault for an option that such a socket does not have,
    TypeError for what is no factory, no ClientTLS, no SocketOptions, ProgramFault when the reactor is closed.
    """
    check_factory(factory)
    limits = limits if limits is not None else ConnectLimits()
    timeout = limits.timeout if timeout is None else timeout
    if not timeout > 0:
        raise ValueError(f"a timeout must be more than 0 seconds, not {timeout}")
    if server_name is not None and tls is None:
        raise ValueError("a server_name without tls: nothing would be encrypted, and no name be checked")
    families = [family for family, _ in check(address)] or [socket.AF_INET6, socket.AF_INET]
    check_options(options, *(Planned(family, socket.SOCK_STREAM) for family in families))
    if local is not None and isinstance(address, str):
        raise ValueError("a unix socket does not connect from an address")
    plan = Plan(
        addresses.show(address.removeprefix(addresses.UNIX) if isinstance(address, str) else address),
        timeout,
        on_failure,
        None if local is None else find(local),
        options,
        limits,
        stream_limits if stream_limits is not None else StreamLimits(),
    )
    if tls is None:
        return Connecting(reactor, address, factory, plan)
    from poise.net.certificates import ClientTLS  # the library is large, and most programs do not need it
    from poise.net.tls import client_side

    if not isinstance(tls, ClientTLS):
        raise TypeError(f"a client needs a ClientTLS, not {tls!r}")
    if server_name is None:
        server_name = "" if isinstance(address, str) else name_of(address[0])
    return Connecting(reactor, address, factory, plan, client_side(tls, server_name))


def name_of(host: str) -> str:
    """What a certificate calls ``host``: no brackets and no zone (RFC 4007), no dot at the end (RFC 6066, 3)."""
    return host.strip("[]").partition("%")[0].removesuffix(".")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a caller wants besides the address."""

    target: str
    timeout: float
    on_failure: Callable[[Exception], object] | None
    local: Candidate | None
    options: SocketOptions | None
    limits: ConnectLimits
    stream_limits: StreamLimits


Handshake = Callable[[Callable[[], AnyProtocol], Callable[[Exception], object]], "TLSStream"]
"""Makes the layer between stream and protocol from the protocol's factory and whom to tell when it fails."""


class ConnectError(MachineFault):
    """No address could be connected to. ``errors`` holds one OSError for each that was tried."""

    def __init__(self, target: str, errors: Sequence[OSError]) -> None:
        first = errors[0] if errors else OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        more = f" (and {len(errors) - 1} more failed)" if len(errors) > 1 else ""
        super().__init__(first.errno, f"cannot connect to {target}: {first.strerror or first}{more}")
        self.errors = tuple(errors)


class Connecting:
    """A connection on its way. ``stream`` is there once it succeeded; ``cancel()`` gives it up in silence."""

    def __init__(
        self,
        reactor: Reactor,
        address: tuple[str, int] | str,
        factory: Callable[[], AnyProtocol],
        plan: Plan,
        handshake: Handshake | None = None,
    ) -> None:
        self.stream: Stream | TLSStream | None = None
        self._reactor = reactor
        self._factory = factory
        self._plan = plan
        self._layer = handshake(self._done, self._handshake_failed) if handshake is not None else None
        self._carrier: Stream | None = None  # what the handshake goes over
        self._waiting: list[Candidate] = []
        self._attempts: set[Attempt] = set()
        self._errors: list[OSError] = []
        self._next: TimerHandle | Handle | None = None  # when the next attempt starts
        self._over = False
        self._lookup = resolve(reactor, address, self._resolved, self._fail)
        self._end = reactor.call_later(plan.timeout, self._timed_out)

    def cancel(self) -> None:
        """Give it up: neither the protocol nor ``on_failure`` hears anything. Afterwards it has no effect."""
        if self._over:
            return
        self._finish()
        self._lookup.cancel()
        self._stop_trying()
        if self._carrier is not None:
            self._carrier.abort()

    def _finish(self) -> None:
        self._over = True
        self._end.cancel()

    def _stop_trying(self) -> None:
        if self._next is not None:
            self._next.cancel()
        for attempt in self._attempts:
            attempt.give_up()
        self._attempts.clear()

    def _resolved(self, candidates: list[Candidate]) -> None:
        local = self._plan.local
        usable = [each for each in candidates if local is None or each[0] == local[0]]
        if usable:
            self._waiting = interleaved(usable)
            self._start_next()
        else:
            code = errno.EAFNOSUPPORT if candidates else errno.EADDRNOTAVAIL
            self._fail(ConnectError(self._plan.target, [OSError(code, os.strerror(code))]))

    def _start_next(self) -> None:
        """Start one more attempt, and a timer for the one after it."""
        self._next = None
        if self._waiting:
            attempt = Attempt(self, self._reactor, self._waiting.pop(0), self._plan)
            self._attempts.add(attempt)
            if self._waiting:
                self._next = self._reactor.call_later(self._plan.limits.stagger, self._start_next)
            attempt.begin()  # last: it may be over before this returns
        elif not self._attempts:
            self._fail(ConnectError(self._plan.target, self._errors))

    def _attempt_failed(self, attempt: Attempt, error: OSError) -> None:
        """One address is done with: the next is tried at once, but not from inside this call."""
        self._attempts.discard(attempt)
        self._errors.append(error)
        if self._next is not None:
            self._next.cancel()
        self._next = self._reactor.call_soon(self._start_next)  # one that succeeds before then takes it back

    def _attempt_succeeded(self, attempt: Attempt, connected: socket.socket, peer: Any) -> None:
        """The race is won; the others are closed."""
        self._attempts.discard(attempt)
        self._stop_trying()
        try:
            protocol = self._done() if self._layer is None else self._layer
            stream = Stream(self._reactor, connected, protocol, peer, self._plan.stream_limits)
        except BaseException:
            self._reactor.retire(connected)
            raise
        if self._layer is None:
            self.stream = stream
        else:
            self._carrier = stream
        try:
            stream.begin()
        except (OSError, ValueError) as error:  # select(2), and a descriptor beyond its set
            stream.fail(error)

    def _done(self) -> AnyProtocol:
        """All went well: nothing can time out any more, and the protocol is made."""
        self._finish()
        try:
            protocol = self._factory()
        except Exception as error:
            if self._plan.on_failure is not None:
                self._plan.on_failure(error)
            raise
        self.stream = self._layer
        return protocol

    def _timed_out(self) -> None:
        self._fail(DeadlineExceeded(f"no connection to {self._plan.target} within {self._plan.timeout:g} s"))

    def _fail(self, error: Exception) -> None:
        self.cancel()
        self._tell(error)

    def _handshake_failed(self, error: Exception) -> None:
        """The layer closes by itself: its last words are on their way."""
        if not self._over:
            self._finish()
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        (self._plan.on_failure or self._reactor.on_error)(error)


class Attempt:
    """One socket on its way to one address."""

    def __init__(self, owner: Connecting, reactor: Reactor, candidate: Candidate, plan: Plan) -> None:
        self._owner = owner
        self._reactor = reactor
        self._family, self._sockaddr = candidate
        self._plan = plan
        self._socket: socket.socket | None = None
        self._retry: TimerHandle | None = None

    def begin(self) -> None:
        """Make the socket and start to connect."""
        try:
            self._socket = connecting = socket.socket(self._family, socket.SOCK_STREAM)
            connecting.setblocking(False)
            if self._family != socket.AF_UNIX:
                connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._plan.options is not None:
                self._plan.options.apply(connecting)
            if self._plan.local is not None:
                connecting.bind(self._plan.local[1])
        except OSError as error:
            self._failed(error)
        else:
            self._try(connecting)

    def _try(self, connecting: socket.socket) -> None:
        self._retry = None
        code = connecting.connect_ex(self._sockaddr)
        if code == 0:
            self._connected(connecting)
        elif code == errno.EAGAIN and self._family == socket.AF_UNIX:
            self._retry = self._reactor.call_later(self._plan.limits.unix_retry, self._try, connecting)
        elif code in PENDING:
            try:
                self._reactor.register(connecting.fileno(), WRITE, self._on_ready)
            except OSError as error:  # select(2), and a descriptor beyond its set
                self._failed(error)
        else:
            self._failed(OSError(code, os.strerror(code)))

    def _on_ready(self, _mask: int) -> None:
        connecting = self._socket
        if connecting is None:  # pragma: no cover - the reactor tells nothing to who has left
            return
        code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._failed(OSError(code, os.strerror(code)))
            return
        self._reactor.unregister(connecting.fileno())
        self._connected(connecting)

    def _connected(self, connecting: socket.socket) -> None:
        try:
            peer = connecting.getpeername()
            if self._family != socket.AF_UNIX and connecting.getsockname() == peer:
                # By a reset: TIME_WAIT would keep the port from the server that belongs there.
                connecting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                raise ConnectionRefusedError(errno.ECONNREFUSED, "the socket has connected to itself")
        except OSError as error:
            self._failed(error)
            return
        self._socket = None
        self._owner._attempt_succeeded(self, connecting, peer)

    def _failed(self, error: OSError) -> None:
        self.give_up()
        error.filename = addresses.show(self._sockaddr)  # for whoever reads several of them
        self._owner._attempt_failed(self, error)

    def give_up(self) -> None:
        """Close the socket, if there is one, and tell nobody."""
        if self._retry is not None:
            self._retry.cancel()
        connecting, self._socket = self._socket, None
        if connecting is not None:
            self._reactor.retire(connecting)


def interleaved(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same addresses with their families taking turns, the preferred family first (RFC 8305, 4)."""
    first = [each for each in candidates if each[0] == candidates[0][0]]
    others = [each for each in candidates if each[0] != candidates[0][0]]
    mixed: list[Candidate] = []
    for index in range(max(len(first), len(others))):
        mixed += first[index : index + 1] + others[index : index + 1]
    return mixed
