"""A .zip as a stream: made while it is sent, in memory that hardly grows (APPNOTE.TXT 6.3.10).

Decisions:

* **A file that is read whole is described before it comes** (APPNOTE 4.3.7), a longer one afterwards by a data descriptor
  (4.3.9), since its checksum is only known then. That leaves the length open until the end, so a file may shrink while it
  is read. It may not grow: no more is read than was there when it was opened, which decides whether ZIP64 is needed (4.5.3).
* **What a descriptor follows is always deflated**, into stored blocks where deflating is pointless: those say themselves
  where they end. Who reads the archive as a stream could not find the end of a stored file of unknown length.
* **The central directory is kept compressed** until it is its turn. Names in order resemble one another, so a hundred thousand
  files need some two megabytes; the objects of ``zipfile`` would be sixty.
* **Names are UTF-8 and say so** (4.4.4, bit 11). A byte that is not UTF-8 becomes ``%FF``, as in a URL: a name made of
  characters is what every system can unpack. Times are UTC to the second in the field that Info-ZIP has added for them, and in
  the old one, which knows no zone, too.
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Generator, Iterable, Iterator
from datetime import UTC, datetime

from poise.files.members import CHUNK, LEVEL, Member
from poise.files.walk import Why

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
DESCRIPTOR = struct.Struct("<4s3I")
DESCRIPTOR_64 = struct.Struct("<4sI2Q")
END = struct.Struct("<4s4H2IH")
END_64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR = struct.Struct("<4sIQI")
EXTRA = struct.Struct("<2H")

STORED, DEFLATED = 0, 8
LATER = 1 << 3  # checksum and sizes come after the data
UTF_8 = 1 << 11
UNIX = 3 << 8
FOLDER = 0x10  # what MS-DOS calls one
SIMPLE, WITH_64 = 20, 45  # the version of the format that is needed to unpack

FULL_16 = 0xFFFF
FULL_32 = 0xFFFF_FFFF
LARGE = 0xF000_0000
"""A file from this size on has its sizes in 64 bits: what cannot be deflated grows, by less than a thousandth."""

EARLIEST, LATEST = 315_532_800, 4_354_819_198
"""1980-01-01 and 2107-12-31 in seconds since the epoch: the years that the old field for times knows."""

NOT_TEXT = re.compile("[\udc80-\udcff]")
"""Where a byte that is not UTF-8 has been decoded by surrogateescape."""


class Zip:
    """The state of one archive. ``add`` its members, then ``end`` it; both give bytes, in order."""

    def __init__(self) -> None:
        self._offset = 0
        self._count = 0
        self._size = 0  # of the central directory
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._directory: list[bytes] = []  # the pieces that the packer has given

    def add(self, member: Member) -> Iterator[bytes]:
        """The member with all its content."""
        path = path_of(member)
        if len(path) > FULL_16:
            member.missing = Why.LONG
            return
        make = self._whole if member.size <= CHUNK else self._streamed
        yield from make(member, path)

    def end(self) -> Iterator[bytes]:
        """The central directory and what says where it is."""
        start = self._offset
        self._directory.append(self._packer.flush())
        self._directory.reverse()
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        while self._directory:
            data = self._directory.pop()  # and let go of it
            while data:
                yield unpacker.decompress(data, CHUNK)
                data = unpacker.unconsumed_tail
        yield unpacker.flush() + end_of(self._count, self._size, start)

    def _whole(self, member: Member, path: bytes) -> Iterator[bytes]:
        """A folder, or a file that is read before anything is said of it."""
        content = b"".join(member.content())
        data, method = content, STORED
        if content and not member.is_packed:
            packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            packed = packer.compress(content) + packer.flush()
            if len(packed) < len(content):
                data, method = packed, DEFLATED
        checksum = zlib.crc32(content)
        head = local(member, path, method=method, checksum=checksum, packed=len(data), size=len(content))
        self._enter(member, path, 0, method, checksum, len(data), len(content))
        self._offset += len(head) + len(data)
        yield head + data

    def _streamed(self, member: Member, path: bytes) -> Iterator[bytes]:
        """A file whose sizes and checksum come after it."""
        large = member.size >= LARGE
        head = local(member, path, flags=LATER, large=large)
        yield head
        packer = zlib.compressobj(0 if member.is_packed else LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        checksum = size = packed = 0
        for content in member.content():
            checksum = zlib.crc32(content, checksum)
            size += len(content)
            data = packer.compress(content)
            packed += len(data)
            yield data
        data = packer.flush()
        packed += len(data)
        descriptor = (DESCRIPTOR_64 if large else DESCRIPTOR).pack(b"PK\7\x08", checksum, packed, size)
        self._enter(member, path, LATER, DEFLATED, checksum, packed, size)
        self._offset += len(head) + packed + len(descriptor)
        yield data + descriptor

    def _enter(
        self, member: Member, path: bytes, flags: int, method: int, checksum: int, packed: int, size: int
    ) -> None:
        """A record for the central directory (4.3.12). ``self._offset`` is still that of the member's beginning."""
        numbers = [size, packed, self._offset]
        large = b"".join([number.to_bytes(8, "little") for number in numbers if number >= FULL_32])
        extra = (EXTRA.pack(1, len(large)) + large if large else b"") + time_extra(member)
        version = WITH_64 if large else SIMPLE
        kind = stat.S_IFDIR if member.is_folder else stat.S_IFREG
        attributes = (kind | member.mode) << 16 | (FOLDER if member.is_folder else 0)
        size, packed, offset = [min(number, FULL_32) for number in numbers]
        record = CENTRAL.pack(
            b"PK\1\2",
            UNIX | version,
            version,
            flags | encoding(path),
            method,
            *dos_time(member),
            checksum,
            packed,
            size,
            len(path),
            len(extra),
            0,
            0,
            0,
            attributes,
            offset,
        )
        self._count += 1
        self._size += len(record) + len(path) + len(extra)
        self._directory.append(self._packer.compress(record + path + extra))


def zipped(members: Iterable[Member | None]) -> Generator[bytes, None, None]:
    """The archive of ``members`` in pieces; b"" now and then, when there is nothing yet."""
    archive = Zip()
    for member in members:
        if member is None:
            yield b""
        else:
            yield from archive.add(member)
    yield from archive.end()


def local(
    member: Member,
    path: bytes,
    *,
    flags: int = 0,
    method: int = DEFLATED,
    checksum: int = 0,
    packed: int = 0,
    size: int = 0,
    large: bool = False,
) -> bytes:
    """A local file header (4.3.7). ``large``: its descriptor will have 64 bits, which a field of zeros announces."""
    extra = time_extra(member)
    if large:
        extra = EXTRA.pack(1, 16) + bytes(16) + extra
        packed = size = FULL_32
    head = LOCAL.pack(
        b"PK\3\4",
        WITH_64 if large else SIMPLE,
        flags | encoding(path),
        method,
        *dos_time(member),
        checksum,
        packed,
        size,
        len(path),
        len(extra),
    )
    return head + path + extra


def end_of(count: int, size: int, start: int) -> bytes:
    """What comes last (4.3.14 to 4.3.16), for a central directory of ``size`` bytes that begins at ``start``."""
    parts = []
    if count >= FULL_16 or size >= FULL_32 or start >= FULL_32:
        version = UNIX | WITH_64
        parts.append(
            END_64.pack(b"PK\6\6", END_64.size - 12, version, WITH_64, 0, 0, count, count, size, start)
        )
        parts.append(LOCATOR.pack(b"PK\6\7", 0, start + size, 1))
    few = min(count, FULL_16)
    parts.append(END.pack(b"PK\5\6", 0, 0, few, few, min(size, FULL_32), min(start, FULL_32), 0))
    return b"".join(parts)


def path_of(member: Member) -> bytes:
    """The name as it stands in the archive."""
    path = member.path + b"/" if member.is_folder else member.path
    if path.isascii():
        return path
    text = path.decode("utf-8", "surrogateescape")
    return NOT_TEXT.sub(lambda odd: f"%{ord(odd[0]) - 0xDC00:02X}", text).encode()


def encoding(path: bytes) -> int:
    """The flag that is needed for the characters of ``path``."""
    return 0 if path.isascii() else UTF_8


def dos_time(member: Member) -> tuple[int, int]:
    """Time and date in the old form, to two seconds (4.4.6)."""
    when = datetime.fromtimestamp(min(max(member.modified, EARLIEST), LATEST), UTC)
    return (
        when.hour << 11 | when.minute << 5 | when.second // 2,
        when.year - 1980 << 9 | when.month << 5 | when.day,
    )


def time_extra(member: Member) -> bytes:
    """Info-ZIP's extended timestamp: seconds since the epoch in 32 bits; nothing for a time outside them."""
    if not -(2**31) <= member.modified < 2**31:
        return b""
    return struct.pack("<4sBi", b"UT\5\0", 1, member.modified)
