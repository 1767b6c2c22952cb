"""What a TLS stream sends: encrypted at once where it can be, or waiting in plain until the stream below takes it.

Bytes are encrypted in the call that writes them; what the kernel does not take of it waits below, as cipher text. A file, and
whatever is written behind it, waits here in plain and is encrypted as the peer takes it, so that it fills no memory.
"""

from __future__ import annotations

import enum

from poise.errors import ProgramFault
from poise.net.outgoing import FilePart, PlainQueue
from poise.net.protocol import Protocol
from poise.net.stream import Stream
from poise.net.tls_engine import Engine
from poise.net.transport import Transport


class Phase(enum.IntEnum):
    HANDSHAKE = 0
    OPEN = 1
    CLOSING = 2  # nothing is read any more; what waits is still sent, unless the connection is lost
    CLOSED = 3


# An enum's members are looked up through its metaclass; a plain global costs each request a good deal less.
HANDSHAKE, OPEN, CLOSING, CLOSED = Phase


class TLSOutput(Protocol, Transport):
    """The side of a TLSStream that sends. Not used itself: the base of TLSStream."""

    __slots__ = (
        "_all_said",
        "_dropped",
        "_ended",
        "_engine",
        "_eof_wanted",
        "_linger",
        "_lower",
        "_phase",
        "_send_posted",
        "_waiting",
    )
    _engine: Engine
    _lower: Stream

    def __init__(self) -> None:
        self._phase = HANDSHAKE
        self._ended = False  # the peer has said close_notify
        self._eof_wanted = self._linger = self._all_said = False
        self._waiting: PlainQueue | None = None  # a file that is being sent, and what was written behind it
        self._send_posted = False
        self._dropped = 0  # bytes of it that nobody will get

    # -- a stream to the protocol above ----------------------------------------------------------

    @property
    def outgoing(self) -> object | None:
        """None while nothing waits to be sent."""
        return self._waiting if self._waiting is not None else self._lower.outgoing

    @property
    def unsent(self) -> int:
        """Bytes that were still waiting when the connection was lost, as get_write_buffer_size() counts them."""
        return self._dropped + self._lower.unsent

    def write(self, data: bytes | bytearray | memoryview, more: bool = False) -> None:
        """Encrypt and send ``data``, as Stream.write does. ``more`` has no effect: a record is sent whole."""
        del more
        if self._phase != OPEN or self._eof_wanted:
            self._refuse_write()
        elif self._waiting is not None:
            self._wait(memoryview(data).tobytes())
            self._check_water()
        else:
            self._lower.write(self._engine.encrypt(data))

    def sendfile(self, fd: int, offset: int, count: int) -> None:
        """Queue a part of a file, to be encrypted as the peer takes it. The stream owns ``fd``, as Stream does."""
        part = FilePart(fd, offset, count).fetched_by(self.reactor, self.limits.read_ahead)
        if self._phase != OPEN or self._eof_wanted:
            part.close()
            self._refuse_write()
        elif not count:
            part.close()
        else:
            self._wait(part)
            self._send_waiting()
            self._check_water()

    def write_eof(self) -> None:
        """Send ``close_notify`` once everything queued is sent; reading goes on (RFC 8446, 6.1)."""
        if self._phase == OPEN and not self._eof_wanted:
            self._eof_wanted = True
            if self._waiting is None:
                self._say_goodbye()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait: plain text that is not encrypted yet, and cipher text that the kernel has not taken."""
        waiting = self._waiting.size if self._waiting is not None else 0
        return waiting + self._lower.get_write_buffer_size()

    # -- a protocol to the stream below ----------------------------------------------------------

    def pause_writing(self) -> None:
        if self._phase == OPEN and not self._paused_writing:
            self._paused_writing = True
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._send_waiting()
        self._check_room()

    # -- what waits ------------------------------------------------------------------------------

    def _refuse_write(self) -> None:
        if self._eof_wanted and not self.is_closing():
            raise ProgramFault("write after write_eof(): the peer has been told that no more comes")

    def _send(self, data: bytes) -> None:
        if data:
            self._lower.write(data)

    def _wait(self, part: bytes | FilePart) -> None:
        self._waiting = self._waiting or PlainQueue()
        self._waiting.append(part)

    def _send_waiting(self) -> None:
        """Encrypt what waits, as far as the stream below takes it, at most one write budget of it in a turn."""
        self._send_posted = False
        waiting, lower = self._waiting, self._lower
        if waiting is None:
            return
        budget = self.limits.write_size
        at_hand = True
        while waiting.parts and budget > 0 and not (lower.is_paused_writing() or lower.is_closing()):
            at_hand = waiting.is_ready(self._send_waiting)
            if not at_hand:
                break
            try:
                data = waiting.take()
            except OSError as error:
                self._lose(error)
                return
            budget -= len(data)
            self._send(self._engine.encrypt(data))
        if lower.is_closing():
            self._drop_waiting()
            if self._phase == CLOSING:
                lower.close()
        elif not waiting.parts:
            self._waiting = None
            self._all_sent()
        elif at_hand and not lower.is_paused_writing() and not self._send_posted:
            self._send_posted = True
            self.reactor.call_soon(self._send_waiting)
        self._check_room()

    def _all_sent(self) -> None:
        if self._eof_wanted or self._phase == CLOSING:
            self._say_goodbye()
        if self._phase == CLOSING:
            self._lower.close(linger=self._linger)

    def _say_goodbye(self) -> None:
        # When the peer has ended and nothing waits, it may well have left: our goodbye need not arrive.
        lower = self._lower
        self._all_said = self._ended and lower.outgoing is None and not lower.is_mute()
        self._send(self._engine.goodbye())

    def _check_room(self) -> None:
        if self._paused_writing and self._phase == OPEN:
            self._check_water()
            if self._paused_writing and self._waiting is None:  # else nobody would look again
                self._lower.tell_when_drained()

    def _check_water(self) -> None:
        if not self.is_closing() or self.is_mute():  # what has ended on the way tells nobody of its marks
            super()._check_water()

    def _drop_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._dropped += waiting.size
            waiting.close()

    def _lose(self, error: Exception) -> None:
        """The connection is of no use any more."""
        raise NotImplementedError
