"""A look at all that an answer hangs on: what it costs, what it notices, and for how long it may go by what was seen before."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.files import looks as rooms
from poise.files.locate import Root
from poise.files.located import Consulted, fingerprint
from poise.files.looks import Looks
from poise.limits import FileLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from tests.files.support import put

FRESHNESS = 0.5


class Watched:
    """Looks at files in folders, in a time that goes on when it is told to."""

    def __init__(self, root: Root, reactor: Reactor, clock: ManualClock, seen: list[bytes]) -> None:
        self.looks = Looks(root, FileLimits(freshness=FRESHNESS), reactor)
        self.root = root
        self._reactor = reactor
        self._clock = clock
        self._seen = seen

    def wait(self, seconds: float) -> None:
        self._clock.advance(seconds)
        self._reactor.turn(0)

    def at(self, path: str) -> Callable[[], bool]:
        with self.root.locate(path) as found:
            return self.looks.at(found.consulted)

    def taken(self, look: Callable[[], bool]) -> tuple[bool, list[bytes]]:
        """What ``look`` says, and at which paths it has looked."""
        self._seen.clear()
        return look(), [*self._seen]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    paths: list[bytes] = []
    real = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        if "dir_fd" in options:
            paths.append(path)
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    return paths


@pytest.fixture
def watched(folder: Path, seen: list[bytes]) -> Iterator[Watched]:
    for name in ("top.txt", "d/a.txt", "d/b.txt", "d/e/c.txt", "f/a.txt"):
        put(folder / name, name.encode())
    clock = ManualClock(1000.1)
    with Root(folder) as root, Reactor(clock=clock) as reactor:
        yield Watched(root, reactor, clock, seen)


def test_a_folder_is_looked_at_once_in_a_period_for_all_that_is_in_it(watched: Watched) -> None:
    top, a, b, c = map(watched.at, ("/top.txt", "/d/a.txt", "/d/b.txt", "/d/e/c.txt"))
    assert watched.taken(top) == (True, [b"top.txt"])
    assert watched.taken(a) == (True, [b"d", b"d/a.txt"])
    assert watched.taken(a) == (True, [b"d/a.txt"])
    assert watched.taken(b) == (True, [b"d/b.txt"])
    assert watched.taken(c) == (True, [b"d/e", b"d/e/c.txt"])
    watched.wait(0.39)
    assert watched.taken(c) == (True, [b"d/e/c.txt"])
    watched.wait(0.02)
    assert watched.taken(c) == (True, [b"d", b"d/e", b"d/e/c.txt"])
    assert watched.taken(a) == (True, [b"d/a.txt"])


@pytest.mark.parametrize("freshness", [FRESHNESS, 0.0])
def test_without_a_time_and_without_freshness_everything_is_looked_at_each_time(
    watched: Watched, freshness: float
) -> None:
    time = watched.looks.time if not freshness else None
    looks = Looks(watched.root, FileLimits(freshness=freshness), time)  # type: ignore[arg-type]
    with watched.root.locate("/d/a.txt") as found:
        look = looks.at(found.consulted)
    for _ in range(3):
        assert watched.taken(look) == (True, [b"d", b"d/a.txt"])


def test_a_link_in_the_place_of_a_folder_is_noticed_when_the_period_is_over(
    watched: Watched, folder: Path
) -> None:
    a, b = watched.at("/d/a.txt"), watched.at("/d/b.txt")
    assert a()
    (folder / "d").rename(folder / "moved")
    (folder / "d").symlink_to("moved")
    assert watched.taken(a) == (True, [b"d/a.txt"]), (
        "it is the same file, and the folder was one a moment ago"
    )
    (folder / "d").unlink()
    (folder / "d").symlink_to("f")
    assert watched.taken(a) == (False, [b"d/a.txt"]), "what the link leads to is another file"
    assert not b(), "there is none"
    (folder / "d").unlink()
    (folder / "d").symlink_to("moved")
    watched.wait(FRESHNESS)
    assert watched.taken(a) == (False, [b"d"])


def test_a_folder_above_that_is_gone_takes_those_below_with_it(watched: Watched, folder: Path) -> None:
    c = watched.at("/d/e/c.txt")
    assert c()
    (folder / "d").rename(folder / "moved")
    assert watched.taken(c) == (False, [b"d/e/c.txt"])
    (folder / "d").symlink_to("moved")
    watched.wait(FRESHNESS)
    assert watched.taken(c) == (False, [b"d"])


def test_what_was_missing_must_be_missing_still(watched: Watched, folder: Path) -> None:
    there = fingerprint((folder / "d" / "a.txt").stat())
    consulted: Consulted = (((b"d", b"none"), None), ((b"d", b"a.txt"), there), ((b"none",), None))
    look = watched.looks.at(consulted)
    assert watched.taken(look) == (True, [b"d", b"d/none", b"d/a.txt", b"none"])
    put(folder / "none")
    assert not look()
    (folder / "none").unlink()
    assert look()
    put(folder / "d" / "none")
    assert watched.taken(look) == (False, [b"d/none"])


def test_what_hangs_on_nothing_stays(watched: Watched) -> None:
    assert watched.taken(watched.looks.at(())) == (True, [])


def test_what_a_look_does_not_show_is_left_to_another(watched: Watched, folder: Path) -> None:
    answers = [True, False]
    with watched.root.locate("/d/a.txt") as found:
        look = watched.looks.at(found.consulted, lambda: answers.pop(0))
    assert look()
    assert len(answers) == 2, "nobody was asked"
    put(folder / "d" / "a.txt", b"changed")
    assert look()
    assert not look()
    assert answers == []


def test_a_root_that_is_closed_shows_nothing(watched: Watched) -> None:
    look = watched.at("/top.txt")
    watched.root.close()
    assert not look()


def test_folders_that_are_remembered_are_bounded(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "FOLDERS", 2)
    looks = [watched.at(path) for path in ("/d/a.txt", "/d/e/c.txt", "/f/a.txt", "/d/b.txt") * 2]
    assert len(watched.looks._folders) <= 2
    assert all(look() for look in looks)


@given(st.floats(0, 1e7), st.floats(1e-3, 1e5), st.floats(0, 1))
def test_nobody_goes_by_a_look_that_is_older_than_the_freshness(
    now: float, freshness: float, part: float
) -> None:
    limits = FileLimits(freshness=freshness)
    until = limits.fresh_until(now)
    rounding = 1e-9 * max(now, freshness)
    assert now - rounding <= until <= now + freshness + rounding
    later = now + (until - now) * part  # what is looked at in the same period does not prolong it
    assert limits.fresh_until(later) <= until + freshness + rounding
    if later < until - rounding:
        assert limits.fresh_until(later) == pytest.approx(until)


def test_without_freshness_a_look_is_over_at_once() -> None:
    assert FileLimits(freshness=0).fresh_until(1234.5) == 1234.5
