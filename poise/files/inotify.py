"""inotify(7): the kernel tells of files and folders that one has asked it about. Linux has it, and nobody else.

Python has no word for it, so the C library is asked through ctypes, which is loaded with the first descriptor.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from typing import Any

from poise.errors import MachineFault

# linux/inotify.h
MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
Q_OVERFLOW, IGNORED, IS_DIR = 0x4000, 0x8000, 0x40000000
ONLYDIR, DONT_FOLLOW, EXCL_UNLINK = 0x1000000, 0x2000000, 0x4000000
EVENT = struct.Struct("iIII")  # watch, mask, cookie, bytes of the name that follows
READ_SIZE = 64 * 1024


class Inotify:
    """One descriptor, which is readable when something has happened to what was added."""

    def __init__(self) -> None:
        """Raises MachineFault where there is no inotify, or no more of it for this user."""
        self._kernel = kernel()
        self._fd = called(self._kernel.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        return self._fd

    def add(self, path: bytes, mask: int) -> int:
        """The number under which is told what happens to ``path``. Raises MachineFault with the kernel's ``errno``.

        What is there already, by this path or another, keeps its number.
        """
        return called(self._kernel.inotify_add_watch(self._fd, path, mask))

    def remove(self, watch: int) -> None:
        """Be told no more under the number ``watch``; the kernel may have let go of it itself."""
        self._kernel.inotify_rm_watch(self._fd, watch)

    def read(self) -> bytes:
        """What has happened since, for :func:`events`; empty when that is nothing."""
        try:
            return os.read(self._fd, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return b""

    def close(self) -> None:
        """Let go of it and of all that was added; may be repeated."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def events(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """What one read of an inotify descriptor says: watch, mask and name, one after the other."""
    at = 0
    while at < len(data):
        watch, mask, _, size = EVENT.unpack_from(data, at)
        at += EVENT.size
        yield watch, mask, data[at : at + size].rstrip(b"\0")
        at += size


def kernel() -> Any:
    """The C library, through which alone inotify can be had. Raises MachineFault where it has none."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "inotify_init1"):
        raise MachineFault(errno.ENOSYS, "this system has no inotify")
    return library


def called(result: int) -> int:
    """What a call of the C library gave. Raises MachineFault for an error."""
    if result < 0:
        import ctypes

        number = ctypes.get_errno()
        raise MachineFault(number, f"inotify: {os.strerror(number)}")
    return result
