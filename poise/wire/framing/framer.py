"""Messages in a stream of bytes: where does one end and the next begin?

TCP keeps the order of bytes and forgets the writes they came in: a hundred small writes may arrive as three reads,
and one write as ten (粘包, "packets stick together"). A framer puts the borders back. ``frame`` makes a message ready
to be sent; ``feed`` takes what has arrived, in pieces of any size, and the messages come out as they went in.

Rules that every framer keeps:

* **The maximum comes first.** A message longer than ``maximum`` bytes is refused when its length has been read, or
  when as many of its bytes have come without an end; nothing is ever allocated because a peer *announced* it
  (pitfall 60). What is kept is one unfinished message and what the caller has fed but not taken.
* **The cost is linear in the bytes fed, however they are split.** Nothing is looked at twice: a search goes on where
  it stopped, a length that is known is waited for. What is left over is joined with the next piece only if it is the
  shorter of the two; otherwise it grows in place, as a ``bytearray``.
* **Messages are taken one by one**, by ``next_message`` or from the iterator that ``feed`` returns. A read of 64 KiB
  may hold tens of thousands of them, and whoever has had enough for this turn can stop and go on later.
* **Any split gives the same.** The same messages, then the same FrameError. After it the rest of the stream means
  nothing: what is fed is dropped and every further call raises it again.
* **Our own mistakes are ValueErrors**: ``frame`` refuses a message that the other side could not tell from another.

Decisions: an empty message is a message (``b""``; only a fixed size cannot be 0). A length has one spelling: a varint
or netstring length with padding is refused, although some readers take it, because two spellings are two ways to
look at the same bytes. At the end of the stream (``feed_eof``) bytes of an unfinished message are a FrameError,
except that a framer with ``keep_last`` gives them as the last message.

There is a buffer of its own here, and not :mod:`poise.wire.buffer`, for messages that are small and many: there
most reads hold one message, here each call on the way of a message is a good part of its cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from poise.errors import FrameError, ProgramFault
from poise.limits import FrameLimits

LONGEST = FrameLimits().message


class Framer:
    """What all framers share; not used itself. ``maximum`` is the longest message in bytes, framing not counted.

    Making one raises ValueError for a maximum below 1, TypeError for one that is no whole number.
    """

    __slots__ = ("_data", "_ended", "_fault", "_need", "_start", "maximum")

    def __init__(self, maximum: int = LONGEST) -> None:
        if isinstance(maximum, bool) or not isinstance(maximum, int):
            raise TypeError(f"the longest message is a number of bytes, not {maximum!r}")
        if maximum < 1:
            raise ValueError(f"the longest message must be at least 1 byte, not {maximum}")
        self.maximum = maximum
        self._data: bytes | bytearray = b""
        self._start = 0  # before it everything is taken
        self._need = 1  # bytes that must be there before it is worth looking
        self._ended = False
        self._fault = ""

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Append ``data``; the iterator gives the messages that are whole, and takes each only when asked for it.

        What is not taken stays for ``next_message`` or the next feed's iterator. Iterating raises FrameError.
        Raises ProgramFault after ``feed_eof``.
        """
        if self._ended:
            raise ProgramFault("feed() after feed_eof(): the stream has ended")
        kept, start = self._data, self._start
        rest = len(kept) - start
        if self._fault:
            pass
        elif not rest:
            self._data = data if type(data) is bytes else bytes(memoryview(data))
            self._start = 0
        elif rest <= len(data):
            self._data = b"".join((memoryview(kept)[start:], data))
            self._start = 0
        else:
            if isinstance(kept, bytes):
                self._data = kept = bytearray(memoryview(kept)[start:])
            else:
                del kept[:start]  # moves the beginning, not the bytes
            kept += data
            self._start = 0
        return iter(self.next_message, None)

    def feed_eof(self) -> Iterator[bytes]:
        """No more bytes will come; the iterator is that of ``feed``.

        Once all whole messages are taken, bytes of an unfinished one raise FrameError or are the last message.
        """
        self._ended = True
        return iter(self.next_message, None)

    def next_message(self) -> bytes | None:
        """Take one message; None when no whole one is there. Raises FrameError: the peer broke the framing."""
        raise NotImplementedError

    def frame(self, message: bytes) -> bytes:
        """``message`` as it is sent. Raises ValueError when it is too long or cannot be told apart in the stream."""
        raise NotImplementedError

    def rest(self) -> bytes:
        """Remove and return all bytes that are not taken: another framer, or no framer at all, goes on with them.

        This one has come to its end: it can be fed no more.
        """
        self._ended = True
        return self._take(self._start, len(self._data), len(self._data))

    @property
    def buffered(self) -> int:
        """How many bytes were fed and not taken."""
        return len(self._data) - self._start

    def _take(self, first: int, last: int, end: int) -> bytes:
        """The bytes from ``first`` to ``last``, as a message that reaches to ``end`` with its framing."""
        data = self._data
        # A slice of bytes is copied once, and not at all if it is the whole; one of a bytearray would be twice.
        message = data[first:last] if isinstance(data, bytes) else bytes(memoryview(data)[first:last])
        if end == len(data):
            self._data = b""
            self._start = 0
        else:
            self._start = end
        return message

    def _none(self) -> bytes | None:
        """The answer when there is no whole message."""
        if self._fault:
            raise FrameError(self._fault)
        if self._ended and self.buffered:
            self._refuse(f"the stream ended inside a message, {self.buffered} bytes after its beginning")
        return None

    def _wait_for(self, count: int) -> bytes | None:
        """The answer when a message takes ``count`` bytes and they are not there yet."""
        self._need = count
        return self._none()

    def _refuse(self, detail: str) -> NoReturn:
        self._fault = detail
        self._data = b""
        self._start = 0
        raise FrameError(detail)

    def _refuse_length(self, size: int) -> NoReturn:
        self._refuse(f"a message of {size} bytes is announced, at most {self.maximum} are taken")

    def _check_own(self, message: bytes) -> None:
        if len(message) > self.maximum:
            raise ValueError(f"a message of {len(message)} bytes, at most {self.maximum} can be framed")

    def __repr__(self) -> str:
        state = f"refused: {self._fault}" if self._fault else f"{self.buffered} bytes waiting"
        return f"<{type(self).__name__} {state}{', ended' if self._ended else ''}>"
