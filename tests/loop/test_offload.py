"""Calls beside the loop: their results, their bounds, and every way in which they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault, ProgramFault
from poise.limits import LoopLimits
from poise.loop.offload import Offloaded, Overloaded, Pools, offload, pools
from poise.loop.reactor import Reactor
from poise.loop.worker import ProcessWorker, Worker, serve
from tests.support.loops import turn_until


@pytest.fixture(scope="module", autouse=True)
def resource_tracker_runs() -> None:
    """It belongs to the process, keeps a pipe open for good, and would count as left open by the first test."""
    resource_tracker.ensure_running()


class Gate:
    """A function that waits until it is let through, so that a test decides when a thread is busy."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._entered = threading.Semaphore(0)

    def __call__(self, value: Any = None) -> Any:
        self._entered.release()
        assert self._open.wait(20)
        return value

    def wait_entered(self) -> None:
        assert self._entered.acquire(timeout=20)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture
def reactor(errors: list[Exception]) -> Iterator[Reactor]:
    limits = LoopLimits(threads=2, processes=1, waiting=2)
    with Reactor(limits=limits, on_error=errors.append) as made:
        yield made


class Heard(list[tuple[Any, Exception | None]]):
    def __call__(self, result: Any, error: Exception | None) -> None:
        self.append((result, error))


def outcome(reactor: Reactor, job: Offloaded[Any]) -> tuple[Any, Exception | None]:
    heard = Heard()
    job.on_done(heard)
    turn_until(reactor, lambda: heard)
    return heard[0]


def raising(kind: type[BaseException], *args: Any) -> None:
    raise kind(*args)


# --- threads ----------------------------------------------------------------------------------------------


def test_a_result_comes_back_on_the_loop(reactor: Reactor) -> None:
    where: list[int] = []
    job = offload(reactor, lambda *args: (threading.get_ident(), args), 1, 2)
    job.on_done(lambda result, error: where.append(threading.get_ident()))
    assert not job.done
    (thread, args), error = outcome(reactor, job)
    assert (args, error) == ((1, 2), None)
    assert thread != threading.get_ident()
    assert where == [threading.get_ident()]
    assert job.done
    assert job.result == (thread, args)


def test_the_loop_goes_on_meanwhile(reactor: Reactor, gate: Gate) -> None:
    job = offload(reactor, gate, "through")
    gate.wait_entered()
    reactor.call_later(0, gate.open)
    assert outcome(reactor, job) == ("through", None)


def test_an_error_is_carried(reactor: Reactor, errors: list[Exception]) -> None:
    result, error = outcome(reactor, offload(reactor, raising, KeyError, "key"))
    assert result is None
    assert isinstance(error, KeyError)
    assert error.__traceback__ is not None
    assert errors == []


def test_leaving_by_system_exit_ends_only_the_call(reactor: Reactor) -> None:
    _, error = outcome(reactor, offload(reactor, raising, SystemExit, 3))
    assert isinstance(error, ProgramFault)
    assert isinstance(error.__cause__, SystemExit)
    assert outcome(reactor, offload(reactor, int, "7")) == (7, None)


def test_an_error_that_nobody_listens_to_is_reported(reactor: Reactor, errors: list[Exception]) -> None:
    offload(reactor, raising, KeyError, "key")
    turn_until(reactor, lambda: errors)
    assert isinstance(errors[0], KeyError)


def test_one_may_listen_late(reactor: Reactor) -> None:
    job = offload(reactor, int, "7")
    turn_until(reactor, lambda: job.done)
    heard = Heard()
    job.on_done(heard)
    assert not heard
    reactor.turn(0)
    assert heard == [(7, None)]


def test_a_listener_that_raises_does_not_keep_it_from_the_next(
    reactor: Reactor, errors: list[Exception]
) -> None:
    job = offload(reactor, int, "7")
    job.on_done(lambda result, error: raising(ValueError, "mine"))
    assert outcome(reactor, job) == (7, None)
    assert [str(error) for error in errors] == ["mine"]


def test_threads_are_started_when_needed_and_used_again(reactor: Reactor, gate: Gate) -> None:
    assert reactor.pools is None
    used = set()
    for _ in range(5):
        used.add(outcome(reactor, offload(reactor, threading.get_ident))[0])
    assert len(used) == 1
    jobs = [offload(reactor, gate) for _ in range(2)]
    for _ in jobs:
        gate.wait_entered()  # both at once: the second thread was started for the second call
    gate.open()
    turn_until(reactor, lambda: all(job.done for job in jobs))


def test_what_waits_is_bounded(reactor: Reactor, gate: Gate) -> None:
    jobs = [offload(reactor, gate, number) for number in range(4)]
    with pytest.raises(Overloaded, match="2 offloaded calls wait"):
        offload(reactor, gate)
    gate.wait_entered()
    gate.wait_entered()
    assert pools(reactor).threads.waiting == 2
    assert pools(reactor).pending == 4
    with pytest.raises(MachineFault):
        offload(reactor, gate)
    jobs[3].cancel()
    jobs.append(offload(reactor, gate, 4))  # the place is free again
    gate.open()
    turn_until(reactor, lambda: all(job.done or job.cancelled for job in jobs))
    assert [job.result for job in jobs] == [0, 1, 2, None, 4]
    assert pools(reactor).pending == 0


def test_none_need_wait() -> None:
    with Reactor(limits=LoopLimits(threads=1, waiting=0)) as reactor:
        gate = Gate()
        job = offload(reactor, gate)
        with pytest.raises(Overloaded):
            offload(reactor, gate)
        gate.open()
        turn_until(reactor, lambda: job.done)


def test_a_call_that_waits_is_taken_back(reactor: Reactor, gate: Gate) -> None:
    busy = [offload(reactor, gate) for _ in range(2)]
    ran: list[int] = []
    job = offload(reactor, ran.append, 1)
    heard = Heard()
    job.on_done(heard)
    job.cancel()
    job.cancel()
    job.on_done(heard)
    assert repr(job) == "<Offloaded cancelled>"
    gate.open()
    turn_until(reactor, lambda: all(one.done for one in busy))
    reactor.turn(0)
    assert (ran, heard, job.done) == ([], [], False)


def test_a_thread_at_work_works_on_unheard(reactor: Reactor, gate: Gate, errors: list[Exception]) -> None:
    heard = Heard()
    job = offload(reactor, gate)
    job.on_done(heard)
    gate.wait_entered()
    job.cancel()
    gate.open()
    assert outcome(reactor, offload(reactor, int, "7")) == (7, None)
    assert (heard, errors) == ([], [])


def test_cancelled_between_the_result_and_its_delivery(reactor: Reactor) -> None:
    heard = Heard()
    job = offload(reactor, int, "7")
    job.on_done(heard)
    end = time.monotonic() + 20
    while job._outcome is None:
        assert time.monotonic() < end
    job.cancel()
    turn_until(reactor, lambda: not pools(reactor).pending)
    reactor.turn(0)
    reactor.turn(0)
    assert not heard


def test_an_idle_thread_keeps_nothing(reactor: Reactor) -> None:
    class Heavy:
        alive = 0

        def __init__(self) -> None:
            Heavy.alive += 1

        def __del__(self) -> None:
            Heavy.alive -= 1

    def work(_heavy: Heavy) -> Heavy:
        return Heavy()

    heard: list[bool] = []
    offload(reactor, work, Heavy()).on_done(lambda result, error: heard.append(True))
    turn_until(reactor, lambda: heard)
    turn_until(reactor, lambda: Heavy.alive == 0)


def test_no_thread_can_be_started(reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda self: raising(RuntimeError, "can't start new thread"))
        with pytest.raises(MachineFault, match="no more threads"):
            offload(reactor, int)
    assert outcome(reactor, offload(reactor, int, "7")) == (7, None)


def test_an_unknown_place_is_refused(reactor: Reactor) -> None:
    with pytest.raises(ValueError, match="'fiber'"):
        offload(reactor, int, to="fiber")  # type: ignore[arg-type]


# --- the end ----------------------------------------------------------------------------------------------


def test_closing_answers_everybody_and_waits_for_nobody(gate: Gate) -> None:
    errors: list[Exception] = []
    reactor = Reactor(limits=LoopLimits(threads=1), on_error=errors.append)
    at_work, waiting = Heard(), Heard()
    job = offload(reactor, gate)
    job.on_done(at_work)
    gate.wait_entered()
    offload(reactor, int, "7").on_done(waiting)
    waiting_for_nobody = offload(reactor, int, "8")
    refused: list[Exception] = []

    def once_more(_result: Any, _error: Exception | None) -> None:
        with pytest.raises(ProgramFault) as caught:
            offload(reactor, int)
        refused.append(caught.value)

    job.on_done(once_more)
    started = time.monotonic()
    reactor.close()
    assert time.monotonic() - started < 5
    for heard in (at_work, waiting):
        ((result, error),) = heard
        assert result is None
        assert isinstance(error, ProgramFault)
    assert errors == [waiting_for_nobody.error]
    assert len(refused) == 1
    job.cancel()  # too late is no error
    gate.open()
    with pytest.raises(ProgramFault, match="closed"):
        offload(reactor, int)


def test_a_result_that_is_there_when_the_loop_closes_is_not_lost() -> None:
    heard = Heard()
    with Reactor() as reactor:
        job = offload(reactor, int, "7")
        job.on_done(heard)
        end = time.monotonic() + 20
        while job._outcome is None:
            assert time.monotonic() < end
    assert heard == [(7, None)]
    assert repr(job) == "<Offloaded done>"


def test_idle_threads_end_with_the_reactor() -> None:
    with Reactor() as reactor:
        thread, _ = outcome(reactor, offload(reactor, threading.current_thread))
        assert thread.is_alive()
    thread.join(20)
    assert not thread.is_alive()


def test_a_reactor_that_is_closed_makes_no_pools() -> None:
    reactor = Reactor()
    reactor.close()
    with pytest.raises(ProgramFault, match="closed"):
        offload(reactor, int)
    with pytest.raises(ProgramFault, match="closed"):
        Pools(reactor)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_no_part_in_it(reactor: Reactor, gate: Gate) -> None:
    job = offload(reactor, gate, "through")
    gate.wait_entered()
    child = os.fork()
    if not child:
        code = 1
        try:
            offload(reactor, int)
        except ProgramFault:
            job.cancel()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    gate.open()
    assert outcome(reactor, job) == ("through", None)


def test_cancel_after_a_fork_touches_no_lock(reactor: Reactor, gate: Gate) -> None:
    job = offload(reactor, gate)
    gate.wait_entered()
    reactor._closed = True  # what a forked child sees
    with pools(reactor).threads._changed:
        job.cancel()
    reactor._closed = False


def test_a_stuck_thread_does_not_keep_the_interpreter(tmp_path: Path) -> None:
    program = (
        "import threading\n"
        "from poise.loop.offload import offload\n"
        "from poise.loop.reactor import Reactor\n"
        "reactor = Reactor()\n"
        "offload(reactor, threading.Event().wait)\n"
        "reactor.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert "closed before the offloaded call was done" in done.stderr


# --- processes --------------------------------------------------------------------------------------------


class Awkward(Exception):
    """Is pickled, and cannot be made again from it."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@pytest.mark.slow
def test_a_process_calls_and_answers(reactor: Reactor) -> None:
    number, error = outcome(reactor, offload(reactor, os.getpid, to="process"))
    assert error is None
    assert number != os.getpid()
    assert outcome(reactor, offload(reactor, divmod, 7, 2, to="process")) == ((3, 1), None)
    assert outcome(reactor, offload(reactor, os.getpid, to="process")) == (number, None)

    _, error = outcome(reactor, offload(reactor, divmod, 1, 0, to="process"))
    assert isinstance(error, ZeroDivisionError)
    assert "in the process:\nTraceback" in error.__notes__[0]

    _, error = outcome(reactor, offload(reactor, lambda: 1, to="process"))
    assert "pickle" in str(error)
    assert outcome(reactor, offload(reactor, os.getpid, to="process")) == (number, None)


@pytest.mark.slow
def test_a_process_that_dies_is_one_calls_error(reactor: Reactor) -> None:
    _, error = outcome(reactor, offload(reactor, signal.raise_signal, signal.SIGKILL, to="process"))
    assert isinstance(error, MachineFault)
    assert "exit code -9" in str(error)
    assert outcome(reactor, offload(reactor, int, "7", to="process")) == (7, None)


@pytest.mark.slow
def test_a_process_at_work_is_ended_by_cancel_and_by_close(reactor: Reactor) -> None:
    heard = Heard()
    number, _ = outcome(reactor, offload(reactor, os.getpid, to="process"))
    job = offload(reactor, time.sleep, 600, to="process")
    job.on_done(heard)
    turn_until(reactor, lambda: job._worker is not None)
    job.cancel()
    after, _ = outcome(reactor, offload(reactor, os.getpid, to="process"))
    assert after not in {number, os.getpid()}
    assert not heard

    last = offload(reactor, time.sleep, 600, to="process")
    last.on_done(heard)
    turn_until(reactor, lambda: last._worker is not None)
    reactor.close()
    assert isinstance(heard[0][1], ProgramFault)
    wait_for(lambda: not any(child.name == "poise-offload" for child in multiprocessing.active_children()))


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.005)


@pytest.mark.slow
def test_a_process_that_is_interrupted_while_it_starts() -> None:
    worker = ProcessWorker()
    worker.begin()
    worker.interrupt()
    with pytest.raises(MachineFault, match=f"exit code -{signal.SIGKILL.value}"):
        worker.run(time.sleep, (600,))
    worker.close()


def test_a_process_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    from multiprocessing.context import SpawnProcess

    def refuse(self: SpawnProcess) -> None:
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr(SpawnProcess, "start", refuse)
    with pytest.raises(MachineFault, match="could not be started"):
        ProcessWorker().run(int, ())


def test_what_the_process_does() -> None:
    ours, theirs = multiprocessing.Pipe()
    thread = threading.Thread(target=serve, args=(theirs,))
    thread.start()
    with ours:
        ours.send((divmod, (7, 2)))
        assert ours.recv() == (True, (3, 1))
        ours.send((raising, (KeyError, "key")))
        succeeded, error = ours.recv()
        assert (succeeded, error.args) == (False, ("key",))
        ours.send((raising, (Awkward, 1, 2)))
        succeeded, error = ours.recv()
        assert not succeeded
        assert isinstance(error, ProgramFault)
        assert "1 and 2" in str(error)
        ours.send((threading.Lock, ()))  # the result cannot be sent
        succeeded, error = ours.recv()
        assert not succeeded
        assert isinstance(error, TypeError)
    thread.join(20)
    assert not thread.is_alive()


def test_a_plain_worker_cannot_be_interrupted() -> None:
    worker = Worker()
    worker.begin()
    worker.interrupt()
    assert worker.run(int, ("7",)) == 7
    worker.close()
