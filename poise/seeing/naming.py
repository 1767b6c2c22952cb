"""What descriptors and handlers are called for a person.

Names come from the objects, when somebody asks: nothing is registered under a name, and nothing is told. A seat keeps what was
found (``seat.about``), so that a connection that has gone is still called what it was.

What is read here belongs to the loop's thread and is looked at from another: plain attributes only, and whatever fails because it
changed in that moment is simply not known.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from poise.loop.reactor import Reactor
from poise.loop.seat import Seat, name_of
from poise.net import address

Handler = Callable[[int], None]

OF_CLASS: Final = {
    "Listener": "listener",
    "Stream": "connection",
    "Datagram": "datagram",
    "Pipe": "pipe",
    "Sink": "pipe",
    "Process": "process",
    "Attempt": "connecting",
    "ByInotify": "files",
    "Reactor": "wakeup",
    "SelfPipe": "wakeup",
}
OF_LINK: Final = {
    "anon_inode:[timerfd]": "timer",
    "anon_inode:[signalfd]": "signal",
    "anon_inode:[pidfd]": "process",
    "anon_inode:[eventfd]": "wakeup",
    "anon_inode:inotify": "files",
}
LOCAL: Final = "<locals>."
DEEPEST: Final = 4  # protocols one above the other; more is a ring


class About(NamedTuple):
    """What a descriptor is: ``kind`` is one word, ``what`` the code that serves it, ``peer`` who or where."""

    kind: str
    what: str
    peer: str


NOTHING: Final = About("other", "", "")


def describe(seat: Seat, handler: Handler) -> None:
    """Keep with ``seat`` what ``handler`` and its owner say of it."""
    seat.about = about(seat.fd, handler)


def about_seat(seat: Seat, reactor: Reactor) -> About:
    """What ``seat`` is; asked of the reactor's table once, as long as the seat is there."""
    if seat.about is None:
        handler = reactor._handlers.get(seat.fd)
        if handler is None or seat.closed_ns:
            return NOTHING._replace(what=short(seat.handler))
        describe(seat, handler)
    found: About = seat.about
    return found


def about(fd: int, handler: Handler) -> About:
    """What ``fd`` is whose readiness ``handler`` hears of."""
    owner = getattr(handler, "__self__", None)
    kind = next((OF_CLASS[each.__name__] for each in type(owner).__mro__ if ours(each)), "")
    try:
        if kind == "listener":
            return About(kind, "accept", address.show(owner.sockname))  # type: ignore[union-attr]  # a Listener has it
        if kind == "connection":
            return of_stream(owner)
    except (AttributeError, TypeError, LookupError):
        pass  # it is changing in this moment
    return About(kind or kind_of(fd), short(name_of(handler)), peer_of(fd) if not kind else "")


def ours(cls: type) -> bool:
    """Whether ``cls`` is one of Poise's own that says what a descriptor is."""
    return cls.__name__ in OF_CLASS and cls.__module__.startswith("poise.")


def of_stream(stream: Any) -> About:
    """A stream is called by the protocol that hears of it, the one on top."""
    kind, protocol = "connection", stream.get_protocol()
    for _ in range(DEEPEST):
        if not hasattr(protocol, "get_protocol"):
            break
        kind, protocol = "tls", protocol.get_protocol()
    return About(kind, of_protocol(protocol), address.show(stream.peer) if stream.peer else "")


def of_protocol(protocol: Any) -> str:
    """``Echo.data_received``; for an HTTP connection the method that answers: ``Site.respond``."""
    server = getattr(protocol, "_server", None)
    if hasattr(server, "respond"):
        return f"{type(server).__name__}.respond"
    method = "buffer_updated" if hasattr(protocol, "get_buffer") else "data_received"
    return f"{type(protocol).__name__}.{method}"


def short(qualname: str) -> str:
    """A name without the functions that it was defined in: ``Echo.data_received``, ``<lambda>``."""
    return qualname.rpartition(LOCAL)[2] or qualname


def kind_of(fd: int) -> str:
    """What the kernel says that ``fd`` is."""
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISSOCK(mode):
            return kind_of_socket(fd)
        if stat.S_ISFIFO(mode):
            return "pipe"
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return "file"
        if stat.S_ISCHR(mode):
            return "terminal"
        return OF_LINK.get(os.readlink(f"/proc/self/fd/{fd}"), "other")
    except OSError:
        return "other"


def kind_of_socket(fd: int) -> str:
    """A listener, a connection or datagrams."""
    borrowed = socket.socket(fileno=fd)
    try:
        if borrowed.type == socket.SOCK_DGRAM:
            return "datagram"
        listening = borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return "listener" if listening else "connection"
    finally:
        borrowed.detach()  # it is not ours to close


def peer_of(fd: int) -> str:
    """Who is at the other end of the socket ``fd``, or where it is bound; ``""`` for what has neither."""
    try:
        borrowed = socket.socket(fileno=fd)
    except OSError:
        return ""
    try:
        found = borrowed.getpeername()
    except OSError:
        found = borrowed.getsockname()
    finally:
        borrowed.detach()
    return address.show(found) if found else ""
