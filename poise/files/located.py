"""What the gate lets through, and how it says no.

``Located`` is an open descriptor with the names that led to it; :mod:`poise.files.locate` is where it is made.
"""

from __future__ import annotations

import errno
import os
from types import TracebackType

from poise.errors import RequestError
from poise.files.names import NOT_FOUND, Names

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

NEITHER = "This is neither a file nor a folder."

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

    ``names`` are the components that the URL named, links unresolved, ``real`` those below the root where it stands, as far
    as links were resolved here; ``slash`` says whether it asked for a folder. A folder's descriptor may only name it (O_PATH): open ``.`` relative to it to read it.
    """

    __slots__ = ("_owned", "_stat", "consulted", "fd", "is_folder", "names", "real", "slash")

    def __init__(
        self,
        fd: int,
        found: os.stat_result | None,
        *,
        is_folder: bool,
        names: Names = (),
        real: Names | None = None,
        slash: bool = False,
        owned: bool = True,
    ) -> None:
        self.fd = fd
        self.is_folder = is_folder
        self.names = names
        self.real = names if real is None else real
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
        """The descriptor, which the caller owns from now on. RequestError when there are none left."""
        try:
            fd = self.fd if self._owned else os.dup(self.fd)
        except OSError as error:
            raise refusal(error) from error
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
