"""Messages whose size is known before they come: fixed, or said by a prefix."""

from __future__ import annotations

import struct
from typing import Literal

from poise.wire.framing.framer import LONGEST, Framer

COMMA = 0x2C
ZERO = 0x30
MORE = 0x80  # in a varint: another byte follows
FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}  # of the struct module


class FixedFramer(Framer):
    """Every message has exactly ``size`` bytes, and nothing stands between them."""

    __slots__ = ()

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._need = size

    def next_message(self) -> bytes | None:
        start = self._start
        end = start + self._need
        if end > len(self._data):
            return self._none()
        return self._take(start, end, end)

    def frame(self, message: bytes) -> bytes:
        if len(message) != self.maximum:
            raise ValueError(f"a message of {len(message)} bytes, exactly {self.maximum} can be framed")
        return bytes(message)


class LengthFramer(Framer):
    """Before each message its length in bytes, itself not counted, as an unsigned integer of ``width`` 1, 2, 4 or 8
    bytes, ``"big"`` (network order) or ``"little"`` end first.

    ``maximum`` is never more than the width can say.
    """

    __slots__ = ("_length", "_width")

    def __init__(
        self, width: int = 4, maximum: int = LONGEST, *, byteorder: Literal["big", "little"] = "big"
    ) -> None:
        if width not in FORMATS:
            raise ValueError(f"a length takes 1, 2, 4 or 8 bytes, not {width}")
        if byteorder not in ("big", "little"):
            raise ValueError(f"the byte order is 'big' or 'little', not {byteorder!r}")
        super().__init__(min(maximum, (1 << 8 * width) - 1))
        self._length = struct.Struct((">" if byteorder == "big" else "<") + FORMATS[width])
        self._width = self._need = width

    def next_message(self) -> bytes | None:
        data, start = self._data, self._start
        if len(data) - start < self._need:
            return self._none()
        size: int
        (size,) = self._length.unpack_from(data, start)
        if size > self.maximum:
            self._refuse_length(size)
        first = start + self._width
        end = first + size
        if end > len(data):
            return self._wait_for(end - start)
        self._need = self._width
        return self._take(first, end, end)

    def frame(self, message: bytes) -> bytes:
        self._check_own(message)
        return self._length.pack(len(message)) + message


class VarintFramer(Framer):
    """Before each message its length as an unsigned LEB128 varint, as protobuf's ``writeDelimitedTo`` does: seven bits
    a byte, the lowest first, and the top bit says that another byte follows.

    Stricter than protobuf's reader: a length padded with zero groups (``80 00`` for 0) is refused, so a prefix is
    never longer than that of ``maximum``. Source: https://protobuf.dev/programming-guides/encoding/#varints
    """

    __slots__ = ("_longest",)

    def __init__(self, maximum: int = LONGEST) -> None:
        super().__init__(maximum)
        self._longest = len(varint(maximum))

    def next_message(self) -> bytes | None:
        data, start = self._data, self._start
        if len(data) - start < self._need:
            return self._none()
        size = data[start]
        first = start + 1
        if size >= MORE:
            size, first = self._long(start)
            if not first:
                return self._wait_for(self.buffered + 1)
        if size > self.maximum:
            self._refuse_length(size)
        end = first + size
        if end > len(data):
            return self._wait_for(end - start)
        self._need = 1
        return self._take(first, end, end)

    def frame(self, message: bytes) -> bytes:
        self._check_own(message)
        return varint(len(message)) + message

    def _long(self, start: int) -> tuple[int, int]:
        """The value of a prefix of several bytes and the offset behind it, which is 0 when it is not whole."""
        value = shift = 0
        for at in range(start, min(start + self._longest, len(self._data))):
            byte = self._data[at]
            value |= (byte & ~MORE) << shift
            if not byte:
                self._refuse("a length is padded with zeros")
            if byte < MORE:
                return value, at + 1
            shift += 7
        if shift == 7 * self._longest:
            self._refuse(f"a length has more than the {self._longest} bytes that {self.maximum} takes")
        return value, 0


def varint(value: int) -> bytes:
    """``value``, not negative, as an unsigned LEB128 number in as few bytes as it takes."""
    encoded = bytearray()
    while value >= MORE:
        encoded.append(value & ~MORE & 0xFF | MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


class NetstringFramer(Framer):
    """``5:hello,``: the length in decimal digits, a colon, the message, a comma.

    A length with leading zeros is refused. Source: https://cr.yp.to/proto/netstrings.txt
    """

    __slots__ = ("_digits",)

    def __init__(self, maximum: int = LONGEST) -> None:
        super().__init__(maximum)
        self._digits = len(str(maximum))

    def next_message(self) -> bytes | None:
        data, start = self._data, self._start
        if len(data) - start < self._need:
            return self._none()
        longest = start + self._digits
        colon = data.find(b":", start, longest + 1)
        size = self._size(data[start : longest + 1 if colon < 0 else colon])
        if colon < 0:
            return self._wait_for(len(data) - start + 1)
        end = colon + 1 + size
        if end >= len(data):
            return self._wait_for(end + 1 - start)
        if data[end] != COMMA:
            self._refuse("no comma after the message")
        self._need = 1
        return self._take(colon + 1, end, end + 1)

    def frame(self, message: bytes) -> bytes:
        self._check_own(message)
        return b"%d:%b," % (len(message), message)

    def _size(self, digits: bytes | bytearray) -> int:
        """What the digits say, or say so far: more of them can only make it larger."""
        if not digits.isdigit() or (digits[0] == ZERO and len(digits) > 1):
            self._refuse("a length is not a decimal number without leading zeros")
        size = int(digits)
        if size > self.maximum:
            self._refuse_length(size)
        return size
