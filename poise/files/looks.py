"""Is all that an answer hangs on still as it was? One look at each file, and one at each folder for all that is in it.

A thousand files of a folder are looked at twice a second each, and each time the way to them would be walked again, which costs
more than the look itself. So what was seen to be a folder, and no link, counts as one until the end of the *period* in
which it was seen (``FileLimits.fresh_until``), as everything does that was looked at in it: no look is older than the
freshness when it is gone by, neither a file's nor a folder's.

Within a period the kernel is given the path of such a file as a whole. Should somebody put a link in the place of a folder
meanwhile, the look follows it; but what it finds there is compared and nothing else, and it is the same only if it is the
same file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

from poise.files.locate import Root
from poise.files.located import Consulted, fingerprint
from poise.files.names import Names
from poise.limits import FileLimits

if TYPE_CHECKING:
    from poise.loop.reactor import Reactor

FOLDERS = 4096
"""Folders that files can share; when there are more they start anew, and what looked at the former ones keeps them."""


class Still:
    """A time for those who have none: it never comes, so nothing that was looked at counts again."""

    now = 0.0


class Looks:
    """Looks below ``root``. Without ``time``, which is a reactor, nobody's look is another's."""

    def __init__(self, root: Root, limits: FileLimits, time: Reactor | None = None) -> None:
        self.root = root
        self.limits = limits if time is not None else limits.but(freshness=0)
        self.time: Reactor | Still = time if time is not None else Still()
        self._folders: dict[Names, Folder] = {}

    def at(self, consulted: Consulted, otherwise: Callable[[], bool] | None = None) -> Callable[[], bool]:
        """What looks whether all of ``consulted`` is as it was. Where that cannot be shown, ``otherwise`` says."""
        return Look(self, consulted, otherwise) if consulted else nothing_changes

    def folder(self, names: Names) -> Folder | None:
        """The one that ``names`` lead to; None for the root, which is open and stays what it is."""
        if not names:
            return None
        found = self._folders.get(names)
        if found is None:
            above = self.folder(names[:-1])
            if len(self._folders) >= FOLDERS:
                self._folders.clear()
            found = self._folders[names] = Folder(above, b"/".join(names))
        return found


def nothing_changes() -> bool:
    """What an answer says that hangs on no file."""
    return True


class Folder:
    """A folder on the way to files, by its path below the root."""

    __slots__ = ("_above", "_path", "until")

    def __init__(self, above: Folder | None, path: bytes) -> None:
        self._above = above
        self._path = path
        self.until = 0.0
        """It need not be looked at before this monotonic time."""

    def stands(self, looks: Looks) -> bool:
        """Whether it is a folder still, and so is each above it. Raises OSError when one is not there."""
        above, now = self._above, looks.time.now
        if above is not None and above.until <= now and not above.stands(looks):
            return False
        if not stat.S_ISDIR(os.stat(self._path, dir_fd=looks.root.fd, follow_symlinks=False).st_mode):
            return False
        self.until = looks.limits.fresh_until(now)
        return True


class Look:
    """Looks whether what was ``consulted`` is as it was; what it does not find so is left to ``otherwise``, and is then False.

    What stands behind a link, for one, takes a walk to be found. A look is a system call, and one for each folder on the way in
    each period.
    """

    __slots__ = ("_before", "_folder", "_looks", "_next", "_otherwise", "_path")

    def __init__(
        self, looks: Looks, consulted: Consulted, otherwise: Callable[[], bool] | None = None
    ) -> None:
        """One of what was consulted is looked at here, and the others by a chain of its kind."""
        (names, self._before), *others = consulted
        self._looks = looks
        self._folder = looks.folder(names[:-1])
        self._path = b"/".join(names)
        self._next = Look(looks, tuple(others)) if others else None
        self._otherwise = otherwise

    def __call__(self) -> bool:
        looks, folder, following = self._looks, self._folder, self._next
        try:
            if folder is None or folder.until > looks.time.now or folder.stands(looks):
                now = fingerprint(os.stat(self._path, dir_fd=looks.root.fd, follow_symlinks=False))
                if now == self._before and (following is None or following()):
                    return True
        except FileNotFoundError:
            if self._before is None and (following is None or following()):
                return True
        except OSError:
            pass
        return self._otherwise is not None and self._otherwise()
