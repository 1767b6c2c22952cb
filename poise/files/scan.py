"""Reading a folder a slice at a time, because a folder can be long and the loop has other guests.

Each slice looks at a bounded number of entries and sorts what it keeps; sorted runs are joined two by two as they grow to
the same length, so that no step of the way costs more than one merge. A link costs a walk of its own, which is why slices
are short.

An entry is kept as one ``bytes`` whose beginning is its place in the order: a hundred thousand of them are some ten
megabytes, and comparing them is the cheapest comparison that there is.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Callable, Iterator
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
        self._root = root
        self._hides = hides
        self._left = root.limits.entries
        self._order = Order(view)
        self._runs: list[list[bytes]] = []
        try:
            self._fd = os.open(b".", FOLDER_READ_FLAGS, dir_fd=folder.fd)
        except OSError as error:
            raise refusal(error) from error
        self._folder = Located(self._fd, None, is_folder=True, names=folder.names, owned=False)
        try:
            self._found = os.scandir(self._fd)
        except OSError as error:
            os.close(self._fd)
            raise refusal(error) from error

    @property
    def count(self) -> int:
        """How many entries are kept."""
        return self.folders + self.files

    def step(self, count: int) -> None:
        """Look at ``count`` entries more; once it is done it has no effect. Raises RequestError."""
        if self.done:
            return
        count = min(count, self._left)
        try:
            looked_at = list(islice(self._found, count))
            self._left -= len(looked_at)
            if self._left == 0:
                self.cut = next(self._found, None) is not None
        except OSError as error:
            self.close()
            raise refusal(error) from error
        kept = []
        for entry in self._shown(looked_at):
            self.folders += entry.is_folder
            self.files += not entry.is_folder
            self.bytes += entry.size
            kept.append(self._order.pack(entry))
        kept.sort(reverse=self._order.reverse)
        self._runs.append(kept)
        last = len(looked_at) < count or self._left == 0
        while len(self._runs) > 1 and (last or len(self._runs[-2]) < 2 * len(self._runs[-1])):
            latest = self._runs.pop()
            self._runs[-1] += latest
            self._runs[-1].sort(reverse=self._order.reverse)  # two runs: it merges them
        if last:
            self.close()

    def entries(self, start: int = 0, count: int | None = None) -> Iterator[Entry]:
        """``count`` of what was kept, in order, from ``start`` on; when the scan is done."""
        run = self._runs[0] if self._runs else []
        return map(self._order.unpack, islice(run, start, None if count is None else start + count))

    def _shown(self, found: list[os.DirEntry[str]]) -> Iterator[Entry]:
        for item in found:
            name = os.fsencode(item.name)
            if not nameable(name) or (hidden(name) and not self._root.dotfiles):
                continue
            try:
                state = item.stat(follow_symlinks=False)
                if stat.S_ISLNK(state.st_mode):
                    with self._root.child(self._folder, name) as target:
                        state = target.stat
            except (OSError, RequestError):
                continue  # gone since it was listed, or not to be had
            folder = stat.S_ISDIR(state.st_mode)
            if self._hides is not None and self._hides(name, folder):
                continue
            modified = state.st_mtime_ns // 1_000_000_000
            if folder:
                yield Entry(name, True, 0, modified)
            elif stat.S_ISREG(state.st_mode):
                yield Entry(name, False, state.st_size, modified)

    def close(self) -> None:
        """Look no further. Twice is no error."""
        if not self.done:
            self.done = True
            self._found.close()
            os.close(self._fd)
