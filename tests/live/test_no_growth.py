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
    """How much is asked, and after how much of it memory may not grow any more."""

    requests: int
    warm_up: int
    looks: int
    growth: int  # KiB: what a heap that is handed out and given back differs by
    known: float  # the part that is answered from memory, which makes it fast


SHORT = Run(200_000, 100_000, 40, 1024, 0.7)
LONG = Run(10_000_000, 1_000_000, 400, 1024, 0.95)


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
    often = run.requests // BATCH // run.looks
    with serving(tmp_path, "--no-access-log", *memo) as served:
        asked = ask_everything(served.port, run.requests, known=run.known)
        looks = [(count, private(served.pid)) for count in asked if count // BATCH % often == 0]
    before = max(size for answered, size in looks if answered <= run.warm_up)
    after = max(size for answered, size in looks if answered > run.warm_up)
    record_property("requests and KiB", looks[:: max(1, len(looks) // 20)])
    record_property("KiB more", after - before)
    assert after - before < run.growth, looks[:: max(1, len(looks) // 20)]
