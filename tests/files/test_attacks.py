"""The attack cases that end at the file system, by number, as addresses that reach the site unjudged.

The parser refuses some of them before (raw NUL, spaces); the gate must hold without it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from poise.errors import RequestError
from poise.files.locate import Root
from poise.files.site import Site
from poise.http.message import Request
from poise.limits import HttpLimits
from poise.wire.http.head import parse_head
from tests.files.support import SECRET, answered, body_of, fields_of, put, request

REFUSED = (400, 404)

ADDRESSES = [
    (1, "/../../etc/passwd", 400),
    (1, "/%2e%2e/%2e%2e/etc/passwd", 400),
    (1, "/..%2f..%2fetc/passwd", 404),
    (1, "/.%2e/", 400),
    (1, "/%2e./outside/secret.txt", 400),
    (1, "/a/..%2f..%2fx", 404),
    (1, "/a/../../outside/secret.txt", 400),
    (1, "/" + "../" * 200 + "etc/passwd", 400),
    (1, "/public/" + "../" * 3 + "root/public/page.html", 400),
    (2, "/.%252e/.%252e/etc/passwd", 404),
    (2, "/%252e%252e/outside/secret.txt", 404),
    (2, "/..%252f..%252fetc/passwd", 404),
    (3, "/public/..%2fadmin/secret", 404),
    (3, "/admin%2fsecret", 404),
    (3, "//.hidden/secret", 404),
    (3, "/%2ehidden/secret", 404),
    (3, "/public/../.hidden/secret", 404),
    (4, "/..%5c..%5cx", 400),
    (4, "/..\\..\\x", 400),
    (4, "/private%5csecret.txt", 400),
    (5, "/PUBLIC/page.html", 404),
    (6, "/../root_private/x", 400),
    (6, "/..root_private/x", 404),
    (7, "/public../admin/secret", 404),
    (7, "/public..%2f../outside/secret.txt", 404),
    (8, "//etc/passwd", 404),
    (8, "/c:/x", 404),
    (8, "/c:c:c:foo", 404),
    (8, "/%5c%5chost%5cshare", 400),
    (8, "/CON", 404),
    (8, "/file:///etc/passwd", 404),
    (9, "/..%20/x", 404),
    (9, "/.. ./x", 400),
    (9, "/public/page.html.", 404),
    (9, "/public/page.html%20", 404),
    (9, "/public/page.html::$DATA", 404),
    (9, "/PUBLIC~1/page.html", 404),
    (10, "/public/page.html%00.jpg", 400),
    (10, "/%00", 400),
    (10, "/public/\0page.html", 400),
    (11, "/public \0/../secret", 400),
    (11, "/a b", 400),
    (12, "/%ff", 404),
    (12, "/%c0%ae%c0%ae/outside/secret.txt", 404),
    (12, "/%e0%80%ae%e0%80%ae/", 404),
    (12, "/%zz", 400),
    (12, "/%", 400),
    (12, "/%2", 400),
    (12, "/%u002e%u002e/", 400),
    (12, "/%٢e", 400),
    (15, "/public/page.html/", 404),
    (15, "/public/page.html/.", 404),
    (15, "/public/page.html/x", 404),
    (16, "/link-to-file", 404),
    (16, "/link-to-folder/secret.txt", 404),
    (16, "/link-to-folder/", 404),
    (16, "/link-to-folder", 404),
    (16, "/link-chain", 404),
    (16, "/link-through-root", 404),
    (16, "/link-to-proc/etc/passwd", 404),
]


@pytest.fixture
def target(folder: Path) -> Path:
    """A site with something to find, something hidden, and every kind of way out."""
    put(folder / "public" / "page.html", b"page")
    put(folder / "admin" / "secret", b"not behind a rule yet")
    put(folder / ".hidden" / "secret", SECRET)
    (folder / "link-to-file").symlink_to("../outside/secret.txt")
    (folder / "link-to-folder").symlink_to("../outside")
    (folder / "public" / "step").symlink_to("../link-to-file")
    (folder / "link-chain").symlink_to("public/step")
    (folder / "link-through-root").symlink_to("../root/public/page.html")
    (folder / "link-to-proc").symlink_to("/proc/self/root")
    return folder


@pytest.mark.parametrize(
    ("address", "status"),
    [
        pytest.param(address, status, marks=pytest.mark.attack(case), id=f"{case}-{address[:40]!a}")
        for case, address, status in ADDRESSES
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.usefixtures("target")
def test_an_attack_is_refused(site: Site, address: str, status: int, method: str) -> None:
    reply = answered(site, request(address, method))
    body = body_of(reply)
    assert reply.status == status
    assert SECRET not in body
    assert b"root:" not in body.replace(b":root {", b"")


@pytest.mark.attack(14)
@pytest.mark.usefixtures("target")
def test_nothing_tells_whether_a_thing_outside_exists(site: Site, folder: Path) -> None:
    (folder / "link-to-nothing").symlink_to("../outside/nothing")
    (folder / "link-to-forbidden").symlink_to("/root/forbidden/x")
    os.mkfifo(folder.parent / "outside" / "fifo")
    (folder / "link-to-fifo").symlink_to("../outside/fifo")
    answers = set()
    for path in ("/link-to-file", "/link-to-nothing", "/link-to-forbidden", "/link-to-fifo", "/none"):
        reply = answered(site, request(path))
        answers.add((reply.status, reply.fields, body_of(reply)))
    assert len(answers) == 1


@pytest.mark.attack(21)
@pytest.mark.parametrize(
    "address",
    [
        "//evil.com/..%2f",
        "//evil.com",
        "//evil.com/%2e%2e/evil.com",
        "///evil.com/..",
        "///evil.com/%2e%2e/evil.com",
        "////evil.com",
        "/\\evil.com/%2e%2e",
        "/%5cevil.com/%2e%2e",
        "//evil.com/index",
        "/./evil.com",
        "/%2f%2fevil.com",
        "/.//evil.com",
        "//evil.com?//x",
        "/https:evil.com",
    ],
)
def test_no_redirect_leads_elsewhere(site: Site, folder: Path, address: str) -> None:
    for name in ("evil.com", "https:evil.com"):
        (folder / name / "index").mkdir(parents=True)
    reply = answered(site, request(address))
    location = fields_of(reply).get("location")
    assert (reply.status == 301) is (location is not None)
    if location is not None:
        assert location.startswith("/")
        assert not location.startswith("//")
        assert "\\" not in location
        assert location.split("?")[0] in ("/evil.com/", "/evil.com/index/", "/https%3Aevil.com/")


@pytest.mark.attack(22)
@pytest.mark.parametrize("name", ["\r\nSet-Cookie:x", "\x0cx", "\x0bx", "\x1bx", "\x7f", "\x85", "\u2028"])
def test_no_field_is_injected_by_a_name(site: Site, folder: Path, name: str) -> None:
    (folder / name).mkdir()
    address = "/" + "".join(f"%{byte:02x}" for byte in name.encode())
    reply = answered(site, request(f"{address}?{name}"))
    assert reply.status == 301
    for field, value in reply.fields:
        assert field.isascii()
        assert value.isascii()
        assert value.isprintable()


@pytest.mark.attack(12)
def test_names_with_odd_bytes_still_work(site: Site, folder: Path) -> None:
    put(folder / "a\nb", b"newline")
    put(folder / os.fsdecode(b"\xff"), b"no text")
    assert body_of(answered(site, request("/a%0Ab"))) == b"newline"
    assert body_of(answered(site, request("/%FF"))) == b"no text"


@pytest.mark.attack(16)
@pytest.mark.usefixtures("target")
def test_a_listing_names_no_way_out(site: Site) -> None:
    page = body_of(answered(site, request("/"))).partition(b"<tbody>")[2].partition(b"</tbody>")[0]
    assert b"public" in page
    assert b"link-" not in page
    assert b".hidden" not in page


@pytest.mark.attack(11)
@pytest.mark.parametrize("line", [b"GET /x \0/../secret HTTP/1.1", b"GET /a b HTTP/1.1"])
def test_a_space_in_the_request_line_never_gets_here(line: bytes) -> None:
    with pytest.raises(RequestError) as error:
        parse_head(line + b"\r\nHost: a\r\n\r\n", HttpLimits())
    assert error.value.status == 400


@pytest.mark.attack(25)
def test_a_forwarded_address_changes_nothing(site: Site, folder: Path) -> None:
    put(folder / "a", b"x")
    plain = answered(site, request("/a"))
    forwarded = answered(
        site, request("/a", fields={"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"})
    )
    assert plain.fields == forwarded.fields


@pytest.mark.attack(34)
@pytest.mark.attack(35)
@pytest.mark.parametrize(
    ("value", "status", "content"),
    [
        ("bytes=0-18446744073709551615", 206, b"hello"),
        ("bytes=-5,-9223372036854774591", 200, b"hello"),
        ("bytes=-0", 416, b""),
        ("bytes=10-1", 200, b"hello"),
        ("bytes=5-", 416, b""),
        ("bytes= 0 - 5", 206, b"hello"),
        ("bytes=abc", 200, b"hello"),
        ("items=0-1", 200, b"hello"),
        ("bytes=" + "0-," * 10_000, 200, b"hello"),
    ],
)
def test_a_hostile_range_does_no_harm(
    site: Site, folder: Path, value: str, status: int, content: bytes
) -> None:
    put(folder / "a", b"hello")
    put(folder / "empty")
    reply = answered(site, request("/a", fields={"Range": value}))
    assert (reply.status, body_of(reply)) == (status, content)
    reply = answered(site, request("/empty", fields={"Range": value}))
    assert (reply.status in (200, 416), body_of(reply)) == (True, b"")


@pytest.mark.usefixtures("target")
def test_a_parsed_request_takes_the_same_way(root: Root, site: Site) -> None:
    head = parse_head(
        b"GET http://localhost/public/../public/page.html?x HTTP/1.1\r\nHost: a\r\n\r\n", HttpLimits()
    )
    assert body_of(answered(site, Request(head, b"", ("::1", 1), "http"))) == b"page"
    assert not root.dotfiles
