"""Socket options by name, with units and ranges: what may be asked of a socket, and what it then says.

The kernel's own interface answers a wrong option with a bare number, and often does not answer at all: a unix
socket takes SO_BROADCAST, and a UDP socket SO_LINGER, without any effect. Here each option is one row of a table, which
says for which sockets it is meant; whatever is unsupported is an error that names the option.

What is read back is what the kernel says, not what was asked for:

* ``receive_buffer`` and ``send_buffer``: Linux doubles the number, because its own bookkeeping is counted too, cuts it
  at ``net.core.rmem_max`` and ``wmem_max``, and never goes under a minimum (socket(7)).
* ``multicast_interface`` over IPv4 is an address; one that was chosen by name or index may read as ``0.0.0.0``.

Facts about single options:

* ``reuse_address`` lets a listener bind while old connections wait (pitfall 36), and several datagram sockets share a
  port for broadcast and multicast. On Windows it lets anybody take a port that is in use: leave it off there.
* ``linger`` above 0 can block in ``close`` (pitfall 37); 0 resets the connection.
* ``keepalive_idle``, ``keepalive_interval`` and ``keepalive_count`` have an effect only with ``keepalive`` (tcp(7)).
* ``ipv6_only`` must be set before the socket is bound (ipv6(7)).
* ``receive_buffer`` decides with the first packet how large the window can ever become (tcp(7)), so it is set before
  ``listen`` and ``connect``. An accepted TCP connection has the options of its listener; one over a unix socket has not.
"""

from __future__ import annotations

import enum
import errno
import os
import socket
import struct
import sys
from typing import NamedTuple

from poise.errors import MachineFault
from poise.limits.record import Record
from poise.net.kernel import UNIX

Value = bool | int | str | None
SOL, TCP, IPV4, IPV6 = socket.SOL_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.IPPROTO_IPV6
LINGER = struct.Struct("ii")  # struct linger: on or off, seconds
IPV4_WILDCARD = b"\0\0\0\0"
LARGEST = 0x7FFF_FFFF  # a C int
INET = (socket.AF_INET, socket.AF_INET6)


class Planned(NamedTuple):
    """A socket that is not made yet, as far as its options care."""

    family: int | None
    type: int


TCP_SOCKETS = tuple(Planned(family, socket.SOCK_STREAM) for family in (socket.AF_INET6, socket.AF_INET))
UNIX_SOCKET = Planned(UNIX, socket.SOCK_STREAM)


class Kind(enum.Enum):
    """How a value is written down for the kernel."""

    FLAG = "True or False"
    NUMBER = "a whole number"
    LINGER = "a whole number of seconds, or None for off"
    INTERFACE = "the name, the index or (over IPv4) an address of a network interface"


class Scope(enum.Enum):
    """Which sockets an option is meant for."""

    ANY = "every socket"
    IP = "IPv4 and IPv6 sockets"
    TCP = "TCP sockets"
    UDP = "UDP sockets"
    IPV4_UDP = "UDP sockets over IPv4"
    IPV6 = "IPv6 sockets"


class Option(NamedTuple):
    """A row of the table: ``constant`` is the socket module's name, ``over_ipv6`` the one that IPv6 sockets use."""

    scope: Scope
    level: int
    constant: str
    kind: Kind = Kind.FLAG
    unit: str = ""
    low: int = 0
    high: int = LARGEST
    over_ipv6: str | None = None


OPTIONS: dict[str, Option] = {
    "nodelay": Option(Scope.TCP, TCP, "TCP_NODELAY"),
    "keepalive": Option(Scope.TCP, SOL, "SO_KEEPALIVE"),
    "keepalive_idle": Option(
        Scope.TCP,
        TCP,
        "TCP_KEEPALIVE" if sys.platform == "darwin" else "TCP_KEEPIDLE",
        Kind.NUMBER,
        "seconds",
        1,
        32_767,
    ),
    "keepalive_interval": Option(Scope.TCP, TCP, "TCP_KEEPINTVL", Kind.NUMBER, "seconds", 1, 32_767),
    "keepalive_count": Option(Scope.TCP, TCP, "TCP_KEEPCNT", Kind.NUMBER, "probes", 1, 127),
    "linger": Option(Scope.TCP, SOL, "SO_LINGER", Kind.LINGER, "seconds", 0, 65_535),
    "receive_buffer": Option(Scope.ANY, SOL, "SO_RCVBUF", Kind.NUMBER, "bytes", 1, LARGEST // 2),
    "send_buffer": Option(Scope.ANY, SOL, "SO_SNDBUF", Kind.NUMBER, "bytes", 1, LARGEST // 2),
    "reuse_address": Option(Scope.IP, SOL, "SO_REUSEADDR"),
    "reuse_port": Option(Scope.IP, SOL, "SO_REUSEPORT"),
    "ipv6_only": Option(Scope.IPV6, IPV6, "IPV6_V6ONLY"),
    "broadcast": Option(Scope.IPV4_UDP, SOL, "SO_BROADCAST"),
    "multicast_ttl": Option(
        Scope.UDP, IPV4, "IP_MULTICAST_TTL", Kind.NUMBER, "hops", 0, 255, over_ipv6="IPV6_MULTICAST_HOPS"
    ),
    "multicast_loop": Option(Scope.UDP, IPV4, "IP_MULTICAST_LOOP", over_ipv6="IPV6_MULTICAST_LOOP"),
    "multicast_interface": Option(
        Scope.UDP, IPV4, "IP_MULTICAST_IF", Kind.INTERFACE, over_ipv6="IPV6_MULTICAST_IF"
    ),
}


class SocketOptions(Record):
    """Options for a socket that is about to be made; None leaves the system's default.

    Times are whole seconds, sizes bytes, the time to live hops. ``multicast_interface`` is a name, an index, or an
    IPv4 address of the interface. Raises ValueError for nonsense when it is made.
    """

    nodelay: bool | None = None
    keepalive: bool | None = None
    keepalive_idle: int | None = None
    keepalive_interval: int | None = None
    keepalive_count: int | None = None
    linger: int | None = None
    receive_buffer: int | None = None
    send_buffer: int | None = None
    reuse_address: bool | None = None
    reuse_port: bool | None = None
    ipv6_only: bool | None = None
    broadcast: bool | None = None
    multicast_ttl: int | None = None
    multicast_loop: bool | None = None
    multicast_interface: str | int | None = None

    def _begin(self) -> None:
        for name, value in self.chosen().items():
            check(name, value)
        times = [name for name in self.chosen() if name.startswith("keepalive_")]
        if times and not self.keepalive:
            raise ValueError(f"{', '.join(times)} without keepalive=True would have no effect")

    def chosen(self) -> dict[str, Value]:
        """The options that are not left to the system."""
        return {name: value for name, value in self.as_dict().items() if value is not None}

    def apply(self, sock: socket.socket) -> None:
        """Set them on ``sock``, which is best not bound yet. Raises like :func:`set_option`."""
        for name, value in self.chosen().items():
            set_option(sock, name, value)


def check_options(options: SocketOptions | None, *planned: Planned | socket.socket) -> None:
    """Before anything is made: whether at least one of the ``planned`` sockets has each of the options.

    Raises TypeError for what are no SocketOptions, MachineFault for an option that none of them, or the system, has.
    """
    if options is None:
        return
    if not isinstance(options, SocketOptions):
        raise TypeError(f"options are SocketOptions(…), not {options!r}")
    for name in options.chosen():
        meant = [each for each in planned if _meant_for(OPTIONS[name].scope, each)]
        _place((*meant, *planned)[0], name, OPTIONS[name])


def set_option(sock: socket.socket, name: str, value: Value) -> None:
    """Set the option ``name`` of ``OPTIONS`` on ``sock``.

    Raises ValueError for an unknown name or a nonsensical value, MachineFault for an option that the system or this
    kind of socket does not have and for one that the kernel refuses. See setsockopt(2), socket(7), tcp(7), ip(7), ipv6(7).
    """
    option = check(name, value)
    level, number = _place(sock, name, option)
    packed = _pack(option, value, over_ipv6=level == IPV6)
    try:
        sock.setsockopt(level, number, packed)
    except OSError as error:
        raise MachineFault(
            error.errno, f"cannot set {name} to {value!r} on {kind_of(sock)}: {os.strerror(error.errno or 0)}"
        ) from error


def get_option(sock: socket.socket, name: str) -> Value:
    """What the kernel says of the option ``name``: a bool, an int, seconds or None for ``linger``.

    ``multicast_interface`` is an address over IPv4 and an index over IPv6. Raises like :func:`set_option`.
    """
    option = _known(name)
    level, number = _place(sock, name, option)
    size = LINGER.size if option.kind is Kind.LINGER else 4
    try:
        raw = sock.getsockopt(level, number, size)
    except OSError as error:
        raise MachineFault(
            error.errno, f"cannot read {name} of {kind_of(sock)}: {os.strerror(error.errno or 0)}"
        ) from error
    if option.kind is Kind.LINGER:
        on, seconds = LINGER.unpack(raw)
        return seconds if on else None
    if option.kind is Kind.INTERFACE and level == IPV4:
        return socket.inet_ntoa(raw)
    answer = int.from_bytes(raw, sys.byteorder, signed=True)  # some systems answer with a single byte
    return answer != 0 if option.kind is Kind.FLAG else answer


def check(name: str, value: Value) -> Option:
    """The row of ``name``. Raises ValueError when there is none, or when ``value`` cannot be meant."""
    option = _known(name)
    number = isinstance(value, int) and not isinstance(value, bool)
    if option.kind is Kind.FLAG:
        good = isinstance(value, bool)
    elif option.kind is Kind.INTERFACE:
        good = (isinstance(value, str) and value != "") or (number and 0 <= int(value or 0) <= option.high)
    elif value is None:
        good = option.kind is Kind.LINGER
    else:
        good = number and option.low <= int(value) <= option.high
    if not good:
        unit = f" of {option.low} to {option.high} {option.unit}" if option.kind is Kind.NUMBER else ""
        raise ValueError(f"{name} is {option.kind.value}{unit}, not {value!r}")
    return option


def interface_index(interface: str | int) -> int:
    """The index of a network interface, given by name or index (0: the system's choice). ValueError for no such name."""
    if isinstance(interface, int):
        return interface
    try:
        return socket.if_nametoindex(interface)
    except OSError as error:
        raise ValueError(f"there is no network interface {interface!r}") from error


def ipv4_interface(interface: str | int) -> bytes:
    """Address and index of an interface as the end of ``struct ip_mreqn`` (ip(7)): one of both is enough."""
    if isinstance(interface, str):
        try:
            return socket.inet_pton(socket.AF_INET, interface) + struct.pack("i", 0)
        except OSError:  # no address: then it is a name
            pass
    return IPV4_WILDCARD + struct.pack("i", interface_index(interface))


def kind_of(sock: socket.socket | Planned) -> str:
    """``sock`` for people: ``a TCP socket over IPv6``, ``a unix datagram socket``."""
    stream = sock.type == socket.SOCK_STREAM
    if sock.family in INET and (stream or sock.type == socket.SOCK_DGRAM):
        over = "IPv4" if sock.family == socket.AF_INET else "IPv6"
        return f"a {'TCP' if stream else 'UDP'} socket over {over}"
    if sock.family == UNIX:
        return f"a unix {'stream' if stream else 'datagram'} socket"
    return f"a socket of family {sock.family} and type {sock.type}"


def _known(name: str) -> Option:
    try:
        return OPTIONS[name]
    except KeyError:
        raise ValueError(f"there is no socket option {name!r}; there are {', '.join(OPTIONS)}") from None


def _place(sock: socket.socket | Planned, name: str, option: Option) -> tuple[int, int]:
    """Level and number of the option for this socket. Raises MachineFault when it has none."""
    if not _meant_for(option.scope, sock):
        raise MachineFault(
            errno.ENOPROTOOPT, f"{name} is an option of {option.scope.value}, and this is {kind_of(sock)}"
        )
    six = option.over_ipv6 if sock.family == socket.AF_INET6 else None
    constant = six or option.constant
    number = getattr(socket, constant, None)
    if number is None:
        raise MachineFault(errno.ENOPROTOOPT, f"this system has no socket option {name} ({constant})")
    return (IPV6 if six else option.level), number


def _meant_for(scope: Scope, sock: socket.socket | Planned) -> bool:
    if scope is Scope.ANY:
        return True
    if scope is Scope.IPV6:
        return sock.family == socket.AF_INET6
    if sock.family not in INET:
        return False
    if scope is Scope.TCP:
        return sock.type == socket.SOCK_STREAM
    if scope is Scope.IPV4_UDP and sock.family != socket.AF_INET:
        return False
    return scope is Scope.IP or sock.type == socket.SOCK_DGRAM


def _pack(option: Option, value: Value, *, over_ipv6: bool) -> int | bytes:
    if option.kind is Kind.LINGER:
        return LINGER.pack(value is not None, value or 0)
    if option.kind is Kind.INTERFACE:
        interface = value if isinstance(value, str) else int(value or 0)
        return interface_index(interface) if over_ipv6 else IPV4_WILDCARD + ipv4_interface(interface)
    if option.level == IPV4 and not over_ipv6:
        return bytes(
            [int(value or 0)]
        )  # an unsigned char wherever sockets are; only some systems take an int too
    return int(value or 0)
