"""Reading a folder a slice at a time, because a folder can be long and the loop has other guests.

Each slice looks at a bounded number of entries and sorts what it keeps; together they come out in order by merging, so that
no step of the way costs more than its share. A link costs a walk of its own, which is why slices are short.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import NamedTuple

from poise.errors import RequestError
from poise.files.locate import FILE_FLAGS, Located, Root, refusal
from poise.files.names import hidden, nameable

DIGITS = re.compile(r"[0-9]+")
FOLDER_READ_FLAGS = FILE_FLAGS | getattr(os, "O_DIRECTORY", 0)


class Entry(NamedTuple):
    """One row: a name on disk and what is told about it."""

    name: bytes
    is_folder: bool
    size: int
    """Bytes; 0 for a folder, whose own size tells a person nothing."""
    modified: float
    """Seconds since the epoch."""

    def order(self) -> tuple[bool, str, bytes]:
        """Folders first, then as a person counts: ``2.txt`` before ``10.txt``, capitals as small letters."""
        text = self.name.decode("utf-8", "replace").casefold()
        return not self.is_folder, DIGITS.sub(as_number, text), self.name


def as_number(digits: re.Match[str]) -> str:
    """The digits with their count before them: sorted as text, a longer number comes later."""
    number = digits[0].lstrip("0")
    return f"{len(number):03}{number}"


class Scan:
    """The entries of a folder that a URL below it would be answered with. Owns descriptors of its own."""

    def __init__(self, root: Root, folder: Located) -> None:
        """Raises :class:`RequestError` when the folder may not be read."""
        self.done = False
        self.cut = False
        """Whether entries were left unread because there are more than ``limits.entries``."""
        self.folders = 0
        self.files = 0
        self.bytes = 0
        self._root = root
        self._left = root.limits.entries
        self._slices: list[list[tuple[tuple[bool, str, bytes], Entry]]] = []
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
        kept = [(entry.order(), entry) for entry in self._shown(looked_at)]
        kept.sort()
        self._slices.append(kept)
        for _, entry in kept:
            self.folders += entry.is_folder
            self.files += not entry.is_folder
            self.bytes += entry.size
        if len(looked_at) < count or self._left == 0:
            self.close()

    def entries(self) -> Iterator[Entry]:
        """What was kept so far, in order."""
        return (entry for _, entry in merge(*self._slices))

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
            if stat.S_ISDIR(state.st_mode):
                yield Entry(name, True, 0, state.st_mtime)
            elif stat.S_ISREG(state.st_mode):
                yield Entry(name, False, state.st_size, state.st_mtime)

    def close(self) -> None:
        """Look no further. Twice is no error."""
        if not self.done:
            self.done = True
            self._found.close()
            os.close(self._fd)
