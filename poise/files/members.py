"""What a folder's archive is made of: its members one after another, whatever the format.

Names are safe to unpack: every path begins with the name of the folder itself, so nothing spills; it is relative, and
``..``, ``\\`` and empty components cannot occur, because nothing that is served can be called so (:mod:`poise.files.names`).
Permissions are kept, but without the bits that give somebody else's rights, and so that whoever unpacks can read what is
theirs. Owners are nobody else's business.

An archive that could not hold everything says so itself, in a last file beside the others: whoever has downloaded ten
gigabytes wants to know what is missing, and wants the rest. It is another matter when the machine fails halfway: then the
archive ends without its end.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Generator, Iterator
from functools import partial
from io import BytesIO
from itertools import count

from poise.errors import RequestError
from poise.files.media import media_type
from poise.files.names import visible
from poise.files.walk import Found, LeftOut, Walk, Why

CHUNK = 128 * 1024
"""Bytes read at once. A file that is no longer is read whole before anything is said about its length."""

LEVEL = 4
"""How hard to deflate: three times as fast as zlib's own 6, for a twentieth more bytes."""

PACKED = frozenset(
    {
        "application/epub+zip",
        "application/gzip",
        "application/java-archive",
        "application/pdf",
        "application/vnd.android.package-archive",
        "application/vnd.debian.binary-package",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/x-bzip2",
        "application/x-rpm",
        "application/x-xz",
        "application/zip",
        "application/zstd",
        "font/woff",
        "font/woff2",
    }
)
PACKED_KINDS = ("image/", "audio/", "video/", "application/vnd.o")  # the last are office documents
LOOSE = frozenset(
    {"audio/midi", "audio/wav", "audio/x-aiff", "image/bmp", "image/svg+xml", "image/tiff", "image/x-icon"}
)
"""Of those kinds, what can still be deflated."""

NOTE = b"NOT IN THIS ARCHIVE"

REASONS = {
    Why.UNREADABLE: "may not be read",
    Why.REPEATED: "a link to a folder that holds it, or that is in here by another link",
    Why.DEEP: "too many folders below one another: what is in this one",
    Why.MANY: "too many entries: the rest of this folder, and what comes after it",
    Why.CHANGED: "became shorter while it was read",
    Why.LONG: "its path is too long for this kind of archive",
}

UNSAFE = re.compile(rb"[\0-\x1F\x7F/\\:*?\"<>|]")
"""In the first component, which decides where everything goes: a colon there is a drive to Windows."""


class Member:
    """One folder or file of an archive. ``read(most)`` gives up to that many bytes of a file, b"" at its end."""

    __slots__ = ("is_folder", "missing", "mode", "modified", "path", "read", "size")

    def __init__(
        self,
        path: bytes,
        mode: int,
        modified: int,
        size: int = 0,
        read: Callable[[int], bytes] | None = None,
    ) -> None:
        """``mode`` are the permission bits, ``modified`` is in seconds since the epoch; without ``read`` it is a folder."""
        self.path = path
        self.mode = mode
        self.modified = modified
        self.size = size
        self.read = read or BytesIO().read
        self.is_folder = read is None
        self.missing: Why | None = None
        """Set by the format: why what it has made of this member is not all of it."""

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed already, by its name."""
        kind = media_type(self.path.rpartition(b"/")[2])
        return kind in PACKED or (kind.startswith(PACKED_KINDS) and kind not in LOOSE)

    def content(self) -> Iterator[bytes]:
        """The file in pieces, no more than ``size`` bytes; fewer when it has become shorter, and then that is ``missing``."""
        left = self.size
        while left:
            data = self.read(min(left, CHUNK))
            if not data:
                self.missing = Why.CHANGED
                return
            left -= len(data)
            yield data


def members(walk: Walk, top: bytes) -> Generator[Member | None, None, None]:
    """The folder itself, called ``top``, and what is below it; None now and then, when there is nothing yet.

    A member can be read until the next one is asked for. Raises RequestError and OSError when the machine fails.
    """
    top = safe_name(top)
    yield folder_of(top, walk.state)
    taken = set()
    for found in walk:
        if found is None:
            yield None
            continue
        if found.names[0].startswith(NOTE):
            taken.add(found.names[0])
        path = b"/".join((top, *found.names))
        if found.is_folder:
            member = folder_of(path, found.state)
            yield member
            if member.missing is not None:
                walk.left_out.add(found.names, member.missing)
        else:
            yield from file_of(walk, found, path)
    if walk.left_out.count:
        free = (b"%b%b.txt" % (NOTE, b" (%d)" % number if number else b"") for number in count())
        name = next(name for name in free if name not in taken)
        yield note_of(walk.left_out, b"%b/%b" % (top, name), int(walk.state.st_mtime))


def file_of(walk: Walk, found: Found, path: bytes) -> Iterator[Member]:
    """The file, open while it is the present one; nothing when it is gone."""
    try:
        file = walk.open(found)
    except RequestError as refused:
        if refused.status >= 500:
            raise
        if refused.status == 403:
            walk.left_out.add(found.names, Why.UNREADABLE)
        return
    with file:
        if file.is_folder:
            return  # it was a file a moment ago
        state = file.stat
        mode = (stat.S_IMODE(state.st_mode) & 0o777) | stat.S_IRUSR
        member = Member(path, mode, seconds(state), state.st_size, partial(os.read, file.fd))
        yield member
        if member.missing is not None:
            walk.left_out.add(found.names, member.missing)


def folder_of(path: bytes, state: os.stat_result) -> Member:
    return Member(path, (stat.S_IMODE(state.st_mode) & 0o777) | stat.S_IRWXU, seconds(state))


def note_of(left_out: LeftOut, path: bytes, modified: int) -> Member:
    """What is not in the archive, as a file for people."""
    lines = [f"{left_out.count} not in this archive, or not as a whole:", ""]
    for names, why in left_out.first:
        shown = "/".join(visible(name) for name in names) or "(this folder)"
        lines.append(f"{shown}: {REASONS[why]}")
    if left_out.count > len(left_out.first):
        lines.append(f"… and {left_out.count - len(left_out.first)} more")
    text = "\n".join([*lines, ""]).encode()
    return Member(path, 0o644, modified, len(text), BytesIO(text).read)


def seconds(state: os.stat_result) -> int:
    return state.st_mtime_ns // 1_000_000_000


def safe_name(name: bytes) -> bytes:
    """``name`` as the first component of every path: not empty, no dots alone, no drive."""
    safe = UNSAFE.sub(b"_", name).strip(b" ")
    return safe if safe.strip(b".") else b"files"
