"""A folder's page in its other ways: sorted, page by page, in two languages, as JSON, with its README."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.errors import MachineFault
from poise.files import readme, script
from poise.files.folder import Folders
from poise.files.locate import Root
from poise.files.marks import SHAPES, kind_of
from poise.files.scan import Entry, Order
from poise.files.site import Site
from poise.files.texts import LANGUAGES, TAGS, TEXTS
from poise.files.view import SORTS, View
from poise.http.message import Reply, Request
from poise.limits import FileLimits
from poise.loop.offload import Overloaded
from tests.files.support import LATER, LONG_AGO, answered, body_of, fields_of, put, request, site_of
from tests.files.test_listing import Page


def page_of(site: Site, path: str = "/") -> Page:
    return Page(body_of(answered(site, request(path))))


def names(site: Site, path: str) -> list[str]:
    return [row[0] for row in page_of(site, path).rows[1:]]


def test_sorting_is_a_link(site: Site, folder: Path) -> None:
    for name, size, age in (("b", 3, 10), ("a10", 2, 30), ("a9", 2, 20)):
        put(folder / name, b"x" * size, modified=LONG_AGO - age)
    put(folder / "z" / "in", modified=LONG_AGO)
    assert names(site, "/") == ["z", "a9", "a10", "b"]
    assert names(site, "/?order=desc") == ["z", "b", "a10", "a9"]
    assert names(site, "/?sort=size") == ["z", "a9", "a10", "b"]
    assert names(site, "/?sort=size&order=desc") == ["z", "b", "a9", "a10"]
    assert names(site, "/?sort=date") == ["z", "a10", "a9", "b"]
    assert names(site, "/?sort=date&order=desc") == ["z", "b", "a9", "a10"]
    links = {text: href for href, text in page_of(site, "/").links}
    assert links["Name ↑"] == "?order=desc"
    assert links["Size"] == "?sort=size&order=desc"
    back = {text: href for href, text in page_of(site, "/?sort=size&order=desc").links}
    assert back["Size ↓"] == "?sort=size"
    assert back["Name"] == "?"


def entries() -> st.SearchStrategy[Entry]:
    name = st.binary(min_size=1, max_size=20).filter(lambda name: not set(name) & set(b"/\0\\"))
    numbers = st.integers(0, 2**63 - 1)
    files = st.builds(Entry, name, st.just(False), numbers, st.integers(-(2**63), 2**63 - 1))
    return files | st.builds(Entry, name, st.just(True), st.just(0), st.integers(-(2**40), 2**40))


@given(st.lists(entries()), st.sampled_from(SORTS), st.booleans())
def test_packed_entries_come_back_in_order(given_entries: list[Entry], sort: str, descending: bool) -> None:
    order = Order(View(sort=sort, descending=descending))
    packed = sorted(map(order.pack, given_entries), reverse=order.reverse)
    back = [order.unpack(each) for each in packed]
    assert sorted(back) == sorted(given_entries)
    assert sorted(back, key=lambda entry: not entry.is_folder) == back, "folders first"
    for kind in (True, False):
        values = [
            entry.size if sort == "size" else entry.modified for entry in back if entry.is_folder is kind
        ]
        if sort != "name":
            assert values == sorted(values, reverse=descending)


def test_a_long_folder_is_shown_page_by_page(folder: Path) -> None:
    for number in range(25):
        put(folder / f"{number}.txt", b"x")
    with Root(folder, limits=FileLimits(page=10, looks=7, rows=3)) as root:
        site = site_of(root)
        seen = []
        for number in (1, 2, 3):
            page = page_of(site, f"/?page={number}")
            seen += [row[0] for row in page.rows[1:]]
            assert f"Page {number} of 3" in page.text["nav"]
            assert page.text["h1"] == "The top folder: 25 files, 25 B."
        assert seen == [f"{number}.txt" for number in range(25)]
        links = [
            (href, text)
            for href, text in page_of(site, "/?page=2&sort=size").links
            if "page" in href or text == "Previous"
        ]
        assert links == [("?sort=size", "Previous"), ("?sort=size&page=3", "Next")]
        assert names(site, "/?page=99") == names(site, "/?page=3")
        assert b'"Names on this page with' in body_of(answered(site, request("/")))
        assert names(site, "/?page=2&order=desc")[0] == "14.txt"


def test_the_same_as_json(folder: Path) -> None:
    put(folder / "a b.txt", b"123")
    put(folder / "sub" / "inner")
    put(folder / os.fsdecode(b"\xff<&>"), b"x", modified=0)
    os.utime(folder / "sub", ns=(10**18, 10**18))
    with Root(folder) as root:
        reply = answered(site_of(root), request("/?json"))
        fields = fields_of(reply)
        found = json.loads(body_of(reply))
        assert (fields["content-type"], fields["vary"]) == ("application/json", "Accept, Accept-Language")
        assert found.pop("entries") == [
            {"name": "sub", "href": "./sub/", "type": "folder", "modified": "2001-09-09T01:46:40+00:00"},
            {
                "name": "a b.txt",
                "href": "./a%20b.txt",
                "type": "file",
                "modified": "2023-11-14T22:13:20+00:00",
                "size": 3,
            },
            {
                "name": "\ufffd<&>",
                "href": "./%FF%3C%26%3E",
                "type": "file",
                "modified": "1970-01-01T00:00:00+00:00",
                "size": 1,
            },
        ]
        assert found == {
            "path": "/",
            "folders": 1,
            "files": 2,
            "bytes": 4,
            "complete": True,
            "page": 1,
            "pages": 1,
        }
    with Root(folder, limits=FileLimits(page=1, entries=2)) as root:
        found = json.loads(body_of(answered(site_of(root), request("/?json&page=2"))))
        assert (found["complete"], found["page"], found["pages"], len(found["entries"])) == (False, 2, 2, 1)


def test_an_empty_folder_as_json(site: Site) -> None:
    assert json.loads(body_of(answered(site, request("/?json"))))["entries"] == []


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_say_the_same_things() -> None:
    first, *others = (TEXTS[language] for language in LANGUAGES)
    for other in others:
        assert {key: gaps(text) for key, text in other.items()} == {
            key: gaps(text) for key, text in first.items()
        }
    assert set(TAGS) == set(LANGUAGES)


def test_the_script_is_the_one_that_the_policy_names(site: Site) -> None:
    digest = base64.b64encode(hashlib.sha256(script.SOURCE.encode()).digest()).decode()
    assert f"sha256-{digest}" == script.SCRIPT_HASH
    reply = answered(site, request("/"))
    assert f"script-src '{script.SCRIPT_HASH}'" in fields_of(reply)["content-security-policy"]
    assert body_of(reply).count(b"<script") == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"a.JPG", "image"),
        (b"a.flac", "audio"),
        (b"a.webm", "video"),
        (b"a.tar.gz", "archive"),
        (b"a.py", "code"),
        (b"README", "text"),
        (b"a.docx", "text"),
        (b"a.bin", "file"),
    ],
)
def test_a_sign_for_each_kind(name: bytes, kind: str) -> None:
    assert kind_of(name) == kind
    assert kind in SHAPES


# --- README -----------------------------------------------------------------------------------------------

HOSTILE = b"""\
# Title <b>

<script>alert(1)</script> [bad](javascript:alert(1)) [worse](data:text/html,x) ![p](http://evil.example/p.png "\\"><script>")

[good](photos/) <a href="javascript:alert(2)">x</a>

| a | b |
|---|---|
| 1 | 2 |
"""


@pytest.mark.attack(23)
def test_a_readme_is_rendered_and_obeys_nobody(site: Site, folder: Path) -> None:
    pytest.importorskip("markdown_it")
    put(folder / "README.md", HOSTILE)
    reply = answered(site, request("/"))
    assert "img-src 'self'" in fields_of(reply)["content-security-policy"]
    html = body_of(reply).decode().partition('<section class="readme"')[2].partition("</section>")[0]
    assert "<h2>Title &lt;b&gt;</h2>" in html
    assert '<a href="photos/">good</a>' in html
    assert '<table class="table">' in html
    assert "<script" not in html
    assert 'href="javascript' not in html
    assert 'href="data' not in html


def test_a_readme_without_markdown_is_text(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "README.md", b"# <b>")
    monkeypatch.setitem(__import__("sys").modules, "markdown_it", None)
    assert b"<pre># &lt;b&gt;</pre>" in body_of(answered(site, request("/")))


def test_the_first_readme_counts(site: Site, folder: Path) -> None:
    put(folder / "README", b"plain & simple")
    assert b"<pre>plain &amp; simple</pre>" in body_of(answered(site, request("/")))
    put(folder / "README.txt", b"better")
    assert b"<pre>better</pre>" in body_of(answered(site, request("/")))
    (folder / "README.md").mkdir()
    assert b"<pre>better</pre>" in body_of(answered(site, request("/")))


def test_a_readme_that_is_none(site: Site, folder: Path) -> None:
    put(folder / "README", b"\0\1\2")
    assert b"<section" not in body_of(answered(site, request("/")))
    put(folder / "README", b"  \n")
    assert b"<section" not in body_of(answered(site, request("/")))


def test_a_long_readme_is_cut(folder: Path) -> None:
    put(folder / "README", b"x" * 100)
    with Root(folder, limits=FileLimits(readme=10)) as root:
        assert "<pre>xxxxxxxxxx\n…</pre>".encode() in body_of(answered(site_of(root), request("/")))
    with Root(folder, limits=FileLimits(readme=0)) as root:
        assert b"<section" not in body_of(answered(site_of(root), request("/")))


def test_an_unreadable_readme_is_left_out(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "README", b"x")

    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    assert b"<section" not in body_of(answered(site, request("/")))


class Beside:
    """Stands in for the threads: what is to be done waits until the test does it."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], str]] = []
        self.told: list[Callable[[Any, Any], object]] = []

    def __call__(self, function: Callable[[], str]) -> Beside:
        self.calls.append(function)
        return self

    def on_done(self, callback: Callable[[Any, Any], object]) -> None:
        self.told.append(callback)

    def tell(self, html: str | None, error: Exception | None = None) -> None:
        """What has come of it, to all who wait for it."""
        told, self.told = self.told, []
        for callback in told:
            callback(html, error)


def later(asked: Request) -> list[Reply]:
    answers: list[Reply] = []
    asked.deliver = lambda _request, reply: answers.append(reply)
    return answers


def test_a_readme_is_rendered_beside_the_loop_and_remembered(root: Root, folder: Path) -> None:
    put(folder / "README", b"hello")
    beside = Beside()
    site = Site(root, wall=lambda: LATER, offload=beside)
    asked = request("/")
    answers = later(asked)
    assert site.reply(asked) is None
    beside.tell(beside.calls[0]())
    assert b"<pre>hello</pre>" in body_of(answers[0])
    again = site.reply(request("/"))
    assert again is not None, "remembered"
    assert b"<pre>hello</pre>" in body_of(again)
    put(folder / "README", b"another", modified=LONG_AGO + 1)
    asked = request("/")
    answers = later(asked)
    assert site.reply(asked) is None
    beside.tell(None, ValueError("it cannot be rendered"))
    assert b"<section" not in body_of(answers[0])
    assert b"<section" not in body_of(answered(site, request("/"))), "nor is it tried again"


def test_all_who_ask_meanwhile_wait_for_one_rendering(root: Root, folder: Path) -> None:
    put(folder / "README", b"hello")
    beside = Beside()
    site = Site(root, wall=lambda: LATER, offload=beside)
    waiting = []
    for _ in range(3):
        asked = request("/")
        waiting.append(later(asked))
        assert site.reply(asked) is None
    assert len(beside.calls) == 1
    beside.tell(beside.calls[0]())
    assert all(b"<pre>hello</pre>" in body_of(answers[0]) for answers in waiting)


def test_only_so_many_readmes_are_remembered(root: Root, folder: Path) -> None:
    folders = Folders(root, root.limits)
    for number in range(readme.REMEMBERED + 1):
        put(folder / str(number) / "README", b"x")
        with root.locate(f"/{number}/") as found:
            reply = folders.reply(found, request(f"/{number}/"), lambda _: None)
            assert reply is not None
            reply.close()
    beside = Beside()
    folders._offload = beside
    for number, remembered in ((0, False), (readme.REMEMBERED, True)):
        with root.locate(f"/{number}/") as found:
            reply = folders.reply(found, request(f"/{number}/"), lambda _: None)
            assert (reply is not None) is remembered
    beside.tell("")


def test_a_folder_that_is_gone_when_its_readme_is_rendered(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "README", b"hello")
    beside = Beside()
    asked = request("/")
    answers = later(asked)
    assert Site(root, wall=lambda: LATER, offload=beside).reply(asked) is None

    def forbid(_fd: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", forbid)
    beside.tell("")
    assert answers[0].status == 403


def test_no_thread_is_no_readme(root: Root, folder: Path) -> None:
    put(folder / "README", b"hello")

    def full(_function: object) -> None:
        raise Overloaded(11, "busy")

    assert issubclass(Overloaded, MachineFault)
    assert b"<section" not in body_of(answered(Site(root, wall=lambda: LATER, offload=full), request("/")))


@pytest.mark.parametrize("path", ["/", "/?json", "/?sort=size"])
def test_an_unchanged_folder_is_not_sent_again(site: Site, folder: Path, path: str) -> None:
    put(folder / "a.txt", b"1")
    first = answered(site, request(path))
    tag = fields_of(first)["etag"]
    assert fields_of(first)["cache-control"] == "no-cache"
    again = answered(site, request(path, fields={"If-None-Match": tag}))
    assert (again.status, again.body, again.validator) == (304, b"", None)
    assert fields_of(again) == {
        "etag": tag,
        "cache-control": "no-cache",
        "vary": "Accept, Accept-Language",
    }
    assert answered(site, request(path, fields={"If-Match": '"other"'})).status == 412
    put(folder / "a.txt", b"12")
    changed = answered(site, request(path, fields={"If-None-Match": tag}))
    assert changed.status == 200
    assert fields_of(changed)["etag"] != tag


def test_each_way_to_see_a_folder_has_its_own_tag(site: Site, folder: Path) -> None:
    put(folder / "a.txt", b"1")
    ways = (
        request("/"),
        request("/", fields={"Accept-Language": "zh"}),
        request("/", fields={"Accept": "application/json"}),
        request("/?sort=date"),
    )
    assert len({fields_of(answered(site, each))["etag"] for each in ways}) == len(ways)


def test_a_folder_that_is_sent_while_it_is_read_has_no_tag(folder: Path) -> None:
    for number in range(10):
        put(folder / f"{number}.txt", b"x")
    with Root(folder, limits=FileLimits(looks=7)) as root:
        for path in ("/", "/?json"):
            reply = answered(site_of(root), request(path))
            assert "etag" not in fields_of(reply)
            assert fields_of(reply)["cache-control"] == "no-cache"
            assert b"9.txt" in body_of(reply)
