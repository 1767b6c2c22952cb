"""Datagrams: messages without a connection, each whole or not at all, over UDP and unix sockets.

Rules:

* **A datagram is a message, an empty one too** (pitfall 41). Nothing here means "the end".
* **A datagram is handed over whole or reported.** The buffer is one byte larger than ``limits.size``: what fills it was
  longer, and goes to ``error_received`` as TruncatedDatagram with its beginning (pitfall 42). The default is
  more than UDP can carry (65,507 bytes over IPv4); only unix sockets can send more.
* **An error belongs to one datagram** and goes to ``error_received``; the socket lives on. Errors that the network
  reports (ICMP) reach connected sockets only (pitfalls 43, 44). How sending copes with all of them: ``sender.py``.
* **The queue is bounded** in bytes and datagrams. ``pause_writing`` and ``resume_writing`` tell; whoever does not
  listen is refused: ``sendto`` returns False and ``refused`` counts. The newest is refused, never an older one dropped.
* **No look-ups on the loop**: a destination is a literal (see ``literal.py``).
* Callbacks come from the loop only, never from inside a call of the protocol's own, except ``pause_writing``.

Without ``local`` a socket is for IPv4; ``("", port)`` is every IPv4 interface, because broadcast and IPv4 groups exist only
there, and ``("::", port)`` every interface of both families.
"""

from __future__ import annotations

import enum
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from poise.errors import PeerFault, ProgramFault
from poise.limits import DatagramLimits
from poise.loop.reactor import Reactor
from poise.net import address as addresses
from poise.net import dgram_socket, literal, multicast
from poise.net.address import Address
from poise.net.kernel import UNIX
from poise.net.options import SocketOptions, Value, get_option, set_option
from poise.net.protocol import DatagramProtocol, check_factory
from poise.net.sender import Sender
from poise.readiness.interest import READ, WRITE

NO_SOCKET = frozenset({errno.EBADF, errno.ENOTSOCK})  # somebody closed it behind our back


class TruncatedDatagram(PeerFault, OSError):
    """A datagram longer than ``limits.size``. ``data`` is its beginning, ``address`` its sender."""

    def __init__(self, data: bytes, address: Any) -> None:
        super().__init__(errno.EMSGSIZE, f"a datagram of more than {len(data)} bytes was cut")
        self.data = data
        self.address = address


class State(enum.IntEnum):
    OPEN = 0
    CLOSING = 1  # what waits is sent first
    CLOSED = 2


def open_datagram(
    reactor: Reactor,
    factory: Callable[[], DatagramProtocol],
    *,
    local: Address | None = None,
    remote: tuple[str, int] | str | None = None,
    broadcast: bool = False,
    options: SocketOptions | None = None,
    limits: DatagramLimits | None = None,
) -> Datagram:
    """A datagram socket bound to ``local`` and, with ``remote``, connected: it hears from nobody else.

    An address is ``(host, port)`` with a literal host, ``"unix:/path"``, or (``local``) an inherited socket.
    ``broadcast`` allows sending to broadcast addresses. ``options`` are set before binding: ``reuse_address`` for
    several receivers of one port. Raises OSError as bind(2) and connect(2) do, ValueError for what is no address,
    MachineFault for an option that such a socket does not have, ProgramFault when the reactor is closed.
    """
    reactor.check_open()
    check_factory(factory)
    protocol = factory()
    opened = dgram_socket.make(local, remote, broadcast=broadcast, options=options)
    try:
        transport = Datagram(reactor, opened, protocol, limits, owns_file=isinstance(local, str))
    except BaseException:
        opened.close()
        raise
    transport.begin()
    return transport


class Datagram:
    """One datagram socket on a reactor, with the interface of asyncio's DatagramTransport."""

    __slots__ = (
        "_fd",
        "_file",
        "_interest",
        "_paused_writing",
        "_peer",
        "_protocol",
        "_sender",
        "_socket",
        "_state",
        "_unix",
        "limits",
        "peer",
        "reactor",
        "sockname",
    )

    def __init__(
        self,
        reactor: Reactor,
        opened: socket.socket,
        protocol: DatagramProtocol,
        limits: DatagramLimits | None = None,
        *,
        owns_file: bool = False,
    ) -> None:
        self.reactor = reactor
        self.limits = limits or DatagramLimits()
        self._protocol = protocol
        self._socket = opened
        self._fd = opened.fileno()
        self._unix = opened.family == UNIX
        self._peer = dgram_socket.peer_of(opened)  # as the kernel has it
        self.peer: Any = literal.unix_source(self._peer) if self._unix else self._peer
        self.sockname: Any = opened.getsockname()
        self._file = dgram_socket.identify(self.sockname) if owns_file else None
        self._sender = Sender(
            reactor,
            opened,
            self.limits,
            connected=self._peer is not None,
            report=self._report,
            changed=self._sent,
            fail=self.fail,
        )
        self._state = State.OPEN
        self._interest = READ
        self._paused_writing = False

    # -- what users call -------------------------------------------------------------------------

    def begin(self) -> None:
        """Start to listen to the socket, then tell the protocol. Raises what the poller says of the descriptor."""
        try:
            self.reactor.register(self._fd, READ, self._on_ready)
        except BaseException:
            self._socket.close()
            self._remove_file()
            raise
        try:
            self._protocol.connection_made(self)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not reach whoever opened the socket
            self.reactor.on_error(error)
            self.fail(error)

    def send(self, data: bytes | bytearray | memoryview) -> bool:
        """``sendto`` the peer of a connected socket. Raises ProgramFault without one."""
        if self._peer is None:
            raise ProgramFault(
                "send() needs a connected socket: give open_datagram() a remote, or use sendto()"
            )
        return self.sendto(data)

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> bool:
        """Send one datagram, which may be empty; True when the kernel has it or it waits for that.

        False when it is lost already: the socket is closed, too many wait (``refused``), or an error is on its way
        to ``error_received``. None for ``addr`` is the connected peer. Raises ValueError for an ``addr`` that is no
        address or, on a connected socket, another one.
        """
        if self._state:
            return False
        if not isinstance(data, bytes):
            data = bytes(memoryview(data))  # a copy that nobody changes, and no number of zeros from an int
        to = None if addr is None else self._destination(addr)
        if to is None and self._peer is None:  # a unix sender without a name cannot be answered
            text = "no address is given, and the socket is not connected"
            self._report(OSError(errno.EDESTADDRREQ, text))
            return False
        if not self._sender.send(data, to):
            return False
        if self._sender.queue.count:
            self._watch()
            self._check_water()
        return True

    def close(self) -> None:
        """Send what waits, receive no more, then close. Twice is no error."""
        if self._state:
            return
        self._state = State.CLOSING
        if self._sender.queue.count:
            self._watch()
        else:
            self._lose(None)

    def abort(self) -> None:
        """Close at once and drop what waits."""
        self._lose(None)

    def fail(self, error: Exception) -> None:
        """A callback of the protocol raised ``error``, which has been reported: the socket is closed."""
        self._lose(error)

    def is_closing(self) -> bool:
        """Whether the end has begun: by close(), abort(), or a socket that is of no use any more."""
        return self._state != State.OPEN

    def join_group(self, group: str, interface: str | int | None = None) -> None:
        """Receive what is sent to a multicast ``group``; see ``multicast.join`` for ``interface`` and the errors."""
        multicast.join(self._socket, group, interface)

    def leave_group(self, group: str, interface: str | int | None = None) -> None:
        """Undo ``join_group`` with the same arguments."""
        multicast.leave(self._socket, group, interface)

    def set_option(self, name: str, value: Value) -> None:
        """``options.set_option`` for this socket: ``multicast_ttl``, ``multicast_loop``, ``receive_buffer``, …"""
        set_option(self._socket, name, value)

    def get_option(self, name: str) -> Value:
        """What the kernel says of a socket option."""
        return get_option(self._socket, name)

    @property
    def refused(self) -> int:
        """Datagrams that were refused because too many waited."""
        return self._sender.refused

    @property
    def address(self) -> tuple[str, int] | str:
        """Where it is bound: ``(host, port)``, or ``"unix:/path"`` (``"unix:"`` without a name)."""
        if isinstance(self.sockname, tuple):
            return self.sockname[0], self.sockname[1]
        return addresses.show(self.sockname)

    def get_write_buffer_size(self) -> int:
        """Bytes of the datagrams that the kernel has not taken yet."""
        return self._sender.queue.size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """``(low, high)`` in bytes."""
        return self._sender.queue.marks

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the protocol is asked to pause and may go on, in bytes. ValueError unless high >= low >= 0."""
        self._sender.queue.set_marks(high, low)
        self._check_water()

    def is_paused_writing(self) -> bool:
        """Whether the protocol was asked to pause writing and not yet to go on."""
        return self._paused_writing

    def set_protocol(self, protocol: DatagramProtocol) -> None:
        """Tell another protocol from now on."""
        self._protocol = protocol

    def get_protocol(self) -> DatagramProtocol:
        """Who hears of this socket."""
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``peername`` (None unless connected), ``sockname``, ``socket`` or ``fd``; ``default`` for anything else."""
        known = {"peername": self.peer, "sockname": self.sockname, "socket": self._socket, "fd": self._fd}
        return known.get(name, default)

    # -- the loop calls --------------------------------------------------------------------------

    def _on_ready(self, mask: int) -> None:
        if mask != WRITE and not self._state:
            self._receive()
        if mask != READ and self._sender.wants_room:
            self._sender.flush()

    def _receive(self) -> None:
        """One event's worth of datagrams: bounded in number and in bytes."""
        size = self.limits.size
        left = self.limits.received_bytes
        for _ in range(self.limits.received):
            try:
                data, sender = self._socket.recvfrom(size + 1)
            except (BlockingIOError, InterruptedError):
                return  # a wrong checksum can take back what was announced (select(2), BUGS; pitfall 21)
            except OSError as error:
                if error.errno in NO_SOCKET:
                    self._lose(error)
                    return
                self._protocol.error_received(error)
            else:
                if self._unix:
                    sender = literal.unix_source(sender)
                left -= len(data)
                if len(data) > size:
                    self._protocol.error_received(TruncatedDatagram(data[:size], sender))
                else:
                    self._protocol.datagram_received(data, sender)
            if self._state or left <= 0:
                return

    def _sent(self) -> None:
        """Something left the queue."""
        if self._state == State.CLOSING and not self._sender.queue.count:
            self._lose(None)
            return
        self._watch()
        if not self._state:
            self._check_water()

    def _report(self, error: OSError) -> None:
        """Tell the protocol from the loop: it may be in the middle of a call of its own (pitfall 50)."""
        self.reactor.call_soon(self._tell, error)

    def _tell(self, error: OSError) -> None:
        self._protocol.error_received(error)

    def _destination(self, addr: Any) -> Any:
        to = literal.destination(self._socket.family, addr)
        if self._peer is None:
            return to
        if to != self._peer:
            raise ValueError(f"{addr!r}: this socket is connected to {addresses.show(self._peer)}")
        return None

    def _check_water(self) -> None:
        queue = self._sender.queue
        if self._paused_writing:
            if queue.little:
                self._paused_writing = False
                self._protocol.resume_writing()
        elif queue.too_much:
            self._paused_writing = True
            self._protocol.pause_writing()

    # -- interest and the end --------------------------------------------------------------------

    def _watch(self) -> None:
        """Bring the kernel's interest in line with ours."""
        mask = (0 if self._state else READ) | (WRITE if self._sender.wants_room else 0)
        if mask != self._interest:
            self._interest = mask
            self.reactor.modify(self._fd, mask)

    def _lose(self, error: Exception | None) -> None:
        """Leave the loop now, tell the protocol soon."""
        if self._state == State.CLOSED:
            return
        self._state = State.CLOSED
        self._sender.close()
        self.reactor.retire(self._socket)
        self._remove_file()
        self.reactor.call_last(self._protocol.connection_lost, error)

    def _remove_file(self) -> None:
        if self._file is not None and self._file == dgram_socket.identify(self.sockname):
            try:
                os.unlink(self.sockname)
            except OSError:  # the folder is not ours any more; the next one to bind replaces the stale file
                pass

    def __repr__(self) -> str:
        peer = f" to {addresses.show(self._peer)}" if self._peer is not None else ""
        queue = f"queued={self._sender.queue.count}"
        return f"<Datagram fd={self._fd} {addresses.show(self.sockname)}{peer} {self._state.name} {queue}>"
