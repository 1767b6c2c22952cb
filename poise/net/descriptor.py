"""A descriptor that others may share, read and written without waiting and without their noticing.

O_NONBLOCK is a flag of the *open file*, not of the number (fcntl(2)). What a program inherits as its standard input is
the same open file that the shell has, and the next program of the pipeline: whoever sets the flag sets it for all
of them, and a shell whose input "would block" ends (pitfall 58). Setting it and putting it back at exit is a promise
that SIGKILL breaks. So the flag of a shared open file is never touched. Instead:

* On Linux the pipe or terminal is **opened a second time** through ``/proc/self/fd``: a new open file with flags of
  its own, on the same pipe or terminal. This one is non-blocking, and every promise of a stream holds.
* Where that is refused (no /proc, a terminal that belongs to another user after ``su``, another system) the descriptor is
  used as it is, **only when the kernel has said ready, and only for so much**: PIPE_BUF bytes into a pipe, which a pipe
  that is writable takes at once (pipe(7)), and a few to a terminal, which promises nothing about how many. What remains
  is a race with other readers of the same pipe: one that takes what we were told of leaves us waiting.
* Regular files are ready always and make nobody wait for a peer. One bounded piece at a time is all that is needed.
* A descriptor that nobody else has, such as our end of a child's pipe, is simply made non-blocking: ``private``.

The master of a pseudoterminal must not be opened twice: that makes another pseudoterminal (pts(4)).
"""

from __future__ import annotations

import enum
import errno
import os
import stat
import sys
import warnings
from typing import Protocol

from poise.errors import MachineFault

PIPE_BUF = 4096  # Linux; POSIX promises 512, and the BSDs and macOS take that much whenever they say writable
TERMINAL_PIECE = 256  # Linux calls a terminal writable when less than this is waiting in it (WAKEUP_CHARS)
PTY_MASTER = os.makedev(5, 2) if sys.platform == "linux" else None  # /dev/ptmx, wherever it is mounted


class HasFileno(Protocol):
    """A file object."""

    def fileno(self) -> int:
        """Its descriptor."""

    def close(self) -> None:
        """Let go of it."""


File = int | HasFileno
"""A descriptor's number, or a file object that has one."""


class Kind(enum.Enum):
    """What a descriptor is open on."""

    PIPE = "pipe"
    TERMINAL = "terminal"
    FILE = "file"
    OTHER = "other"


class Descriptor:
    """``file``, open for reading (``os.O_RDONLY``) or writing (``os.O_WRONLY``).

    ``private`` says that nobody else has this open file. With ``closefd`` it is closed by ``close``, otherwise it stays its
    owner's. Raises OSError when ``file`` is not open, MachineFault on Windows.
    """

    __slots__ = ("_again", "_closefd", "_fd", "blocking", "file", "kind")

    def __init__(self, file: File, access: int, *, closefd: bool, private: bool) -> None:
        self.file = file
        self._again: int | None = None
        self._closefd = False  # until everything has gone well, it is the caller's to close
        if sys.platform == "win32":  # pragma: no cover - Windows has none of this
            raise MachineFault(errno.ENOSYS, "Windows cannot tell when a pipe or a console is ready")
        self._fd = file if isinstance(file, int) else file.fileno()
        self.kind = kind_of(self._fd)
        self.blocking = True
        """Whether a read or write may wait when the kernel has not said that it is ready."""
        if private:
            os.set_blocking(self._fd, False)
            self.blocking = False
        else:
            self._again = open_again(self._fd, self.kind, access)
            if self._again is not None:
                self._fd = self._again
                self.blocking = False
        self._closefd = closefd

    def fileno(self) -> int:
        """The descriptor to watch, which is not the one that was given when it could be opened again."""
        return self._fd

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, empty at the end of input. Raises BlockingIOError, OSError (read(2))."""
        try:
            return os.read(self._fd, size)
        except OSError as error:
            if error.errno == errno.EIO and self.kind is Kind.TERMINAL:
                return b""  # Linux, on the master's side: nobody has the terminal open any more
            raise

    def write(self, data: memoryview, most: int) -> int:
        """Write as much of ``data`` as cannot wait, and at most ``most`` bytes. Raises as write(2)."""
        if self.blocking and self.kind is not Kind.FILE:
            most = min(most, TERMINAL_PIECE if self.kind is Kind.TERMINAL else PIPE_BUF)
        return os.write(self._fd, data[:most])

    def close(self) -> None:
        """Close what is ours to close. Twice is no error."""
        ours = self._closefd
        self.give_back()
        if ours:
            if isinstance(self.file, int):
                os.close(self.file)
            else:
                self.file.close()

    def give_back(self) -> None:
        """Close only what was opened here; ``file`` is its owner's again."""
        self._closefd = False
        again, self._again = self._again, None
        if again is not None:
            os.close(again)

    def __del__(self) -> None:
        forgotten = self._closefd and isinstance(self.file, int)
        self.give_back()
        if forgotten:  # as sockets and files do, which speak for themselves
            warnings.warn(
                f"unclosed descriptor {self.file} ({self.kind.value})", ResourceWarning, stacklevel=2
            )
            self._closefd = True
            self.close()


def kind_of(fd: int) -> Kind:
    """Raises OSError (EBADF) when ``fd`` is not open."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode):
        return Kind.PIPE
    if stat.S_ISREG(mode):
        return Kind.FILE
    return Kind.TERMINAL if stat.S_ISCHR(mode) and os.isatty(fd) else Kind.OTHER


def open_again(fd: int, kind: Kind, access: int) -> int | None:
    """A non-blocking open file of our own on the same pipe or terminal; None where there is no way to one."""
    if sys.platform != "linux" or kind not in {Kind.PIPE, Kind.TERMINAL}:
        return None
    if os.fstat(fd).st_rdev == PTY_MASTER:
        return None
    try:
        return os.open(f"/proc/self/fd/{fd}", access | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # EACCES after su, ENOENT without /proc, EMFILE: the shared one will do
        return None
