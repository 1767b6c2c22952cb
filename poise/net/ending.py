"""How a stream ends: in order, with patience for a peer that still sends, because nothing can be sent, or at once.

States, and the only steps between them::

    OPEN ──▶ CLOSING ──▶ LINGERING ──▶ CLOSED
      ├─────────┴────────────┴───────────▲
      └──▶ MUTE ─────────────────────────┘

* CLOSING flushes what is queued.
* LINGERING has sent its FIN and reads away what still comes in: closing a socket with unread input makes the kernel
  send RST, which can destroy the answer before the peer has read it (pitfall 18).
* MUTE can send no more: the peer has gone, or reads no more (EPIPE, ECONNRESET; send(2)). What was queued is dropped,
  and so is what is written. But what the peer had sent before may still be in the kernel, which keeps it: the
  protocol hears it, its end too unless a reset cut it short, and then of the write that failed. Nobody waits for
  ever: after ``limits.send_stall`` seconds in which nothing was read, because the protocol has paused or nothing
  comes, it is over all the same. A protocol that has paused and has heard all is told at once.
"""

from __future__ import annotations

import enum
import errno
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from poise.limits import StreamLimits
from poise.loop.reactor import Reactor
from poise.net import address as addresses
from poise.net.kernel import pending_error, unacknowledged
from poise.net.protocol import AnyProtocol, holds_input
from poise.net.transport import Transport
from poise.readiness.interest import ERROR, READ, WRITE

if TYPE_CHECKING:
    from poise.net.outgoing import Outgoing
    from poise.net.stall import Lingering

IN_FLIGHT = 64 * 1024  # bytes; less than this the peer has, but for the blink of an eye
RESET = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds


class State(enum.IntEnum):
    OPEN = 0
    MUTE = 1  # up to here the protocol hears what comes
    CLOSING = 2
    LINGERING = 3
    CLOSED = 4


class Muted:
    """The ``cause`` of a stream's being MUTE, and the time it has left."""

    __slots__ = ("_deadline", "_reactor", "cause")

    def __init__(self, reactor: Reactor, cause: OSError, allowed: float, over: Callable[[], object]) -> None:
        self.cause = cause
        self._reactor = reactor
        self._deadline = reactor.deadline(allowed, over)

    def progress(self) -> None:
        """Something was read."""
        self._deadline.since = self._reactor.now

    def cancel(self) -> None:
        self._deadline.cancel()


class Ending(Transport):
    """What a stream is, what it listens for, and its end. Not used itself: the base of Output."""

    __slots__ = (
        "_ending",
        "_eof",
        "_eof_wanted",
        "_fd",
        "_interest",
        "_linger",
        "_much",
        "_on_gone",
        "_registered",
        "_rest",
        "_socket",
        "_state",
        "_take",
        "outgoing",
        "unsent",
    )

    def __init__(
        self,
        reactor: Reactor,
        connected: socket.socket,
        protocol: AnyProtocol,
        peer: Any,
        limits: StreamLimits,
        on_gone: Callable[[Any], object] | None = None,
    ) -> None:
        super().__init__(reactor, protocol, peer, limits)
        self._socket = connected
        self._fd = connected.fileno()
        self._on_gone = on_gone
        self._take = limits.portion  # bytes asked of the next read
        self._much = limits.portion  # a read of so many may change that
        self._state = State.OPEN
        self.outgoing: Outgoing | None = None  # None while nothing waits: most streams are idle
        self._registered = False
        self._interest = 0
        self._eof = False
        self._eof_wanted = False
        self._rest = b""  # was read together with descriptors; the protocol, which paused, has yet to hear it
        self._linger = False
        self._ending: Muted | Lingering | None = None
        self.unsent = 0

    # -- what users call -------------------------------------------------------------------------

    def close(self, *, linger: bool = False) -> None:
        """Flush what is queued, then close. ``linger`` when the peer may still be sending (pitfall 18)."""
        if self._state:
            if self._state == State.MUTE:
                self._lose(None)
            return
        self._state = State.CLOSING
        self._linger = linger
        if not self.outgoing:
            self._flushed_and_closing()
        else:
            self._watch()

    def abort(self) -> None:
        """Close at once and drop what is queued; the peer sees a reset (pitfall 37)."""
        self.fail(None)

    def fail(self, error: Exception | None) -> None:
        """A callback of ours raised ``error``, which has been reported: nothing of this stream can be trusted."""
        if self._state == State.CLOSED:
            return
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except OSError:
            pass  # the connection is gone already: there is nobody to tell
        self._lose(error)

    def is_closing(self) -> bool:
        return self._state != State.OPEN

    def is_mute(self) -> bool:
        return self._state == State.MUTE

    # -- interest --------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Bring the kernel's interest in line with ours."""
        if self._state == State.CLOSED:
            return
        mask = WRITE if self.outgoing and not self.outgoing.waits else 0
        hears = self._state <= State.MUTE
        if not self._eof and (self._reading and not self._rest if hears else self._state == State.LINGERING):
            mask |= READ
        if mask == self._interest and self._registered:
            return
        self._interest = mask
        if self._registered:
            self.reactor.modify(self._fd, mask)
        else:
            self._registered = True
            self.reactor.register(self._fd, mask, self._reader())

    def _reader(self) -> Callable[[int], None]:
        """What is called when the socket is ready, which depends on the protocol."""
        raise NotImplementedError

    # -- the end ---------------------------------------------------------------------------------

    def _shut(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:  # ENOTCONN of what was reset: the cause is kept elsewhere
            self._mute(pending_error(self._socket, ERROR) or error)

    def _flushed_and_closing(self) -> None:
        if not self._eof and (
            self._linger or self.has_unread_input() or unacknowledged(self._fd) > IN_FLIGHT
        ):
            self._state = State.LINGERING
            from poise.net.stall import Lingering  # most have nothing to wait for

            over = partial(self._lose, None)
            self._ending = Lingering(self.reactor, self._fd, self.limits.linger_time, over)
            if not self._eof_wanted:  # a second time is an error when the peer has ended meanwhile
                self._shut()
            self._watch()
        else:
            self._lose(None)

    def _mute(self, error: OSError) -> None:
        """The kernel takes no more."""
        gone = isinstance(error, (ConnectionError, TimeoutError)) or error.errno == errno.ENOTCONN
        if self._state or self._eof or not gone or not (self._reading or self._input_waits()):
            self._lose(error)
            return
        self._state = State.MUTE
        self._drop_output()
        self._ending = Muted(self.reactor, error, self.limits.send_stall, partial(self._lose, None))
        self._watch()
        if self._paused_writing:
            self._check_water()  # whoever reads only while it may write shall read again

    def _input_waits(self) -> bool:
        """Whether the protocol, which has paused, has yet to hear something, and be it from a layer between us."""
        if self._rest or holds_input(self._protocol):
            return True
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except (BlockingIOError, InterruptedError):
            return True  # it reads no more, but it may go on sending (shutdown(2), SHUT_RD)
        except OSError:
            return False

    def _drop_output(self) -> None:
        if self.outgoing is not None:
            self.unsent += self.outgoing.size
            self.outgoing.close()
            self.outgoing = None

    def _lose(self, error: Exception | None) -> None:
        """Leave the loop now, tell the protocol soon."""
        if self._state == State.CLOSED:
            return
        self._state = State.CLOSED
        if self._ending is not None:
            self._ending.cancel()
            error = self._ending.cause or error
        self._drop_output()
        self._rest = b""
        self.reactor.retire(self._socket)
        if self._on_gone is not None:
            self._on_gone(self)
        self.reactor.call_last(self._protocol.connection_lost, error)

    def __repr__(self) -> str:
        peer = addresses.show(self.peer) if self.peer else "unnamed"
        return f"<Stream fd={self._fd} {peer} {self._state.name} queued={self.get_write_buffer_size()}>"
