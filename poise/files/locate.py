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
* Whoever serves a folder may want every link followed, as the kernel would, or none. Both are said when the root is made.

A file in the root costs three system calls (fstatat, openat, fstat) and each folder on the way two (openat,
close); nothing is looked at twice.

``consulted`` records what the answer hangs on: the file that was found with its fingerprint, and what was
looked for in vain. Folders on the way are not in it. They are walked anew each time, and that some other file
appears in one of them changes no answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType

from poise.errors import MachineFault, RequestError
from poise.files.located import FOLDER_FLAGS, Located, not_found
from poise.files.names import Names, names_of
from poise.files.way import Way, split
from poise.limits import FileLimits

SUPPORTED = {os.open, os.stat, os.readlink} <= os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")

Hides = Callable[..., bool]
"""``hides(names, folder=…)``: is this to be answered as if it were not there? With ``itself=True``: by its own name, wherever
it stands?"""


class Root:
    """A folder that is served: opened once, so that renaming it later changes nothing."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        dotfiles: bool = False,
        symlinks: str = "inside",
        hides: Hides | None = None,
        limits: FileLimits | None = None,
    ) -> None:
        """``symlinks`` says which links are followed: those that stay ``inside``, ``all``, or ``none``.

        ``hides(names, folder=…)`` tells what is answered as if it were not there. Raises :class:`MachineFault` when the
        folder cannot be opened or the system cannot hold it safe.
        """
        if not SUPPORTED:
            raise MachineFault(
                "this system cannot open a file relative to a folder without following links"
                " (dir_fd, O_NOFOLLOW), so folders cannot be served safely on it"
            )
        self.dotfiles = dotfiles
        self.symlinks = symlinks
        self.hides = hides
        self.limits = limits or FileLimits()
        try:
            self.fd = os.open(path, FOLDER_FLAGS & ~os.O_NOFOLLOW)
            """The open folder's descriptor, -1 once it is closed."""
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MachineFault(f"cannot serve the folder {os.fspath(path)!r}: {reason}") from error
        self._also: list[Callable[[], object]] = []
        real, given = os.path.realpath(path), os.path.abspath(path)
        self._prefixes = [split(os.fsencode(real))]
        if os.path.realpath(given) == real:
            self._prefixes.append(split(os.fsencode(given)))

    def close(self) -> None:
        """Let go of the folder; may be repeated. What was located in it stays open."""
        for close in self._also:
            close()
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def also(self, close: Callable[[], object]) -> None:
        """Call ``close()``, which may be repeated, whenever the folder is let go of."""
        self._also.append(close)

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
        way = Way(self, (*folder.names, name), base=folder)
        return way.run() if self.hides is None else self._shown(way, self.hides)

    def open(self, names: Names, *, slash: bool = False, hidden: bool = False) -> Located:
        """Open what ``names`` lead to; with ``slash`` only a folder counts. Raises as :meth:`locate` does.

        ``hidden`` opens what is hidden, too: for what the owner has named.
        """
        way = Way(self, names)
        return (
            way.run(slash=slash)
            if self.hides is None or hidden
            else self._shown(way, self.hides, slash=slash)
        )

    def lacks(self, path: bytes) -> bool:
        """Whether ``path``, plain names with a slash before each, surely leads to nothing. False proves nothing."""
        fd, name = self.fd, path[1:]
        try:
            while b"/" in name:
                folder, _, name = name.partition(b"/")
                outer, fd = fd, os.open(folder, FOLDER_FLAGS, dir_fd=fd)
                if outer != self.fd:
                    os.close(outer)
            os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        finally:
            if fd != self.fd:
                os.close(fd)
        return False

    def _shown(self, way: Way, hides: Hides, *, slash: bool = False) -> Located:
        """What is at the end of ``way``, unless it is hidden; nothing of what is hidden tells that it is there."""
        try:
            found = way.run(slash=slash)
        except RequestError as error:
            if error.status == 403 and (hides(way.names) or way.meets(hides)):
                raise not_found() from None
            raise
        folder = found.is_folder
        if hides(found.names, folder=folder) or way.meets(hides, folder=folder):
            found.close()
            raise not_found()
        return found

    def place_of(self, fd: int) -> list[bytes] | None:
        """The components below the root of a folder that the kernel has found; None outside, and where it does not tell."""
        try:
            return self.within(os.readlink(b"/proc/self/fd/%d" % fd))
        except OSError:  # proc(5) is Linux, and need not be mounted
            return None

    def within(self, target: bytes) -> list[bytes] | None:
        """The components below the root that an absolute link target names; None when it is outside."""
        names = split(target)
        for prefix in self._prefixes:
            if names[: len(prefix)] == prefix:
                return names[len(prefix) :]
        return None
