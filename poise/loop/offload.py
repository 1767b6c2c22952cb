"""What would block the loop, done beside it: a call in a thread or in a process, its result back on the loop.

    offload(reactor, zlib.compress, data).on_done(lambda result, error: …)

Rules:

* **Bounded.** At most LoopLimits.threads threads and LoopLimits.processes processes, each started when there is
  something to do and nobody idle; at most LoopLimits.waiting calls wait for either. One more is refused with Overloaded,
  and ``waiting`` tells a careful caller beforehand.
* **Every call is answered once, on the loop**: with its result, with the error that it raised, or with ProgramFault when
  the reactor was closed first. An error that nobody listens to goes to ``Reactor.on_error``.
* **Cancelling means not being told.** A call that still waits is taken back. A thread that is at work cannot be
  stopped: it works on, and what comes of it is dropped. A process can, and is.
* **Closing never waits** for work in progress: who wants the results runs the loop until they are there.

A thread is for what waits (a slow disk, the resolver), a process for what computes. Both are threads here: the second
kind owns a process and hands the calls on. A process is started afresh (``spawn``), never forked from a program with
threads; so the function, its arguments and its result must be picklable, a script needs its ``if __name__ ==
"__main__"``, and the first call takes a tenth of a second longer.

Threads and processes are daemons: at the interpreter's exit threads are left where they are and processes are ended.
Work that must not be torn apart has to be waited for. A forked child has no part in any of it, like in its reactor.
"""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

from poise.errors import MachineFault, ProgramFault
from poise.loop.reactor import Reactor
from poise.loop.worker import ProcessWorker, Worker

T = TypeVar("T")
To = Literal["thread", "process"]
Done = Callable[[Any, Exception | None], object]


class Overloaded(MachineFault):
    """As many calls wait for a thread, or for a process, as LoopLimits.waiting allows."""


def offload(reactor: Reactor, function: Callable[..., T], *args: Any, to: To = "thread") -> Offloaded[T]:
    """Have ``function(*args)`` called in a thread or a process; for the loop's own thread only.

    A process is started afresh and imports the script that started the program. So whatever the script does has to stand
    below ``if __name__ == "__main__":``, or it is done again there, the server included (multiprocessing, spawn).
    Raises Overloaded, MachineFault when no thread can be started, ProgramFault when the reactor is closed or was made
    before a fork, ValueError for another ``to``.
    """
    return pools(reactor).call(function, args, to)


def pools(reactor: Reactor) -> Pools:
    """The threads and processes of ``reactor``, made on first use. ProgramFault when it is closed."""
    if reactor.pools is None:
        reactor.pools = Pools(reactor)
    return reactor.pools


class Offloaded(Generic[T]):
    """A call on its way. ``result`` and ``error`` say what became of it once it is ``done``."""

    __slots__ = (
        "_callbacks",
        "_outcome",
        "_pool",
        "_task",
        "_worker",
        "cancelled",
        "done",
        "error",
        "result",
    )

    def __init__(self, pool: Pool, function: Callable[..., T], args: tuple[Any, ...]) -> None:
        self._pool = pool
        self._task: tuple[Callable[..., Any], tuple[Any, ...]] = function, args
        self._worker: Worker | None = None  # who is at work on it; guarded by the pool's lock
        self._outcome: tuple[T | None, Exception | None] | None = None  # put there by that worker's thread
        self._callbacks: list[Done] = []
        self.done = False
        self.cancelled = False
        self.result: T | None = None
        self.error: Exception | None = None

    def on_done(self, callback: Callable[[T, Exception | None], object]) -> None:
        """Have ``callback(result, error)`` called on the loop: one is None. Soon, when the call is done already.

        Several may listen. Nobody is called after ``cancel()``.
        """
        if self.done:
            self._pool.reactor.call_soon(callback, self.result, self.error)
        elif not self.cancelled:
            self._callbacks.append(callback)

    def cancel(self) -> None:
        """Do not begin it, end it if it can be ended, and tell nobody. Too late or twice is no error."""
        if self.done or self.cancelled:
            return
        self.cancelled = True
        self._callbacks.clear()
        self._pool.withdraw(self)

    def _run(self, worker: Worker) -> None:
        """In a thread of the pool: work, and keep the outcome."""
        (function, args), self._task = self._task, (_nothing, ())
        try:
            self._outcome = worker.run(function, args), None
        except Exception as raised:  # noqa: BLE001 - it is the caller's, and is brought to them
            self._outcome = None, raised
        except BaseException as raised:  # noqa: BLE001 - SystemExit in a thread ends nothing but the thread
            error = ProgramFault(f"an offloaded call raised {raised!r}, which is no way to end it")
            error.__cause__ = raised
            self._outcome = None, error

    def _deliver(self) -> None:
        """On the loop, once it has an outcome or the loop is closing: tell everybody."""
        self._pool.jobs.discard(self)
        if self.done or self.cancelled:
            return
        self.done = True
        self.result, self.error = result, error = self._outcome or (
            None,
            ProgramFault("the reactor was closed before the offloaded call was done"),
        )
        callbacks, self._callbacks = self._callbacks, []
        reactor = self._pool.reactor
        if error is not None and not callbacks:
            reactor.on_error(error)
        for callback in callbacks:
            reactor._call(callback, (result, error))

    def __repr__(self) -> str:
        state = (
            "cancelled"
            if self.cancelled
            else "pending"
            if not self.done
            else "failed"
            if self.error
            else "done"
        )
        return f"<Offloaded {state}>"


class Pools:
    """The threads and the processes of one reactor."""

    def __init__(self, reactor: Reactor) -> None:
        reactor.check_open()
        limits = reactor.limits
        self.reactor = reactor
        self.threads = Pool(reactor, limits.threads, limits.waiting, Worker)
        self.processes = Pool(reactor, limits.processes, limits.waiting, ProcessWorker)
        reactor.at_close.append(self.close)

    def call(self, function: Callable[..., T], args: tuple[Any, ...], to: To) -> Offloaded[T]:
        """See ``offload``."""
        self.reactor.check_open()
        if to not in {"thread", "process"}:
            raise ValueError(f"a call can go to a thread or to a process, not to {to!r}")
        pool = self.threads if to == "thread" else self.processes
        return pool.submit(Offloaded(pool, function, args))

    @property
    def pending(self) -> int:
        """How many calls wait, are at work, or have a result that was not delivered yet."""
        return len(self.threads.jobs) + len(self.processes.jobs)

    def close(self) -> None:
        """Answer every call that is not done with ProgramFault; idle threads and all processes end."""
        self.threads.close()
        self.processes.close()


class Pool:
    """Workers of one kind, each in a thread of its own. The loop's thread submits, withdraws and closes."""

    def __init__(self, reactor: Reactor, most: int, waiting: int, kind: Callable[[], Worker]) -> None:
        self.reactor = reactor
        self.jobs: set[Offloaded[Any]] = set()  # not delivered yet; the loop's thread only
        self._most = most
        self._waiting = waiting
        self._kind = kind
        self._changed = threading.Condition(threading.Lock())  # it guards all that follows
        self._todo: deque[Offloaded[Any]] = deque()
        self._workers: set[Worker] = set()
        self._busy = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many calls nobody has begun."""
        return len(self._todo)

    def submit(self, job: Offloaded[T]) -> Offloaded[T]:
        """Queue ``job``, with one more worker if all are busy and there may be more. Overloaded."""
        with self._changed:
            if self._closed:
                raise ProgramFault("this reactor is being closed: nothing more can be offloaded")
            untaken = len(self._todo) - (len(self._workers) - self._busy)
            if untaken >= 0 and len(self._workers) < self._most:
                self._start()
            elif untaken >= self._waiting:
                raise Overloaded(errno.EAGAIN, f"{untaken} offloaded calls wait already: no more may")
            self._todo.append(job)
            self._changed.notify()
        self.jobs.add(job)
        return job

    def withdraw(self, job: Offloaded[Any]) -> None:
        """Take ``job`` back, or end it where that is possible."""
        if self.reactor._closed:  # after a fork: the lock may have been copied in any state
            return
        self.jobs.discard(job)
        with self._changed:
            if job._worker is not None:
                job._worker.interrupt()
            elif job in self._todo:
                self._todo.remove(job)

    def close(self) -> None:
        """Give every job that was not delivered an end, and every worker that is not busy in a thread."""
        with self._changed:
            self._closed = True
            self._todo.clear()
        for job in list(self.jobs):
            job._deliver()
        with self._changed:
            for worker in self._workers:
                worker.interrupt()
            self._changed.notify_all()

    def _start(self) -> None:
        worker = self._kind()
        self._workers.add(worker)
        thread = threading.Thread(target=self._work, args=(worker,), name="poise-offload", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._workers.discard(worker)
            raise MachineFault(errno.EAGAIN, "the system lets us start no more threads") from error

    def _work(self, worker: Worker) -> None:
        """What each thread does."""
        while (job := self._begin(worker)) is not None:
            job._run(worker)
            with self._changed:
                job._worker = None
                self._busy -= 1
            self.reactor.call_soon_threadsafe(job._deliver)  # not before the thread is free for the next call
            del job  # an idle thread keeps nothing of what was called
        worker.close()

    def _begin(self, worker: Worker) -> Offloaded[Any] | None:
        """The next job, waiting for it; None when the pool is closed."""
        with self._changed:
            while not self._todo:
                if self._closed:
                    return None
                self._changed.wait()
            job = self._todo.popleft()
            self._busy += 1
            worker.begin()
            job._worker = worker
            return job


def _nothing() -> None:
    """Stands where a function was, which is let go of once it is called."""
