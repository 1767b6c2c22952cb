"""A flood of made-up addresses: each is looked for, and what appears meanwhile is found."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.files.fieldrules import field_rule
from poise.files.locate import Root
from poise.files.rules import SiteRules
from poise.files.site import Site
from poise.http.message import Reply, Request
from tests.files.support import LATER, LONG_AGO, put
from tests.http.web import Client, Web, get, web

Folder = Callable[..., Client]


class Served:
    def __init__(self, root: Root, made: Web, rules: SiteRules) -> None:
        site = Site(root, wall=lambda: LATER, reactor=made.reactor, rules=rules)
        self.asked = 0

        def reply(request: Request) -> Reply | None:
            self.asked += 1
            return site.reply(request)

        made.server.answer = reply
        self.web = made
        self.client = made.client()

    def status(self, path: str) -> int:
        return self.client.ask(get(path)).status

    def warm(self) -> None:
        """Have a refusal remembered."""
        assert [self.status(f"/no-{number}") for number in range(3)] == [404] * 3
        assert self.asked == 2


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., Served]]:
    with Root(folder) as root, web() as made:

        def start(**rules: Any) -> Served:
            return Served(root, made, SiteRules(**rules))

        yield start


def test_what_appears_is_found_at_once(serve: Callable[..., Served], folder: Path) -> None:
    served = serve()
    served.warm()
    assert served.status("/new.txt") == 404
    put(folder / "new.txt", b"new")
    assert served.status("/new.txt") == 200
    (folder / "new.txt").unlink()
    served.web.wait(1)
    assert served.status("/new.txt") == 404


def test_below_folders_too(serve: Callable[..., Served], folder: Path) -> None:
    served = serve()
    put(folder / "a" / "b" / "c.txt")
    served.warm()
    for path in ("/a/x", "/a/b/x", "/x/b/c.txt", "/a/x/c.txt"):
        assert served.status(path) == 404
    assert served.asked == 2
    assert served.status("/a/b/c.txt") == 200
    assert served.status("/a/b/c.txt/x") == 404  # a file is no folder: that takes the long way to find out
    assert served.asked == 4


def test_links_are_left_to_the_gate(serve: Callable[..., Served], folder: Path, tmp_path: Path) -> None:
    served = serve()
    put(folder / "real" / "file.txt")
    os.symlink("real", folder / "link")
    os.symlink(tmp_path, folder / "out")
    os.symlink("nowhere", folder / "dangling")
    served.warm()
    asked = served.asked
    assert served.status("/link/file.txt") == 200
    for path in ("/link/none", "/out/none", "/dangling", "/dangling/x"):
        assert served.status(path) == 404
    assert served.asked == asked + 5


def test_the_sites_own_page_is_remembered_and_noticed(serve: Callable[..., Served], folder: Path) -> None:
    served = serve()
    served.warm()
    put(folder / "404.html", b"<p>Not here.</p>")
    served.web.wait(1)
    bodies = [served.client.ask(get(f"/no-{number}")).body for number in range(4)]
    assert bodies == [b"<p>Not here.</p>"] * 4
    asked = served.asked
    assert served.client.ask(get("/no-more")).body == b"<p>Not here.</p>"
    assert served.asked == asked
    put(folder / "404.html", b"<p>Gone.</p>", modified=LONG_AGO + 5)
    served.web.wait(1)
    assert served.client.ask(get("/no-more")).body == b"<p>Gone.</p>"


@pytest.mark.parametrize(
    "rules",
    [
        {"clean_urls": True},
        {"spa": "index.html"},
        {"headers": (field_rule("X-A", "b", "/no-1"),)},
        {"cors": ("https://a.example",)},
    ],
    ids=lambda rules: next(iter(rules)),
)
def test_where_the_name_matters_every_one_takes_the_long_way(
    rules: dict[str, Any], serve: Callable[..., Served]
) -> None:
    served = serve(**rules)
    for number in range(5):
        assert served.status(f"/no-{number}") == 404
    assert served.asked == 5


def test_what_is_hidden_is_missing(serve: Callable[..., Served], folder: Path) -> None:
    put(folder / ".hidden")
    put(folder / "shown")
    served = serve()
    served.warm()
    assert served.status("/.hidden") == 404
    assert served.status("/shown") == 200
