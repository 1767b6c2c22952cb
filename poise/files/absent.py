"""Is it surely not there? Asked of every single address of a flood of made-up ones.

The kernel remembers each name that is looked for in vain: a million made-up ones are a million entries of its cache, and cost
several microseconds each. So the names in the folder at the top are kept, and an address whose first component is none of
them leads to nothing for as long as the folder says that no name has come or gone (its mtime and ctime; one fstat(2)). What
makes that safe:

* it is done only on file systems that are known to keep this promise, and only with names that were read when the folder had
  been at rest for a second: a change within one tick of the kernel's clock leaves its times as they are;
* names are compared without regard to case, as some of these file systems do where they are told to;
* everything else is looked for, and what one sure look does not show is left to the gate.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from itertools import islice

from poise.files.entity import settled
from poise.files.locate import Root
from poise.files.located import FILE_FLAGS

PROMISING = frozenset(("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"))
"""File systems whose folders list all that is in them, and change their times with every name that comes or goes."""

MOUNTS = "/proc/self/mountinfo"  # proc(5); absent elsewhere than on Linux


class Absence:
    """What is not there, below ``root``; ``wall`` gives the seconds since the epoch."""

    def __init__(self, root: Root, wall: Callable[[], float]) -> None:
        self._root = root
        self._wall = wall
        self._names: frozenset[bytes] = frozenset()  # in lower case; none when they are not known
        self._times = (-1, -1)  # of the folder whose names they are: mtime and ctime, in nanoseconds

    def covers(self, path: bytes) -> bool:
        """Whether ``path``, plain names with a slash before each, surely leads to nothing. False proves nothing."""
        end = path.find(b"/", 1)
        first = (path[1:end] if end > 0 else path[1:]).lower()
        try:
            found = os.fstat(self._root.fd)
            if (found.st_mtime_ns, found.st_ctime_ns) != self._times:
                self._read(found)
        except OSError:
            return False
        return (self._names and first not in self._names) or self._root.lacks(path)

    def _read(self, found: os.stat_result) -> None:
        """Keep the names in the folder that looks like ``found``, unless they are too many or still on the move."""
        self._names = frozenset()
        if not self._promises or not settled(found, self._wall()):
            return
        self._times = found.st_mtime_ns, found.st_ctime_ns  # whatever happens from here on changes them
        most = self._root.limits.names
        fd = os.open(".", FILE_FLAGS | os.O_DIRECTORY, dir_fd=self._root.fd)
        try:
            with os.scandir(fd) as entries:
                names = [os.fsencode(entry.name).lower() for entry in islice(entries, most + 1)]
        finally:
            os.close(fd)
        if len(names) <= most:
            self._names = frozenset((b"", *names))

    @cached_property
    def _promises(self) -> bool:
        return file_system(os.fstat(self._root.fd).st_dev) in PROMISING


def file_system(device: int, mounts: str = MOUNTS) -> str:
    """The kind of file system that has the number ``device`` (``st_dev``); empty where nobody says."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
            for fields in map(str.split, lines):
                if fields[2] == number:
                    return fields[fields.index("-") + 1]
    except (OSError, IndexError, ValueError):
        pass
    return ""
