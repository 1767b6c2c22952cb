"""A file that is replaced while it is read: no reply is made of two versions, and none is older than the freshness allows.

A reply is remembered once its file has been at rest for a second. So the file is replaced in bursts, and before each of them it is left
alone until every reader has had it from memory. Every other burst is as fast as it can be; in those between, every reader has an
answer between two replacements.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from poise.limits import FileLimits
from tests.live.replacing import PATIENCE, Reader, Writer, all_at_rest, readers
from tests.support.program import serving
from tests.support.told import AT_ONCE, need_to_be_told, told_of

pytestmark = [pytest.mark.live, pytest.mark.slow]

SMALL, LARGE = 50, 25_000
"""Lines at least: what is answered from memory, and what is sent by the kernel from the file."""


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        select.select([], [], [], 0.001)


def all_answered(made: Sequence[Reader]) -> None:
    """Wait until each has got one answer more."""
    before = [len(reader.seen) for reader in made]
    until(
        lambda: all(
            len(reader.seen) > count or reader.wrong for reader, count in zip(made, before, strict=True)
        )
    )


FEW = (2, 300)
MANY = [pytest.mark.long, pytest.mark.timeout(600)]
"""Bursts, and how often the file is replaced in each."""


@pytest.mark.parametrize("times", [FEW, pytest.param((40, 250), marks=MANY)], ids=["few", "10,000"])
@pytest.mark.parametrize(
    ("least", "options"),
    [
        pytest.param(least, options, id=f"{size}, {how}")
        for least, size in ((SMALL, "small"), (LARGE, "large"))
        for options, how in (((), "as documented"), (("--freshness", "0"), "0"))
    ]
    + [pytest.param(SMALL, AT_ONCE, id="small, told")],
)
def test_no_reply_mixes_two_versions_or_is_too_old(
    least: int,
    options: tuple[str, ...],
    times: tuple[int, int],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    writer = Writer(tmp_path / "page.txt", least)
    allowed = float(options[-1]) if options else FileLimits().freshness
    if options == AT_ONCE:
        need_to_be_told(tmp_path)
    bursts, size = times
    with (
        serving(tmp_path, "--no-access-log", *options) as served,
        readers(served.port, "/page.txt", writer) as made,
    ):
        for burst in range(bursts):
            until(lambda: all_at_rest(made, writer.latest))
            if options == AT_ONCE:
                until(lambda: writer.path.stat().st_ino in told_of(served.pid))
            for _ in range(size):
                writer.replace()
                if burst % 2:
                    all_answered(made)
        all_answered(made)
    assert writer.latest == bursts * size
    found = {type(reader).__name__: reader.judge(allowed) for reader in made}
    answers = {type(reader).__name__: len(reader.seen) for reader in made}
    record_property("answers", answers)
    record_property(
        "versions seen", {type(each).__name__: len({one.version for one in each.seen}) for each in made}
    )
    record_property("seconds too old, at most", {name: oldest for name, (_, oldest) in found.items()})
    assert not {name: wrong[:5] for name, (wrong, _) in found.items() if wrong}
    if allowed and least == SMALL:
        assert all(oldest > 0 for _, oldest in found.values()), "or nothing came from memory"
