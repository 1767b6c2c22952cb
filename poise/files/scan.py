"""Reading a folder a slice at a time, because a folder can be long and the loop has other guests.

Each slice looks at a bounded number of entries and sorts what it keeps. A link costs a walk of its own, which is why slices
are short. Sorted runs are joined two by two while they are short, since sorting a long one is a step that nobody can
interrupt; in the end they are merged, a slice at a time, as far as the page goes that is asked for. Only that is kept then.

An entry is kept as one ``bytes`` whose beginning is its place in the order: a hundred thousand of them are some ten
megabytes, and comparing them is the cheapest comparison that there is.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Callable, Generator, Iterator
from heapq import merge
from itertools import islice
from typing import NamedTuple

from poise.errors import RequestError
from poise.files.locate import Root
from poise.files.located import FILE_FLAGS, Located, refusal
from poise.files.names import hidden, nameable
from poise.files.view import PLAIN, View

DIGITS = re.compile(r"[0-9]+")
FOLDER_READ_FLAGS = FILE_FLAGS | getattr(os, "O_DIRECTORY", 0)
NUMBER = struct.Struct(">Q")
STATE = struct.Struct(">?Qq")  # is_folder, size, modified
MOST = 2**64 - 1
RUN = 2048  # entries: a run is joined to a longer one no more
EPOCH = 2**63  # added to a time, so that those before 1970 sort before the others


class Entry(NamedTuple):
    """One row: a name on disk and what is told about it."""

    name: bytes
    is_folder: bool
    size: int
    """Bytes; 0 for a folder, whose own size tells a person nothing."""
    modified: int
    """Seconds since the epoch."""


def by_name(name: bytes) -> bytes:
    """Sorts as a person counts: ``2.txt`` before ``10.txt``, capitals as small letters. Ends with the only NUL in it."""
    text = DIGITS.sub(as_number, name.decode("utf-8", "replace").casefold())
    return b"%b\0%b" % (text.encode(), name)


def as_number(digits: re.Match[str]) -> str:
    """The digits with their count before them: sorted as text, a longer number comes later."""
    number = digits[0].lstrip("0")
    return f"{len(number):03}{number}"


class Order:
    """One way to sort: folders first, then by name, size or date. Packs entries into bytes and back."""

    __slots__ = ("_descending", "_skip", "_sort", "reverse")

    def __init__(self, view: View = PLAIN) -> None:
        self._sort = view.sort
        self._descending = view.descending
        # Only names are sorted backwards as a whole: entries of one size stay in the order of their names.
        self.reverse = view.descending and view.sort == "name"
        self._skip = 1 if view.sort == "name" else 1 + NUMBER.size

    def pack(self, entry: Entry) -> bytes:
        later = entry.is_folder if self.reverse else not entry.is_folder
        number = b""
        if self._sort != "name":
            value = entry.size if self._sort == "size" else min(max(entry.modified + EPOCH, 0), MOST)
            number = NUMBER.pack(MOST - value if self._descending else value)
        state = STATE.pack(entry.is_folder, entry.size, entry.modified)
        return b"%c%b%b%b" % (later, number, by_name(entry.name), state)

    def unpack(self, packed: bytes) -> Entry:
        return Entry(
            packed[packed.index(b"\0", self._skip) + 1 : -STATE.size],
            *STATE.unpack_from(packed, len(packed) - STATE.size),
        )


class Scan:
    """The entries of a folder that a URL below it would be answered with. Owns descriptors of its own."""

    def __init__(
        self,
        root: Root,
        folder: Located,
        view: View = PLAIN,
        hides: Callable[[bytes, bool], bool] | None = None,
    ) -> None:
        """``hides(name, is_folder)`` tells what is left out. Raises :class:`RequestError` when it may not be read."""
        self.done = False
        self.cut = False
        """Whether entries were left unread because there are more than ``limits.entries``."""
        self.folders = 0
        self.files = 0
        self.bytes = 0
        self.page = view.page
        """The page that ``entries`` are of, from 1 on; when the scan is done it is one of ``pages``."""
        self.pages = 1
        self._root = root
        self._hides = hides
        self._left = root.limits.entries
        self._order = Order(view)
        self._runs: list[list[bytes]] = []
        self._shown: list[bytes] = []
        self._work = self._steps()
        try:
            self._fd = os.open(b".", FOLDER_READ_FLAGS, dir_fd=folder.fd)
        except OSError as error:
            raise refusal(error) from error
        self._folder = Located(
            self._fd, None, is_folder=True, names=folder.names, real=folder.real, owned=False
        )
        try:
            self._found = os.scandir(self._fd)
        except OSError as error:
            os.close(self._fd)
            raise refusal(error) from error

    @property
    def count(self) -> int:
        """How many entries there are on all pages."""
        return self.folders + self.files

    def step(self) -> None:
        """Do a little of the work; once it is done it has no effect. Raises RequestError, and then it is closed."""
        if self.done:
            return
        try:
            next(self._work, None)
        except OSError as error:
            self.close()
            raise refusal(error) from error
        except RequestError:
            self.close()
            raise

    def entries(self) -> Iterator[Entry]:
        """Those of the page, in order; when the scan is done."""
        return map(self._order.unpack, self._shown)

    def close(self) -> None:
        """Look no further. Twice is no error."""
        if not self.done:
            self.done = True
            self._work.close()
            self._read_no_more()
            self._runs.clear()

    def _steps(self) -> Generator[None, None, None]:
        """All the work, with pauses."""
        limits = self._root.limits
        while self._read(limits.looks):
            yield
        self._read_no_more()
        self.pages = max(1, -(-self.count // limits.page))
        self.page = min(self.page, self.pages)
        start = (self.page - 1) * limits.page
        if len(self._runs) == 1:
            self._shown = self._runs.pop()[start : start + limits.page]
        else:
            yield from self._merge(start, limits.page, limits.looks)
        self.done = True

    def _merge(self, start: int, count: int, slice_: int) -> Iterator[None]:
        """Bring the runs together as far as the page goes, and let go of the rest: freeing it all at once takes long, too."""
        merged = merge(*self._runs, reverse=self._order.reverse)
        while start:
            start -= sum(1 for _ in islice(merged, min(start, slice_)))
            yield
        while some := list(islice(merged, min(slice_, count - len(self._shown)))):
            self._shown += some
            yield
        del merged
        while self._runs:
            self._runs.pop()
            yield

    def _read(self, count: int) -> bool:
        """Look at ``count`` entries more; whether there may be others."""
        count = min(count, self._left)
        looked_at = list(islice(self._found, count))
        self._left -= len(looked_at)
        if self._left == 0:
            self.cut = next(self._found, None) is not None
        kept = []
        for entry in self._visible(looked_at):
            self.folders += entry.is_folder
            self.files += not entry.is_folder
            self.bytes += entry.size
            kept.append(self._order.pack(entry))
        kept.sort(reverse=self._order.reverse)
        self._runs.append(kept)
        while len(self._runs) > 1 and len(self._runs[-2]) < min(2 * len(self._runs[-1]), RUN):
            latest = self._runs.pop()
            self._runs[-1] += latest
            self._runs[-1].sort(reverse=self._order.reverse)  # two runs: it merges them
        return len(looked_at) == count and self._left > 0

    def _read_no_more(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._found.close()
            os.close(fd)

    def _visible(self, found: list[os.DirEntry[str]]) -> Iterator[Entry]:
        for item in found:
            name = os.fsencode(item.name)
            if not nameable(name) or (hidden(name) and not self._root.dotfiles):
                continue
            try:
                state = item.stat(follow_symlinks=False)
                if stat.S_ISLNK(state.st_mode):
                    with self._root.child(self._folder, name) as target:
                        state = target.stat
            except RequestError as refused:
                if refused.status == 503:
                    raise  # a page that leaves out what is there because of it would be wrong
                continue
            except OSError:
                continue  # gone since it was listed, or not to be had
            folder = stat.S_ISDIR(state.st_mode)
            if self._hides is not None and self._hides(name, folder):
                continue
            modified = state.st_mtime_ns // 1_000_000_000
            if folder:
                yield Entry(name, True, 0, modified)
            elif stat.S_ISREG(state.st_mode):
                yield Entry(name, False, state.st_size, modified)
