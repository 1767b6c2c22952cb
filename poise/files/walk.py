"""Everything below a folder that a URL below it would be answered with, and nothing else.

:mod:`poise.files.locate` decides what that is, as it does for a listing: dot-files, special files and names that no URL
can spell are left out without a word, and so are links out of the root. No path is ever handed to the kernel: each
folder is opened relative to the one above it without following a link, each link is resolved by the gate from the root,
and what counts is what the open descriptor is.

**A link to a folder is followed**, because whoever looks through the folder sees what is behind it. It is named but not
gone into when it leads to a folder that it stands in, which would go round for ever; nor when a link before it has led to
the same folder: a few dozen folders full of links to each other (package managers make them) would otherwise be more files
than there are atoms. No folder is entered again below itself, however it is reached. So what comes twice comes once at its
own place and again where links bring it, and never more often than it has folders above it.

**A step is small**: it reads a slice of a folder or looks at one entry, whatever the tree looks like. So a walk can be done
in a thread or on the loop, between other things. What is held is bounded too: one folder open for each level, of
``limits.walk_depth`` levels, and ``limits.walk_names`` names. Within a folder names come in the order of their bytes, so two
walks of the same tree are the same; a folder itself comes before what is in it.
"""

from __future__ import annotations

import enum
import os
import stat
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from poise.errors import RequestError
from poise.files.locate import Root
from poise.files.located import FILE_FLAGS, NOT_A_FOLDER, Located, refusal
from poise.files.names import Names, hidden, nameable

if TYPE_CHECKING:
    ScandirIterator = os._ScandirIterator[str]

FOLDER_READ_FLAGS = FILE_FLAGS | getattr(os, "O_DIRECTORY", 0)

Hides = Callable[[bytes, bool], bool]
"""Says of a name in a folder, and whether that is a folder, that it and all below it is to be as if it were not there."""

Hider = Callable[..., Hides | None]
"""For a folder, by its names from the root: what is hidden in it; None when nothing is. ``hider(names, granted=True)`` for
names that links have led to, and are therefore not hidden themselves."""

Identity = tuple[int, int]
"""Device and inode: the same for two ways to one folder."""


def hiding(hider: Hider | None, names: Names, real: Names) -> Hides | None:
    """What is hidden in a folder: by the ``names`` of the address, and by the ``real`` ones where links lead elsewhere."""
    hides = None if hider is None else hider(names)
    if hider is None or hides is None or real == names:
        return hides
    here, there = hides, hider(real, granted=True)
    return here if there is None else lambda name, folder: here(name, folder) or there(name, folder)


class Why(enum.Enum):
    """Why something that is to be seen, or what is in it, is not in a walk, or not in what is made of it."""

    UNREADABLE = enum.auto()
    REPEATED = enum.auto()  # a folder that it stands in itself, or that another link has led to
    DEEP = enum.auto()
    MANY = enum.auto()  # all that comes after it
    CHANGED = enum.auto()  # while it was read
    LONG = enum.auto()  # a path that what is made of it cannot hold


class LeftOut:
    """What was left out and why: the first names, and how many."""

    __slots__ = ("count", "first", "most", "reasons")

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0
        self.first: list[tuple[Names, Why]] = []
        self.reasons: set[Why] = set()

    def add(self, names: Names, why: Why) -> None:
        self.count += 1
        self.reasons.add(why)
        if len(self.first) < self.most:
            self.first.append((names, why))


class Found(NamedTuple):
    """A regular file or a folder. A link is what it leads to, under its own name."""

    names: Names
    """From the folder that is walked."""
    state: os.stat_result

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.state.st_mode)


class Level:
    """A folder on the way down, open, and the names in it that are still to be looked at."""

    __slots__ = ("entries", "fd", "held", "hides", "names", "real", "runs", "state", "todo")

    def __init__(self, fd: int, names: Names, real: Names, hides: Hides | None) -> None:
        """It owns ``fd``, even when this raises OSError. ``real`` are its names from the root, links resolved."""
        self.fd = fd
        self.names = names
        self.real = real
        self.hides = hides
        self.runs: list[list[bytes]] = []
        self.todo: Iterator[bytes] = iter(())
        self.held = 0
        try:
            self.state = os.fstat(fd)
            self.entries: ScandirIterator | None = os.scandir(fd)
        except OSError:
            os.close(fd)
            raise

    def read_no_more(self) -> None:
        if self.entries is not None:
            self.entries.close()
            self.entries = None

    def close(self) -> None:
        self.read_no_more()
        os.close(self.fd)


class Walk:
    """A walk below one folder. Owns descriptors of its own; close it, or walk it to its end.

    ``step`` by ``step``, or by iteration: each gives a ``Found``, or None when there is nothing to tell yet. Both raise
    :class:`RequestError` when the machine fails, and only then; such a walk is closed.
    """

    def __init__(
        self, root: Root, folder: Located, *, hides: Hider | None = None, entries: int | None = None
    ) -> None:
        """``entries`` instead of ``limits.walk_entries``. Raises :class:`RequestError` when the folder may not be read."""
        limits = root.limits
        self.root = root
        self.limits = limits
        self.above = folder.names
        """The names from the root to the folder that is walked."""
        self.left_out = LeftOut(limits.left_out)
        self.looked_at = 0
        """Entries, hidden ones included."""
        self._hides = hides
        self._most = limits.walk_entries if entries is None else entries
        self._held = 0
        self._linked: set[Identity] = set()
        self._containing: set[Identity] | None = None
        self._levels: list[Level] = []
        try:
            fd = os.open(b".", FOLDER_READ_FLAGS, dir_fd=folder.fd)
            self._levels.append(self._level(fd, (), folder.real))
        except OSError as error:
            raise refusal(error) from error
        self.state = self._levels[0].state
        """Of the folder that is walked."""

    @property
    def done(self) -> bool:
        return not self._levels

    @property
    def cut(self) -> bool:
        """Whether there is more below the folder than the limits let us look at."""
        return not self.left_out.reasons.isdisjoint((Why.DEEP, Why.MANY))

    def __iter__(self) -> Iterator[Found | None]:
        while not self.done:
            yield self.step()

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def step(self) -> Found | None:
        """One step; None when it has found nothing to tell, and when the walk is over."""
        if self.done:
            return None
        level = self._levels[-1]
        try:
            name = next(level.todo, None)
            if name is not None:
                return self._look(level, name)
            if level.entries is None:
                self._levels.pop().close()
                self._held -= level.held
            else:
                self._read(level, level.entries)
        except OSError as error:
            self.close()
            raise refusal(error) from error
        except RequestError:
            self.close()
            raise
        return None

    def open(self, found: Found) -> Located:
        """Open a file, before the next step. Raises :class:`RequestError` as the gate does."""
        level = self._levels[-1]
        names = (*self.above, *level.names)
        folder = Located(level.fd, None, is_folder=True, names=names, real=level.real, owned=False)
        return self.root.child(folder, found.names[-1])

    def close(self) -> None:
        """Walk no further. Twice is no error."""
        while self._levels:
            self._levels.pop().close()

    # -- one folder ------------------------------------------------------------------------------

    def _read(self, level: Level, entries: ScandirIterator) -> None:
        """Read a slice of names. With the last one, or when enough are held, they are ready to be looked at."""
        if not level.runs:
            self._held -= level.held  # those have been looked at
            level.held = 0
        count = min(self.limits.looks, self._most - self.looked_at)
        looked_at = [os.fsencode(entry.name) for entry in islice(entries, count)]
        self.looked_at += len(looked_at)
        kept = [name for name in looked_at if self._shown(name)]
        kept.sort()
        level.runs.append(kept)
        level.held += len(kept)
        self._held += len(kept)
        if len(looked_at) < count:
            level.read_no_more()
        elif self.looked_at >= self._most:
            if next(entries, None) is not None:
                self.left_out.add(level.names, Why.MANY)
            level.read_no_more()
        if level.entries is None or self._held >= self.limits.walk_names:
            level.todo, level.runs = merge(*level.runs), []

    def _shown(self, name: bytes) -> bool:
        return nameable(name) and (self.root.dotfiles or not hidden(name))

    def _level(self, fd: int, names: Names, real: Names) -> Level:
        return Level(fd, names, real, hiding(self._hides, (*self.above, *names), real))

    # -- one entry -------------------------------------------------------------------------------

    def _look(self, level: Level, name: bytes) -> Found | None:
        names = (*level.names, name)
        try:
            state = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
            if stat.S_ISLNK(state.st_mode):
                return self._follow(level, names)
            folder = stat.S_ISDIR(state.st_mode)
            if not (folder or stat.S_ISREG(state.st_mode)) or (level.hides and level.hides(name, folder)):
                return None
            return self._descend(level, names, state) if folder else Found(names, state)
        except OSError as error:
            self._refused(names, error)
            return None

    def _descend(self, level: Level, names: Names, state: os.stat_result) -> Found | None:
        """The folder ``names``; the walk goes on in it."""
        if len(self.above) + len(names) > self.limits.components:
            return None  # no address can be as long
        if self._too_deep(names):
            return Found(names, state)
        try:
            fd = os.open(names[-1], FOLDER_READ_FLAGS, dir_fd=level.fd)
        except OSError as error:
            if error.errno in NOT_A_FOLDER:  # it was a moment ago
                return None
            self._refused(names, error)
            return Found(names, state)
        return self._enter(fd, names, (*level.real, names[-1]))

    def _follow(self, level: Level, names: Names) -> Found | None:
        """What the link ``names`` leads to. It is resolved from the root, which knows what it may lead to."""
        try:
            target = self.root.open((*self.above, *names))
        except RequestError as refused:
            if refused.status == 503:
                raise
            return None
        with target:
            if level.hides and level.hides(names[-1], target.is_folder):
                return None
            found = Found(names, target.stat)
            if not target.is_folder:
                return found
            there = identity(target.stat)
            if there in self._linked or there in self._containers():
                self.left_out.add(names, Why.REPEATED)
                return found
            if self._too_deep(names):
                return found
            fd = os.open(b".", FOLDER_READ_FLAGS, dir_fd=target.fd)
        self._linked.add(there)
        return self._enter(fd, names, target.real)

    def _enter(self, fd: int, names: Names, real: Names) -> Found:
        """Go on in the folder open at ``fd``, unless the walk is in it already. Owns ``fd``."""
        level = self._level(fd, names, real)
        if any(identity(level.state) == identity(above.state) for above in self._levels):
            level.close()
            self.left_out.add(names, Why.REPEATED)
        else:
            self._levels.append(level)
        return Found(names, level.state)

    def _too_deep(self, names: Names) -> bool:
        deep = len(names) > self.limits.walk_depth
        if deep:
            self.left_out.add(names, Why.DEEP)
        return deep

    def _containers(self) -> set[Identity]:
        """The folders that the walked one stands in."""
        if self._containing is None:
            found = set()
            for depth in range(len(self.above)):
                try:
                    with self.root.open(self.above[:depth]) as folder:
                        found.add(identity(folder.stat))
                except RequestError as refused:
                    if refused.status == 503:
                        raise
            self._containing = found
        return self._containing

    def _refused(self, names: Names, error: OSError) -> None:
        """Leave ``names`` out, unless nothing else could be had either."""
        status = refusal(error).status
        if status == 503:
            raise error
        if status != 404:
            self.left_out.add(names, Why.UNREADABLE)


def identity(state: os.stat_result) -> Identity:
    return state.st_dev, state.st_ino
