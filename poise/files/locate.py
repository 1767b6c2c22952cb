"""The one gate from a URL to content: what it lets through is an open descriptor, never a path.

What can be attacked is the time between looking and opening, and the kernel's own readiness to follow a
link anywhere. So nothing here hands the kernel more than one component at a time:

* Each component is opened relative to the folder before it (``dir_fd``) with ``O_NOFOLLOW``. A folder that
  is swapped for a link in the meantime is not followed; a folder that is moved away stays the folder that
  was reached from the root. The kernel never sees ``..``, an absolute path or a slash.
* Symbolic links are resolved here. A relative target goes back on the stack of components still to walk;
  ``..`` in it closes the folder walked last, and fails at the root. An absolute target is taken only when it
  begins with the root's own path, and is walked from the root. One that leaves is *not found*, without
  any look at what is there: the answer is the same whether or not it exists.
* Only a regular file or a folder is opened. The last component is looked at first (``fstatat``), since
  opening a device can do something and opening a FIFO wakes its writer; after the opening ``fstat`` has the
  last word, and a type that changed in between means looking again. ``O_NONBLOCK`` keeps the loop alive when
  a FIFO was swapped in.
* A dot-file is refused by name, when the URL says it. A link to one is its owner's word and is followed:
  Kubernetes mounts every volume as ``name -> ..data/name -> ..2026_11_23/name``.

A file in the root costs three system calls (fstatat, openat, fstat) and each folder on the way two (openat,
close); nothing is looked at twice.

``consulted`` records what the answer hangs on: the file that was found with its fingerprint, and what was
looked for in vain. Folders on the way are not in it. They are walked anew each time, and that some other file
appears in one of them changes no answer.
"""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType

from poise.errors import MachineFault, RequestError
from poise.files.names import NOT_FOUND, Names, names_of
from poise.limits import FileLimits

Fingerprint = tuple[int, int, int, int, int, int]
"""Device, inode, size, mtime_ns, ctime_ns, mode. ctime tells even when mtime was set back by hand."""

Consulted = tuple[tuple[Names, Fingerprint | None], ...]
"""Every path that an answer hangs on, and how it was found; None where nothing was."""

ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EMLINK, errno.ENAMETOOLONG, errno.EINVAL})
"""What a path that leads nowhere gives. BSD says EMLINK where O_NOFOLLOW meets a link."""

FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.ENXIO})
"""ENXIO: a socket or an unplugged device was swapped in before the opening."""

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})

NOT_A_FOLDER = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EMLINK})
"""What O_NOFOLLOW gives for a link, by platform and flags; O_DIRECTORY gives it for a plain file too."""

SUPPORTED = {os.open, os.stat, os.readlink} <= os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")

FILE_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
)

FOLDER_FLAGS = FILE_FLAGS | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
"""With O_PATH a folder needs no read permission to be walked through, as for any other program."""


def fingerprint(found: os.stat_result) -> Fingerprint:
    """What must be the same for a file to count as unchanged."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode


def not_found() -> RequestError:
    """The 404 of this gate. There is only one: nothing in it tells why."""
    return RequestError(404, NOT_FOUND)


def refusal(error: OSError) -> RequestError:
    """What a failed system call on the way to a file means to the client."""
    if error.errno in ABSENT:
        return not_found()
    if error.errno in FORBIDDEN:
        return RequestError(403, "This may not be read.")
    if error.errno in EXHAUSTED:
        return RequestError(503, "The server has too many files open at the moment. Please try again.")
    return RequestError(500, "This could not be read.")


class Located:
    """A regular file or a folder inside the root, open. Owns its descriptor until :meth:`detach`.

    ``names`` are the components that the URL named, links unresolved; ``slash`` says whether it asked for a
    folder. A folder's descriptor may only name it (O_PATH): open ``.`` relative to it to read it.
    """

    __slots__ = ("_owned", "_stat", "consulted", "fd", "is_folder", "names", "slash")

    def __init__(
        self,
        fd: int,
        found: os.stat_result | None,
        *,
        is_folder: bool,
        names: Names = (),
        slash: bool = False,
        owned: bool = True,
    ) -> None:
        self.fd = fd
        self.is_folder = is_folder
        self.names = names
        self.slash = slash
        self.consulted: Consulted = ()
        self._stat = found
        self._owned = owned

    @property
    def stat(self) -> os.stat_result:
        """As found when a file was opened; a folder's is asked for when first needed."""
        if self._stat is None:
            self._stat = os.fstat(self.fd)
        return self._stat

    def detach(self) -> int:
        """The descriptor, which the caller owns from now on."""
        fd = self.fd if self._owned else os.dup(self.fd)
        self.fd = -1
        return fd

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0 and self._owned:
            os.close(fd)

    def __enter__(self) -> Located:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Located {'folder' if self.is_folder else 'file'} {b'/'.join(self.names)!r} fd={self.fd}>"


class Root:
    """A folder that is served: opened once, so that renaming it later changes nothing."""

    def __init__(
        self, path: str | os.PathLike[str], *, dotfiles: bool = False, limits: FileLimits | None = None
    ) -> None:
        """Raises :class:`MachineFault` when the folder cannot be opened or the system cannot hold it safe."""
        if not SUPPORTED:
            raise MachineFault(
                "this system cannot open a file relative to a folder without following links"
                " (dir_fd, O_NOFOLLOW), so folders cannot be served safely on it"
            )
        self.dotfiles = dotfiles
        self.limits = limits or FileLimits()
        try:
            self._fd = os.open(path, FOLDER_FLAGS & ~os.O_NOFOLLOW)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MachineFault(f"cannot serve the folder {os.fspath(path)!r}: {reason}") from error
        real, given = os.path.realpath(path), os.path.abspath(path)
        self._prefixes = [split(os.fsencode(real))]
        if os.path.realpath(given) == real:
            self._prefixes.append(split(os.fsencode(given)))

    def close(self) -> None:
        """Let go of the folder; may be repeated. What was located in it stays open."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Root:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def locate(self, path: str) -> Located:
        """Open what ``path``, the still percent-encoded path of a request, names.

        Raises :class:`RequestError`: 400 for a path that breaks a rule of :mod:`poise.files.names`, 404 for
        what is not there or not inside, 403 for what may not be read or is neither file nor folder, 503 when
        the system is out of descriptors, 500 for a failing disk.
        """
        names, slash = names_of(path, dotfiles=self.dotfiles)
        return self.open(names, slash=slash)

    def child(self, folder: Located, name: bytes) -> Located:
        """Open ``name``, one plain component, in ``folder``. Raises as :meth:`locate` does."""
        return Walk(self, (*folder.names, name), base=folder.fd).run()

    def open(self, names: Names, *, slash: bool = False) -> Located:
        """Open what ``names`` lead to; with ``slash`` only a folder counts. Raises as :meth:`locate` does."""
        return Walk(self, names).run(slash=slash)

    @property
    def fd(self) -> int:
        """The open folder's descriptor, -1 once it is closed."""
        return self._fd

    def within(self, target: bytes) -> list[bytes] | None:
        """The components below the root that an absolute link target names; None when it is outside."""
        names = split(target)
        for prefix in self._prefixes:
            if names[: len(prefix)] == prefix:
                return names[len(prefix) :]
        return None


class Walk:
    """One way from the root to a file: the folders it stands in, and the components still to go."""

    __slots__ = ("folders", "links", "must_be_folder", "names", "root", "todo")

    def __init__(self, root: Root, names: Names, *, base: int | None = None) -> None:
        """``base`` is the open folder that holds the last of ``names``, to spare the way to it."""
        self.root = root
        self.names = names
        self.folders = [root.fd if base is None else base]
        """The first one is borrowed, the others are closed at the end of the walk."""
        self.todo = list(names[:-2:-1] if base is not None else names[::-1])
        self.links = 0
        self.must_be_folder = False

    def run(self, *, slash: bool = False) -> Located:
        """Raises as :meth:`Root.locate` does; no descriptor but the result's stays open."""
        self.must_be_folder = slash
        todo = self.todo
        located: Located | None = None
        try:
            while todo and located is None:
                name = todo.pop()
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
        located.names, located.slash = self.names, slash
        if not located.is_folder:
            located.consulted = ((self.names, fingerprint(located.stat)),)
        return located

    def up(self) -> None:
        """``..`` in a link's target. Above the root there is nothing."""
        if len(self.folders) == 1:
            raise not_found()
        os.close(self.folders.pop())

    def down(self, name: bytes) -> None:
        """Step into the folder ``name``, or follow the link of that name."""
        try:
            fd = os.open(name, FOLDER_FLAGS, dir_fd=self.folders[-1])
        except OSError as error:
            if error.errno not in NOT_A_FOLDER:
                raise
            self.follow(name)  # EINVAL when it is no link either: a plain file, and so the end of the way
            return
        self.folders.append(fd)
        if len(self.folders) > self.root.limits.components + 1:
            raise not_found()

    def last(self, name: bytes) -> Located | None:
        """Open the last component if it is a file; None when the walk goes on from what it is."""
        mode = os.stat(name, dir_fd=self.folders[-1], follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            self.down(name)
            return None
        if stat.S_ISLNK(mode):
            try:
                self.follow(name)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self.again(name)
            return None
        if not stat.S_ISREG(mode):
            raise RequestError(403, "This is neither a file nor a folder.")
        return self.file(name)

    def file(self, name: bytes) -> Located | None:
        """Open what was a regular file a moment ago; None, to look again, when it no longer is."""
        try:
            fd = os.open(name, FILE_FLAGS, dir_fd=self.folders[-1])
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
            return
        target = os.readlink(name, dir_fd=self.folders[-1])
        names: list[bytes] | None = split(target)
        if target.startswith(b"/"):
            names = self.root.within(target)
            while len(self.folders) > 1:
                os.close(self.folders.pop())
        if names is None:
            raise not_found()
        if not self.todo and target.endswith((b"/", b"/.")):
            self.must_be_folder = True
        self.todo.extend(reversed(names))


def split(path: bytes) -> list[bytes]:
    """The components of a path, without the empty ones and ``.``, which name the folder they stand in."""
    return [name for name in path.split(b"/") if name not in (b"", b".")]
