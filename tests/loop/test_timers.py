"""Timers and deadlines: never early, never after cancel, never forgotten, and nothing left behind."""

from __future__ import annotations

import gc
import math
import sys
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from poise.limits import LoopLimits
from poise.loop.timers import Deadline, Deadlines, TimerHandle, Timers


def nothing() -> None:
    pass


def run(handles: list[TimerHandle]) -> list[object]:
    """What the reactor does: look, then call."""
    return [handle.callback(*handle.args) for handle in handles if handle.callback is not None]


# -- Timers ----------------------------------------------------------------------------------------


def test_in_order_of_time_then_of_making() -> None:
    timers = Timers()
    assert timers.next_due == math.inf
    for when, name in ((3.0, "d"), (1.0, "a"), (2.0, "b"), (2.0, "c")):
        timers.call_at(when, str, (name,))
    assert (timers.next_due, len(timers)) == (1.0, 4)
    assert timers.pop_due(0.999) == []
    assert run(timers.pop_due(2.0)) == ["a", "b", "c"]
    assert (timers.next_due, len(timers)) == (3.0, 1)
    assert run(timers.pop_due(100)) == ["d"]
    assert (timers.next_due, len(timers)) == (math.inf, 0)


@pytest.mark.pitfall(31)
def test_nan_is_refused_and_the_past_is_due_at_once() -> None:
    timers = Timers()
    with pytest.raises(ValueError, match="NaN"):
        timers.call_at(math.nan, nothing)
    timers.call_at(-1e300, nothing)
    timers.call_at(math.inf, nothing)
    assert timers.next_due == -1e300
    assert len(timers.pop_due(0)) == 1
    assert timers.pop_due(1e300) == []


def test_cancelling_lets_go_of_the_callback_at_once() -> None:
    class Held:
        def method(self) -> None:
            """Only to be held."""

    held, argument = Held(), Held()
    seen = weakref.ref(held), weakref.ref(argument)
    timers = Timers()
    handle = timers.call_at(1.0, held.method, (argument,))
    assert "when=1" in repr(handle)
    del held, argument
    assert not handle.cancelled
    handle.cancel()
    handle.cancel()
    gc.collect()
    assert [reference() for reference in seen] == [None, None]
    assert handle.cancelled
    assert "cancelled" in repr(handle)
    assert (len(timers), timers.next_due) == (0, math.inf)


def test_cancelling_the_first_shows_the_second() -> None:
    timers = Timers()
    first, middle, _last = (timers.call_at(when, nothing) for when in (1.0, 2.0, 3.0))
    middle.cancel()
    assert timers.next_due == 1.0
    first.cancel()
    assert (timers.next_due, len(timers)) == (3.0, 1)


def test_a_cancelled_one_in_the_middle_is_passed_over() -> None:
    timers = Timers()
    handles = [timers.call_at(float(when), str, (when,)) for when in range(5)]
    handles[2].cancel()
    assert run(timers.pop_due(10)) == ["0", "1", "3", "4"]
    assert len(timers) == 0


def test_cancel_after_the_call_counts_nothing() -> None:
    timers = Timers()
    handle = timers.call_at(1.0, nothing)
    timers.call_at(2.0, nothing)
    assert timers.pop_due(1.0) == [handle]
    handle.cancel()
    assert len(timers) == 1


def test_one_due_timer_may_cancel_another() -> None:
    timers = Timers()
    second = timers.call_at(1.0, pytest.fail, ("cancelled, and yet called",))
    timers.call_at(0.5, second.cancel)
    assert run(timers.pop_due(1.0)) == [None]


@pytest.mark.pitfall(27)
def test_a_timer_that_arms_itself_runs_once_a_turn() -> None:
    timers = Timers()
    ran: list[int] = []

    def again() -> None:
        ran.append(1)
        timers.call_at(5.0, again)

    timers.call_at(5.0, again)
    for turn in range(1, 4):
        run(timers.pop_due(5.0))
        assert len(ran) == turn


@pytest.mark.pitfall(27)
def test_a_storm_of_timers_is_cut_into_turns() -> None:
    timers = Timers(LoopLimits(timers=10))
    for number in range(25):
        timers.call_at(1.0, int, (number,))
    batches = [run(timers.pop_due(1.0)) for _ in range(4)]
    assert [len(batch) for batch in batches] == [10, 10, 5, 0]
    assert [number for batch in batches for number in batch] == list(range(25))


@pytest.mark.pitfall(29)
def test_a_day_later_each_is_due_once() -> None:
    timers = Timers()
    for when in (1.0, 2.0, 3.0):
        timers.call_at(when, nothing)
    assert len(timers.pop_due(86_400.0)) == 3
    assert timers.pop_due(86_400.0) == []


@pytest.mark.slow
@pytest.mark.pitfall(32)
def test_a_hundred_thousand_cancelled_timers_leave_nothing_behind() -> None:
    timers = Timers()
    keep = timers.call_at(0.5, nothing)
    for number in range(100_000):
        timers.call_at(1000.0 + number, nothing).cancel()
        assert len(timers._heap) <= 203
    assert len(timers) == 1
    assert timers.pop_due(1.0) == [keep]


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=400),
    st.lists(st.integers(0, 25), max_size=30),
)
def test_timers_against_a_naive_model(made: list[tuple[int, bool]], looks: list[int]) -> None:
    timers = Timers(LoopLimits(cancelled=5))
    handles = [timers.call_at(float(when), nothing) for when, _ in made]
    for handle, (_, cancelled) in zip(handles, made, strict=True):
        if cancelled:
            handle.cancel()
    waiting = [handle for handle, (_, cancelled) in zip(handles, made, strict=True) if not cancelled]
    waiting.sort(key=lambda handle: handle.when)
    for now in sorted(looks):
        assert timers.next_due == (waiting[0].when if waiting else math.inf)
        due = [handle for handle in waiting if handle.when <= now]
        assert timers.pop_due(now) == due
        waiting = waiting[len(due) :]
        assert len(timers) == len(waiting)


# -- Deadlines -------------------------------------------------------------------------------------


def test_a_restart_is_one_store() -> None:
    deadlines = Deadlines()
    deadline = deadlines.start(10.0, nothing, 0.0)
    assert (deadlines.next_due, len(deadlines)) == (10.0, 1)
    deadline.since = 7.0
    assert deadlines.expire(10.0) == []
    assert deadlines.next_due == 17.0
    assert deadlines.expire(16.999) == []
    assert deadlines.expire(17.0) == [deadline]
    assert (deadlines.next_due, len(deadlines), deadlines.entries) == (math.inf, 0, 0)


def test_change_to_a_later_and_to_an_earlier_time() -> None:
    deadlines = Deadlines()
    deadline = deadlines.start(10.0, nothing, 0.0)
    deadline.change(100.0, 1.0)
    assert deadlines.entries == 1
    deadline.change(2.0, 2.0)
    assert (deadlines.next_due, deadlines.entries) == (4.0, 2)
    assert deadlines.expire(3.999) == []
    assert deadlines.expire(4.0) == [deadline]
    assert deadlines.expire(1000.0) == []
    assert deadlines.entries == 0


@pytest.mark.parametrize("end", ["cancel", "expire"])
def test_what_is_over_stays_over(end: str) -> None:
    deadlines = Deadlines()
    deadline = deadlines.start(1.0, nothing, 0.0)
    if end == "cancel":
        deadline.cancel()
    else:
        assert deadlines.expire(1.0) == [deadline]
    deadline.since = 5.0
    deadline.change(0.0, 5.0)
    deadline.cancel()
    deadline.cancel()
    assert deadline.callback is None
    assert len(deadlines) == 0
    assert deadlines.expire(1e9) == []


@pytest.mark.pitfall(31)
@pytest.mark.parametrize("duration", [-0.001, math.nan, -math.inf])
def test_what_is_no_duration_is_refused(duration: float) -> None:
    deadlines = Deadlines()
    with pytest.raises(ValueError, match="at least 0"):
        deadlines.start(duration, nothing, 0.0)
    deadline = deadlines.start(1.0, nothing, 0.0)
    with pytest.raises(ValueError, match="at least 0"):
        deadline.change(duration, 0.5)
    assert deadlines.expire(1.0) == [deadline]


def test_for_ever_is_a_duration() -> None:
    deadlines = Deadlines()
    deadline = deadlines.start(math.inf, nothing, 0.0)
    assert (len(deadlines), deadlines.entries, deadlines.next_due) == (1, 0, math.inf)
    deadline.change(1.0, 5.0)
    assert deadlines.expire(6.0) == [deadline]
    deadlines.start(math.inf, nothing, 0.0).cancel()
    assert (len(deadlines), deadlines.entries) == (0, 0)


def test_changed_to_for_ever_leaves_no_entry_behind() -> None:
    deadlines = Deadlines()
    deadline = deadlines.start(1.0, nothing, 0.0)
    deadline.change(math.inf, 0.5)
    assert deadlines.expire(1.0) == []
    assert (len(deadlines), deadlines.entries, deadlines.next_due) == (1, 0, math.inf)
    deadline.change(2.0, 3.0)
    assert deadlines.next_due == 5.0
    deadline.cancel()
    assert len(deadlines) == 0


def test_expiry_looks_at_no_more_than_the_limit() -> None:
    deadlines = Deadlines(LoopLimits(timers=4, durations=1))
    made = [deadlines.start(float(1 + number % 2), nothing, 0.0) for number in range(10)]
    found: list[Deadline] = []
    for _ in range(3):
        batch = deadlines.expire(5.0)
        assert 0 < len(batch) <= 4
        found += batch
    assert len(found) == 10
    assert set(found) == set(made)
    assert deadlines.expire(5.0) == []
    assert [len(deadlines.expire(5.0, limit)) for limit in (0, 1)] == [0, 0]


@pytest.mark.pitfall(32)
def test_durations_without_end_make_no_queues_without_end() -> None:
    deadlines = Deadlines(LoopLimits(durations=3))
    made = [deadlines.start(float(number), nothing, 0.0) for number in range(100, 0, -1)]
    assert len(deadlines._queues) == 3
    assert deadlines.expire(50.0, 1000) == sorted(made, key=lambda one: one.duration)[:50]
    assert len(deadlines.expire(100.0, 1000)) == 50
    assert not deadlines._queues


@pytest.mark.slow
@pytest.mark.pitfall(32)
def test_a_hundred_thousand_cancelled_deadlines_leave_nothing_behind() -> None:
    deadlines = Deadlines()
    keep = deadlines.start(20.0, nothing, 0.0)
    for number in range(100_000):
        deadlines.start(20.0 + number % 3, nothing, number / 1e6).cancel()
        assert deadlines.entries <= 203
    assert deadlines.expire(100.0, 1000) == [keep]
    assert deadlines.entries == 0


@pytest.mark.slow
@pytest.mark.pitfall(32)
def test_one_deadline_changed_for_ever_stays_small() -> None:
    deadlines = Deadlines()
    deadline = deadlines.start(3600.0, nothing, 0.0)
    now = 0.0
    for _ in range(20_000):
        now += 0.02
        deadline.change(0.01, now)
        deadline.change(3600.0, now)
        assert deadlines.expire(now + 0.015) == []
        assert deadlines.entries <= 205


def test_the_memory_of_an_idle_connection() -> None:
    deadlines = Deadlines()
    deadline = deadlines.start(75.0, nothing, 0.0)
    entry = 2 * 8 + sys.getsizeof(1.5)  # a place in each of two deques, and the time
    assert sys.getsizeof(deadline) + entry < 150
    assert not hasattr(deadline, "__dict__")


def test_put_in_again_lands_in_the_sorted_queue() -> None:
    deadlines = Deadlines()
    made = [deadlines.start(20.0, nothing, float(number)) for number in range(10)]
    for one in made:
        one.change(75.0, 15.0)
    assert deadlines.expire(40.0) == []
    assert not deadlines._heap
    made[3].cancel()
    assert deadlines.expire(90.0) == [*made[:3], *made[4:]]


def test_put_in_again_for_a_time_before_the_last_of_its_queue() -> None:
    deadlines = Deadlines()
    first = deadlines.start(10.0, nothing, 0.0)
    first.since = 1.0
    second = deadlines.start(10.0, nothing, 5.0)
    assert deadlines.expire(10.0) == []
    assert deadlines.next_due == 11.0
    assert deadlines.expire(11.0) == [first]
    assert deadlines.expire(15.0) == [second]


DURATIONS = st.sampled_from([0.0, 1.0, 2.5, 7.0, 30.0, 31.0, math.inf])


class AgainstModel(RuleBasedStateMachine):
    """Anything that a program may do, beside a model that looks at every deadline every time."""

    def __init__(self) -> None:
        super().__init__()
        self.deadlines = Deadlines(LoopLimits(cancelled=3, durations=3))
        self.now = 0.0
        self.live: list[Deadline] = []
        self.over: list[Deadline] = []

    def one(self, data: Any) -> Deadline:
        chosen: Deadline = data.draw(st.sampled_from(self.live))
        return chosen

    @rule(duration=DURATIONS)
    def start(self, duration: float) -> None:
        self.live.append(self.deadlines.start(duration, nothing, self.now))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def restart(self, data: Any) -> None:
        self.one(data).since = self.now

    @precondition(lambda self: self.live)
    @rule(data=st.data(), duration=DURATIONS)
    def change(self, data: Any, duration: float) -> None:
        self.one(data).change(duration, self.now)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        chosen = self.one(data)
        chosen.cancel()
        self.live.remove(chosen)
        self.over.append(chosen)

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 3.0, 40.0]))
    def expire(self, seconds: float) -> None:
        self.now += seconds
        due = {id(one) for one in self.live if one.since + one.duration <= self.now}
        if due:
            assert self.deadlines.next_due <= self.now
        found = self.deadlines.expire(self.now, 10_000)
        assert {id(one) for one in found} == due
        assert len(found) == len(due)
        self.live = [one for one in self.live if id(one) not in due]
        self.over += found

    @precondition(lambda self: self.over)
    @rule(data=st.data())
    def touch_what_is_over(self, data: Any) -> None:
        data.draw(st.sampled_from(self.over)).change(0.0, self.now)

    @invariant()
    def bounded_and_never_late(self) -> None:
        assert len(self.deadlines) == len(self.live)
        assert self.deadlines.entries <= 2 * len(self.live) + 5
        real = min((one.since + one.duration for one in self.live), default=math.inf)
        assert self.deadlines.next_due <= real


TestAgainstModel = pytest.mark.slow(AgainstModel.TestCase)
