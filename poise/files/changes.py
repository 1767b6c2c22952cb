"""Tells when something changes below a folder.

On Linux the kernel says so: inotify(7) is one descriptor that becomes readable, watched by the loop like any other. It watches
single folders, so every folder below gets a watch, and so does each that is made later. Elsewhere, and where there are
more folders than watches, the tree is looked at now and again, in a thread.

What has changed is not told: an editor that saves a file makes half a dozen events in a row, so they are collected for a
moment and told as one.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator

from poise.errors import MachineFault
from poise.files.inotify import (
    ATTRIB,
    CLOSE_WRITE,
    CREATE,
    DELETE,
    DELETE_SELF,
    DONT_FOLLOW,
    EXCL_UNLINK,
    IGNORED,
    IS_DIR,
    MODIFY,
    MOVED_FROM,
    MOVED_TO,
    ONLYDIR,
    Inotify,
    events,
)
from poise.limits import FileLimits
from poise.loop.offload import Offloaded, Overloaded, offload
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle
from poise.readiness.interest import READ

WATCHED = ATTRIB | MODIFY | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF


class TooMany(MachineFault):
    """More folders than can be watched."""


class Changes:
    """Calls ``on_change()`` soon after something below ``folder`` has changed, until ``close()``.

    Hidden folders are not looked into: version control writes there all the time. Raises MachineFault when ``folder``
    cannot be read.
    """

    def __init__(
        self,
        reactor: Reactor,
        folder: str,
        on_change: Callable[[], object],
        limits: FileLimits | None = None,
    ) -> None:
        self._reactor = reactor
        self._on_change = on_change
        self._limits = limits or FileLimits()
        self._timer: TimerHandle | None = None
        self._closed = False
        self._watcher = self._watch(os.fsencode(os.path.realpath(folder)))

    @property
    def by(self) -> str:
        """How it is found out: ``inotify`` or ``polling``."""
        return self._watcher.name

    def close(self) -> None:
        """Watch no longer. Twice is no error."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._watcher.close()

    def _watch(self, folder: bytes) -> ByInotify | ByPolling:
        if sys.platform.startswith("linux"):
            try:
                return ByInotify(self._reactor, folder, self._changed, self._limits.watches)
            except MachineFault:
                pass  # there are other ways to see it
        return ByPolling(self._reactor, folder, self._changed, self._limits)

    def _changed(self) -> None:
        """Something happened: tell it when no more has happened for a moment, or what happened can be told no later."""
        if self._timer is None and not self._closed:
            self._timer = self._reactor.call_later(self._limits.settle, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._on_change()


class ByInotify:
    """One descriptor for all folders."""

    name = "inotify"

    def __init__(self, reactor: Reactor, folder: bytes, changed: Callable[[], object], most: int) -> None:
        """Raises MachineFault where there is no inotify, or not enough of it."""
        self._reactor = reactor
        self._changed = changed
        self._most = most
        self._folders: dict[int, bytes] = {}
        self._inotify = Inotify()
        try:
            self._add(folder)
        except BaseException:
            self._inotify.close()
            raise
        reactor.register(self._inotify.fileno(), READ, self._on_ready)

    def fileno(self) -> int:
        return self._inotify.fileno()

    def close(self) -> None:
        if self._folders:
            self._folders.clear()
            self._reactor.retire(self._inotify)

    def _add(self, folder: bytes) -> None:
        """Watch ``folder`` and those below it. Raises MachineFault when that cannot be done."""
        for each in folders_below(folder):
            if len(self._folders) >= self._most:
                raise TooMany(errno.ENOSPC, f"more than {self._most} folders")
            try:
                watch = self._inotify.add(each, WATCHED | ONLYDIR | DONT_FOLLOW | EXCL_UNLINK)
            except MachineFault as error:
                if each != folder and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                    continue  # gone again, or none of ours
                raise
            self._folders[watch] = each

    def _on_ready(self, mask: int) -> None:
        told = False
        for watch, mask, name in events(self._inotify.read()):
            folder = self._folders.get(watch)
            if mask & IGNORED:
                self._folders.pop(watch, None)
                continue
            if name.startswith(b"."):
                continue
            told = True
            if folder is not None and mask & IS_DIR and mask & (CREATE | MOVED_TO):
                try:
                    self._add(os.path.join(folder, name))
                except MachineFault:
                    pass  # beyond the last watch: this part of the tree changes unseen
        if told:
            self._changed()


class ByPolling:
    """Looks at the whole tree, in a thread, every ``limits.look`` seconds."""

    name = "polling"

    def __init__(
        self, reactor: Reactor, folder: bytes, changed: Callable[[], object], limits: FileLimits
    ) -> None:
        self._reactor = reactor
        self._folder = folder
        self._changed = changed
        self._limits = limits
        self._state: int | None = fingerprint(folder, limits.entries)
        self._looking: Offloaded[int] | None = None
        self._timer = reactor.call_later(limits.look, self._look)

    def close(self) -> None:
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def _look(self) -> None:
        try:
            self._looking = offload(self._reactor, fingerprint, self._folder, self._limits.entries)
        except Overloaded:
            self._looked(None, None)
        else:
            self._looking.on_done(self._looked)

    def _looked(self, state: int | None, error: Exception | None) -> None:  # noqa: ARG002 - looked at again soon
        self._looking = None
        if state is not None and state != self._state:
            self._state = state
            self._changed()
        self._timer = self._reactor.call_later(self._limits.look, self._look)


def fingerprint(folder: bytes, most: int) -> int:
    """A number that changes when a name, a size or a time below ``folder`` does; ``most`` entries are looked at."""
    found = 0
    for each in folders_below(folder):
        try:
            with os.scandir(each) as entries:
                for entry in entries:
                    most -= 1
                    if most < 0:
                        return found
                    if entry.name.startswith(b"."):
                        continue
                    try:
                        state = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    found ^= hash((each, entry.name, state.st_mtime_ns, state.st_size, state.st_mode))
        except OSError:
            continue
    return found


def folders_below(folder: bytes) -> Iterator[bytes]:
    """``folder`` and every folder below it that is not hidden; links are not followed."""
    waiting = [folder]
    while waiting:
        each = waiting.pop()
        yield each
        try:
            with os.scandir(each) as entries:
                waiting += [
                    os.path.join(each, entry.name)
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(b".")
                ]
        except OSError:
            continue  # gone meanwhile, or not ours to read
