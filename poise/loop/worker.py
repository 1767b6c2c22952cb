"""Who does the offloaded calls: a worker is used by one thread of a pool, and interrupted from another.

The plain one calls the function itself. The other keeps a process for it: the thread hands the call over a pipe and waits
for the answer, so it can be ended at any moment by ending the process, and a crash in there is one call's error.

Function, arguments, result and error go through the pipe pickled, and are pickled *before* anything is
sent: what cannot be is the call's error, and the process is as good as before.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from poise.errors import MachineFault, ProgramFault

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess


class Worker:
    """Calls functions in the thread that uses it."""

    def begin(self) -> None:
        """Another call comes; interruptions from before do not concern it."""

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return what the function returns and raise what it raises."""
        return function(*args)

    def interrupt(self) -> None:
        """End the present call if that is possible, without waiting. From any thread."""

    def close(self) -> None:
        """No more calls will come."""


class ProcessWorker(Worker):
    """Has functions called in a process, which is started with the first one and again after it died."""

    def __init__(self) -> None:
        self._lock = (
            threading.Lock()
        )  # guards the process: one thread may end it while the other lets go of it
        self._process: SpawnProcess | None = None
        self._connection: Connection[Any, Any] | None = None
        self._interrupted = False

    def begin(self) -> None:
        self._interrupted = False

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        from multiprocessing.reduction import ForkingPickler

        request = ForkingPickler.dumps((function, args))
        try:
            connection = self._connection or self._start()
            connection.send_bytes(request)
            reply = connection.recv_bytes()
        except (EOFError, OSError) as error:
            code = self._end()
            raise MachineFault(errno.ECHILD, f"the process of an offloaded call ended: {code}") from error
        succeeded, value = ForkingPickler.loads(reply)
        if succeeded:
            return value
        raise value

    def interrupt(self) -> None:
        self._interrupted = True
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        self._end()

    def _start(self) -> Connection[Any, Any]:
        import multiprocessing

        # A fork would copy locks that other threads hold, and descriptors that belong to the loop.
        context = multiprocessing.get_context("spawn")
        connection, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), name="poise-offload", daemon=True)
        with theirs:
            self._connection = connection
            process.start()
        with self._lock:
            self._process = process
            if self._interrupted:
                process.kill()
        return connection

    def _end(self) -> str:
        """Let go of the process; how it ended, for people."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return "it could not be started"
        process.kill()  # mostly dead by now; a zombie does not mind
        process.join()
        # Not closed, which would let the interpreter's own joining of its children fail (multiprocessing, atexit); it is let go.
        return f"exit code {process.exitcode}"


def serve(connection: Connection[Any, Any]) -> None:
    """What the process does: answer calls until the other end of the pipe is closed."""
    from multiprocessing.reduction import ForkingPickler

    with connection:
        while True:
            try:
                request = connection.recv_bytes()
            except (
                EOFError,
                OSError,
                KeyboardInterrupt,
            ):  # Ctrl-C at a terminal reaches every process of the program
                return
            connection.send_bytes(ForkingPickler.dumps(_pickled_answer(request)))


def _pickled_answer(request: bytes) -> tuple[bool, Any]:
    """Whether the call succeeded, and its result or error, which is known to survive the way back."""
    from multiprocessing.reduction import ForkingPickler

    try:
        function, args = ForkingPickler.loads(request)
        answer = True, function(*args)
        ForkingPickler.loads(ForkingPickler.dumps(answer))
    except BaseException as error:  # noqa: BLE001 - it is the caller's, and is brought to them
        return False, _portable(error)
    return answer


def _portable(error: BaseException) -> BaseException:
    """``error`` with its traceback as a note, as tracebacks cannot be sent; in words when it cannot be sent either."""
    import traceback  # few calls fail
    from multiprocessing.reduction import ForkingPickler

    error.add_note("in the process:\n" + "".join(traceback.format_exception(error)))
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:  # noqa: BLE001 - whatever its class makes of being pickled
        import traceback

        return ProgramFault("".join(traceback.format_exception(error)))
    return error
