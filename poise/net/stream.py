"""A stream: bytes both ways over one connected socket, with asyncio's transport interface.

Rules:

* **One bounded read per readiness event.** The kernel is level-triggered: what is left is reported again, after
  everybody else had a turn.
* **Write first, ask later.** ``write`` tries the kernel at once; only what it did not take is queued, and only
  while something is queued is the socket watched for WRITE (pitfall 11). A part leaves the queue after the
  kernel took it, never before (pitfall 12).
* **One running count of what is queued**, bytes of a file in the queue included; ``pause_writing`` and
  ``resume_writing`` follow it. Protocols that wait for ``resume_writing`` bound their memory and their open files.
* **A deadline without progress, not in total.** While output waits, ``limits.send_stall`` seconds without the peer
  *acknowledging* a byte end the stream; what was only handed to the kernel says nothing of the peer (``stall.py``).
* **Zero interest is not in the kernel**, so a paused stream whose peer hung up does not spin (pitfall 8).
* **connection_lost comes once**, with the first cause, in a later step of the loop, never from inside a call.

States, and the only steps between them::

    OPEN ──▶ CLOSING ──▶ LINGERING ──▶ CLOSED
      └─────────┴────────────┴───────────▲

CLOSING flushes what is queued. LINGERING has sent its FIN and reads away what still comes in: closing a socket
with unread input makes the kernel send RST, which can destroy the answer before the peer has read it (pitfall 18).
"""

from __future__ import annotations

import enum
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

from poise.errors import DeadlineExceeded, ProgramFault
from poise.limits import StreamLimits
from poise.loop.reactor import Reactor
from poise.net import address as addresses
from poise.net.kernel import pending_error, unacknowledged
from poise.net.outgoing import MORE, NO_SIGNAL, FilePart, Outgoing
from poise.net.protocol import AnyProtocol
from poise.net.stall import Stall
from poise.net.transport import Transport
from poise.readiness.interest import FAULTS, READ, WRITE

IN_FLIGHT = 64 * 1024  # bytes; less than this the peer has, but for the blink of an eye
RESET = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds


class State(enum.IntEnum):
    OPEN = 0
    CLOSING = 1
    LINGERING = 2
    CLOSED = 3


class Stream(Transport):
    """One connection. Made by ``listen``; ``begin`` tells the protocol and starts reading."""

    __slots__ = (
        "_eof",
        "_eof_wanted",
        "_fd",
        "_interest",
        "_linger",
        "_lingered",
        "_lingering",
        "_on_gone",
        "_registered",
        "_socket",
        "_state",
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
        on_gone: Callable[[Stream], object] | None = None,
    ) -> None:
        super().__init__(reactor, protocol, peer, limits)
        self._socket = connected
        self._fd = connected.fileno()
        self._on_gone = on_gone
        self._state = State.OPEN
        self.outgoing: Outgoing | None = None  # None while nothing waits: most streams are idle
        self._registered = False
        self._interest = 0
        self._eof = False
        self._eof_wanted = False
        self._linger = False
        self._lingered = 0
        self._lingering: Stall | None = None
        self.unsent = 0

    # -- what users call -------------------------------------------------------------------------

    def begin(self) -> None:
        """Tell the protocol, then start to listen to the socket."""
        try:
            self._protocol.connection_made(self)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the listening
            self.reactor.on_error(error)
            self.fail(error)
        self._watch()

    def write(self, data: bytes | bytearray | memoryview, *, more: bool = False) -> None:
        """Send ``data`` as far as the kernel takes it now and queue the rest; after close() it is dropped.

        ``more`` says that another write follows at once, so that the kernel need not send a small packet
        for this one alone (MSG_MORE, send(2)). Raises ProgramFault after write_eof().
        """
        if self._state or self._eof_wanted:
            self._refuse_write()
            return
        if not isinstance(data, bytes):
            data = memoryview(data).cast("B")
        if not data:
            return  # it would wait for ever behind what the kernel takes
        if self.outgoing is not None:
            self._append(bytes(data))
            self._await_room()
            return
        try:
            sent = self._socket.send(data, NO_SIGNAL | MORE if more else NO_SIGNAL)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._lose(error)
            return
        if sent != len(data):
            # What is ours to keep must not change under us: only bytes are kept without a copy.
            self._append(memoryview(data)[sent:] if isinstance(data, bytes) else bytes(data[sent:]))
            self._await_room()

    def sendfile(self, fd: int, offset: int, count: int) -> None:
        """Queue ``count`` bytes of a regular file from ``offset``; the stream owns and closes ``fd`` from now on.

        A file that turns out shorter ends the stream: a reply must not lie about its length.
        """
        part = FilePart(fd, offset, count)
        if self._state or self._eof_wanted:
            part.close()
            self._refuse_write()
            return
        if not count:
            part.close()
            return
        first = self.outgoing is None
        queue = self._append(part)
        if first:
            self._flush(queue)
        self._await_room()

    def write_eof(self) -> None:
        """Send FIN once everything queued is sent; reading goes on. Twice is no error."""
        if self._state or self._eof_wanted:
            return
        self._eof_wanted = True
        if not self.outgoing:
            self._shut()

    def close(self, *, linger: bool = False) -> None:
        """Flush what is queued, then close. ``linger`` when the peer may still be sending (pitfall 18)."""
        if self._state:
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

    def pause_reading(self) -> None:
        """No more data_received after this returns, until resume_reading()."""
        self._reading = False
        self._watch()

    def resume_reading(self) -> None:
        self._reading = True
        self._watch()

    def is_reading(self) -> bool:
        return self._reading and not self._eof and self._state == State.OPEN

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel has not taken yet, those of queued files included."""
        return self.outgoing.size if self.outgoing is not None else 0

    def set_protocol(self, protocol: AnyProtocol) -> None:
        """Hand the stream over to another protocol, of either kind (STARTTLS and its like)."""
        self._protocol = protocol
        if self._registered and self._state != State.CLOSED:
            self.reactor.unregister(self._fd)
            self._registered = False
            self._watch()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``peername``, ``sockname``, ``socket`` or ``fd``; ``default`` for anything else."""
        if name == "sockname":
            try:
                return self._socket.getsockname()
            except OSError:  # it is closed
                return default
        return {"peername": self.peer, "socket": self._socket, "fd": self._fd}.get(name, default)

    # -- the loop calls --------------------------------------------------------------------------

    def _on_ready(self, mask: int) -> None:
        if mask != WRITE and self._interest & READ:
            try:
                data = self._socket.recv(self.limits.read_size)
            except (BlockingIOError, InterruptedError):
                pass  # readiness is a hint: somebody else may have taken the data (pitfall 21)
            except OSError as error:
                self._lose(error)
            else:
                if self._state:
                    self._read_away(data)
                elif data:
                    self._protocol.data_received(data)  # type: ignore[union-attr]  # the other kind has its own handler
                else:
                    self._end_of_input()
            if mask != READ and self.outgoing is not None:
                self._flush(self.outgoing)
        else:
            self._on_other(mask)

    def _on_ready_buffered(self, mask: int) -> None:
        """The same for a BufferedProtocol, whose own buffer is filled."""
        if self._state or mask == WRITE or not self._interest & READ:
            self._on_ready(mask)
            return
        protocol: Any = self._protocol  # told apart by its methods: asyncio's own class will do as well
        buffer = memoryview(protocol.get_buffer(-1))
        try:
            count = self._socket.recv_into(buffer, min(buffer.nbytes, self.limits.read_size))
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._lose(error)
        else:
            if count:
                protocol.buffer_updated(count)
            elif buffer.nbytes:
                self._end_of_input()
            else:
                raise ProgramFault("get_buffer() returned an empty buffer")
        if mask != READ and self.outgoing is not None:
            self._flush(self.outgoing)

    def _on_other(self, mask: int) -> None:
        """Something else than input, or a fault while nobody listens for input, which would meet it by itself."""
        if self.outgoing is not None:
            self._flush(self.outgoing)
        elif mask & FAULTS:
            self._lose(pending_error(self._socket, mask))

    def _end_of_input(self) -> None:
        self._eof = True
        keep = self._protocol.eof_received()
        if self._state == State.OPEN:
            if keep:
                self._watch()  # EOF stays readable for ever: stop listening for it (pitfall 17)
            else:
                self.close()

    def _read_away(self, data: bytes) -> None:
        self._lingered += len(data)
        if not data or self._lingered > self.limits.linger_bytes:
            self._lose(None)

    # -- output ----------------------------------------------------------------------------------

    def _refuse_write(self) -> None:
        if self._eof_wanted and self._state == State.OPEN:
            raise ProgramFault("write after write_eof(): the peer has been told that no more comes")

    def _append(self, part: bytes | memoryview | FilePart) -> Outgoing:
        queue = self.outgoing
        if queue is None:
            queue = self.outgoing = Outgoing()
        queue.append(part)
        return queue

    def _await_room(self) -> None:
        """Something is left that the kernel does not take now."""
        queue = self.outgoing
        if queue is None:
            return
        if queue.stall is None:
            queue.stall = Stall(self.reactor, self._fd, self.limits.send_stall, self._stalled)
            self._watch()
        self._check_water()

    def _flush(self, queue: Outgoing) -> None:
        """Hand the queue to the kernel, at most ``limits.write_size`` bytes of it."""
        try:
            queue.send(self._socket, self.limits.write_size)
        except OSError as error:
            self._lose(error)
            return
        if not queue.parts:
            queue.close()
            self.outgoing = None
            self._drained()
        if self._paused_writing and self._state == State.OPEN:
            self._check_water()

    def _drained(self) -> None:
        if self._state == State.CLOSING:
            self._flushed_and_closing()
            return
        if self._eof_wanted:
            self._shut()
        self._watch()

    def _stalled(self) -> None:
        # By a reset: a plain close would leave megabytes in the kernel for a peer that does not take them.
        self.fail(DeadlineExceeded(f"the peer took nothing for {self.limits.send_stall:g} s"))

    # -- interest and the end --------------------------------------------------------------------

    def _watch(self) -> None:
        """Bring the kernel's interest in line with ours."""
        if self._state == State.CLOSED:
            return
        mask = WRITE if self.outgoing else 0
        if not self._eof and (self._reading if self._state == State.OPEN else self._state == State.LINGERING):
            mask |= READ
        if mask == self._interest and self._registered:
            return
        self._interest = mask
        if self._registered:
            self.reactor.modify(self._fd, mask)
        else:
            self._registered = True
            buffered = hasattr(self._protocol, "get_buffer")
            self.reactor.register(self._fd, mask, self._on_ready_buffered if buffered else self._on_ready)

    def _shut(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._lose(error)

    def _flushed_and_closing(self) -> None:
        if not self._eof and (
            self._linger or self.has_unread_input() or unacknowledged(self._fd) > IN_FLIGHT
        ):
            self._state = State.LINGERING
            # As long as the peer takes what the kernel still holds for it, it has time.
            gone = partial(self._lose, None)
            self._lingering = Stall(self.reactor, self._fd, self.limits.linger_time, gone)
            self._shut()
            self._watch()
        else:
            self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        """Leave the loop now, tell the protocol soon."""
        if self._state == State.CLOSED:
            return
        self._state = State.CLOSED
        if self._lingering is not None:
            self._lingering.cancel()
        if self.outgoing is not None:
            self.unsent = self.outgoing.size
            self.outgoing.close()
            self.outgoing = None
        self.reactor.retire(self._socket)
        if self._on_gone is not None:
            self._on_gone(self)
        self.reactor.call_soon(self._protocol.connection_lost, error)

    def __repr__(self) -> str:
        peer = addresses.show(self.peer) if self.peer else "unnamed"
        return f"<Stream fd={self._fd} {peer} {self._state.name} queued={self.get_write_buffer_size()}>"
