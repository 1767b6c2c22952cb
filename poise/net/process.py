"""Child processes on the loop: their pipes are streams, and their end is an event.

* **Names** are those of ``asyncio.SubprocessProtocol`` and ``SubprocessTransport``: a protocol that uses nothing but
  its transport runs unchanged.
* **The end is noticed** through a pidfd (pidfd_open(2), Linux 5.3), which becomes readable when the child has ended. Where
  there is none, a timer looks (waitpid(2), WNOHANG), at first soon and then ever more seldom. A SIGCHLD handler
  would have to be taken from the program, exists once per process and only in the main thread; a
  thread for each child waits well, but costs one. A look is one system call and surprises nobody.
* **No zombie**: whatever is started here is waited for here. ``Popen`` does the waiting, so a program that looks at
  ``process.popen`` sees the same.
* **Its end is not the end of its output.** What is still in the pipes is delivered after ``process_exited``, and a
  grandchild may hold them open for longer; ``connection_lost`` comes when both are over. ``close()`` waits for neither.
* **The child gets blocking pipes**, as every program expects. Only our ends are non-blocking: the two ends
  of a pipe are two open files (pitfall 58).
* A child that reads no more is no error: what was to be written is dropped, and ``pipe_connection_lost`` says BrokenPipeError.

Starting waits until the child has called exec(2), a millisecond or so: that is when ``FileNotFoundError`` is known.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from subprocess import DEVNULL, PIPE, STDOUT
from typing import IO, TYPE_CHECKING, Any

from poise.limits import ProcessLimits, StreamLimits
from poise.loop.reactor import Reactor
from poise.loop.timers import TimerHandle
from poise.net.descriptor import Descriptor
from poise.net.pipe import ReadPipe, WritePipe, read_pipe, write_pipe
from poise.net.protocol import Protocol
from poise.readiness.interest import READ

if TYPE_CHECKING:
    from poise.net.forked import Forked

__all__ = ["DEVNULL", "PIPE", "STDOUT", "Process", "ProcessProtocol", "spawn"]

Argument = str | bytes | os.PathLike[str]


class ProcessProtocol:
    """Subclass it and override what is needed; every method may be left as it is."""

    __slots__ = ()

    def connection_made(self, process: Process) -> None:
        """The child runs; called once, first."""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """The child has written to its descriptor ``fd`` (1 or 2), never nothing."""

    def pipe_connection_lost(self, fd: int, error: Exception | None) -> None:
        """One of the pipes has ended; called once for each."""

    def process_exited(self) -> None:
        """The child has ended; ``process.returncode`` says how. Its last output may still come."""

    def connection_lost(self, error: Exception | None) -> None:
        """The child and all its pipes have ended; called once, last."""

    def pause_writing(self) -> None:
        """More waits for the child's input than ``limits.high_water``."""

    def resume_writing(self) -> None:
        """No more than ``limits.low_water`` waits for the child's input."""


def spawn(
    reactor: Reactor,
    args: Sequence[Argument],
    protocol: ProcessProtocol,
    *,
    stdin: int | IO[Any] | None = PIPE,
    stdout: int | IO[Any] | None = PIPE,
    stderr: int | IO[Any] | None = PIPE,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    start_new_session: bool = False,
    limits: ProcessLimits | None = None,
    stream_limits: StreamLimits | None = None,
) -> Process:
    """Start the program ``args[0]`` with ``args`` and no shell; ``stdin``, ``stdout`` and ``stderr`` as for ``subprocess.Popen``.

    The child inherits no other descriptors but ``pass_fds``. ``start_new_session`` keeps Ctrl-C from it. Raises OSError when
    the program cannot be started (FileNotFoundError, PermissionError, EMFILE), TypeError for a command in one
    string, ValueError for none, ProgramFault when the reactor is closed, and what the poller refuses; then no child is left.
    """
    reactor.check_open()
    if isinstance(args, str | bytes):
        raise TypeError("a command is a list of arguments: nothing here splits it or asks a shell")
    args = list(args)
    if not args:
        raise ValueError("a command has at least the name of its program")
    popen = subprocess.Popen(  # noqa: S603 - running a program is what the caller asks for
        args,
        bufsize=0,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=env,
        close_fds=True,
        pass_fds=pass_fds,
        start_new_session=start_new_session,
    )
    process = Process(reactor, popen, protocol, limits or ProcessLimits())
    try:
        process._begin(stream_limits)
    except BaseException:
        process._undo()
        raise
    return process


class Process:
    """A child process. Made by ``spawn``."""

    def __init__(
        self,
        reactor: Reactor,
        popen: subprocess.Popen[bytes] | Forked,
        protocol: ProcessProtocol,
        limits: ProcessLimits,
    ) -> None:
        self.reactor = reactor
        self.limits = limits
        self.popen = popen
        self.stdin: WritePipe | None = None
        self.stdout: ReadPipe | None = None
        self.stderr: ReadPipe | None = None
        self._protocol = protocol
        self._open: set[int] = set()  # the child's numbers of pipes that have not ended
        self._exited = False
        self._closing = False
        self._error: Exception | None = None
        self._pidfd: Descriptor | None = None
        self._delay = limits.first_look
        self._look_again: TimerHandle | None = None

    # -- what users call -------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The number by which the system knows it."""
        return self.popen.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, minus the signal that ended it, or None while it runs.

        0 also when the program has told the kernel to forget its children (SIGCHLD ignored): nobody knows more.
        """
        return self.popen.returncode

    def send_signal(self, signal: int) -> None:
        """Send a signal; nothing happens when the child has ended, nor to a stranger that got its number."""
        self.popen.send_signal(signal)

    def terminate(self) -> None:
        """Ask it to end: SIGTERM."""
        self.popen.terminate()

    def kill(self) -> None:
        """End it: SIGKILL."""
        self.popen.kill()

    def close(self) -> None:
        """End the child if it runs, and drop what is in the pipes. The protocol hears of both. Twice is no error.

        A reactor that closes ends its children in the same way, waits for them, and nobody hears of it.
        """
        self._closing = True
        self.popen.kill()  # before its input ends, at which it might go on to do something
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                pipe.abort()

    def is_closing(self) -> bool:
        """Whether it was closed, or has ended with all its pipes."""
        return self._closing

    def set_protocol(self, protocol: ProcessProtocol) -> None:
        """Tell another protocol from now on."""
        self._protocol = protocol

    def get_protocol(self) -> ProcessProtocol:
        """Who hears of this child."""
        return self._protocol

    def get_pid(self) -> int:
        """``pid``, by asyncio's name."""
        return self.pid

    def get_returncode(self) -> int | None:
        """``returncode``, by asyncio's name."""
        return self.returncode

    def get_pipe_transport(self, fd: int) -> ReadPipe | WritePipe | None:
        """The stream to the child's descriptor 0, 1 or 2; None when it is no pipe of ours."""
        pipes: dict[int, ReadPipe | WritePipe | None] = {0: self.stdin, 1: self.stdout, 2: self.stderr}
        return pipes.get(fd)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``subprocess``: the ``Popen`` object, or what stands for it; ``default`` for anything else."""
        return self.popen if name == "subprocess" else default

    # -- the beginning ---------------------------------------------------------------------------

    def _begin(self, limits: StreamLimits | None) -> None:
        popen = self.popen
        if popen.stdin is not None:
            self._open.add(0)
            self.stdin = write_pipe(self.reactor, popen.stdin, _End(self, 0), private=True, limits=limits)
        if popen.stdout is not None:
            self._open.add(1)
            self.stdout = read_pipe(self.reactor, popen.stdout, _End(self, 1), private=True, limits=limits)
        if popen.stderr is not None:
            self._open.add(2)
            self.stderr = read_pipe(self.reactor, popen.stderr, _End(self, 2), private=True, limits=limits)
        self._watch()
        self.reactor.at_close.append(self._reactor_closes)
        try:
            self._protocol.connection_made(self)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the program
            self.reactor.on_error(error)
            self.fail(error)

    def _watch(self) -> None:
        pidfd = _pidfd(self.pid)
        if pidfd is None:
            self._look_later()
            return
        try:
            self.reactor.register(pidfd.fileno(), READ, self._ended)
        except BaseException:
            pidfd.close()
            raise
        self._pidfd = pidfd

    def _undo(self) -> None:
        """It could not be taken into the loop: as if it had never been."""
        self._protocol = ProcessProtocol()
        popen = self.popen
        for fd, file in enumerate((popen.stdin, popen.stdout, popen.stderr)):
            if file is not None and self.get_pipe_transport(fd) is None:
                file.close()
        self._reactor_closes()

    def _reactor_closes(self) -> None:
        """Nobody will hear of the end any more, so it is waited for: a killed child does not take long."""
        self.close()
        self._forget_notice()
        self.popen.wait()

    # -- the end ---------------------------------------------------------------------------------

    def _ended(self, _mask: int) -> None:
        self._look()

    def _look_later(self) -> None:
        self._look_again = self.reactor.call_later(self._delay, self._look)
        self._delay = min(self._delay * 2, self.limits.longest_look)

    def _look(self) -> None:
        """Wait for the child without waiting."""
        if self.popen.poll() is None:
            if self._pidfd is None:
                self._look_later()
            return
        self._forget_notice()
        self._exited = True
        self.reactor.call_soon(self._protocol.process_exited)
        self._end_if_over()

    def _forget_notice(self) -> None:
        if self._look_again is not None:
            self._look_again.cancel()
        if self._pidfd is not None:
            self.reactor.retire(self._pidfd)
            self._pidfd = None

    def _pipe_lost(self, fd: int, error: Exception | None) -> None:
        self._open.discard(fd)
        self._end_if_over()
        self._protocol.pipe_connection_lost(fd, error)

    def _end_if_over(self) -> None:
        if self._exited and not self._open:
            self._closing = True
            self.reactor.at_close.remove(self._reactor_closes)
            self.reactor.call_soon(self._protocol.connection_lost, self._error)

    def fail(self, error: Exception) -> None:
        """A callback of ours raised, which has been reported: a child that nobody understands does not go on."""
        self._error = error
        self.close()

    def __repr__(self) -> str:
        state = "running" if self.returncode is None else f"ended {self.returncode}"
        return f"<Process {self.pid} {state}>"


class _End(Protocol):
    """Our end of one of the child's pipes: tells the process's protocol under the child's number."""

    __slots__ = ("_fd", "_process")

    def __init__(self, process: Process, fd: int) -> None:
        self._process = process
        self._fd = fd

    def data_received(self, data: bytes) -> None:
        self._process.get_protocol().pipe_data_received(self._fd, data)

    def connection_lost(self, error: Exception | None) -> None:
        self._process._pipe_lost(self._fd, error)

    def pause_writing(self) -> None:
        self._process.get_protocol().pause_writing()

    def resume_writing(self) -> None:
        self._process.get_protocol().resume_writing()


def _pidfd(pid: int) -> Descriptor | None:
    """A descriptor that is readable when the process has ended; None where the kernel has none to give."""
    try:
        return Descriptor(os.pidfd_open(pid), os.O_RDONLY, closefd=True, private=False)
    except (AttributeError, OSError):  # another system, an old kernel, a sandbox, out of descriptors
        return None
