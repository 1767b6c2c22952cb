"""A .tar.gz as a stream: POSIX headers (pax, IEEE 1003.1) around the files, deflated on the way (RFC 1951, RFC 1952).

A header says how long a file is before it comes. So a file that has become shorter is filled up with zeros, as tar does, and
named among what is not in the archive; of one that has grown the rest is left out. Names are the bytes that they are on disk:
where they are not UTF-8, pax says that they are binary.

The whole is one gzip member. Deflating what is compressed already would only cost time, so such a file goes into the same
stream as stored blocks: everything before is flushed and its history forgotten (Z_FULL_FLUSH), so that nothing later can
refer back across.
"""

from __future__ import annotations

import struct
import tarfile
import zlib
from collections.abc import Generator, Iterable, Iterator

from poise.files.members import CHUNK, LEVEL, Member

BLOCK = 512
END = bytes(2 * BLOCK)
HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""No name and no time, so that the same files make the same archive; made on no system in particular."""


class Gzip:
    """A gzip member as a stream."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._checksum = 0
        self._size = 0

    def compress(self, data: bytes) -> bytes:
        """``data``, or what is ready of it and of what came before."""
        self._count(data)
        return self._packer.compress(data)

    def stored(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """``pieces`` in blocks that are only framed."""
        yield self._packer.flush(zlib.Z_FULL_FLUSH)
        framer = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)
        for data in pieces:
            self._count(data)
            yield framer.compress(data)
        yield framer.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """What is left, and how to check it."""
        return self._packer.flush() + struct.pack("<2I", self._checksum, self._size & 0xFFFF_FFFF)

    def _count(self, data: bytes) -> None:
        self._checksum = zlib.crc32(data, self._checksum)
        self._size += len(data)


def tarred(members: Iterable[Member | None]) -> Generator[bytes, None, None]:
    """The archive of ``members`` in pieces; b"" now and then, when there is nothing yet."""
    gzip = Gzip()
    yield HEAD
    for member in members:
        if member is None:
            yield b""
        elif member.size <= CHUNK:
            content = b"".join(member.content())
            yield gzip.compress(head_of(member, len(content)) + content + bytes(-len(content) % BLOCK))
        else:
            yield gzip.compress(head_of(member, member.size))
            if member.is_packed:
                yield from gzip.stored(filled(member))
            else:
                yield from map(gzip.compress, filled(member))
            yield gzip.compress(bytes(-member.size % BLOCK))
    yield gzip.compress(END) + gzip.end()


def filled(member: Member) -> Iterator[bytes]:
    """The content as long as it was said to be."""
    left = member.size
    for data in member.content():
        left -= len(data)
        yield data
    while left:
        count = min(left, CHUNK)
        left -= count
        yield bytes(count)


def head_of(member: Member, size: int) -> bytes:
    info = tarfile.TarInfo(member.path.decode("utf-8", "surrogateescape"))
    info.type = tarfile.DIRTYPE if member.is_folder else tarfile.REGTYPE
    info.mode = member.mode
    info.mtime = member.modified
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
