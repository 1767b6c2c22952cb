"""What a stream tells its user, in asyncio's names.

A class of asyncio's own (``asyncio.Protocol``, ``asyncio.BufferedProtocol``) that uses only its transport runs
unchanged: nothing here is looked up by type, only by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poise.errors import ProgramFault

if TYPE_CHECKING:
    from poise.net.datagram import Datagram
    from poise.net.stream import Stream


class BaseProtocol:
    """What both kinds of protocol hear. Every method may be left as it is."""

    __slots__ = ()

    def connection_made(self, stream: Stream) -> None:
        """The stream is open; called once, first."""

    def eof_received(self) -> bool | None:
        """The peer will send no more. True keeps our side open for writing; otherwise it is closed."""

    def connection_lost(self, error: Exception | None) -> None:
        """The stream is closed; called once, last, with the first cause or None for an orderly end."""

    def pause_writing(self) -> None:
        """More waits to be sent than the high-water mark."""

    def resume_writing(self) -> None:
        """No more waits to be sent than the low-water mark."""


class Protocol(BaseProtocol):
    """Subclass it and override what is needed.

    A protocol of either kind, on a stream over a unix socket, that also has a method ``descriptors_received(fds: list[int])``
    is given the descriptors that the peer sends (SCM_RIGHTS, unix(7)): just before it is given the bytes that carried
    them, in front of which earlier bytes may stand. They are the protocol's to close; when the method raises, those
    that are still in the list are closed. When some came that could not be received, the stream ends, with a PeerFault (more than
    ``limits.descriptors`` at once) or a MachineFault (this process may open no more). For a protocol without the method
    the kernel closes them.
    """

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived, never empty."""


class BufferedProtocol(BaseProtocol):
    """A protocol that says where its input should go, so that nothing is copied."""

    __slots__ = ()

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        """Where the next input may go, at least one byte. ``sizehint`` is -1: no size is better than another."""
        raise NotImplementedError

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes were written to the start of that buffer."""
        raise NotImplementedError


AnyProtocol = Protocol | BufferedProtocol


class DatagramProtocol:
    """The same for datagrams, with asyncio.DatagramProtocol's names; every method may be left as it is."""

    __slots__ = ()

    def connection_made(self, transport: Datagram) -> None:
        """The socket is open; called once, first. UDP itself has told nobody."""

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """One datagram, which may be empty, as it was sent.

        ``addr`` is what ``sendto`` takes to answer it: ``(host, port)`` over IPv4, with flow and scope behind it over
        IPv6, ``"unix:/path"``, the bytes of an abstract name (unix(7)), or None for a unix socket without a name.
        """

    def error_received(self, exc: OSError) -> None:
        """One datagram was not sent, not delivered or not received whole; the socket lives on.

        A notice from the network about an earlier datagram (ICMP: ECONNREFUSED, EHOSTUNREACH), what the kernel says of
        one that it does not send (EMSGSIZE, EACCES), TruncatedDatagram, or DeadlineExceeded for one that waited too long.
        """

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed; called once, last, with the cause or None after close() and abort()."""

    def pause_writing(self) -> None:
        """More waits to be sent than ``limits.high_water``, or as many datagrams as may."""

    def resume_writing(self) -> None:
        """No more than ``limits.low_water`` waits to be sent."""


def check_factory(factory: object) -> None:
    """Raises TypeError for what cannot make a protocol: mostly it is a protocol itself."""
    if not callable(factory):
        raise TypeError(f"a factory makes a protocol for each connection; this is one: {factory!r}")


def holds_input(protocol: AnyProtocol) -> bool:
    """Whether a protocol that has paused may have something to hand on yet: by its method of this name, if it has one."""
    ask = getattr(protocol, "holds_input", None)
    return ask is not None and ask()


def hand_over(protocol: AnyProtocol, data: bytes) -> bytes:
    """Give ``data`` that is here already to either kind of protocol, at most one buffer of it; the rest is returned.

    Its owner keeps the rest until the protocol still wants it. Raises ProgramFault for an empty buffer.
    """
    get_buffer = getattr(protocol, "get_buffer", None)
    if get_buffer is None:
        protocol.data_received(data)  # type: ignore[union-attr]  # told apart by name
        return b""
    buffer = memoryview(get_buffer(len(data))).cast("B")
    if not buffer:
        raise ProgramFault("get_buffer() returned an empty buffer")
    count = min(len(data), len(buffer))
    buffer[:count] = data[:count]
    protocol.buffer_updated(count)  # type: ignore[union-attr]  # told apart by name
    return data[count:]
