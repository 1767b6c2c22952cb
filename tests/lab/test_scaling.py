"""How long one call takes, on a machine that may look away at any moment."""

from __future__ import annotations

from itertools import count

import pytest

from poise.lab.experiments import scaling


def test_a_machine_that_is_away_before_the_first_call_spoils_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = count(0, 10 * scaling.LONG_ENOUGH)
    monkeypatch.setattr(scaling, "now", lambda: next(moments))
    called: list[int] = []
    assert scaling.fastest(lambda: called.append(1)) == 10 * scaling.LONG_ENOUGH / 1000
    assert len(called) == scaling.ROUNDS
