"""Open descriptors on their way through a unix socket: SCM_RIGHTS (unix(7), sendmsg(2), recvmsg(2), cmsg(3)).

Facts that it relies on:

* They travel with bytes of the stream, with the first of the ``sendmsg`` that carried them, whatever part of its bytes the
  kernel took. So they are given to it once, and what is left of the bytes follows without them.
* The kernel has its own reference to each open file from ``sendmsg`` on; the sender may close its descriptors at once.
* A read stops behind the first bytes that carried descriptors, so that those of two messages are never mixed; bytes
  without any may stand in front of them.
* Whoever reads without asking for descriptors gets none, and the kernel closes them.
* It passes no more than 253 at once (SCM_MAX_FD). What the receiver has no room for, in its buffer or among its open files,
  the kernel closes, and says so (MSG_CTRUNC).
"""

from __future__ import annotations

import errno
import os
import socket
from array import array
from collections.abc import Iterable

from poise.errors import MachineFault, PeerFault, ProgramFault
from poise.net.kernel import NO_SIGNAL
from poise.net.outgoing import Part

# Each that waits counts as so many bytes: a queue of a few bytes must not keep thousands of files open.
DESCRIPTOR_COST = 1024

SUPPORTED = hasattr(socket, "SCM_RIGHTS") and hasattr(socket.socket, "sendmsg")
CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)

TOO_MANY_ON_THEIR_WAY = "too many descriptors are on their way to processes that have not received them yet"


def check(connected: socket.socket) -> None:
    """Raises MachineFault where the system passes no descriptors, ProgramFault for what is no unix socket."""
    if not SUPPORTED:
        raise MachineFault(errno.EOPNOTSUPP, "this system does not pass descriptors between processes")
    if connected.family != socket.AF_UNIX:
        raise ProgramFault("descriptors travel over unix sockets only: they mean nothing on another machine")


def can_come(connected: socket.socket) -> bool:
    """Whether descriptors can come over this socket."""
    return SUPPORTED and connected.family == socket.AF_UNIX


def close_all(fds: Iterable[int]) -> None:
    """Close each; one that is closed already is no error."""
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass


class DescriptorPart(Part):
    """Bytes that carry descriptors. The descriptors are borrowed until ``keep``."""

    __slots__ = ("_data", "_fds", "_kept")

    def __init__(self, data: bytes | bytearray | memoryview, fds: Iterable[int], most: int) -> None:
        """ValueError for no data or more than ``most``, TypeError or OSError (EBADF) for what is no descriptor."""
        self._data = memoryview(data).cast("B")
        self._fds = array("i", fds)
        self._kept = False
        if not self._data:
            raise ValueError("descriptors travel with bytes: at least one")
        if len(self._fds) > most:
            raise ValueError(f"{len(self._fds)} descriptors at once, and {most} may travel together")
        for fd in self._fds:
            os.fstat(fd)

    def __len__(self) -> int:
        return len(self._data) + DESCRIPTOR_COST * len(self._fds)

    def keep(self) -> None:
        """It has to wait: nothing of it may change meanwhile. Raises MachineFault (EMFILE)."""
        kept = array("i")
        try:
            for fd in self._fds:
                kept.append(os.dup(fd))
        except OSError as error:
            close_all(kept)
            raise MachineFault(
                error.errno, f"no descriptor could be kept until it can be sent: {error.strerror}"
            ) from error
        self._fds = kept
        self._kept = True
        self._data = memoryview(bytes(self._data))

    def send(self, to: socket.socket, size: int) -> int:
        """Hand at most ``size`` bytes to the kernel, and with the first of them the descriptors."""
        if self._fds:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, self._fds)]
            sent = to.sendmsg([self._data[:size]], ancillary, NO_SIGNAL)
            self.close()
        else:
            sent = to.send(self._data[:size], NO_SIGNAL)
        self._data = self._data[sent:]
        return sent

    def close(self) -> None:
        """Let go of the descriptors. Twice is no error."""
        if self._kept:
            close_all(self._fds)
        self._fds = array("i")


def receive(connected: socket.socket, size: int, most: int) -> tuple[bytes, list[int]]:
    """At most ``size`` bytes and the descriptors that came with them, which are closed on exec.

    Raises PeerFault when there were more than ``most``, MachineFault when the system could not open them all
    (EMFILE): what it did open is closed again. Otherwise what recvmsg(2) says.
    """
    # Descriptors are received even when the data is empty of them; the buffer's size is rounded up (cmsg(3)).
    data, ancillary, flags, _ = connected.recvmsg(
        size, socket.CMSG_SPACE(most * array("i").itemsize), CLOSE_ON_EXEC
    )
    truncated = flags & socket.MSG_CTRUNC
    if not ancillary and not truncated:
        return data, []
    fds = _descriptors(ancillary)
    if truncated or len(fds) > most:
        close_all(fds)
        if len(fds) >= most:
            raise PeerFault(f"the peer sent more than {most} descriptors at once")
        raise MachineFault(
            errno.EMFILE,
            "the peer's descriptors could not be opened: this process may have no more (ulimit -n)",
        )
    return data, fds


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds = array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    if not CLOSE_ON_EXEC:
        for fd in fds:
            os.set_inheritable(fd, False)
    return fds.tolist()
