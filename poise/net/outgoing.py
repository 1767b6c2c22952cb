"""What waits to be sent: bytes, parts of files and whatever else leaves by a call of its own, in order, with one count.

A piece leaves the queue after the kernel took it, never before: a send that fails with EAGAIN has taken
nothing (pitfall 12), and one that was partial is continued by offset, without copying the rest.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from poise.errors import PoiseError
from poise.loop.reactor import Reactor
from poise.net.kernel import NO_SIGNAL, UNIX
from poise.net.readahead import ReadAhead, close
from poise.net.stall import Stall

if TYPE_CHECKING:
    from typing import Self

# sendfile(2): the file system, the kind of socket or the platform cannot do it; nothing was sent.
CANNOT = frozenset(
    {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTSOCK, errno.EOVERFLOW}
)
HAS_SENDMSG = hasattr(socket.socket, "sendmsg")  # Windows has not
BUFFERS_PER_CALL = 64  # far under IOV_MAX of Linux and the BSDs (1024)
CORK = getattr(socket, "TCP_CORK", None)  # Linux
CORKED_FROM = 512 * 1024  # bytes of a file whose sending is worth two more system calls
READ_SIZE = 64 * 1024  # of the fallback: one read must not hold the loop longer than one write does


class Part:
    """What leaves the queue by a call of its own. Its length is what it counts, 0 when all of it has left."""

    __slots__ = ()

    def __len__(self) -> int:
        raise NotImplementedError

    def is_ready(self, size: int, then: Callable[[], object]) -> bool:
        """Whether its next ``size`` bytes are at hand. If they are not, ``then()`` is called once they are."""
        del size, then
        return True

    def send(self, to: socket.socket, size: int) -> int:
        """Hand at most ``size`` bytes to the kernel and return how many it took. Raises OSError."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what it owns. Twice is no error."""
        raise NotImplementedError


class NoSendfile(Exception):
    """The kernel cannot send this file to this socket by itself."""


class Truncated(PoiseError, EOFError, OSError):
    """The file became shorter while it was being sent."""


class FilePart(Part):
    """``count`` bytes of the open file ``fd`` from ``offset``. It owns the descriptor.

    With ``ahead``, what is not in memory is fetched beside the loop.

    To sendfile(2) a file is pages, and each few of them would leave as soon as they can: a large file is sent with the
    socket corked (tcp(7), TCP_CORK), in full packets, at two thirds of the cost.
    """

    __slots__ = ("ahead", "corked", "count", "fd", "offset", "plain")

    def __init__(self, fd: int, offset: int, count: int) -> None:
        """ValueError for what is no ``offset`` or ``count``, OSError for no descriptor: before anything is queued."""
        if not (isinstance(offset, int) and isinstance(count, int) and offset >= 0 and count >= 0):
            os.close(fd)
            raise ValueError(
                f"a part of a file has an offset and a count of at least 0, not {offset!r} and {count!r}"
            )
        os.fstat(fd)
        self.fd = fd
        self.offset = offset
        self.count = count
        self.plain = not hasattr(os, "sendfile")
        self.corked: bool | None = None  # None: it was not tried
        self.ahead: ReadAhead | None = None

    def __len__(self) -> int:
        return self.count

    def fetched_by(self, reactor: Reactor, window: int) -> Self:
        """Have ``reactor`` fetch ``window`` bytes at a time, when they are not in memory."""
        self.ahead = ReadAhead(reactor, self.fd, self.offset, self.offset + self.count, window)
        return self

    def is_ready(self, size: int, then: Callable[[], object]) -> bool:
        return self.ahead is None or self.ahead.has(self.offset, size, then)

    def send(self, to: socket.socket, size: int) -> int:
        """By sendfile(2), or through the program where that cannot be done. Raises Truncated, and what send(2) says."""
        size = min(size, self.count)
        if self.corked is None:
            self.corked = self.count >= CORKED_FROM and cork(to, True)
        try:
            sent = self.sendfile(to.fileno(), size)
        except NoSendfile:
            sent = to.send(self.read(size), NO_SIGNAL)
        self.offset += sent
        self.count -= sent
        if self.corked and not self.count:
            cork(to, False)  # what is left leaves now
        return sent

    def sendfile(self, out: int, size: int) -> int:
        """Send up to ``size`` bytes to the socket ``out`` inside the kernel.

        Raises NoSendfile, Truncated, and what sendfile(2) says of the socket (EAGAIN, EPIPE, …).
        """
        if self.plain:
            raise NoSendfile
        try:
            sent = os.sendfile(out, self.fd, self.offset, size)
        except OSError as error:
            if error.errno not in CANNOT:
                raise
            self.plain = True
            raise NoSendfile from error
        if not sent:
            raise Truncated("the file became shorter while it was being sent")
        return sent

    def read(self, size: int) -> bytes:
        """The next bytes, at least one. Raises Truncated at the end of the file."""
        data = os.pread(self.fd, min(size, READ_SIZE), self.offset)
        if not data:
            raise Truncated("the file became shorter while it was being sent")
        return data

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if self.ahead is not None:
            self.ahead.close()
            self.ahead = None
        elif fd >= 0:
            close(fd)


def cork(sock: socket.socket, on: bool) -> bool:
    """Have full packets only leave ``sock``, or all that there is; False where that cannot be said."""
    if CORK is None or sock.family == UNIX:
        return False
    try:
        sock.setsockopt(socket.IPPROTO_TCP, CORK, on)
    except OSError:
        return False
    return True


def send_buffers(to: socket.socket, buffers: list[bytes | memoryview]) -> int:
    """Hand at most BUFFERS_PER_CALL of them to the kernel as one (sendmsg(2)) and return how many bytes it took."""
    if HAS_SENDMSG:
        return to.sendmsg(buffers, (), NO_SIGNAL)
    return to.send(b"".join(buffers), NO_SIGNAL)


class Outgoing:
    """A queue of bytes and parts. ``size`` is what is left of them in bytes."""

    __slots__ = ("parts", "size", "stall", "waits")

    def __init__(self) -> None:
        self.parts: deque[bytes | memoryview | Part] = deque()
        self.size = 0
        self.waits = False  # for the first part to be at hand: until then the socket's readiness is of no use
        self.stall: Stall | None = None  # watches over the peer while something waits for it

    def append(self, part: bytes | memoryview | Part) -> None:
        """Queue ``part``, which is not empty: a part that the kernel takes nothing of would never leave."""
        self.parts.append(part)
        self.size += len(part)

    def send(self, to: socket.socket, budget: int, at_hand: Callable[[], object]) -> int:
        """Hand at most ``budget`` bytes to the kernel and return how many it took.

        When it ``waits`` afterwards, ``at_hand()`` will be called. Raises OSError when the connection is broken, Truncated when a file is shorter than promised.
        """
        left = budget
        try:
            while self.parts and left > 0:
                first = self.parts[0]
                if isinstance(first, Part):
                    self.waits = not first.is_ready(left, at_hand)
                    if self.waits:
                        break
                    left -= self._send_part(to, first, left)
                else:
                    left -= self._send_bytes(to, left)
        except (BlockingIOError, InterruptedError):
            pass
        if left < budget and self.stall is not None:
            self.stall.progress()
        return budget - left

    def _send_bytes(self, to: socket.socket, budget: int) -> int:
        views: list[bytes | memoryview] = []
        size = 0
        for part in self.parts:
            if isinstance(part, Part) or size >= budget or len(views) == BUFFERS_PER_CALL:
                break
            views.append(part if size + len(part) <= budget else memoryview(part)[: budget - size])
            size += len(views[-1])
        sent = left = send_buffers(to, views)
        self.size -= sent
        while left:
            part = self.parts.popleft()
            if left < len(part):
                self.parts.appendleft(memoryview(part)[left:])  # type: ignore[arg-type]  # only bytes were sent
                break
            left -= len(part)
        return sent

    def _send_part(self, to: socket.socket, part: Part, size: int) -> int:
        before = len(part)
        sent = part.send(to, size)
        self.size -= before - len(part)
        if not part:
            part.close()
            self.parts.popleft()
        return sent

    def close(self) -> None:
        """Drop everything, close what is open and stop watching."""
        if self.stall is not None:
            self.stall.cancel()
        for part in self.parts:
            if isinstance(part, Part):
                part.close()
        self.parts.clear()
        self.size = 0


class PlainQueue:
    """Bytes and file parts that pass through the program on their way, because they are encrypted there."""

    __slots__ = ("parts", "size")

    def __init__(self) -> None:
        self.parts: deque[bytes | FilePart] = deque()
        self.size = 0

    def append(self, part: bytes | FilePart) -> None:
        self.parts.append(part)
        self.size += len(part)

    def is_ready(self, then: Callable[[], object]) -> bool:
        """Whether what ``take`` is to return is at hand. If it is not, ``then()`` is called once it is."""
        part = self.parts[0]
        return not isinstance(part, FilePart) or part.is_ready(READ_SIZE, then)

    def take(self) -> bytes:
        """The next bytes, at least one, of a file at most READ_SIZE. Raises Truncated; IndexError when empty."""
        part = self.parts[0]
        if not isinstance(part, FilePart):
            data = part
            self.parts.popleft()
        else:
            data = part.read(part.count)
            part.offset += len(data)
            part.count -= len(data)
            if not part.count:
                part.close()
                self.parts.popleft()
        self.size -= len(data)
        return data

    def close(self) -> None:
        """Drop everything and close the files."""
        for part in self.parts:
            if isinstance(part, FilePart):
                part.close()
        self.parts.clear()
        self.size = 0
