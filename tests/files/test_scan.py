"""Reading a long folder: in short steps, only the page that is asked for, and let go of the rest."""

from __future__ import annotations

import gc
import os
import random
from pathlib import Path

import pytest

from poise.errors import RequestError
from poise.files.listing import FolderPage, Listing, Listings
from poise.files.locate import Root
from poise.files.scan import Entry, Scan
from poise.files.site import Site
from poise.files.view import SORTS, View
from poise.limits import FileLimits
from tests.files.support import LATER, LONG_AGO, answered, put, request

COUNT = 400


@pytest.fixture
def many(folder: Path) -> Path:
    chance = random.Random(5)
    for number in range(COUNT):
        path = folder / f"{chance.randrange(10**6)}-{number}"
        if number % 10:
            put(path, b"x" * chance.randrange(20), modified=LONG_AGO + chance.randrange(50))
        else:
            path.mkdir()
    return folder


def scanned(root: Root, view: View) -> Scan:
    with root.locate("/") as found:
        scan = Scan(root, found, view)
    while not scan.done:
        scan.step()
    scan.step()
    return scan


def wanted(entry: Entry, view: View) -> tuple[object, ...]:
    value = {"name": 0, "size": entry.size, "date": entry.modified}[view.sort]
    return not entry.is_folder, -value if view.descending else value


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("looks", "page"), [(1, 30), (7, 30), (16, 1000), (1000, 7)])
def test_the_pages_together_are_the_folder_in_order(
    many: Path, monkeypatch: pytest.MonkeyPatch, sort: str, descending: bool, looks: int, page: int
) -> None:
    monkeypatch.setattr("poise.files.scan.RUN", 64)  # so that there are many runs to merge
    found: list[Entry] = []
    with Root(many, limits=FileLimits(looks=looks, page=page)) as root:
        pages = -(-COUNT // page)
        for number in range(1, pages + 1):
            view = View(sort=sort, descending=descending, page=number)
            scan = scanned(root, view)
            assert (scan.page, scan.pages, scan.count) == (number, pages, COUNT)
            assert scan._runs == []
            found += scan.entries()
        beyond = scanned(root, View(page=pages + 9))
        assert beyond.page == pages
    assert {entry.name for entry in found} == {os.fsencode(name) for name in os.listdir(many)}
    view = View(sort=sort, descending=descending)
    order = [wanted(entry, view) for entry in found]
    assert order == sorted(order)


@pytest.mark.attack(42)
def test_a_scan_that_is_given_up_keeps_nothing(many: Path) -> None:
    """In the middle of any step, and without waiting for the collector of cycles."""
    with Root(many, limits=FileLimits(looks=8)) as root:
        gc.disable()
        try:
            for steps in range(90):
                with root.locate("/") as found:
                    scan = Scan(root, found)
                for _ in range(steps):
                    scan.step()
                scan.close()
                scan.close()
                assert scan._work.gi_frame is None  # type: ignore[attr-defined]  # mypy knows it as a Generator
                assert scan.count == min(steps * 8, COUNT)
        finally:
            gc.enable()


@pytest.mark.attack(42)
def test_one_long_folder_too_many_is_told_to_come_again(many: Path) -> None:
    put(many / "short" / "a")
    with Root(many, limits=FileLimits(looks=8, listings=2)) as root:
        site = Site(root, wall=lambda: LATER)
        begun = [answered(site, request("/")) for _ in range(2)]
        assert answered(site, request("/")).status == 503
        assert answered(site, request("/?json")).status == 503
        assert answered(site, request("/short/")).status == 200, "a short one is no trouble"
        read = begun.pop()
        pieces = iter(read.body)  # type: ignore[arg-type]  # it is no FileBody
        while not next(pieces):
            pass
        third = answered(site, request("/"))  # the first has been read, if not sent
        assert third.status == 200
        for reply in (read, *begun, third):
            reply.close()
            reply.close()
        assert site._folders._listings.under_way == 0


@pytest.mark.attack(41)
def test_a_link_that_cannot_be_looked_at_is_not_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "a")
    (folder / "link").symlink_to("a")
    with Root(folder) as root, root.locate("/") as found:
        scan = Scan(root, found)
        monkeypatch.setattr(root, "child", refuse)
        with pytest.raises(RequestError) as refused:
            scan.step()
        assert refused.value.status == 503
        assert scan.done
        monkeypatch.undo()
        made = Listings(root).of(found, View(), FolderPage((), root.limits))
        assert not isinstance(made, Listing)
        assert b"link" in made


def refuse(*_: object) -> None:
    raise RequestError(503, "The server has too many files open at the moment.")
