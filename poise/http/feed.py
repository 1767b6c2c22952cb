"""A reply's body that is written when there is something to say: a log that grows, events, the answer of somebody else.

The other produced bodies are iterators, asked again and again for their next piece. A feed is written to instead, and
while it is silent nothing happens at all: no turn of the loop, no deadline. Nothing is owed to the client then, so
silence is no stall; what was written and is not taken is watched over by the stream, as ever.

Rules:

* **Bounded.** When ``limits.feed`` bytes wait it ``is_full``, and the next ``write`` is refused. ``on_room`` is called
  once they have been taken. It is called by whoever takes, never from inside ``write`` (pitfall 50).
* **Closed once, whatever happens.** ``on_close`` tells whoever produces that nobody listens any more.
* **An endless feed ends with its client.** A client that has closed its side of the connection and one that only says
  that it will not ask again look the same (RFC 9112, 9.6); who waits for a finite answer gets all of it, who listens to
  something without an end has left. One that vanished without a word is found by TCP's own keep-alive.
"""

from __future__ import annotations

import enum
import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from poise.errors import ProgramFault
from poise.limits import HttpLimits

if TYPE_CHECKING:
    from typing import Self


class State(enum.Enum):
    """``OPEN ─▶ ENDED ─▶ CLOSED``; from OPEN or ENDED to ABORTED, and from everywhere to CLOSED."""

    OPEN = enum.auto()
    ENDED = enum.auto()  # no more is written; what waits is still sent
    ABORTED = enum.auto()
    CLOSED = enum.auto()  # the reply is over


class Feed:
    """The body of one reply, sent as it is written: ``Reply(200, fields, feed)``.

    ``on_room()`` is called when a feed that was full can be written again, ``on_close()`` once, when the reply is over:
    sent whole, or given up because the client has left. ``endless`` says that it has no end of its own: it is ended when
    the client closes its side of the connection, and when the server is told to stop. What it keeps is bounded by
    ``limits.feed``.

    It belongs to the loop's own thread. From another: ``reactor.call_soon_threadsafe(feed.write, data)``.
    """

    __slots__ = (
        "_claimed",
        "_error",
        "_parts",
        "_size",
        "_state",
        "endless",
        "limits",
        "on_close",
        "on_room",
        "wake",
    )

    def __init__(
        self,
        *,
        on_room: Callable[[], object] | None = None,
        on_close: Callable[[], object] | None = None,
        endless: bool = False,
        limits: HttpLimits | None = None,
    ) -> None:
        self.on_room = on_room
        self.on_close = on_close
        self.endless = endless
        self.limits = limits if limits is not None else HttpLimits()
        self.wake: Callable[[], object] | None = None  # whoever sends it, while there was nothing to send
        self._state = State.OPEN
        self._claimed = False
        self._parts: list[bytes] = []
        self._size = 0
        self._error: Exception | None = None

    # -- whoever produces ------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send ``data``; when the reply is over it is dropped.

        Raises ProgramFault when it ``is_full``, and after ``end()`` and ``abort()``.
        """
        if self._state is State.CLOSED:
            return
        if self._state is not State.OPEN:
            raise ProgramFault(f"write to a feed that was {self._state.name.lower()}")
        if self.is_full:
            raise ProgramFault(
                f"{self._size} bytes wait for the client: ask is_full before writing, and wait for on_room"
            )
        part = data if isinstance(data, bytes) else memoryview(data).tobytes()
        if part:
            self._parts.append(part)
            self._size += len(part)
            self._stir()

    def end(self) -> None:
        """It is whole; what waits is still sent. Twice is no error."""
        if self._state is State.OPEN:
            self._state = State.ENDED
            self._stir()

    def abort(self, error: Exception | None = None) -> None:
        """There will be no rest: the connection is cut, which is how a client learns that its answer is not whole.

        What waits is dropped. ``error`` goes to the reactor's ``on_error``, unless it is the fault of some peer: a PeerFault
        or a ConnectionError. Once the feed is closed there is nothing to abort.
        """
        if self._state in (State.OPEN, State.ENDED):
            self._state = State.ABORTED
            self._error = error or ConnectionAbortedError(errno.ECONNABORTED, "the reply was aborted")
            self._drop()
            self._stir()

    @property
    def is_full(self) -> bool:
        """Whether so much waits for the client that ``write`` would be refused."""
        return self._size >= self.limits.feed

    @property
    def is_closing(self) -> bool:
        """Whether no more is taken: it was ended or aborted, or the reply is over."""
        return self._state is not State.OPEN

    # -- whoever sends ---------------------------------------------------------------------------

    def claim(self) -> None:
        """A reply begins. Raises ProgramFault for a second one."""
        if self._claimed:
            raise ProgramFault("a feed is the body of one reply only")
        self._claimed = True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Everything that waits; ``b""`` when there is nothing to say now, and ``wake`` will be called."""
        if self._error is not None:
            raise self._error
        if self._state is State.CLOSED:
            raise ProgramFault("a feed was closed before its reply was over")
        if not self._parts:
            if self._state is State.ENDED:
                raise StopIteration
            return b""
        data = b"".join(self._parts)
        was_full = self.is_full
        self._drop()
        if was_full and self._state is State.OPEN and self.on_room is not None:
            self.on_room()
        return data

    def close(self) -> None:
        """The reply is over. Called by whoever sends it; may be repeated."""
        if self._state is State.CLOSED:
            return
        self._state = State.CLOSED
        self._drop()
        self._stir()
        on_close = self.on_close
        self.wake = self.on_room = self.on_close = None  # they know us, and we them
        if on_close is not None:
            on_close()

    def _drop(self) -> None:
        self._parts.clear()
        self._size = 0

    def _stir(self) -> None:
        if self.wake is not None:
            self.wake()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state.name} {self._size} bytes waiting>"
