"""The queue of datagrams: exact accounting, order within a line, budgets, marks and age."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.limits import DatagramLimits
from poise.net.sendqueue import Answer, SendQueue

TAKE, DROP, FULL, SHORT = Answer.TAKEN, Answer.DROPPED, Answer.FULL, Answer.SHORT


def sizes(queue: SendQueue) -> tuple[int, int]:
    """What the queue really holds, counted anew."""
    entries = [entry for line in queue._lines.values() for entry in line]
    return sum(len(entry.data) for entry in entries), len(entries)


def filled(limits: DatagramLimits | None = None, *, apart: bool = False, to: str = "aab") -> SendQueue:
    queue = SendQueue(limits or DatagramLimits(), apart=apart)
    for number, name in enumerate(to):
        assert queue.append(bytes([number]), name, float(number))
    return queue


class Kernel:
    """Takes what it is handed, or answers as the script says; ``full`` are receivers without room."""

    def __init__(self, *script: Answer, full: str = "") -> None:
        self.script = list(script)
        self.full = list(full)
        self.taken: list[tuple[bytes, Any]] = []
        self.asked = 0

    def __call__(self, data: bytes, to: Any) -> Answer:
        self.asked += 1
        answer = FULL if to in self.full else self.script.pop(0) if self.script else TAKE
        if answer is TAKE:
            self.taken.append((data, to))
        return answer


STEP = st.one_of(
    st.tuples(st.binary(max_size=40), st.sampled_from("abc")),
    st.lists(st.sampled_from(list(Answer)), max_size=8),
    st.floats(0, 10),
)


@pytest.mark.pitfall(16)
@given(apart=st.booleans(), steps=st.lists(STEP, max_size=60))
def test_the_count_is_exact_and_the_order_is_kept(apart: bool, steps: list[Any]) -> None:
    limits = DatagramLimits(sent=3, sent_bytes=50, queue=10, queue_bytes=100, send_wait=2.0)
    queue = SendQueue(limits, apart=apart)
    now = 0.0
    inside: list[tuple[bytes, str, float]] = []
    left: list[tuple[bytes, str, float]] = []
    for step in steps:
        if isinstance(step, tuple):
            data, to = step
            room = len(inside) < 10 and sum(len(each[0]) for each in inside) + len(data) <= 100
            assert queue.append(data, to, now) is (room or not inside)
            if room or not inside:
                inside.append((data, to, now))
        elif isinstance(step, list):
            gone: list[tuple[bytes, str]] = []
            answers = iter(step)

            def hand_over(data: bytes, to: Any, gone: Any = gone, answers: Any = answers) -> Answer:
                answer: Answer = next(answers, TAKE)
                if answer in (TAKE, DROP):
                    gone.append((data, to))
                return answer

            took, _ = queue.flush(hand_over)
            assert took == len(gone) <= 3
            for data, to in gone:  # the first of its line, each time
                entry = next(each for each in inside if not apart or each[1] == to)
                assert entry[:2] == (data, to)
                inside.remove(entry)
        else:
            now += step
            left = [each for each in inside if each[2] + 2.0 <= now]
            dropped = queue.drop_late(now)
            assert sorted(map(tuple, dropped)) == sorted(left)
            for each in left:
                inside.remove(each)
        assert (
            (queue.size, queue.count) == sizes(queue) == (sum(len(each[0]) for each in inside), len(inside))
        )
        for name in "abc":
            assert queue.waits_for(name) is any(not apart or each[1] == name for each in inside)
        if inside:
            assert queue.next_late == min(each[2] for each in inside) + 2.0
    queue.clear()
    assert (queue.size, queue.count) == (0, 0)


@pytest.mark.pitfall(12)
def test_one_leaves_after_it_was_taken_never_before() -> None:
    queue = filled()
    kernel = Kernel(FULL)
    assert queue.flush(kernel) == (0, FULL)
    assert (queue.size, queue.count) == (3, 3)
    assert queue.flush(kernel) == (3, TAKE)
    assert kernel.taken == [(b"\0", "a"), (b"\1", "a"), (b"\2", "b")]


def test_a_dropped_one_does_not_stop_the_queue() -> None:
    queue = filled()
    kernel = Kernel(TAKE, DROP)
    assert queue.flush(kernel) == (3, TAKE)
    assert kernel.taken == [(b"\0", "a"), (b"\2", "b")]


def test_a_full_receiver_holds_up_its_own_line_only() -> None:
    queue = filled(apart=True, to="abab")
    kernel = Kernel(full="a")
    assert queue.flush(kernel) == (2, FULL)
    assert [to for _, to in kernel.taken] == ["b", "b"]
    assert queue.waits_for("a")
    assert not queue.waits_for("b")


def test_short_of_memory_stops_every_line() -> None:
    queue = filled(apart=True)
    kernel = Kernel(SHORT)
    assert queue.flush(kernel) == (0, SHORT)
    assert kernel.asked == 1


@pytest.mark.pitfall(24)
def test_the_budget_is_shared_among_the_lines() -> None:
    queue = filled(DatagramLimits(sent=2), apart=True, to="aaaaabb")
    kernel = Kernel()
    for _ in range(2):
        assert queue.flush(kernel) == (2, TAKE)
    assert [to for _, to in kernel.taken] == ["a", "a", "b", "b"]


def test_the_budget_is_bounded_in_bytes_too() -> None:
    queue = SendQueue(DatagramLimits(sent_bytes=10))
    for _ in range(4):
        queue.append(b"x" * 6, None, 0.0)
    assert queue.flush(Kernel()) == (2, TAKE)


def test_the_newest_is_refused_and_a_single_one_never() -> None:
    queue = SendQueue(DatagramLimits(queue=2, queue_bytes=10))
    assert queue.append(b"x" * 11, None, 0.0)
    assert not queue.append(b"", None, 0.0)
    queue.clear()
    assert queue.append(b"", None, 0.0)
    assert queue.append(b"x" * 10, None, 0.0)
    assert not queue.append(b"", None, 0.0)
    queue.flush(Kernel(TAKE, FULL))
    assert not queue.append(b"x", None, 0.0)
    assert queue.append(b"", None, 0.0)


def test_the_marks() -> None:
    queue = SendQueue(DatagramLimits(high_water=100, low_water=40, queue=8))
    assert queue.marks == (40, 100)
    queue.append(b"x" * 100, None, 0.0)
    assert not queue.too_much
    queue.append(b"x", None, 0.0)
    assert queue.too_much
    assert not queue.little
    queue.clear()
    for _ in range(8):
        queue.append(b"", None, 0.0)
    assert queue.too_much  # of them, though not a byte
    queue.flush(Kernel(TAKE, TAKE, TAKE, TAKE, TAKE, FULL))
    assert queue.count == 3
    assert not queue.little
    queue.flush(Kernel(TAKE, FULL))
    assert queue.little


def test_marks_are_set_as_asyncio_does() -> None:
    queue = SendQueue(DatagramLimits(high_water=100, low_water=40))
    for high, low, marks in (
        (80, None, (20, 80)),
        (None, 30, (30, 120)),
        (5, 5, (5, 5)),
        (0, 0, (0, 0)),
        (None, None, (40, 100)),
    ):
        queue.set_marks(high, low)
        assert queue.marks == marks
    for high, low in ((5, 6), (5, -1), (-4, None)):
        with pytest.raises(ValueError, match="high"):
            queue.set_marks(high, low)
