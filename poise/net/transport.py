"""What every stream offers besides moving bytes: who is there, what is known, how much may wait.

The names are those of asyncio's transports, so what people know still works.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Any

from poise.errors import MachineFault, ProgramFault
from poise.limits import StreamLimits
from poise.loop.reactor import Reactor
from poise.net import address as addresses
from poise.net.kernel import unread
from poise.net.protocol import AnyProtocol
from poise.net.watermarks import water_marks


class Transport:
    """The base of Stream and TLSStream."""

    __slots__ = (
        "_high",
        "_low",
        "_paused_writing",
        "_protocol",
        "_reading",
        "_sockname",
        "limits",
        "peer",
        "reactor",
    )

    def __init__(self, reactor: Reactor, protocol: AnyProtocol, peer: Any, limits: StreamLimits) -> None:
        self.reactor = reactor
        self.limits = limits
        self.peer = peer
        self._protocol = protocol
        self._reading = True
        self._paused_writing = False
        self._high = limits.high_water
        self._low = min(limits.low_water, limits.high_water)

    # -- what the two kinds do each in their way -------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview, more: bool = False) -> None:
        """Send ``data`` as far as the kernel takes it now and queue the rest; after close() it is dropped.

        ``more`` says that another write follows at once. Raises ProgramFault after write_eof().
        """
        raise NotImplementedError

    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent, those of queued files included."""
        raise NotImplementedError

    def is_closing(self) -> bool:
        """Whether the connection is closed, or will be when what waits has been sent."""
        raise NotImplementedError

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known under ``name``; ``default`` when nothing is."""
        raise NotImplementedError

    # -- what is the same for both ---------------------------------------------------------------

    @property
    def client(self) -> str:
        """The peer's host as people know it, ``""`` for a unix socket."""
        return addresses.client_of(self.peer)

    def writelines(self, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write several pieces as one. Raises TypeError when one of them is no bytes, before any is sent."""
        self.write(b"".join(parts))

    def send_descriptors(self, data: bytes | bytearray | memoryview, fds: Iterable[int]) -> None:
        """Raises ProgramFault: only a Stream over a unix socket passes descriptors."""
        del data, fds
        raise ProgramFault("descriptors travel over unix sockets only, and not through TLS")

    def is_mute(self) -> bool:
        """Whether a write has failed, so that no more can be sent, but what the peer had sent before is still heard."""
        return False

    def can_write_eof(self) -> bool:
        """Always: both TCP and TLS can end one direction only."""
        return True

    def get_protocol(self) -> AnyProtocol:
        """Who hears of this stream."""
        return self._protocol

    def is_paused_writing(self) -> bool:
        """Whether the protocol was asked to pause writing and not yet to go on."""
        return self._paused_writing

    def tell_when_drained(self) -> None:
        """Call resume_writing at the low-water mark, though pause_writing was not called: a layer above has its own queue."""
        self._paused_writing = True

    def set_option(self, name: str, value: Any) -> None:
        """Set a socket option by its name in ``options.OPTIONS``, ``nodelay`` or ``keepalive`` for example.

        Raises ValueError for a name or value that makes no sense, MachineFault where it is not supported.
        """
        from poise.net import options  # a large table, for those who have something to say

        options.set_option(self._own_socket(), name, value)

    def get_option(self, name: str) -> Any:
        """What the kernel says of an option; the errors are those of set_option."""
        from poise.net import options

        return options.get_option(self._own_socket(), name)

    def _own_socket(self) -> Any:
        found = self.get_extra_info("socket")
        if found is None:
            raise MachineFault(errno.ENOTSOCK, "this is no socket, so it has no socket options")
        return found

    def _name_of(self, own: Any, default: Any) -> Any:
        """Our socket's address. A closed one has none, and to ask each before it closes would cost each a system call."""
        try:
            self._sockname = own.getsockname()
        except OSError:
            return getattr(self, "_sockname", default)
        return self._sockname

    def has_unread_input(self) -> bool:
        """Whether the kernel holds input that nobody has read: closing now would reset the connection (pitfall 18)."""
        return unread(self.get_extra_info("fd", -1)) > 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """``(low, high)`` in bytes."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """How much may wait, in bytes, before the protocol is asked to pause, and how little before it may go on.

        ``high`` alone makes ``low`` a quarter of it, ``low`` alone makes ``high`` four times as much; None for both
        brings the defaults back. 0 pauses at the first byte that waits. ValueError unless high >= low >= 0.
        """
        self._low, self._high = water_marks(self.limits, high, low)
        if not self.is_closing():
            self._check_water()

    def _check_water(self) -> None:
        """Tell the protocol when what waits has crossed a mark."""
        size = self.get_write_buffer_size()
        if self._paused_writing:
            if size <= self._low:
                self._paused_writing = False
                self._protocol.resume_writing()
        elif size > self._high:
            self._paused_writing = True
            self._protocol.pause_writing()
