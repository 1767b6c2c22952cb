"""The kernel tells when something happens to a file, so that nobody need look whether it has.

A look costs two microseconds, and a busy site looks at ten thousand files twice a second each. inotify(7) tells of what a look
would find: that a file is written, by whatever name; that its mode or its times are changed; that one of its names is
gone, or it is somewhere else. What it does not tell of, and how that is dealt with:

* *Another file, or another folder, in its place.* Whatever is put over a file takes a name from it, of which is told. A folder on the way is
  looked at once in a period by :mod:`poise.files.looks`, for all that is in it.
* *A mount over it.* The table of mounts, of which poll(2) tells, says that one has come or gone, and then all is looked at again.
* *What happens elsewhere*, to a file system that others share. Only those are believed that are this kernel's alone.
* *What it had no room for.* Then it says that (IN_Q_OVERFLOW), and all is looked at again.
* *A write that passes by those who tell*: through memory (mmap(2)) until the file is closed, by asynchronous I/O (io_submit(2)), from another layer
  of the kernel, as a loop device or an overlay above it. So a watch begins only when nobody has the file open for writing, which the kernel
  says when it is asked for a lease (fcntl(2), F_RDLCK); it is given back at once. It says so to the owner of a file; a server that
  runs as somebody else looks, as it always did. Who opens it for such a write later is the one case left: for him it is looked
  at every ``told_for`` seconds all the same, and when a look finds what was not told, the watch is over, and no other begins
  while he has the file open.

What there is to hear is heard once in a period, before the first look in it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from poise.errors import MachineFault
from poise.files.absent import MOUNTS, PROMISING
from poise.files.inotify import ATTRIB, CLOSE_WRITE, MODIFY, MOVE_SELF, Q_OVERFLOW, Inotify, events
from poise.files.locate import Root
from poise.files.located import FILE_FLAGS, Fingerprint, fingerprint
from poise.loop.signals import HARMLESS
from poise.readiness.glance import glance

if TYPE_CHECKING:
    from poise.files.looks import Folder

TOLD = MODIFY | ATTRIB | CLOSE_WRITE | MOVE_SELF
"""A file that loses its last name loses one, which is told as ATTRIB."""

BELIEVED = PROMISING - {"overlay", "zfs"}
"""File systems that only this kernel writes to, file by file. What is under an overlay can be changed without a word to who watches it,
and zfs rolls all files back at once."""

SHARE = 4
"""Of all watches that a user may have, one in so many is taken at most: others want some, too."""

ROOM = "/proc/sys/fs/inotify/max_user_watches"  # inotify(7)

READS = 16
"""Of all that is to be told at most; when there is more, whatever it is, all is looked at again."""


class Watch:
    """As long as it is ``quiet``, nothing has happened to a file in ``folder`` since it was as it was ``before``."""

    __slots__ = ("before", "folder", "number", "quiet", "until")

    def __init__(self, number: int, before: Fingerprint, folder: Folder) -> None:
        self.number = number
        """The kernel's."""
        self.before = before
        self.folder = folder
        self.quiet = True
        self.until = 0.0
        """The monotonic time until which somebody goes by it."""

    def end(self) -> None:
        """Who goes by it looks again, and with him all who go by their folder: so none of them has to ask for more than its version."""
        self.quiet = False
        self.folder.version += 1


class Teller:
    """Knows of files below ``root`` that nothing happens to, of ``most`` at a time.

    Only of those on ``device``: what is mounted below the root may be one that others share.
    """

    def __init__(self, root: Root, device: int, most: int) -> None:
        """Raises OSError where the kernel does not tell of files and mounts, or to no more who ask."""
        with open(ROOM, encoding="ascii") as room:
            self._most = min(most, int(room.read()) // SHARE)
        self._root = root
        self._device = device
        self._watches: dict[int, Watch] = {}  # by the kernel's number, the one longest not looked at first
        self._files: dict[tuple[int, int], Watch] = {}  # the same by device and inode
        self._inotify = Inotify()
        try:
            self._mounts = os.open(MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._inotify.close()
            raise
        self._mounted = glance(self._mounts, exceptional=True)

    def close(self) -> None:
        """Know of nothing any more; may be repeated."""
        self._quit()
        self._most = 0
        self._inotify.close()
        mounts, self._mounts = self._mounts, -1
        if mounts >= 0:
            os.close(mounts)

    def hear(self) -> bool:
        """Hear what has happened: watches are over. True when mounts have changed, so that any path may lead elsewhere."""
        if self._mounts < 0:
            return True
        self._hear_of_files()
        return self._mounted is None or bool(self._mounted())

    def doubt(self, before: Fingerprint) -> None:
        """A file is no longer as it was ``before``: if that was not told, or not heard yet, it is not gone by any more."""
        if (watch := self._files.get(before[:2])) is not None:
            self._end(watch.number)

    def keep(self, watch: Watch, until: float) -> None:
        """A look has found what ``watch`` says; it is gone by to the monotonic time ``until``."""
        watch.until = until
        if self._watches.pop(watch.number, None) is not None:
            self._watches[watch.number] = watch

    def watch(self, path: bytes, before: Fingerprint, folder: Folder, now: float) -> Watch | None:
        """Be told of the file at ``path`` below the root, in ``folder``, which was seen just now as it was ``before``.

        None when it is no longer so, when the kernel would not tell of all that can happen to it, or when all are in use at the
        monotonic time ``now`` that there may be.
        """
        if (known := self._files.get(before[:2])) is not None:
            if known.folder is folder and known.before == before:
                return known
            self._end(known.number)  # it has another name elsewhere, or has changed without a word
        if before[0] != self._device or not self._has_room(now):
            return None
        try:
            fd = os.open(path, FILE_FLAGS, dir_fd=self._root.fd)
        except OSError:
            return None
        try:
            return self._begin(fd, path, before, folder)
        except OSError as error:
            if error.errno == errno.ENOSPC:  # the user has no more, and others want some, too
                self._most = len(self._watches) // 2
                for number in [*self._watches][self._most :]:
                    self._end(number)
            return None
        finally:
            os.close(fd)

    def _has_room(self, now: float) -> bool:
        """For one more; the oldest makes some if nobody goes by it any more."""
        if len(self._watches) < self._most:
            return True
        oldest = next(iter(self._watches.values()), None)
        if oldest is None or oldest.until > now:
            return False
        self._end(oldest.number)
        return True

    def _begin(self, fd: int, path: bytes, before: Fingerprint, folder: Folder) -> Watch | None:
        """Each step sees what happened before it: who opened the file, by the lease; who changed it or took its place, by the look."""
        if fingerprint(os.fstat(fd)) != before:
            return None
        number = self._inotify.add(b"/proc/self/fd/%d" % fd, TOLD)
        still = False
        try:
            found = os.stat(path, dir_fd=self._root.fd, follow_symlinks=False) if nobody_writes(fd) else None
            still = found is not None and fingerprint(found) == before
        finally:
            if not still:
                self._inotify.remove(number)
        if not still:
            return None
        watch = self._watches[number] = self._files[before[:2]] = Watch(number, before, folder)
        return watch

    def _hear_of_files(self) -> None:
        for _ in range(READS):
            data = self._inotify.read()
            if not data:
                return
            for number, mask, _ in events(data):
                if mask & Q_OVERFLOW:
                    self._begin_anew()
                    return
                self._end(number)
        self._begin_anew()

    def _end(self, number: int) -> None:
        watch = self._watches.pop(number, None)
        if watch is not None:  # or these are the last words of one that is over
            watch.end()
            del self._files[watch.before[:2]]
            self._inotify.remove(number)

    def _begin_anew(self) -> None:
        """Much has happened, and nobody knows what: let go of all. Where there is no other descriptor, nothing is told any more."""
        self._quit()
        self._inotify.close()
        try:
            self._inotify = Inotify()
        except MachineFault:
            self.close()

    def _quit(self) -> None:
        for watch in self._watches.values():
            watch.end()
        self._watches.clear()
        self._files.clear()


def nobody_writes(fd: int) -> bool:
    """Whether it is sure that no open descriptor and no mapping can write to the file that is open as ``fd``, for reading.

    It is not to who does not own the file, and not on every file system.
    """
    # Who opens it for writing while the lease is held waits until it is given back, or is told to try again (EAGAIN) if he would not
    # wait, and its holder is signalled. So the two calls are made from C and keep the interpreter's lock: no thread runs between them.
    fcntl.fcntl(fd, fcntl.F_SETSIG, HARMLESS)
    taken, _ = map(lease(), (fd, fd), (fcntl.F_SETLEASE,) * 2, (fcntl.F_RDLCK, fcntl.F_UNLCK))
    return taken == 0


@cache
def lease() -> Callable[[int, int, int], int]:
    """fcntl(2) as the C library has it."""
    import ctypes

    call = ctypes.PyDLL(None).fcntl
    call.argtypes = (ctypes.c_int,) * 3
    return call
