"""Bytes that have arrived and have not been understood yet.

Facts it relies on:

* most reads hold exactly one whole message: such a read is kept as the object it came in and handed on
  without a copy;
* a ``bytes`` that grows is copied each time it grows, a ``bytearray`` is not: the second read makes it one;
* what has been searched once need not be searched again. A delimiter may lie across two reads, so the next
  search begins one byte less than the delimiter's length before the old end. Without this a client that sends
  byte by byte costs time that grows with the square of what it sends.
"""

from __future__ import annotations


class Buffer:
    """A queue of bytes with one remembered search position."""

    __slots__ = ("_data", "_delimiter", "_searched", "_start")

    def __init__(self) -> None:
        self._data: bytes | bytearray = b""
        self._start = 0
        self._delimiter = b""
        self._searched = 0

    def __len__(self) -> int:
        return len(self._data) - self._start

    def __repr__(self) -> str:
        return f"<Buffer {self.peek()!r}>"

    def feed(self, data: bytes) -> None:
        """Append ``data``."""
        if self._start == len(self._data):
            self.clear()
            self._data = data
            return
        if isinstance(self._data, bytes):
            self._data = bytearray(memoryview(self._data)[self._start :])
        else:
            del self._data[: self._start]
        self._searched = max(0, self._searched - self._start)
        self._start = 0
        self._data += data

    def peek(self, count: int | None = None) -> bytes:
        """The first ``count`` bytes, or all of them, without removing them."""
        end = None if count is None else self._start + count
        return bytes(self._data[self._start : end])

    def startswith(self, prefix: bytes) -> bool:
        """Whether the bytes that are there begin with the whole ``prefix``."""
        return self._data.startswith(prefix, self._start)

    def find(self, delimiter: bytes) -> int:
        """The offset of the first ``delimiter``, or -1 while it is not there; does not look at the same byte
        again."""
        if delimiter != self._delimiter:
            self._delimiter = delimiter
            self._searched = 0
        found = self._data.find(delimiter, max(self._start, self._searched))
        if found < 0:
            self._searched = max(0, len(self._data) - len(delimiter) + 1)
            return -1
        self._searched = found
        return found - self._start

    def take(self, count: int) -> bytes:
        """Remove and return the first ``count`` bytes, or all of them when there are fewer."""
        data, start = self._data, self._start
        end = start + count
        if end >= len(data):
            self.clear()
            return bytes(data[start:])
        self._start = end
        return bytes(data[start:end])

    def clear(self) -> None:
        """Forget everything."""
        self._data = b""
        self._start = 0
        self._searched = 0
