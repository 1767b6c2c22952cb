"""One way from the root to a file, a component at a time: how :mod:`poise.files.locate` walks it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

from poise.errors import RequestError
from poise.files.located import (
    FILE_FLAGS,
    FOLDER_FLAGS,
    NEITHER,
    NOT_A_FOLDER,
    Located,
    fingerprint,
    not_found,
    refusal,
)
from poise.files.names import Names

if TYPE_CHECKING:
    from poise.files.locate import Root


class Way:
    """One way from the root to a file: the folders it stands in, and the components still to go."""

    __slots__ = (
        "asked",
        "folders",
        "links",
        "must_be_folder",
        "names",
        "passed",
        "real",
        "root",
        "strayed",
        "todo",
    )

    def __init__(self, root: Root, names: Names, *, base: Located | None = None) -> None:
        """``base`` is the open folder that holds the last of ``names``, to spare the way to it."""
        self.root = root
        self.names = names
        self.folders = [root.fd if base is None else base.fd]
        """The first one is borrowed, the others are closed at the end of the walk."""
        self.todo = list(names[:-2:-1] if base is not None else names[::-1])
        self.asked = len(self.todo)
        """How many of those the address names; those on top of them were put there by links."""
        self.real = [] if base is None else list(base.real)
        """The names from the root to the folder reached."""
        self.strayed = base is not None and base.real != base.names
        """Whether a link was followed, so that these are no longer those of the address."""
        self.passed: list[Names] = []
        """Where that has happened: the real names of what the address names after it."""
        self.links = 0
        self.must_be_folder = False

    def run(self, *, slash: bool = False) -> Located:
        """Raises as :meth:`Root.locate` does; no descriptor but the result's stays open."""
        self.must_be_folder = slash
        todo = self.todo
        located: Located | None = None
        name = b""
        try:
            while todo and located is None:
                name = todo.pop()
                if len(todo) < self.asked:
                    self.asked = len(todo)
                    if self.strayed:
                        self.passed.append((*self.real, name))
                if name == b"..":
                    self.up()
                elif todo or self.must_be_folder:
                    self.down(name)
                else:
                    located = self.last(name)
            if located is None:
                owned = len(self.folders) > 1
                fd = self.folders.pop() if owned else self.folders[0]
                located = Located(fd, None, is_folder=True, owned=owned)
        except OSError as error:
            raise refusal(error) from error
        finally:
            for fd in self.folders[1:]:
                os.close(fd)
        located.names = located.real = self.names
        located.slash = slash
        if self.strayed:
            located.real = tuple(self.real) if located.is_folder else (*self.real, name)
        if not located.is_folder:
            located.consulted = ((self.names, fingerprint(located.stat)),)
        return located

    def meets(self, hides: Callable[..., bool], *, folder: bool = True) -> bool:
        """Whether something that the address names below a folder that a link has led to is hidden by its own name.

        ``folder`` says whether the last of it is one.
        """
        *above, last = self.passed or [()]
        return any(hides(names, folder=True, itself=True) for names in above) or (
            last != () and hides(last, folder=folder, itself=True)
        )

    def up(self) -> None:
        """``..`` in a link's target. Above the root there is nothing."""
        if len(self.folders) == 1:
            raise not_found()
        os.close(self.folders.pop())
        self.real.pop()

    def down(self, name: bytes) -> None:
        """Step into the folder ``name``, or follow the link of that name."""
        try:
            fd = os.open(name, FOLDER_FLAGS, dir_fd=self.folders[-1])
        except OSError as error:
            if error.errno not in NOT_A_FOLDER:
                raise
            if self.root.symlinks == "inside":
                self.follow(name)  # EINVAL when it is no link either: a plain file, and so the end of the way
            elif (file := self.leap(name)) is not None:
                file.close()
                raise not_found() from None
            return
        self.folders.append(fd)
        self.real.append(name)
        if len(self.folders) > self.root.limits.components + 1:
            raise not_found()

    def last(self, name: bytes) -> Located | None:
        """Open the last component if it is a file; None when the walk goes on from what it is."""
        mode = os.stat(name, dir_fd=self.folders[-1], follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            self.down(name)
            return None
        if stat.S_ISLNK(mode):
            if self.root.symlinks != "inside":
                return self.leap(name)
            try:
                self.follow(name)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self.again(name)
            return None
        if not stat.S_ISREG(mode):
            raise RequestError(403, NEITHER)
        return self.file(name)

    def file(self, name: bytes, flags: int = FILE_FLAGS) -> Located | None:
        """Open what was a regular file a moment ago; None, to look again, when it no longer is."""
        try:
            fd = os.open(name, flags, dir_fd=self.folders[-1])
        except OSError as error:
            if error.errno not in NOT_A_FOLDER:
                raise
            self.again(name)
            return None
        try:
            found = os.fstat(fd)
        except OSError:
            os.close(fd)
            raise
        if stat.S_ISREG(found.st_mode):
            return Located(fd, found, is_folder=False)
        os.close(fd)
        self.again(name)
        return None

    def again(self, name: bytes) -> None:
        """Something changed between two looks. It counts as a link, so that no walk goes on for ever."""
        self.spend()
        self.todo.append(name)

    def spend(self) -> None:
        self.links += 1
        if self.links > self.root.limits.links:
            raise not_found()

    def follow(self, name: bytes) -> None:
        """Put the target of the link ``name`` on the way in its place."""
        self.spend()
        if self.folders[0] != self.root.fd:
            # The target may climb, and only a walk from the root knows the folders above.
            self.folders = [self.root.fd]
            self.todo[:] = self.names[::-1]
            self.asked = len(self.todo)
            self.real.clear()
            self.passed.clear()
            self.strayed = False
            return
        self.strayed = True
        target = os.readlink(name, dir_fd=self.folders[-1])
        names: list[bytes] | None = split(target)
        if target.startswith(b"/"):
            names = self.root.within(target)
            self.real.clear()
            while len(self.folders) > 1:
                os.close(self.folders.pop())
        if names is None:
            raise not_found()
        if not self.todo and target.endswith((b"/", b"/.")):
            self.must_be_folder = True
        self.todo.extend(reversed(names))

    def leap(self, name: bytes) -> Located | None:
        """Follow the link ``name`` wherever the kernel does; None for a folder. Where no link is followed, nowhere."""
        self.spend()
        os.readlink(
            name, dir_fd=self.folders[-1]
        )  # EINVAL when it is none, and then this is the end of the way
        if self.root.symlinks == "none":
            raise not_found()
        mode = os.stat(name, dir_fd=self.folders[-1]).st_mode
        self.strayed = True
        if stat.S_ISDIR(mode):
            fd = os.open(name, FOLDER_FLAGS & ~os.O_NOFOLLOW, dir_fd=self.folders[-1])
            self.folders.append(fd)
            inside = self.root.place_of(fd)
            self.real[:] = [*self.real, name] if inside is None else inside
            return None
        if not stat.S_ISREG(mode):
            raise RequestError(403, NEITHER)
        return self.file(name, FILE_FLAGS & ~os.O_NOFOLLOW)


def split(path: bytes) -> list[bytes]:
    """The components of a path, without the empty ones and ``.``, which name the folder they stand in."""
    return [name for name in path.split(b"/") if name not in (b"", b".")]
