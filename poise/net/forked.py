"""A child that goes on with this program's own code: what a worker is.

What ``fork`` copies is the whole program, in the middle of what it is doing. So the child gets rid of all of it first:

* **Descriptors** that were not handed over (``pass_fds``) are closed, by number, as exec(2) would. The objects that
  own them are kept from the garbage collector (``gc.freeze``): to close such a number later would close whatever has
  got it meanwhile. That also keeps the memory shared with the parent, which the collector would write to.
* **Reactors** are closed by themselves (:mod:`poise.loop.reactor`); the child makes its own.
* **Signals** wait until the child lets them through (``poise.loop.signals.let_through``), so that one that comes at once is
  not lost. Their handlers are those of a new program.
* **The parent's frames** are still on the stack, with all that they would do on their way out. So the child never
  returns to them: whatever happens, it ends by os._exit, and what is left in Python's buffers is the parent's to write.

A program with threads is not forked: a lock that another thread had at that moment would be held for ever.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from poise.errors import ProgramFault
from poise.limits import ProcessLimits
from poise.loop import signals
from poise.loop.reactor import Reactor
from poise.net.descriptor import Descriptor
from poise.net.process import Process, ProcessProtocol

STANDARD = (0, 1, 2)
SIGKILL, SIGTERM = 9, 15  # the numbers that POSIX gives them (kill(1))
FAILED = 1  # the exit code of a program that an exception has ended


def fork(
    reactor: Reactor,
    work: Callable[[int], int],
    protocol: ProcessProtocol,
    *,
    pass_fds: Sequence[int] = (),
    limits: ProcessLimits | None = None,
) -> Process:
    """Have ``work(status)`` called in a child process, which ends with what it returns as its exit code.

    ``status`` is a descriptor: what the child writes to it, ``protocol`` hears as its output
    (``pipe_data_received(1, data)``). An exception that ``work`` lets escape is printed, and makes the exit code 1.
    Raises OSError when there can be no child (EAGAIN, ENOMEM, EMFILE), ProgramFault when the reactor is closed or has made
    threads.
    """
    reactor.check_open()
    if reactor.pools is not None:
        raise ProgramFault(
            "a program that has made threads cannot be forked: their locks would be held for ever"
        )
    reader, writer = os.pipe()
    try:
        with signals.held():
            pid = os.fork()
            if not pid:  # pragma: no cover - a child is measured from its next call on
                _become(work, writer, {writer, *pass_fds})
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    process = Process(reactor, Forked(pid, reader), protocol, limits or ProcessLimits())
    try:
        process._begin(None)
    except BaseException:
        process._undo()
        raise
    return process


class Forked:
    """To a Process what ``subprocess.Popen`` is when the child is another program."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = self.stderr = None
        self.stdout = Descriptor(status, os.O_RDONLY, closefd=True, private=True)

    def poll(self) -> int | None:
        """Wait for the child without waiting: its exit code, or minus the signal that ended it; None while it runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        """Wait until the child has ended."""
        return self._wait(0)

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except (
                ChildProcessError
            ):  # somebody else has waited for it, or SIGCHLD is ignored: nobody knows more
                self.returncode = 0
            else:
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, signal: int) -> None:
        """Send a signal, unless the child has ended: its number may be a stranger's by now."""
        if self.poll() is None:
            os.kill(self.pid, signal)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(SIGKILL)


def _become(work: Callable[[int], int], status: int, keep: Iterable[int]) -> NoReturn:
    """In the child: let go of what is the parent's, work, end."""
    code = FAILED
    try:
        gc.freeze()
        signals.inherit_nothing()
        close_all_but({*STANDARD, *keep})
        code = work(status)
    except BaseException as error:  # noqa: BLE001 - the parent's frames must not see it
        _print(error)
    finally:
        os._exit(code)


def _print(error: BaseException) -> None:
    """The traceback, past the parent's file objects: whatever they are, they may be on a descriptor that is closed."""
    import traceback

    text = "".join(traceback.format_exception(error))
    try:
        os.write(STANDARD[-1], text.encode("utf-8", "backslashreplace"))
    except OSError:
        pass  # nobody reads it


def close_all_but(keep: set[int]) -> None:
    """Close every descriptor that is not in ``keep``."""
    low = 0
    for fd in (*sorted(keep), os.sysconf("SC_OPEN_MAX")):
        if low < fd:  # Python makes of an empty range one that has no end
            os.closerange(low, fd)
        low = fd + 1
