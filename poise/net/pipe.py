"""Streams over what is no socket: pipes, terminals, regular files, and whatever standard input happens to be.

A pipe goes one way, so a stream over it is one of two: a :class:`ReadPipe` or a :class:`WritePipe`, as in asyncio
(``connect_read_pipe``, ``connect_write_pipe``), with the names of its transports. Rules:

* **A terminal, a pipe and a redirected file work alike**, on every poller. epoll refuses regular files; the poller then
  calls them always ready, and one bounded read or write per turn lets everybody else have theirs (pitfall 10).
* **The flags of a shared open file are never changed** (pitfall 58): see :mod:`poise.net.descriptor`.
* **The end of input ends the stream**: a closed pipe, the end of a file, Ctrl-D on a terminal.
* **A reader that has gone is noticed without writing** (pitfall 56). A pipe's write end is watched for READ, though
  there is never anything to read: the kernel reports the fault with it, and ``select``, which knows no faults, says
  readable. ``connection_lost`` then has a BrokenPipeError, and so has a write that finds out first: never a signal or a
  traceback.
* **No deadline.** A pager that waits for a key may take all day; what bounds memory is ``pause_writing``.
* **connection_lost comes once**, with the first cause, in a later step of the loop, never from inside a call.

One descriptor that goes both ways (the master of a pseudoterminal) takes two streams: ``os.dup`` it for the second.
What Python's own file objects have read ahead cannot be seen here: use one or the other.
"""

from __future__ import annotations

import enum
import errno
import os
import sys
from typing import Any

from poise.errors import ProgramFault
from poise.limits import StreamLimits
from poise.loop.reactor import Reactor
from poise.net.descriptor import Descriptor, File, Kind
from poise.net.protocol import AnyProtocol, Protocol
from poise.net.transport import Transport
from poise.readiness.interest import FAULTS, INVALID, READ, WRITE

if sys.platform != "win32":  # pragma: no branch - Windows has no fcntl
    import fcntl

STDIN, STDOUT = 0, 1


class State(enum.IntEnum):
    OPEN = 0
    CLOSING = 1  # what is queued is still being written
    CLOSED = 2


def read_pipe(
    reactor: Reactor,
    file: File,
    protocol: AnyProtocol,
    *,
    closefd: bool = True,
    private: bool = False,
    limits: StreamLimits | None = None,
) -> ReadPipe:
    """Read ``file``, a descriptor or a file object, on the loop.

    The pipe owns and closes it unless ``closefd`` is False. ``private`` says that no other program or descriptor shares the
    open file, so that it may be made non-blocking. Raises OSError when it is not open (EBADF), AlreadyRegistered,
    what the poller refuses (a number beyond select's set), and MachineFault on Windows. After an error it is still the caller's.
    """
    pipe = ReadPipe(reactor, _open(file, os.O_RDONLY, closefd, private), protocol, limits)
    pipe.begin()
    return pipe


def write_pipe(
    reactor: Reactor,
    file: File,
    protocol: AnyProtocol | None = None,
    *,
    closefd: bool = True,
    private: bool = False,
    limits: StreamLimits | None = None,
) -> WritePipe:
    """Write ``file`` on the loop; otherwise as ``read_pipe``. Without a protocol nobody hears of pauses and the end."""
    pipe = WritePipe(reactor, _open(file, os.O_WRONLY, closefd, private), protocol or Protocol(), limits)
    pipe.begin()
    return pipe


def stdin(reactor: Reactor, protocol: AnyProtocol, *, limits: StreamLimits | None = None) -> ReadPipe:
    """Standard input, whatever it is. It stays open when the pipe closes. OSError (EBADF) when the program began without."""
    _check_given(sys.__stdin__, "input")
    return read_pipe(reactor, STDIN, protocol, closefd=False, limits=limits)


def stdout(
    reactor: Reactor, protocol: AnyProtocol | None = None, *, limits: StreamLimits | None = None
) -> WritePipe:
    """Standard output, whatever it is. It stays open when the pipe closes; call ``finish`` before the program ends."""
    _check_given(sys.__stdout__, "output")
    return write_pipe(reactor, STDOUT, protocol, closefd=False, limits=limits)


def _open(file: File, access: int, closefd: bool, private: bool) -> Descriptor:
    return Descriptor(file, access, closefd=closefd, private=private)


class Pipe(Transport):
    """What both directions share."""

    def __init__(
        self, reactor: Reactor, descriptor: Descriptor, protocol: AnyProtocol, limits: StreamLimits | None
    ) -> None:
        super().__init__(reactor, protocol, None, limits if limits is not None else StreamLimits())
        self._descriptor = descriptor
        self._fd = descriptor.fileno()
        self._state = State.OPEN
        self._interest = 0

    def begin(self) -> None:
        """Enter the loop, then tell the protocol. Raises what the poller refuses; the file is then still the caller's."""
        self._interest = self._wanted()
        try:
            self.reactor.register(self._fd, self._interest, self._on_ready)
        except BaseException:
            self._state = State.CLOSED
            self._descriptor.give_back()
            raise
        pipe: Any = self  # the protocols that know only sockets do not mind
        try:
            self._protocol.connection_made(pipe)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the program
            self.reactor.on_error(error)
            self.fail(error)

    def is_closing(self) -> bool:
        """Whether the end has begun: by close(), abort(), or the other side."""
        return self._state != State.OPEN

    def abort(self) -> None:
        """Close at once and drop what is queued."""
        self._lose(None)

    def fail(self, error: Exception) -> None:
        """A callback of ours raised ``error``, which has been reported: nothing of this pipe can be trusted."""
        self._lose(error)

    def set_protocol(self, protocol: AnyProtocol) -> None:
        """Hand the pipe over to another protocol, of either kind."""
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``pipe`` (the file that was given) or ``fd`` (the descriptor that is watched); ``default`` for anything else."""
        return {"pipe": self._descriptor.file, "fd": self._fd}.get(name, default)

    def _wanted(self) -> int:
        raise NotImplementedError

    def _on_ready(self, mask: int) -> None:
        raise NotImplementedError

    def _watch(self) -> None:
        if self._state == State.CLOSED:
            return
        mask = self._wanted()
        if mask != self._interest:
            self.reactor.modify(self._fd, mask)
            self._interest = mask

    def _lose(self, error: Exception | None) -> None:
        """Leave the loop now, tell the protocol soon."""
        if self._state == State.CLOSED:
            return
        self._state = State.CLOSED
        self._forget()
        self.reactor.retire(self._descriptor)
        self.reactor.call_last(self._protocol.connection_lost, error)

    def _forget(self) -> None:
        """Let go of what is kept."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} fd={self._fd} {self._descriptor.kind.value} {self._state.name}>"


class ReadPipe(Pipe):
    """The read end of a pipe, a terminal's input, a file from where it stands. Made by ``read_pipe`` and ``stdin``."""

    def write(self, data: bytes | bytearray | memoryview, more: bool = False) -> None:  # noqa: ARG002 - as every stream
        """Raises ProgramFault: this end is for reading."""
        raise ProgramFault("this is the end of a pipe that is read: it cannot be written")

    def can_write_eof(self) -> bool:
        """Never: there is nothing to end."""
        return False

    def get_write_buffer_size(self) -> int:
        """Nothing ever waits here."""
        return 0

    def pause_reading(self) -> None:
        """No more data_received after this returns, until resume_reading(). Whoever writes will have to wait."""
        self._reading = False
        self._watch()

    def resume_reading(self) -> None:
        """Read on, from where it stopped; input comes in a later turn, never from inside this call."""
        self._reading = True
        self._watch()

    def is_reading(self) -> bool:
        """Whether input is wanted: neither paused nor ended."""
        return self._reading and self._state == State.OPEN

    def close(self, *, linger: bool = False) -> None:
        """Read no more. Twice is no error. ``linger`` is for sockets: a pipe's writer awaits no answer."""
        del linger
        self._lose(None)

    def _wanted(self) -> int:
        return READ if self._reading else 0

    def _on_ready(self, _mask: int) -> None:
        if not self._interest:
            return  # paused in this very turn: faults are told all the same, but this one will be told again
        protocol: Any = self._protocol
        into = memoryview(protocol.get_buffer(-1)).cast("B") if hasattr(protocol, "get_buffer") else None
        size = self.limits.portion if into is None else min(self.limits.portion, len(into))
        if not size:
            raise ProgramFault("get_buffer() returned an empty buffer")
        try:
            data = self._descriptor.read(size)
        except (BlockingIOError, InterruptedError):
            return  # somebody else has taken it (pitfall 21)
        except OSError as error:
            self._lose(error)
            return
        if not data:
            protocol.eof_received()
            self._lose(None)
        elif into is None:
            protocol.data_received(data)
        else:  # one copy more than a socket makes: pipes carry less
            into[: len(data)] = data
            protocol.buffer_updated(len(data))


class WritePipe(Pipe):
    """The write end of a pipe, a terminal's screen, a file from where it stands. Made by ``write_pipe`` and ``stdout``."""

    def __init__(
        self, reactor: Reactor, descriptor: Descriptor, protocol: AnyProtocol, limits: StreamLimits | None
    ) -> None:
        super().__init__(reactor, descriptor, protocol, limits)
        self._queue = bytearray()
        self._ended = False
        self._tries_first = not descriptor.blocking or descriptor.kind is Kind.FILE
        # A write end opened for reading too (O_RDWR on a FIFO, a terminal) is readable when there is input.
        self._idle = READ if descriptor.kind is Kind.PIPE and _write_only(self._fd) else 0

    def write(self, data: bytes | bytearray | memoryview, more: bool = False) -> None:  # noqa: ARG002 - as every stream
        """Write what is taken without waiting and queue the rest; after close() it is dropped.

        ``more`` is heeded by sockets only. Raises ProgramFault after write_eof().
        """
        if self._state:
            if self._ended:
                raise ProgramFault("write after write_eof(): the reader has been told that no more comes")
            return
        rest = memoryview(data).cast("B")
        if rest and self._tries_first and not self._queue:
            rest = rest[self._push(rest) :]
        if rest and not self._state:
            self._queue += rest
            self._watch()
            self._check_water()

    def write_eof(self) -> None:
        """The same as close(): a pipe that is written no more is a closed one."""
        self._ended = True
        self.close()

    def can_write_eof(self) -> bool:
        """Always: the reader sees the end when the last write end closes."""
        return True

    def close(self, *, linger: bool = False) -> None:
        """Write what is queued, then close. Twice is no error. ``linger`` is for sockets, which also read."""
        del linger
        if self._state:
            return
        self._state = State.CLOSING
        if not self._queue:
            self._lose(None)

    def finish(self, seconds: float) -> None:
        """Turn the loop until everything is written, but no longer than ``seconds``: for the end of a program.

        Raises ProgramFault from inside a turn.
        """
        end = self.reactor.clock.monotonic() + seconds
        while self._queue and (left := end - self.reactor.clock.monotonic()) > 0:
            self.reactor.turn(left)

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return len(self._queue)

    def _wanted(self) -> int:
        return self._idle | WRITE if self._queue else self._idle

    def _on_ready(self, mask: int) -> None:
        if self._queue:
            self._flush()
        elif mask & INVALID:
            self._lose(OSError(errno.EBADF, "the descriptor was closed behind the loop's back"))
        elif mask & (READ | FAULTS):
            self._lose(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))

    def _flush(self) -> None:
        with memoryview(self._queue) as queue:
            sent = self._push(queue)
        del self._queue[:sent]
        if not self._queue:
            if self._state == State.CLOSING:
                self._lose(None)
            self._watch()
        if self._state == State.OPEN:
            self._check_water()

    def _push(self, data: memoryview) -> int:
        """How many bytes of ``data`` the kernel took; 0 also when that was the end of the pipe."""
        try:
            return self._descriptor.write(data, self.limits.write_size)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._lose(error)
            return 0

    def _forget(self) -> None:
        self._queue = bytearray()  # not cleared: _flush may be looking at it

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]} queued={len(self._queue)}>"


def _write_only(fd: int) -> bool:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY


def _check_given(file: object, name: str) -> None:
    """A program that began without it may have given its number to anything since: to the loop itself, most likely."""
    if file is None:
        raise OSError(errno.EBADF, f"standard {name} was closed when the program began")
