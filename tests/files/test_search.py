"""Searching below a folder: what is found, what is best, when it ends, and who is told."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.errors import RequestError
from poise.files.globs import folded
from poise.files.locate import Root
from poise.files.search import Cut, Hits, Query, Search, Searches, Searching, glob
from poise.limits import FileLimits, LoopLimits
from poise.loop.clock import ManualClock
from poise.loop.offload import Overloaded, offload, pools
from poise.loop.reactor import Reactor
from tests.files.support import LONG_AGO, put
from tests.files.trees import before, descriptors, join_threads, unprivileged, walk_of
from tests.support.loops import turn_until


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    yield
    join_threads()


def hits_of(root: Root, text: str, path: str = "/", *, clock: Any = lambda: 0.0, **options: Any) -> Hits:
    search = Search(walk_of(root, path, **options), Query(text, root.limits.search_text), clock)
    for _ in search:
        pass
    return search.hits


def found(root: Root, text: str, path: str = "/") -> list[str]:
    return [b"/".join(hit.names).decode("utf-8", "replace") for hit in hits_of(root, text, path).best]


# -- what is found --------------------------------------------------------------------------------------------


@pytest.fixture
def library(folder: Path) -> Path:
    for name in (
        "Report.pdf",
        "report.txt",
        "2025/Holiday.jpg",
        "2025/report-final.pdf",
        "2026/holiday/IMG_0001.JPG",
        "2026/holiday/IMG_0002.JPG",
        "Annual report 2025.odt",
        "deep/er/than/all/report",
        "straße/Über.txt",
    ):
        put(folder / name, b"12345")
    put(folder / ".hidden" / "report")
    return folder


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing", []),
        ("holiday", ["2026/holiday", "2025/Holiday.jpg"]),
        ("HOLIDAY", ["2026/holiday", "2025/Holiday.jpg"]),
        ("holiday 2025", ["2025/Holiday.jpg"]),
        ("2026 img", ["2026/holiday/IMG_0001.JPG", "2026/holiday/IMG_0002.JPG"]),
        ("2026 holiday", ["2026/holiday"]),
        ("2025 report", ["Annual report 2025.odt", "2025/report-final.pdf"]),
        ("*.jpg", ["2025/Holiday.jpg", "2026/holiday/IMG_0001.JPG", "2026/holiday/IMG_0002.JPG"]),
        ("img_???1.*", ["2026/holiday/IMG_0001.JPG"]),
        ("*.jpg 2026 0002", ["2026/holiday/IMG_0002.JPG"]),
        ("*.jpg 2026 nothing", []),
        ("*0", []),
        ("strasse", ["straße"]),
        ("STRASSE über", ["straße/Über.txt"]),
        ("U\u0308ber", ["straße/Über.txt"]),
        ("hidden", []),
    ],
)
def test_what_is_found(root: Root, text: str, expected: list[str]) -> None:
    assert found(root, text) == expected


@pytest.mark.usefixtures("library")
def test_the_best_comes_first(root: Root) -> None:
    assert found(root, "report") == [
        "Report.pdf",
        "report.txt",
        "deep/er/than/all/report",
        "2025/report-final.pdf",
        "Annual report 2025.odt",
    ]
    assert found(root, "report", "/2025/") == ["report-final.pdf"]


@pytest.mark.usefixtures("library")
def test_what_is_told_of_it(root: Root) -> None:
    hits = hits_of(root, "2026 *1.jpg")
    [hit] = hits.best
    assert hit == ((b"2026", b"holiday", b"IMG_0001.JPG"), False, 5, LONG_AGO)
    assert (hits.total, hits.looked_at, hits.cut) == (1, 18, frozenset())
    [hit] = hits_of(root, "er").best[:1]
    assert (hit.is_folder, hit.size) == (True, 0)


def test_names_of_any_bytes(root: Root, folder: Path) -> None:
    put(folder / os.fsdecode(b"caf\xe9.txt"))
    put(folder / "new\nline.txt")
    assert [hit.names for hit in hits_of(root, "caf").best] == [(b"caf\xe9.txt",)]
    assert [hit.names for hit in hits_of(root, "line new").best] == [(b"new\nline.txt",)]
    assert [hit.names for hit in hits_of(root, "new?line*").best] == [(b"new\nline.txt",)]


def test_what_is_hidden_is_not_found(root: Root, library: Path) -> None:
    hits = hits_of(root, "report", hides=lambda _names: lambda name, folder: folder and name == b"2025")
    assert b"2025" not in {hit.names[0] for hit in hits.best}
    assert hits.total == 4


def test_nothing_to_search_for() -> None:
    assert not Query("", 10)
    assert not Query(" \t ", 10)
    assert Query("x", 10)


def test_of_a_long_text_the_beginning_counts(folder: Path) -> None:
    put(folder / "abcdef")
    put(folder / "abc")
    with Root(folder, limits=FileLimits(search_text=3)) as root:
        assert found(root, "abcdefghi") == ["abc", "abcdef"]


@pytest.mark.attack(47)
@pytest.mark.parametrize("word", ["*a" * 127 + "b", "*" * 255 + "b", "?*" * 127 + "b", "*a?" * 80 + "b"])
def test_a_pattern_does_not_go_astray(word: str) -> None:
    pattern = glob(word)
    begin = time.process_time()
    for _ in range(10):
        assert pattern.fullmatch("a" * 255) is None
    assert time.process_time() - begin < 0.5


def plainly(pattern: str, text: str) -> bool:
    """The slow way to match."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(plainly(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and plainly(pattern[1:], text[1:])


@given(st.text("ab.*?\n[", max_size=8), st.text("ab.\n[", max_size=8))
def test_patterns_match_what_they_say(pattern: str, text: str) -> None:
    assert bool(glob(pattern).fullmatch(text)) is plainly(pattern, text)


@given(st.text(), st.text(), st.text())
def test_a_name_is_found_by_any_part_of_it(before_it: str, part: str, after_it: str) -> None:
    query = Query(part, 1000)
    if query and "*" not in part and "?" not in part:
        assert query.rank(folded(before_it) + folded(part) + folded(after_it), "") is not None


# -- how long and how much ------------------------------------------------------------------------------------


@pytest.mark.attack(42)
def test_it_ends_when_its_time_is_over(root: Root, folder: Path) -> None:
    for number in range(100):
        put(folder / f"{number:02}")
    ticks = iter(range(1000))
    hits = hits_of(root, "0", clock=lambda: next(ticks) / 10)
    assert hits.cut == {Cut.TIME}
    assert 0 < hits.total < 19


@pytest.mark.attack(42)
def test_it_ends_when_it_has_looked_at_enough(folder: Path) -> None:
    for number in range(100):
        put(folder / f"{number:02}")
    put(folder / "deep" / "er" / "0")
    with Root(folder, limits=FileLimits(walk_depth=1)) as root:
        assert hits_of(root, "0", entries=50).cut == {Cut.ENTRIES}
        assert hits_of(root, "0").cut == {Cut.ENTRIES}
        assert hits_of(root, "0", "/deep/").cut == frozenset()


def test_of_too_many_results_the_best_are_kept(folder: Path) -> None:
    for number in range(200):
        put(folder / "sub" / f"x-{number:03}")
    put(folder / "z" / "x")
    put(folder / "x-y")
    with Root(folder, limits=FileLimits(search_results=3)) as root:
        hits = hits_of(root, "x")
        assert [hit.names[-1] for hit in hits.best] == [b"x", b"x-y", b"x-000"]
        assert hits.total == 202
        assert hits.cut == {Cut.RESULTS}


def test_links_in_circles_end(root: Root, folder: Path) -> None:
    put(folder / "a" / "x")
    (folder / "a" / "loop").symlink_to("..")
    assert found(root, "x") == ["a/x"]
    assert found(root, "loop") == ["a/loop"]
    assert hits_of(root, "loop").cut == frozenset()


def test_a_search_that_is_given_up(root: Root, folder: Path) -> None:
    put(folder / "a" / "x")
    search = Search(walk_of(root), Query("x", 10), lambda: 0.0)
    next(search)
    search.close()
    search.close()
    assert list(search) == []
    assert search.hits.total == 0


# -- beside the loop ------------------------------------------------------------------------------------------


class Heard(list[tuple[Hits | None, Exception | None]]):
    def __call__(self, hits: Hits | None, error: Exception | None) -> None:
        self.append((hits, error))


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    errors: list[Exception] = []
    limits = LoopLimits(threads=2, waiting=2)
    with Reactor(clock=ManualClock(), limits=limits, on_error=errors.append) as made:
        yield made
    assert errors == []


def begun(
    searches: Searches, root: Root, text: str, heard: Heard, path: str = "/", **options: Any
) -> Searching:
    with root.locate(path) as folder:
        return searches.begin(root, folder, text, heard, **options)


@pytest.mark.usefixtures("library")
def test_it_answers_on_the_loop(root: Root, reactor: Reactor) -> None:
    searches, heard = Searches(reactor), Heard()
    searching = begun(searches, root, "report", heard)
    assert searches.under_way == 1
    assert heard == []
    turn_until(reactor, lambda: heard)
    [(hits, error)] = heard
    assert hits == hits_of(root, "report")
    assert error is None
    assert searches.under_way == 0
    searching.cancel()
    assert searches.under_way == 0


@pytest.mark.usefixtures("library")
def test_it_takes_as_many_slices_as_it_needs(folder: Path) -> None:
    with (
        Reactor() as reactor,
        Root(folder, limits=FileLimits(slice_time=0, looks=1)) as root,
    ):
        searches, heard = Searches(reactor), Heard()
        begun(searches, root, "report", heard)
        turns = 0
        while not heard:
            reactor.turn(1)
            turns += 1
        assert turns > 20
        [(hits, _)] = heard
        assert hits == hits_of(root, "report")


def test_a_search_that_is_cancelled_tells_nobody(root: Root, folder: Path, reactor: Reactor) -> None:
    put(folder / "a" / "b" / "x")
    open_before = len(os.listdir("/proc/self/fd"))
    searches, heard = Searches(reactor), Heard()
    for _ in range(20):
        searching = begun(searches, root, "x", heard)
        searching.cancel()
        searching.cancel()
        assert searches.under_way == 0
    turn_until(reactor, lambda: pools(reactor).pending == 0)
    turn_until(reactor, lambda: len(os.listdir("/proc/self/fd")) == open_before)
    assert heard == []


def test_one_search_too_many_is_told_to_come_again(folder: Path, reactor: Reactor) -> None:
    with Root(folder, limits=FileLimits(searches=2)) as root:
        searches, heard = Searches(reactor), Heard()
        for _ in range(2):
            begun(searches, root, "x", heard)
        with pytest.raises(RequestError) as refused:
            begun(searches, root, "x", heard)
        assert refused.value.status == 503
        turn_until(reactor, lambda: len(heard) == 2)
        begun(searches, root, "x", heard).cancel()


def test_no_thread_to_be_had(root: Root, reactor: Reactor) -> None:
    gate = threading.Event()
    for _ in range(4):
        offload(reactor, gate.wait, 20)
    searches, heard = Searches(reactor), Heard()
    begun(searches, root, "x", heard)
    turn_until(reactor, lambda: heard)
    assert [(hits, type(error)) for hits, error in heard] == [(None, Overloaded)]
    assert searches.under_way == 0
    gate.set()
    turn_until(reactor, lambda: pools(reactor).pending == 0)


def test_a_folder_that_may_not_be_read(root: Root, folder: Path, reactor: Reactor) -> None:
    (folder / "closed").mkdir(mode=0o100)
    searches = Searches(reactor)
    with unprivileged(), pytest.raises(RequestError) as refused:
        begun(searches, root, "x", Heard(), "/closed/")
    assert refused.value.status == 403
    assert searches.under_way == 0


@pytest.mark.attack(41)
def test_without_descriptors_it_says_so(root: Root, folder: Path) -> None:
    put(folder / "a" / "b" / "x")
    with descriptors(3), pytest.raises(RequestError) as refused:
        hits_of(root, "x")
    assert refused.value.status == 503


def test_a_machine_that_fails_is_told_on_the_loop(
    root: Root, folder: Path, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted() -> None:
        raise OSError(errno.EMFILE, "too many")

    put(folder / "a" / "x")
    searches, heard = Searches(reactor), Heard()
    before(monkeypatch, "open", exhausted, name=b"a")
    begun(searches, root, "x", heard)
    turn_until(reactor, lambda: heard)
    [(hits, error)] = heard
    assert hits is None
    assert isinstance(error, RequestError)
    assert error.status == 503
    assert searches.under_way == 0
