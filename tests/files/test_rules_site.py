"""A site that was told something: clean addresses, a fallback, error pages, fields, hidden names, links."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from poise import Reactor
from poise.files.cors import origin
from poise.files.fieldrules import cache_rule, field_rule
from poise.files.live import PATH, Live
from poise.files.locate import Root
from poise.files.rules import SiteRules
from poise.files.site import Site
from poise.files.walk import Walk
from poise.http.message import Reply, Request
from tests.files.support import LATER, SECRET, answered, body_of, fields_of, put, request

Made = Callable[..., Site]


@pytest.fixture
def told(folder: Path) -> Iterator[Made]:
    """Makes sites from the folder that were told something."""
    roots: list[Root] = []

    def made(*, symlinks: Any = "inside", **said: Any) -> Site:
        rules = SiteRules(symlinks=symlinks, **said)
        root = Root(folder, symlinks=symlinks, hides=rules.hides if rules.hide else None)
        roots.append(root)
        return Site(root, wall=lambda: LATER, rules=rules)

    yield made
    for root in roots:
        root.close()


def get(site: Site, path: str, method: str = "GET", **fields: str) -> Reply:
    return answered(
        site, request(path, method, {name.replace("_", "-"): value for name, value in fields.items()})
    )


def result(site: Site, path: str, **fields: str) -> tuple[int, bytes]:
    reply = get(site, path, **fields)
    return reply.status, body_of(reply)


# --- clean addresses --------------------------------------------------------------------------------------


@pytest.fixture
def pages(folder: Path) -> None:
    put(folder / "about.html", b"about")
    put(folder / "team.html", b"team page")
    put(folder / "team" / "index.html", b"team folder")
    put(folder / "both", b"a file of that name")
    put(folder / "both.html", b"a page")
    put(folder / "index.html", b"start")


@pytest.mark.usefixtures("pages")
def test_a_clean_address_means_a_page(told: Made) -> None:
    site = told(clean_urls=True)
    assert result(site, "/about") == (200, b"about")
    assert result(site, "/about.html") == (200, b"about")
    assert result(site, "/both") == (200, b"a file of that name")
    assert result(site, "/team") == (200, b"team page")
    assert result(site, "/team/") == (200, b"team folder")
    assert get(site, "/about/").status == 404
    assert get(site, "/nothing").status == 404
    assert get(told(), "/about").status == 404


@pytest.mark.usefixtures("pages")
def test_one_address_for_one_page(told: Made) -> None:
    site = told(clean_urls="redirect")
    for asked, location in (
        ("/about.html?x=1", "/about?x=1"),
        ("/index.html", "/"),
        ("/team/index.html", "/team/"),
        ("/team.html", "/team"),
    ):
        reply = get(site, asked)
        assert (reply.status, fields_of(reply)["location"]) == (308, location), asked
        assert get(site, location.partition("?")[0]).status == 200
    assert result(site, "/both.html") == (200, b"a page"), "its clean address means something else"


@pytest.mark.usefixtures("pages")
def test_a_remembered_clean_address_minds_what_appears(told: Made, folder: Path) -> None:
    reply = get(told(clean_urls=True), "/about")
    assert reply.validator is not None
    assert reply.validator()
    put(folder / "about", b"now a file")
    assert not reply.validator()


# --- the fallback of an app -------------------------------------------------------------------------------


def test_an_app_has_addresses_of_its_own(told: Made, folder: Path) -> None:
    put(folder / "app.html", b"the app")
    put(folder / "real.txt", b"real")
    site = told(spa="app.html", hide=("app.html",))
    assert result(site, "/users/7", Accept="text/html") == (200, b"the app")
    assert result(site, "/real.txt") == (200, b"real")
    assert get(site, "/missing.js", Accept="*/*").status == 404
    assert get(site, "/users/7", Accept="application/json").status == 404
    assert get(site, "/users/7", Accept="text/html", Sec_Fetch_Mode="cors").status == 404
    assert get(site, "/users/7", "HEAD", Accept="text/html").status == 200
    for accept in ("text/html", "application/json"):
        assert "Sec-Fetch-Mode" in fields_of(get(site, "/users/7", Accept=accept))["vary"], "it hangs on that"
    assert "Sec-Fetch-Mode" not in fields_of(get(site, "/real.txt"))["vary"]
    assert get(site, "/app.html", Accept="text/html").status == 404, "it is hidden as such"
    assert get(site, "/..", Accept="text/html").status == 400
    (folder / "app.html").unlink()
    assert get(site, "/users/7", Accept="text/html").status == 404


# --- error pages ------------------------------------------------------------------------------------------


def test_an_error_page_keeps_its_status(told: Made, folder: Path) -> None:
    put(folder / "404.html", b"<p>not here")
    put(folder / "oops.html", b"<p>oops")
    site = told(error_pages={"404": "404.html", "5xx": "oops.html"})
    reply = get(site, "/nothing", Range="bytes=0-1", If_None_Match="*")
    assert (reply.status, body_of(reply)) == (404, b"<p>not here")
    assert reply.covers is not None  # it is that of every other name, too
    assert "etag" not in fields_of(reply)
    assert result(site, "/404.html") == (200, b"<p>not here")
    assert b"leads out of the site" in body_of(get(site, "/.."))
    (folder / "404.html").unlink()
    assert b"There is nothing at this address" in body_of(get(site, "/nothing"))
    (folder / "404.html").mkdir()
    assert get(site, "/nothing").status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/a.txt", 405), ("GET", "/a.txt", 412), ("GET", "/d/", 412), ("GET", "/d/?json", 412)],
)
def test_every_error_has_the_page_of_the_site(
    told: Made, folder: Path, method: str, path: str, status: int
) -> None:
    put(folder / "oops.html", b"<p>oops")
    put(folder / "a.txt", b"a")
    put(folder / "d" / "b.txt", b"b")
    reply = get(told(error_pages={"4xx": "oops.html"}), path, method, If_Match='"x"')
    assert (reply.status, body_of(reply)) == (status, b"<p>oops")
    assert ("allow" in fields_of(reply)) is (status == 405)
    reply = get(told(), path, method, If_Match='"x"', Accept="*/*")
    assert body_of(reply).startswith(b"%d " % status), "a line of text for a shell"


def test_an_error_that_comes_later_has_the_page_of_the_site(folder: Path) -> None:
    put(folder / "oops.html", b"<p>oops")
    replies: list[Reply] = []
    with Reactor() as reactor, Root(folder) as root:
        site = Site(
            root, wall=lambda: LATER, rules=SiteRules(error_pages={"412": "oops.html"}), reactor=reactor
        )
        asked = request("/?q=oops", "GET", {"If-Match": '"x"'})

        def deliver(_: Request, reply: Reply) -> None:
            replies.append(reply)
            reactor.stop()

        asked.deliver = deliver
        assert site.reply(asked) is None
        reactor.run()
    assert [(reply.status, body_of(reply)) for reply in replies] == [(412, b"<p>oops")]


def test_an_error_on_the_way_to_the_error_page(
    told: Made, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "404.html", b"<p>not here")
    site = told()

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    assert b"There is nothing" in body_of(get(site, "/nothing"))


def test_an_error_page_of_any_size(folder: Path, told: Made) -> None:
    put(folder / "404.html", b"x" * 100_000)
    assert result(told(), "/nothing") == (404, b"x" * 100_000)


def test_busy_says_when_to_come_again(told: Made, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "oops.html", b"<p>oops")
    put(folder / "a.txt", b"x")
    site = told(error_pages={"5xx": "oops.html"})
    real = os.open

    def fail(path: Any, *args: Any, **options: Any) -> int:
        if path == b"a.txt":
            raise OSError(24, "Too many open files")
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", fail)
    reply = get(site, "/a.txt")
    assert (reply.status, body_of(reply)) == (503, b"<p>oops")
    assert fields_of(reply)["retry-after"].isdigit()


# --- fields -----------------------------------------------------------------------------------------------


def test_fields_by_pattern(told: Made, folder: Path) -> None:
    put(folder / "a.css", b"x")
    put(folder / "b.txt", b"x")
    put(folder / "sub" / "index.html", b"x")
    site = told(
        headers=(field_rule("X-Own", "yes"), field_rule("X-Style", "1", "*.css")),
        cache=(cache_rule("1h", "*.css"),),
    )
    style = fields_of(get(site, "/a.css"))
    assert (style["x-own"], style["x-style"], style["cache-control"]) == ("yes", "1", "max-age=3600")
    text = fields_of(get(site, "/b.txt"))
    assert (text["x-own"], text["cache-control"]) == ("yes", "no-cache")
    assert "x-style" not in text
    for path in ("/", "/nothing", "/sub"):
        assert fields_of(get(site, path))["x-own"] == "yes", path
    assert fields_of(get(site, "/a.css", "DELETE"))["x-own"] == "yes"


def test_a_media_type_by_pattern(told: Made, folder: Path) -> None:
    put(folder / "data.log", b"{}")
    site = told(headers=(field_rule("Content-Type", "application/json", "*.log"),))
    assert fields_of(get(site, "/data.log"))["content-type"] == "application/json"


def test_cors(told: Made, folder: Path) -> None:
    put(folder / "a.json", b"{}")
    everybody = told(cors=("*",))
    assert fields_of(get(everybody, "/a.json"))["access-control-allow-origin"] == "*"
    asked = get(
        everybody, "/a.json", "OPTIONS", Origin="https://app.example", Access_Control_Request_Method="GET"
    )
    assert (asked.status, fields_of(asked)["access-control-allow-methods"]) == (204, "GET, HEAD")
    one = told(cors=(origin("https://app.example"),))
    friend = fields_of(get(one, "/a.json", Origin="https://app.example"))
    assert friend["access-control-allow-origin"] == "https://app.example"
    stranger = fields_of(get(one, "/a.json", Origin="https://evil.example"))
    assert "access-control-allow-origin" not in stranger
    assert "Origin" in stranger["vary"]
    assert fields_of(get(told(), "/a.json", "OPTIONS"))["allow"] == "GET, HEAD, OPTIONS"


# --- hidden, and links ------------------------------------------------------------------------------------


@pytest.mark.attack(46)
def test_what_is_hidden_is_not_there(told: Made, folder: Path) -> None:
    put(folder / "shown.txt", b"x")
    put(folder / "draft.txt", b"x")
    put(folder / "build" / "out.js", b"x")
    put(folder / "deep" / "draft.txt", b"x")
    (folder / "link.txt").symlink_to("draft.txt")
    os.mkfifo(folder / "draft.pipe")
    site = told(hide=("draft.*", "build/"))
    nothing = result(site, "/nothing")
    for path in (
        "/draft.txt",
        "/build",
        "/build/",
        "/build/out.js",
        "/deep/draft.txt",
        "/%64raft.txt",
        "/draft.pipe",
    ):
        assert result(site, path) == nothing, path
    assert result(site, "/link.txt") == (200, b"x"), "a link is its owner's word"
    names = [each["name"] for each in json.loads(body_of(get(site, "/?json")))["entries"]]
    assert names == ["deep", "link.txt", "shown.txt"]
    assert json.loads(body_of(get(site, "/deep/?json")))["entries"] == []


@pytest.mark.attack(3)
@pytest.mark.attack(16)
def test_what_is_hidden_stays_so_behind_a_link(told: Made, folder: Path) -> None:
    """Whoever has linked to it by name has given his word for that; by a link to a folder above it, for nothing."""
    for name in ("private/key.pem", "private/deep/x", "a/b/x", "a/drafts/x", "shown/x"):
        put(folder / name, b"x")
    for name, target in (
        ("here", "."),
        ("a/up", ".."),
        ("a/absolute", str(folder)),
        ("word", "private/key.pem"),
        ("word-for-all", "private"),
        ("roundabout", "shown/../a/up/private/deep"),
        ("shown/twice", "../a/up"),
    ):
        (folder / name).symlink_to(target)
    site = told(hide=("/private", "/a/drafts/", "/private/deep"))
    nothing = result(site, "/nothing")
    for path in (
        "/here/private/key.pem",
        "/here/private/",
        "/here/private",
        "/here/here/private/key.pem",
        "/a/up/private/key.pem",
        "/a/up/PRIVATE/key.pem",
        "/a/absolute/private/key.pem",
        "/a/up/a/drafts/x",
        "/shown/twice/private/key.pem",
        "/word-for-all/deep/x",
        "/word-for-all/deep/",
    ):
        assert result(site, path) == nothing, path
    for path in ("/word", "/word-for-all/key.pem", "/roundabout/x", "/here/shown/x", "/a/up/a/b/x"):
        assert result(site, path) == (200, b"x"), path

    def names(path: str) -> list[str]:
        return [each["name"] for each in json.loads(body_of(get(site, f"{path}?json")))["entries"]]

    assert names("/here/") == names("/a/up/") == names("/shown/twice/") == names("/")
    assert "private" not in names("/")
    assert names("/a/up/a/") == names("/a/") == ["absolute", "b", "up"]
    assert names("/word-for-all/") == ["key.pem"]
    with site.root.locate("/") as top, Walk(site.root, top, hides=site.rules.hider) as walk:
        found = {b"/".join(each.names) for each in walk if each is not None}
    assert {name for name in found if b"private" in name or b"drafts" in name} == set()
    assert found >= {b"word", b"word-for-all/key.pem", b"roundabout/x", b"here"}
    assert b"word-for-all/deep" not in found


def test_a_hidden_index_is_none(told: Made, folder: Path) -> None:
    put(folder / "index.html", b"start")
    assert b"<table" not in body_of(get(told(hide=("index.html",)), "/"))
    assert b"is empty" in body_of(get(told(hide=("index.html",)), "/"))


@pytest.mark.attack(16)
def test_every_link_or_none(told: Made, folder: Path) -> None:
    put(folder / "a.txt", b"a")
    put(folder / "d" / "b.txt", b"b")
    (folder / "to-file").symlink_to("a.txt")
    (folder / "to-folder").symlink_to("d")
    (folder / "out").symlink_to("../outside")
    (folder / "out-file").symlink_to(folder.parent / "outside" / "secret.txt")
    (folder / "nowhere").symlink_to("nothing")
    (folder / "loop").symlink_to("loop")
    (folder / "device").symlink_to("/dev/null")
    every, none, inside = told(symlinks="all"), told(symlinks="none"), told()
    for path, found in (
        ("/to-file", b"a"),
        ("/to-folder/b.txt", b"b"),
        ("/out/secret.txt", SECRET),
        ("/out-file", SECRET),
    ):
        assert result(every, path) == (200, found), path
        assert get(none, path).status == 404, path
    assert get(inside, "/out/secret.txt").status == 404
    for path in ("/nowhere", "/loop", "/to-file/x", "/out-file/x", "/nowhere/x"):
        assert get(every, path).status == 404, path
    assert get(every, "/device").status == 403
    assert get(every, "/out").status == 301
    assert result(every, "/d/b.txt") == (200, b"b") == result(none, "/d/b.txt")

    def names(site: Site) -> set[str]:
        return {each["name"] for each in json.loads(body_of(get(site, "/?json")))["entries"]}

    assert names(every) == {"a.txt", "d", "to-file", "to-folder", "out", "out-file"}
    assert names(none) == {"a.txt", "d"}
    assert names(inside) == {"a.txt", "d", "to-file", "to-folder"}


def test_what_is_hidden_stays_so_behind_every_link(told: Made, folder: Path) -> None:
    put(folder / "key.pem", b"key")
    put(folder / "private" / "a.txt", b"a")
    put(folder / "d" / "b.txt", b"b")
    (folder / "d" / "up").symlink_to("..")
    (folder / "d" / "root").symlink_to(folder)
    for symlinks in ("inside", "all"):
        site = told(symlinks=symlinks, hide=("/key.pem", "/private"))
        for way in ("/d/up", "/d/root", "/d/up/d/up"):
            assert result(site, f"{way}/d/b.txt") == (200, b"b"), (symlinks, way)
            for path in ("key.pem", "private/", "private/a.txt"):
                assert get(site, f"{way}/{path}").status == 404, (symlinks, way, path)
            shown = {each["name"] for each in json.loads(body_of(get(site, f"{way}/?json")))["entries"]}
            assert shown == {"d"}


# --- live -------------------------------------------------------------------------------------------------


def test_a_live_site_tells_its_pages(folder: Path) -> None:
    put(folder / "page.html", b"<p>")
    with Reactor() as reactor, Root(folder) as root:
        live = Live(reactor, str(folder))
        site = Site(root, wall=lambda: LATER, live=live, reactor=reactor)
        assert PATH.encode() in body_of(get(site, "/page.html"))
        listing = get(site, "/")
        assert listing.status == 200
        assert PATH.encode() in body_of(listing)
        stream = get(site, PATH)
        assert fields_of(stream)["content-type"] == "text/event-stream"
        stream.close()
        live.close()
    with Root(folder) as root:
        assert get(Site(root, wall=lambda: LATER), PATH).status == 404
