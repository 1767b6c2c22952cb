"""Messages that end where a mark stands: any delimiter, and lines."""

from __future__ import annotations

from typing import NoReturn

from poise.wire.framing.framer import LONGEST, Framer

CR = 0x0D


class DelimiterFramer(Framer):
    """Each message is followed by ``delimiter``, any bytes that no message contains.

    ``keep_last``: bytes after the last delimiter are a message when the stream ends, instead of a FrameError.
    """

    __slots__ = ("_delimiter", "_keep_last", "_searched", "_trim")

    def __init__(self, delimiter: bytes, maximum: int = LONGEST, *, keep_last: bool = False) -> None:
        super().__init__(maximum)
        if not delimiter:
            raise ValueError("an empty delimiter would be everywhere")
        self._delimiter = bytes(memoryview(delimiter))
        self._keep_last = keep_last
        self._searched = 0  # bytes from the start in which no delimiter begins
        self._trim = False  # a CR before the delimiter belongs to it

    def next_message(self) -> bytes | None:
        data, start = self._data, self._start
        found = data.find(self._delimiter, start + self._searched)
        if found < 0:
            return self._unfinished()
        last = found - 1 if self._trim and found > start and data[found - 1] == CR else found
        if last - start > self.maximum:
            self._too_long()
        self._searched = 0
        return self._take(start, last, found + len(self._delimiter))

    def frame(self, message: bytes) -> bytes:
        self._check_own(message)
        framed = b"".join((message, self._delimiter))
        # The search is in the whole: between "a-" and "--" the delimiter begins one byte early.
        if framed.find(self._delimiter) != len(message):
            raise ValueError("the message contains the delimiter, or ends in a way that begins one")
        return framed

    def _unfinished(self) -> bytes | None:
        count = self.buffered
        # The last bytes may be the beginning of a delimiter; all before them are part of the message.
        searched = count if self._ended else max(0, count - len(self._delimiter) + 1)
        trimmed = self._trim and count > 0 and self._data[-1] == CR
        if searched - trimmed > self.maximum:
            self._too_long()
        self._searched = searched
        if self._ended and self._keep_last and count:
            end = len(self._data)
            return self._take(self._start, end - trimmed, end)
        return self._none()

    def _too_long(self) -> NoReturn:
        self._refuse(f"no end of the message within the {self.maximum} bytes that it may have")


class LineFramer(DelimiterFramer):
    r"""Lines of text, as bytes. LF ends a line, and a CR right before it is taken off; ``ending`` is what is sent.

    Whoever wants CRLF only, or LF only with the CR kept, takes a DelimiterFramer of that. A line that ends with CR
    cannot be sent with LF alone, for its CR would be taken off. Source: POSIX.1-2017 3.206; CRLF as in RFC 5234 B.1.
    """

    __slots__ = ("_ending",)

    def __init__(self, maximum: int = LONGEST, *, ending: bytes = b"\n", keep_last: bool = False) -> None:
        super().__init__(b"\n", maximum, keep_last=keep_last)
        if ending not in (b"\n", b"\r\n"):
            raise ValueError(f"a line ends with LF or CRLF, not {ending!r}")
        self._ending = ending
        self._trim = True

    def frame(self, message: bytes) -> bytes:
        self._check_own(message)
        framed = b"".join((message, self._ending))
        if framed.find(b"\n") != len(framed) - 1:
            raise ValueError("a line cannot contain LF")
        if self._ending == b"\n" and framed[-2:-1] == b"\r":
            raise ValueError("a line that ends with CR would lose it")
        return framed
