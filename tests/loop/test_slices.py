"""An iterator advanced by threads: what comes back, when more is made, and who closes it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from poise.errors import MachineFault, ProgramFault
from poise.limits import LoopLimits
from poise.loop.clock import ManualClock
from poise.loop.offload import Overloaded, offload, pools
from poise.loop.reactor import Reactor
from poise.loop.slices import Slices
from tests.support.loops import turn_until


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    """What a thread still does when its reactor has closed belongs to this test."""
    yield
    for thread in threading.enumerate():
        if thread.name == "poise-offload":
            thread.join(20)


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture
def reactor(errors: list[Exception]) -> Iterator[Reactor]:
    limits = LoopLimits(threads=2, waiting=2)
    with Reactor(clock=ManualClock(), limits=limits, on_error=errors.append) as made:
        yield made


class Numbers:
    """Counts up, in steps that a test lets through when ``gate`` is given; knows who has closed it."""

    def __init__(
        self, end: int, gate: threading.Semaphore | None = None, fault: Exception | None = None
    ) -> None:
        self.given = 0
        self.closed_by: list[str] = []
        self.threads: set[str] = set()
        self.entered = threading.Semaphore(0)
        self._end = end
        self._gate = gate
        self._fault = fault

    def __iter__(self) -> Numbers:
        return self

    def __next__(self) -> int:
        assert not self.closed_by
        self.threads.add(threading.current_thread().name)
        if self.given == self._end:
            if self._fault is not None:
                raise self._fault
            raise StopIteration
        self.entered.release()
        if self._gate is not None:
            assert self._gate.acquire(timeout=20)
        self.given += 1
        return self.given

    def close(self) -> None:
        self.closed_by.append(threading.current_thread().name)


class Heard:
    """What a consumer is told; it draws again by itself ``draws`` times."""

    def __init__(self, reactor: Reactor, items: Iterator[int], *, draws: int = 0, **options: Any) -> None:
        self.slices: list[list[int]] = []
        self.ends: list[Exception | None] = []
        self.draws = draws
        self.made = Slices(
            reactor, items, on_slice=self.take, on_end=self.ends.append, **{"most": 3, "time": 1.0, **options}
        )

    def take(self, items: list[int]) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.slices.append(items)
        if self.draws:
            self.draws -= 1
            self.made.draw()


def idle(reactor: Reactor) -> Callable[[], bool]:
    return lambda: pools(reactor).pending == 0


def test_a_slice_comes_when_it_is_asked_for(reactor: Reactor) -> None:
    numbers = Numbers(8)
    heard = Heard(reactor, numbers)
    reactor.turn(0)
    assert numbers.given == 0
    for expected in ([[1, 2, 3]], [[1, 2, 3], [4, 5, 6]]):
        heard.made.draw()
        heard.made.draw()  # one is enough
        turn_until(reactor, lambda: len(heard.slices) == len(expected))  # noqa: B023 - it is over before the next
        assert heard.slices == expected
        turn_until(reactor, idle(reactor))
        assert numbers.given == 3 * len(expected)
    assert heard.ends == []
    heard.made.draw()
    turn_until(reactor, lambda: heard.ends)
    assert heard.slices[2:] == [[7, 8]]
    assert heard.ends == [None]
    assert numbers.closed_by == ["MainThread"]
    assert numbers.threads == {"poise-offload"}
    heard.made.draw()
    heard.made.close()
    turn_until(reactor, idle(reactor))
    assert len(heard.slices) == 3


def test_who_takes_at_once_gets_everything(reactor: Reactor) -> None:
    heard = Heard(reactor, Numbers(1000), draws=1000)
    heard.made.draw()
    turn_until(reactor, lambda: heard.ends)
    assert [number for items in heard.slices for number in items] == list(range(1, 1001))
    assert heard.ends == [None]


def test_nothing_at_all(reactor: Reactor) -> None:
    heard = Heard(reactor, iter(()))
    heard.made.draw()
    turn_until(reactor, lambda: heard.ends)
    assert heard.slices == []
    assert heard.ends == [None]


def test_an_item_weighs_what_is_said(reactor: Reactor) -> None:
    heard = Heard(reactor, Numbers(10), weigh=lambda number: number, most=6)
    heard.made.draw()
    turn_until(reactor, lambda: heard.slices)
    assert heard.slices == [[1, 2, 3]]
    heard.made.close()


def test_a_slice_ends_when_its_time_is_over(reactor: Reactor) -> None:
    gate = threading.Semaphore(0)
    numbers = Numbers(10, gate)
    heard = Heard(reactor, numbers, most=10, time=1.0)
    heard.made.draw()
    for late in (0.0, 0.5, 0.6):
        assert numbers.entered.acquire(timeout=20)
        assert isinstance(reactor.clock, ManualClock)
        reactor.clock.advance(late)
        gate.release()
    turn_until(reactor, lambda: heard.slices)
    assert heard.slices == [[1, 2, 3]]
    heard.made.close()


def test_an_error_ends_it(reactor: Reactor, errors: list[Exception]) -> None:
    fault = ZeroDivisionError("no more")
    numbers = Numbers(4, fault=fault)
    heard = Heard(reactor, numbers, draws=5)
    heard.made.draw()
    turn_until(reactor, lambda: heard.ends)
    assert heard.slices == [[1, 2, 3]]
    assert heard.ends == [fault]
    assert numbers.closed_by == ["MainThread"]
    assert errors == []


def test_a_consumer_that_raises_ends_it(reactor: Reactor, errors: list[Exception]) -> None:
    def broken(items: list[int]) -> None:
        raise ZeroDivisionError

    numbers = Numbers(10)
    ends: list[Exception | None] = []
    slices = Slices(reactor, numbers, on_slice=broken, on_end=ends.append, most=3, time=1.0)
    slices.draw()
    turn_until(reactor, lambda: ends)
    assert numbers.closed_by
    assert [type(error) for error in (*errors, *ends)] == [ZeroDivisionError] * 2


def test_closed_while_a_thread_is_at_work(reactor: Reactor) -> None:
    gate = threading.Semaphore(0)
    numbers = Numbers(10, gate)
    heard = Heard(reactor, numbers, most=10)
    heard.made.draw()
    assert numbers.entered.acquire(timeout=20)
    heard.made.close()
    heard.made.close()
    assert numbers.closed_by == []  # it is in use
    gate.release(5)
    turn_until(reactor, lambda: numbers.closed_by)
    assert numbers.closed_by == ["poise-offload"]
    assert numbers.given == 1
    turn_until(reactor, idle(reactor))
    assert heard.slices == []
    assert heard.ends == []


def test_closed_before_it_has_begun_and_between_slices(reactor: Reactor) -> None:
    for draws in (0, 1):
        numbers = Numbers(10)
        heard = Heard(reactor, numbers)
        for _ in range(draws):
            heard.made.draw()
            turn_until(reactor, lambda: heard.slices)  # noqa: B023 - it is over before the next
        heard.made.close()
        heard.made.draw()
        turn_until(reactor, idle(reactor))
        assert numbers.closed_by == ["MainThread"]
        assert numbers.given == 3 * draws
        assert heard.ends == []


def test_closed_while_it_waits_for_a_thread(reactor: Reactor) -> None:
    gate = threading.Event()
    for _ in range(2):
        offload(reactor, gate.wait, 20)
    numbers = Numbers(10)
    heard = Heard(reactor, numbers)
    heard.made.draw()
    heard.made.close()
    gate.set()
    turn_until(reactor, idle(reactor))
    assert numbers.closed_by == ["MainThread"]
    assert numbers.given == 0


def test_no_thread_to_be_had(reactor: Reactor) -> None:
    gate = threading.Event()
    for _ in range(4):
        offload(reactor, gate.wait, 20)
    numbers = Numbers(10)
    heard = Heard(reactor, numbers)
    heard.made.draw()
    assert heard.ends == []  # not from inside draw()
    heard.made.draw()
    turn_until(reactor, lambda: heard.ends)
    assert [type(error) for error in heard.ends] == [Overloaded]
    assert numbers.closed_by == ["MainThread"]
    gate.set()
    turn_until(reactor, idle(reactor))


def test_closed_before_it_is_told_that_there_is_no_thread(reactor: Reactor) -> None:
    gate = threading.Event()
    for _ in range(4):
        offload(reactor, gate.wait, 20)
    heard = Heard(reactor, Numbers(10))
    heard.made.draw()
    heard.made.close()
    gate.set()
    turn_until(reactor, idle(reactor))
    assert heard.ends == []


def test_closed_by_its_last_slice(reactor: Reactor) -> None:
    ends: list[Exception | None] = []
    taken: list[list[int]] = []

    def take(items: list[int]) -> None:
        taken.append(items)
        slices.close()

    slices = Slices(reactor, Numbers(2), on_slice=take, on_end=ends.append, most=3, time=1.0)
    slices.draw()
    turn_until(reactor, lambda: taken)
    assert taken == [[1, 2]]
    assert ends == []


def test_the_system_lets_no_thread_be_started(reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    heard = Heard(reactor, Numbers(10))
    heard.made.draw()
    turn_until(reactor, lambda: heard.ends)
    assert [type(error) for error in heard.ends] == [MachineFault]


def test_it_is_closed_with_the_reactor(errors: list[Exception]) -> None:
    with Reactor(on_error=errors.append) as reactor:
        idly, over = Numbers(10), Numbers(10)
        Heard(reactor, idly)
        Heard(reactor, over).made.close()
    assert idly.closed_by == ["MainThread"]
    assert over.closed_by == ["MainThread"]
    assert errors == []


def test_the_reactor_closes_while_a_thread_is_at_work() -> None:
    gate = threading.Semaphore(0)
    numbers = Numbers(10, gate)
    with Reactor() as reactor:
        heard = Heard(reactor, numbers)
        heard.made.draw()
        assert numbers.entered.acquire(timeout=20)
    assert [type(error) for error in heard.ends] == [ProgramFault]
    assert numbers.closed_by == []
    gate.release()
    for thread in threading.enumerate():
        if thread.name == "poise-offload":
            thread.join(20)
    assert numbers.closed_by == ["poise-offload"]


def test_an_iterator_without_an_end_of_its_own(reactor: Reactor) -> None:
    heard = Heard(reactor, iter([1, 2, 3, 4]))
    heard.made.draw()
    turn_until(reactor, lambda: heard.slices)
    heard.made.close()
    assert heard.slices == [[1, 2, 3]]


def test_generators_move_from_thread_to_thread(reactor: Reactor) -> None:
    closed = []

    def count() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.append(threading.current_thread().name)

    heard = Heard(reactor, count(), draws=10)
    heard.made.draw()
    turn_until(reactor, lambda: len(heard.slices) == 11)
    turn_until(reactor, idle(reactor))
    heard.made.close()
    assert closed == ["MainThread"]
    assert [number for items in heard.slices for number in items] == list(range(33))
