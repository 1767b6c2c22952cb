"""Is all that an answer hangs on still as it was? One look at each file, and one at each folder for all that is in it.

A thousand files of a folder are looked at twice a second each, and each time the way to them would be walked again, which costs
more than the look itself. So what was seen to be a folder, and no link, counts as one until the end of the *period* in
which it was seen (``FileLimits.fresh_until``), as everything does that was looked at in it: no look is older than the
freshness when it is gone by, neither a file's nor a folder's.

Within a period the kernel is given the path of such a file as a whole. Should somebody put a link in the place of a folder
meanwhile, the look follows it; but what it finds there is compared and nothing else, and it is the same only if it is the
same file.

Some need no look, as long as their folder is as it was:

* a name that was not there when the folder had been at rest: a name that comes changes the folder's times
  (:mod:`poise.files.absent` says where that can be relied on);
* a file of which the kernel tells that nothing happens to it (:mod:`poise.files.telling`). It is asked to when there is much to look at, and
  for those files that were the same a few times in a row.

Now and again (``told_for``) they are looked at all the same, for whatever changes a file or a folder without a word.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from poise.files.entity import settled
from poise.files.locate import Root
from poise.files.located import Consulted, Fingerprint, fingerprint
from poise.files.names import Names
from poise.limits import FileLimits

if TYPE_CHECKING:
    from poise.files.telling import Teller, Watch
    from poise.loop.reactor import Reactor

FOLDERS = 4096
"""Folders that files can share; when there are more they start anew, and what looked at the former ones keeps them."""

PATIENCE = 4
"""Looks in a row that find a file as it was, before the kernel is asked to tell of it; twice as many each time that it is asked …"""

LONGEST = 1024
"""… and at most so many."""

WINDOW = 1.0
"""Seconds over which looks are counted, to see whether they are many."""


class Still:
    """A time for those who have none: it never comes, so nothing that was looked at counts again."""

    now = 0.0


class Looks:
    """Looks below ``root``. Without ``time``, which is a reactor, nobody's look is another's."""

    def __init__(self, root: Root, limits: FileLimits, time: Reactor | None = None) -> None:
        self.root = root
        self.limits = limits if time is not None else limits.but(freshness=0)
        self.time: Reactor | Still = time if time is not None else Still()
        self.wall: Callable[[], float] = time.clock.wall if time is not None else lambda: 0.0
        self.learns = self.limits.freshness > 0
        """Whether a look may spare another."""
        self.era = 0
        """Rises when any path may have come to lead elsewhere."""
        self.until = 0.0
        """The end of the period in which was looked last."""
        self.known_until = 0.0
        """Until when what is not looked at now need not be; one object for all of a period."""
        self._folders: dict[Names, Folder] = {}
        self._teller: Teller | None = None
        self._may_tell = self.limits.told_files > 0
        self._count, self._since = 0, self.time.now

    def at(self, consulted: Consulted, otherwise: Callable[[], bool] | None = None) -> Callable[[], bool]:
        """What looks whether all of ``consulted`` is as it was. Where that cannot be shown, ``otherwise`` says."""
        return Look(self, consulted, otherwise) if consulted else nothing_changes

    def folder(self, names: Names) -> Folder:
        """The one that ``names`` lead to."""
        found = self._folders.get(names)
        if found is None:
            above = self.folder(names[:-1]) if names else None
            if len(self._folders) >= FOLDERS:
                self._folders.clear()
            found = self._folders[names] = Folder(self, above, b"/".join(names))
        return found

    @cached_property
    def home(self) -> tuple[int, str]:
        """The device of the root, and the kind of its file system: what is mounted below it is another's."""
        from poise.files.absent import file_system

        device = os.fstat(self.root.fd).st_dev
        return device, file_system(device)

    def begin(self, now: float) -> None:
        """A new period: hear what the kernel has to tell, before anything is gone by in it."""
        if self._teller is not None:
            try:
                self.era += self._teller.hear()
            except OSError:
                self._teller.close()
                self._teller = None
        self.until, self.known_until = self.limits.fresh_until(now), now + self.limits.told_for

    def teller(self) -> Teller | None:
        """Who asks the kernel to tell of files; None where there is too little to look at, or nothing is told."""
        self._count += 1
        if self._may_tell and (passed := self.time.now - self._since) >= WINDOW:
            if self._count >= self.limits.told_from * passed:
                self._may_tell = False
                self._begin_telling()
            self._count, self._since = 0, self.time.now
        return self._teller

    def doubt(self, before: Fingerprint | None) -> None:
        """A file is no longer as it was ``before``; should the kernel not have told that, it is not relied on."""
        if self._teller is not None and before is not None:
            self._teller.doubt(before)

    def _begin_telling(self) -> None:
        try:
            from poise.files.telling import BELIEVED, Teller

            device, kind = self.home
            if kind in BELIEVED:
                self._teller = Teller(self.root, device, self.limits.told_files)
                self.root.also(self._teller.close)
        except (ImportError, OSError):
            pass  # so one looks, as on other systems


def nothing_changes() -> bool:
    """What an answer says that hangs on no file."""
    return True


class Folder:
    """A folder on the way to files, by its path below the root."""

    __slots__ = ("_above", "_era", "_path", "_seen", "at_rest", "looks", "time", "until", "version")

    def __init__(self, looks: Looks, above: Folder | None, path: bytes) -> None:
        self.looks = looks
        self.time = looks.time
        self._above = above
        self._path = path or b"."
        self._seen: Fingerprint | None = None
        self._era = 0
        self.version = 0
        """Rises when it has changed, or is another, or when a file in it has changed of which is told; 0 when it was never looked at."""
        self.at_rest = False
        """Whether a name that comes or goes from now on makes another version of it."""
        self.until = 0.0
        """It need not be looked at before this monotonic time."""

    def stands(self) -> bool:
        """Whether it is a folder still, and so is each above it. Raises OSError when one is not there."""
        looks, above, now = self.looks, self._above, self.time.now
        if looks.until <= now:
            looks.begin(now)
        if above is None:
            if not self.version:  # the root is open and stays what it is, and nobody goes by its version
                self.until = looks.until
                return True
        elif above.until <= now and not above.stands():
            return False
        found = os.stat(self._path, dir_fd=looks.root.fd, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
            return False
        if looks.learns:
            self._compare(found)
        self.until = looks.until
        return True

    def _compare(self, found: os.stat_result) -> None:
        """Has it changed since it was looked at last?"""
        looks, seen = self.looks, fingerprint(found)
        if seen != self._seen or looks.era != self._era:
            self._seen, self._era, self.at_rest = seen, looks.era, False
            self.version += 1
        if not self.at_rest and settled(found, looks.wall()):
            from poise.files.absent import PROMISING

            device, kind = looks.home
            self.at_rest = found.st_dev == device and kind in PROMISING


class Look:
    """Looks whether what was ``consulted`` is as it was; what it does not find so is left to ``otherwise``, and is then False.

    What stands behind a link, for one, takes a walk to be found. A look is a system call, and one for each folder on the way in
    each period; what is known not to have changed takes none.
    """

    __slots__ = (
        "_before",
        "_folder",
        "_known",
        "_left",
        "_next",
        "_otherwise",
        "_path",
        "_patience",
        "_until",
        "_watch",
    )

    def __init__(
        self, looks: Looks, consulted: Consulted, otherwise: Callable[[], bool] | None = None
    ) -> None:
        """One of what was consulted is looked at here, and the others by a chain of its kind."""
        (names, self._before), *others = consulted
        self._folder = looks.folder(names[:-1])
        self._path = b"/".join(names)
        self._next = Look(looks, tuple(others)) if others else None
        self._otherwise = otherwise
        self._known = 0  # the version of the folder in which no look is needed …
        self._until = 0.0  # … before this monotonic time
        self._watch: Watch | None = None
        self._left = self._patience = PATIENCE

    def __call__(self) -> bool:
        folder, following = self._folder, self._next
        now = folder.time.now
        try:
            if folder.until > now or folder.stands():
                if self._known == folder.version and self._until > now:
                    if following is None or following():
                        return True
                else:
                    looks = folder.looks
                    found = fingerprint(os.stat(self._path, dir_fd=looks.root.fd, follow_symlinks=False))
                    if found != self._before:
                        looks.doubt(self._before)
                    elif following is None or following():
                        if looks.learns and self._is_told(looks, found):
                            self._go_by(folder)
                        return True
        except FileNotFoundError:
            if self._before is None and (following is None or following()):
                if folder.looks.learns:
                    self._go_by(folder)
                return True
        except OSError:
            pass
        return self._otherwise is not None and self._otherwise()

    def _is_told(self, looks: Looks, found: Fingerprint) -> bool:
        """Whether the kernel tells when something happens to the file, which is as it was."""
        teller, watch = looks.teller(), self._watch
        if teller is None:
            return False
        if watch is None or not watch.quiet:
            self._left -= 1
            if self._left > 0:
                return False
            self._left = self._patience = min(2 * self._patience, LONGEST)
            watch = self._watch = teller.watch(self._path, found, self._folder, looks.time.now)
            if watch is None:
                return False
        teller.keep(watch, looks.known_until)
        return True

    def _go_by(self, folder: Folder) -> None:
        """Look no more as long as ``folder`` is as it is; a name that is not there needs one that has been at rest."""
        if not folder.version:
            folder.version = 1  # somebody goes by it from now on
            folder.until = 0.0
        elif self._before is not None or folder.at_rest:
            self._known, self._until = folder.version, folder.looks.known_until
