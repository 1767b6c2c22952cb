"""What a turn does must not depend on how many wait: counted in calls, since a time would say something else each time."""

from __future__ import annotations

import gc
import sys
from types import FrameType
from typing import Any

import pytest

from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from poise.readiness.poller import available

LIVE = 100_000


def nothing() -> None:
    """Nothing is due in these tests."""


def calls_of_a_turn(reactor: Reactor) -> list[str]:
    """Every call that one turn makes, of Python and of C, in order."""
    made: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            made.append(frame.f_code.co_name)
        elif event == "c_call":
            made.append(argument.__name__)

    before = sys.getprofile()
    gc.disable()  # a collection calls whoever has asked to hear of it
    sys.setprofile(note)
    try:
        reactor.turn(0)
    finally:
        sys.setprofile(before)
        gc.enable()
    return made[: made.index("setprofile")]


@pytest.mark.slow
@pytest.mark.parametrize("poller", available())
def test_a_hundred_thousand_deadlines_add_nothing_to_a_turn_in_which_none_is_due(poller: str) -> None:
    with Reactor(poller, clock=ManualClock()) as reactor:
        first = reactor.deadline(75.0, nothing)
        alone = calls_of_a_turn(reactor)
        assert "turn" in alone
        for number in range(LIVE - 1):
            reactor.deadline(75.0 + number % 3, nothing).since = reactor.now
        assert len(reactor.deadlines) == LIVE
        assert calls_of_a_turn(reactor) == alone
        first.cancel()
        assert calls_of_a_turn(reactor) == alone


@pytest.mark.slow
def test_a_hundred_thousand_timers_add_nothing_to_a_turn_in_which_none_is_due() -> None:
    with Reactor(clock=ManualClock()) as reactor:
        reactor.call_later(60.0, nothing)
        alone = calls_of_a_turn(reactor)
        for number in range(LIVE - 1):
            reactor.call_later(60.0 + number, nothing)
        assert calls_of_a_turn(reactor) == alone


@pytest.mark.slow
def test_what_is_due_costs_what_is_due() -> None:
    """The one deadline that is over, and not a look at the 100,000 others."""
    clock = ManualClock()
    with Reactor(clock=clock) as reactor:
        due: list[int] = []
        reactor.deadline(1.0, lambda: due.append(1))
        for number in range(LIVE):
            reactor.deadline(75.0 + number % 3, nothing)
        clock.advance(1.0)
        made = calls_of_a_turn(reactor)
    assert due == [1]
    assert len(made) < 30, made
