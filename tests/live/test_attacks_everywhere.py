"""The attack cases of SECURITY.md again, over every way in: archive, search, JSON, sibling, range, condition, fallback.

Three sites over one folder: as it comes, one that hides, and an app with all conveniences. Whatever is asked in whatever
way: nothing of what is outside or hidden comes back, packed or not, and nothing tells whether it exists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from tests.live.attack_table import PATHS, Shape, paths
from tests.live.ways import (
    HIDE,
    HUSH,
    MARKER,
    SPA,
    WAYS,
    Way,
    build,
    content,
    untarred,
    unzipped,
    without,
)
from tests.support.client import Answer, exchange_all, get
from tests.support.program import Served, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]

LONGEST = 8.0  # seconds that all ways together may take

HIDING = ("--clean-urls", *(word for glob in HIDE for word in ("--hide", glob)))
APP = (
    "--spa", "shell.html", "--clean-urls", "redirect", "--cors", "https://evil.example", "--header", "X-Frame-Options: DENY",
    "--error-page", "404=lost.html", "--error-page", "403=fifo", "--error-page", "5xx=502.html",
)  # fmt: skip
SITES = {"plain": (), "hiding": HIDING, "app": (*HIDING, *APP)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("everywhere"))


@pytest.fixture(scope="module", params=SITES)
def site(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[str, Served]]:
    with serving(folder, *SITES[request.param], "--no-access-log") as running:
        yield request.param, running
        assert get(running.port, "/public/deep/er/note.txt").status == 200, "it serves on"


def asked(site: tuple[str, Served], target: str | bytes, ways: tuple[Way, ...] = WAYS) -> dict[str, Answer]:
    """What each way brings, after what every attack must show."""
    name, served = site
    raw = target.encode() if isinstance(target, str) else target
    outcomes = exchange_all(served.port, [way.request(raw) for way in ways])
    found = {}
    for way, outcome in zip(ways, outcomes, strict=True):
        assert outcome.ended, f"{way.name} hangs"
        assert outcome.seconds < LONGEST
        (answer,) = [each for each in outcome.answers if each.status >= 200]
        everything = bytes(outcome.data) + content(answer)
        assert MARKER not in everything, way.name
        assert name == "plain" or HUSH not in everything, way.name
        assert b"root:x:" not in everything, "/etc/passwd"
        found[way.name] = answer
    return found


MORE = [
    *paths(1, "/..?zip", "/..%2f?zip", "/public/../../?q=x", "/?/../../etc/passwd", status=(200, 400, 404)),
    *paths(2, "/public/%252e%252e/"),
    *paths(
        16, "/public/link-out", "/public/link-out/", "/public/link-out/secret.txt", "/public/link-out/sub/"
    ),
    *paths(
        16, "/outside.html", "/outside", "/looped.html", "/looped", "/link-in-a-circle", "/link-in-a-circle/"
    ),
    *paths(16, "/link-to-fifo", "/link-to-fifo/"),
    *paths(16, "/public/link-up/public/page.html", "/public/link-up/public/link-up/", status=(200,)),
    *paths(43, "/fifo", "/fifo.html", "/socket", "/app.js.gz", "/app.js.zst", "/stuck/", status=(403,)),
    *paths(43, "/fifo/", "/socket/", "/fifo/x"),
]


@pytest.mark.parametrize(
    "shape",
    [pytest.param(shape, marks=pytest.mark.attack(shape.case), id=shape.name) for shape in (*PATHS, *MORE)],
)
def test_no_way_leads_out(site: tuple[str, Served], shape: Shape) -> None:
    name, _ = site
    for way, answer in asked(site, shape.raw).items():
        fits = answer.status in shape.status
        if min(shape.status) < 400:
            fits = fits or answer.status in (206, 301, 304, 308)
        elif name == "app" and 404 in shape.status and answer.status in (200, 206, 304):
            fits = answer.status != 200 or content(answer) in (SPA, b"")
        assert fits, (way, answer)


PLAIN_TWINS = [
    (3, "/.hidden", "/.nothing"),
    (3, "/.hidden/", "/.nothing/"),
    (3, "/.hidden/secret", "/.nothing/secret"),
    (3, "/.hidden/secret", "/.hidden/nothing"),
    (3, "/.git/config", "/.got/config"),
    (3, "/public/.env", "/public/.emv"),
    (3, "/.poise/changes", "/.noise/changes"),
    (14, "/link-to-file", "/nothing-to-see"),
    (14, "/link-to-file", "/link-to-nothing"),
    (14, "/link-to-folder", "/link-to-nobody"),
    (14, "/link-to-folder/", "/link-to-nobody/"),
    (14, "/link-to-folder/secret.txt", "/link-to-folder/nothing.txt"),
    (14, "/link-to-folder/sub/", "/link-to-folder/sup/"),
    (14, "/link-to-proc/etc/passwd", "/link-to-proc/etc/nothing"),
    (14, "/link-to-fifo", "/link-to-file"),
    (14, "/link-through-root", "/nothing-to-see"),
    (14, "/outside.html", "/nothing.html"),
    (14, "/outside", "/nothing"),
    (14, "/..%2foutside/secret.txt", "/..%2foutside/nothing.txt"),
    (38, "/page.html", "/twin.html"),
    (38, "/app.js", "/twin.js"),
]
"""What is there and may not be seen, and what is not there; last, a file beside whose name lies what is no use, and one alone."""

HIDDEN_TWINS = [
    (3, "/hidden", "/nothing"),
    (3, "/hidden/", "/nothing/"),
    (3, "/hidden/secret.txt", "/nothing/secret.txt"),
    (3, "/hidden/secret.txt/", "/hidden/nothing.txt/"),
    (3, "/hidden/sub/secret.txt", "/hidden/sup/secret.txt"),
    (3, "/hidden/about.htm", "/nothing/about.htm"),
    (3, "/%68idden/secret.txt", "/nothing/secret.txt"),
    (3, "/public/../hidden/secret.txt", "/nothing/secret.txt"),
    (3, "/public/link-up/hidden/secret.txt", "/public/link-up/nothing/secret.txt"),
    (3, "/public/old.bak", "/public/none.txt"),
    (38, "/about.html.br", "/about.html.bz"),
    (38, "/about.html", "/sbout.html"),
    (3, "/hushed", "/nothing"),
    (3, "/hushed.html", "/nothing.html"),
    (5, "/HIDDEN/secret.txt", "/nothing/secret.txt"),
    (5, "/public/OLD.BAK", "/public/none.txt"),
    (9, "/hidden./secret.txt", "/nothing./secret.txt"),
    (9, "/hidden::$DATA", "/nothing::$DATA"),
    (43, "/hidden/fifo", "/hidden/none"),
]


@pytest.mark.parametrize(
    ("hidden", "there", "other"),
    [
        pytest.param(hidden, there, other, marks=pytest.mark.attack(case), id=f"{case}-{there}")
        for hidden, twins in ((False, PLAIN_TWINS), (True, HIDDEN_TWINS))
        for case, there, other in twins
    ],
)
def test_no_way_tells_whether_it_is_there(
    site: tuple[str, Served], hidden: bool, there: str, other: str
) -> None:
    if hidden and site[0] == "plain":
        pytest.skip("nothing is hidden there")
    found, expected = asked(site, there), asked(site, other)
    for way in WAYS:
        one, two = found[way.name], expected[way.name]
        assert one.status == two.status, way.name
        several = "multipart" in one.fields.get("content-type", "")  # with a boundary of its own
        assert several or named(content(one), there) == named(content(two), other), way.name
        assert shown(one, there) == shown(two, other), way.name


def shown(answer: Answer, path: str) -> dict[str, bytes]:
    """The fields, but a boundary, and the path itself."""
    return {name: named(BOUNDARY.sub("", value).encode(), path) for name, value in without(answer).items()}


def named(text: bytes, path: str) -> bytes:
    """``text`` without the path that was asked for, which a redirect says again."""
    return text.replace(path.removesuffix(".html").encode(), b"")


BOUNDARY = re.compile("boundary=.*")


@pytest.mark.attack(3)
@pytest.mark.attack(16)
@pytest.mark.attack(42)
@pytest.mark.attack(43)
def test_every_way_shows_the_same(site: tuple[str, Served]) -> None:
    """Pages, JSON, search and both archives name the same files, and bring what a plain GET of each brings."""
    name, served = site
    there = listed(served.port)
    assert there.keys() >= {b"/twin.js", b"/a\nb.txt", b"/public/deep/er/note.txt", b"/public/link-up/"}
    assert (b"/hidden/" in there) is (name == "plain")
    for query, unpacked in (("?zip", unzipped), ("?tar.gz", untarred)):
        members = unpacked(get(served.port, f"/{query}").body)
        assert members.pop("root/") == b""
        assert b"link-up" in members.pop("root/NOT IN THIS ARCHIVE.txt")
        assert {path.removeprefix("root").encode(): data for path, data in members.items()} == there
    hits = json.loads(get(served.port, "/?q=*&json").body)
    assert hits["complete"]
    assert {address(entry["href"]) for entry in hits["entries"]} == there.keys()
    page = get(served.port, "/?q=*").body.decode()
    assert {
        address(href) for href in re.findall(r'<a (?:class="folder" )?href="(\./[^"]+)"', page)
    } == there.keys()


def listed(port: int, path: str = "/") -> dict[bytes, bytes]:
    """Everything below ``path`` by the listings, with its content; a link upwards is not followed."""
    found = {}
    if path == "/stuck/":
        return {}  # its index is a FIFO, which is refused
    for entry in json.loads(get(port, f"{path}?json").body)["entries"]:
        below = path + entry["href"].removeprefix("./")
        folder = entry["type"] == "folder"
        found[address(below)] = b"" if folder else whole(port, below)
        if folder and not below.endswith("/link-up/"):
            found |= listed(port, below)
    return found


def whole(port: int, path: str) -> bytes:
    answer = get(port, path)
    return get(port, answer.fields["location"]).body if answer.status == 308 else answer.body


def address(href: str) -> bytes:
    return unquote_to_bytes("/" + href.removeprefix("./").removeprefix("/"))
