"""Requests without end, of every kind, leave nothing behind: memory is after millions of them what it was before."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live.everything import BATCH, ask_everything, site
from tests.live.test_leaving import private
from tests.support.program import serving

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is asked in Linux's own way"),
]


class Run(NamedTuple):
    """So many requests after ``warm_up`` of them, in which all tables that have a bound reach it."""

    requests: int
    warm_up: int
    growth: int  # KiB: what a heap that is handed out and given back differs by


SHORT = Run(200_000, 60_000, 1024)
LONG = Run(10_000_000, 1_000_000, 512)

KNOWN_AT_FIRST, KNOWN = 0.5, 0.95
"""The part that is answered from memory: less while all of the rest is to be seen, more when it has to be fast."""

LOOKS = 400  # at the memory


@pytest.mark.parametrize("memo", [(), ("--memo-size", "1M")], ids=["", "small memo"])
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(SHORT, id="200,000", marks=pytest.mark.timeout(120)),
        pytest.param(LONG, id="10,000,000", marks=[pytest.mark.long, pytest.mark.timeout(3600)]),
    ],
)
def test_memory_does_not_grow(
    run: Run, memo: tuple[str, ...], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """With a small memo, which is full soon, what is remembered comes and goes all the while."""
    site(tmp_path)
    often = run.requests // BATCH // LOOKS
    rest = run.requests - run.warm_up
    with serving(tmp_path, "--no-access-log", *memo) as served:
        before, after = (
            [private(served.pid) for number in asked if number // BATCH % often == 0]
            for asked in (
                ask_everything(served.port, run.warm_up, known=KNOWN_AT_FIRST),
                ask_everything(served.port, rest, known=KNOWN),
            )
        )
    record_property(
        "KiB", [*before[:: max(1, len(before) // 5)], "then", *after[:: max(1, len(after) // 20)]]
    )
    record_property("KiB more", max(after) - max(before))
    assert max(after) - max(before) < run.growth
