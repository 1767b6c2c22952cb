"""The kernel tells when something happens to a file, so that nobody need look whether it has.

A look costs two microseconds, and a busy site looks at ten thousand files twice a second each. inotify(7) tells of what a look
would find: that a file is written, by whatever name; that its mode or its times are changed; that one of its names is
gone, or it is somewhere else. What it does not tell of, and how that is dealt with:

* *Another file, or another folder, in its place.* Whatever is put over a file takes a name from it, of which is told. A folder on the way is
  looked at once in a period by :mod:`poise.files.looks`, for all that is in it.
* *A mount over it.* The table of mounts, of which poll(2) tells, says that one has come or gone, and then all is looked at again.
* *What happens elsewhere*, to a file system that others share. Only those are believed that are this kernel's alone.
* *What it had no room for.* Then it says that (IN_Q_OVERFLOW), and all is looked at again.
* *A write through memory* (mmap(2)), or by the kernel's own asynchronous I/O (io_submit(2)), until the file is closed. So a watch
  begins only when nobody has the file open for writing, which the kernel says when it is asked for a lease (fcntl(2), F_RDLCK); it is
  given back at once. It says so to the owner of a file; a server that runs as somebody else looks, as it always did. Who opens it
  for such a write later is the one case left: for him it is looked at every ``told_for`` seconds all the same, and when a look finds what
  was not told, the watch is over, and no other begins while he has the file open.

What there is to hear is heard once in a period, before the first look in it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

from poise.errors import MachineFault
from poise.files.absent import MOUNTS, PROMISING
from poise.files.inotify import (
    ATTRIB,
    CLOSE_WRITE,
    MODIFY,
    MOVE_SELF,
    Q_OVERFLOW,
    Inotify,
    events,
)
from poise.files.locate import Root
from poise.files.located import FILE_FLAGS, Fingerprint, fingerprint
from poise.loop.signals import HARMLESS
from poise.readiness.glance import glance

if TYPE_CHECKING:
    from poise.files.looks import Folder

TOLD = MODIFY | ATTRIB | CLOSE_WRITE | MOVE_SELF
"""A file that loses its last name loses one, which is told as ATTRIB."""

BELIEVED = PROMISING - {"overlay"}
"""File systems that only this kernel writes to. What is under an overlay can be changed without a word to who watches it."""

READS = 16
"""Of all that is to be told at most; when there is more, whatever it is, all is looked at again."""


class Watch:
    """As long as it is ``quiet``, nothing has happened to a file in ``folder`` since the kernel was asked to tell."""

    __slots__ = ("file", "folder", "number", "quiet")

    def __init__(self, number: int, file: tuple[int, int], folder: Folder) -> None:
        self.number = number
        """The kernel's."""
        self.file = file
        """Device and inode."""
        self.folder = folder
        self.quiet = True

    def end(self) -> None:
        """Who goes by it looks again, and with him all who go by their folder: so none of them has to ask for more than its version."""
        self.quiet = False
        self.folder.version += 1


class Teller:
    """Knows of files below ``root`` that nothing happens to, ``most`` of them at a time; the oldest makes room for one more.

    Only of those on ``device``: what is mounted below the root may be one that others share.
    """

    def __init__(self, root: Root, device: int, most: int) -> None:
        """Raises OSError where the kernel does not tell of files and mounts, or to no more who ask."""
        self._root = root
        self._device = device
        self._most = most
        self._watches: dict[int, Watch] = {}  # by the kernel's number, the oldest first
        self._files: dict[tuple[int, int], Watch] = {}
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

    def end(self, watch: Watch) -> None:
        """Go by it no more: something has happened of which was not told. It may be over already."""
        if watch.quiet:
            self._end(watch.number)

    def watch(self, path: bytes, before: Fingerprint, folder: Folder) -> Watch | None:
        """Be told of the file at ``path`` below the root, in ``folder``, which was seen just now as it was ``before``.

        None when it is no longer so, or when the kernel would not tell of all that can happen to it.
        """
        file = before[:2]
        if (known := self._files.get(file)) is not None:
            if known.folder is folder:
                return known
            self.end(known)  # it has another name elsewhere
        if not self._most or before[0] != self._device:
            return None
        try:
            fd = os.open(path, FILE_FLAGS, dir_fd=self._root.fd)
        except OSError:
            return None
        try:
            return self._begin(fd, path, before, folder)
        except OSError as error:
            if error.errno == errno.ENOSPC:  # the user has no more watches than these
                self._most = max(1, len(self._watches))
            return None
        finally:
            os.close(fd)

    def _begin(self, fd: int, path: bytes, before: Fingerprint, folder: Folder) -> Watch | None:
        """Each step sees what happened before it: who opened the file, by the lease; who changed it or took its place, by the look."""
        if fingerprint(os.fstat(fd)) != before:
            return None
        if len(self._watches) >= self._most:
            self._end(next(iter(self._watches)))
        number = self._inotify.add(b"/proc/self/fd/%d" % fd, TOLD)
        still = False
        try:
            still = (
                nobody_writes(fd)
                and fingerprint(os.stat(path, dir_fd=self._root.fd, follow_symlinks=False)) == before
            )
        finally:
            if not still:
                self._inotify.remove(number)
        if not still:
            return None
        watch = self._watches[number] = self._files[before[:2]] = Watch(number, before[:2], folder)
        return watch

    def _hear_of_files(self) -> None:
        for _ in range(READS):
            data = self._inotify.read()
            if not data:
                return
            for number, mask, _ in events(data):
                if mask & Q_OVERFLOW:
                    break
                self._end(number)
            else:
                continue
            break
        self._begin_anew()

    def _end(self, number: int) -> None:
        watch = self._watches.pop(number, None)
        if watch is not None:  # or these are the last words of one that is over
            watch.end()
            del self._files[watch.file]
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
    """Whether no open descriptor and no mapping can write to the file that is open as ``fd``, for reading.

    Raises OSError when the kernel does not say: EACCES to who does not own it.
    """
    # Should somebody open it for writing in this moment, that waits for the moment to be over, and is signalled: in a way that nobody minds.
    fcntl.fcntl(fd, fcntl.F_SETSIG, HARMLESS)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return False
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True
