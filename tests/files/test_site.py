"""A request in, a reply out."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from poise.errors import RequestError
from poise.files.locate import Root
from poise.files.site import Site
from poise.http.message import FileBody
from poise.limits import FileLimits
from poise.wire.http.dates import http_date
from tests.files.support import LATER, LONG_AGO, answered, body_of, fields_of, put, request, site_of

PAGE_TAG = f'"{LONG_AGO * 10**9:x}-5"'


def test_a_file_is_answered_with_its_fields(site: Site, folder: Path) -> None:
    put(folder / "a.html", b"hello")
    reply = answered(site, request("/a.html"))
    assert (reply.status, reply.length) == (200, 5)
    assert reply.fields == (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Accept-Ranges", "bytes"),
        ("Last-Modified", http_date(LONG_AGO)),
        ("ETag", PAGE_TAG),
        ("Cache-Control", "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
        ("Vary", "Accept-Encoding"),
    )
    assert body_of(reply) == b"hello"


@pytest.mark.parametrize("path", ["/a.html", "/big.bin", "/", "/d", "/d/", "/none", "/a%00", "/empty"])
def test_head_has_the_fields_of_get(root: Root, folder: Path, path: str) -> None:
    put(folder / "a.html", b"hello")
    put(folder / "big.bin", b"x" * 100)
    put(folder / "empty")
    put(folder / "d" / "index.html", b"index")
    site = Site(root, wall=lambda: LATER, limits=FileLimits(memo_entry=50))
    get, head = answered(site, request(path)), answered(site, request(path, "HEAD"))
    assert (get.status, get.fields, get.length) == (head.status, head.fields, head.length)
    get.close()
    head.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/a.html", "/none"])
def test_other_methods_are_405(site: Site, folder: Path, method: str, path: str) -> None:
    put(folder / "a.html")
    reply = answered(site, request(path, method))
    assert reply.status == 405
    assert fields_of(reply)["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["*", "/", "/none", "/.git"])
def test_options_says_what_is_allowed_and_nothing_of_what_exists(site: Site, path: str) -> None:
    reply = answered(site, request(path, "OPTIONS"))
    assert (reply.status, reply.fields, reply.body) == (204, (("Allow", "GET, HEAD, OPTIONS"),), b"")


def test_an_asterisk_is_no_file(site: Site) -> None:
    assert answered(site, request("*")).status == 400


# --- folders ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/d", "/d/"),
        ("/d?a=b&c", "/d/?a=b&c"),
        ("/d?", "/d/?"),
        ("//d", "/d/"),
        ("/./x/../d", "/d/"),
        ("/%64", "/d/"),
        ("/a%20b%25%3c%22", "/a%20b%25%3C%22/"),
        ("/%0d%0aSet-Cookie:x", "/%0D%0ASet-Cookie%3Ax/"),
        ("/d?\r\nSet-Cookie: x\\", "/d/?%0D%0ASet-Cookie:%20x%5C"),
    ],
)
def test_a_folder_without_its_slash_is_moved(site: Site, folder: Path, path: str, location: str) -> None:
    for name in ("d", 'a b%<"', "\r\nSet-Cookie:x"):
        (folder / name).mkdir()
    reply = answered(site, request(path))
    assert reply.status == 301
    assert fields_of(reply)["location"] == location
    assert fields_of(reply)["cache-control"] == "no-store"


def test_an_index_goes_before_the_listing(site: Site, folder: Path) -> None:
    put(folder / "index.html", b"top")
    put(folder / "d" / "index.html", b"inner")
    put(folder / "d" / "other.txt")
    assert body_of(answered(site, request("/"))) == b"top"
    reply = answered(site, request("/d/"))
    assert fields_of(reply)["content-type"] == "text/html; charset=utf-8"
    assert body_of(reply) == b"inner"


@pytest.mark.attack(15)
def test_a_folder_called_index_is_no_index(site: Site, folder: Path) -> None:
    (folder / "index.html").mkdir()
    assert b"The top folder" in body_of(answered(site, request("/")))


def test_index_files_are_tried_in_order(root: Root, folder: Path) -> None:
    put(folder / "second.txt", b"second")
    site = site_of(root, index=("first.html", "second.txt"))
    reply = answered(site, request("/"))
    assert fields_of(reply)["content-type"] == "text/plain; charset=utf-8"
    assert body_of(reply) == b"second"
    assert reply.validator is not None
    assert reply.validator()
    put(folder / "first.html", b"first")
    assert not reply.validator(), "the file that was missing is part of the answer"
    assert body_of(answered(site, request("/"))) == b"first"


@pytest.mark.attack(16)
def test_an_index_that_leads_out_is_no_index(site: Site, folder: Path) -> None:
    put(folder / "d" / "shared.html", b"shared")
    (folder / "index.html").symlink_to("../outside/secret.txt")
    assert b"The top folder" in body_of(answered(site, request("/")))
    (folder / "d" / "e").mkdir()
    (folder / "d" / "e" / "index.html").symlink_to("../shared.html")
    assert body_of(answered(site, request("/d/e/"))) == b"shared"


def test_an_index_that_may_not_be_read_hides_the_listing(site: Site, folder: Path) -> None:
    os.mkfifo(folder / "index.html")
    put(folder / "private.txt")
    reply = answered(site, request("/"))
    assert reply.status == 403
    assert b"private" not in body_of(reply)


def test_without_listings_a_folder_is_not_found(root: Root, folder: Path) -> None:
    put(folder / "d" / "a.txt")
    site = site_of(root, listing=False)
    assert answered(site, request("/d/")).status == 404
    assert body_of(answered(site, request("/d/"))) == body_of(answered(site, request("/none")))
    assert answered(site, request("/d/a.txt")).status == 200


# --- conditions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"If-None-Match": PAGE_TAG}, 304),
        ({"If-None-Match": f'"x", W/{PAGE_TAG}'}, 304),
        ({"If-None-Match": '"x"'}, 200),
        ({"If-Modified-Since": http_date(LONG_AGO)}, 304),
        ({"If-Modified-Since": http_date(LONG_AGO - 1)}, 200),
        ({"If-Match": '"x"'}, 412),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_condition_is_honoured(
    site: Site, folder: Path, fields: dict[str, str], status: int, method: str
) -> None:
    put(folder / "a.html", b"hello")
    reply = answered(site, request("/a.html", method, fields))
    assert reply.status == status
    if status == 304:
        assert reply.fields == (
            ("ETag", PAGE_TAG),
            ("Cache-Control", "no-cache"),
            ("Vary", "Accept-Encoding"),
        )
        assert reply.body == b""
        assert reply.validator is not None
        assert reply.validator()


def test_a_file_without_validators_still_answers_any(site: Site, folder: Path) -> None:
    put(folder / "a.html", b"hello", modified=0)
    reply = answered(site, request("/a.html"))
    assert "etag" not in fields_of(reply)
    assert "last-modified" not in fields_of(reply)
    unchanged = answered(site, request("/a.html", fields={"If-None-Match": "*"}))
    assert (unchanged.status, unchanged.fields) == (
        304,
        (("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding")),
    )


# --- bodies and what may be remembered --------------------------------------------------------------------


def test_a_large_file_is_not_read(root: Root, folder: Path) -> None:
    put(folder / "at", b"x" * 50)
    put(folder / "over", b"y" * 51)
    site = Site(root, wall=lambda: LATER, limits=FileLimits(memo_entry=50))
    at, over = answered(site, request("/at")), answered(site, request("/over"))
    assert isinstance(at.body, bytes)
    assert isinstance(over.body, FileBody)
    assert over.validator is None
    assert (over.length, over.body.offset) == (51, 0)
    assert body_of(over) == b"y" * 51
    assert body_of(at) == b"x" * 50


def test_a_reply_is_justified_until_something_changes(site: Site, folder: Path) -> None:
    file = put(folder / "d" / "a.txt", b"hello")

    def remembered() -> Any:
        reply = answered(site, request("/d/a.txt"))
        assert reply.validator is not None
        assert reply.validator()
        return reply.validator

    validator = remembered()
    put(folder / "d" / "other.txt")
    assert validator(), "another file in the folder changes nothing"
    put(file, b"jello")
    assert not validator(), "the same size and the same time, but ctime tells"
    validator = remembered()
    file.chmod(0o600)
    assert not validator()
    validator = remembered()
    put(folder / "fresh", b"jello").replace(file)
    assert not validator()
    validator = remembered()
    file.unlink()
    assert not validator()
    put(file)
    validator = remembered()
    (folder / "d").rename(folder / "e")
    assert not validator()


def test_a_file_that_changed_a_moment_ago_is_not_remembered(root: Root, folder: Path) -> None:
    changed = put(folder / "a.txt", b"hello").stat().st_ctime
    young, old = site_of(root, changed + 0.9), site_of(root, changed + 1.1)
    assert answered(young, request("/a.txt")).validator is None
    assert answered(young, request("/a.txt", fields={"If-None-Match": PAGE_TAG})).validator is None
    assert answered(old, request("/a.txt")).validator is not None


def test_a_young_file_has_a_weak_tag(root: Root, folder: Path) -> None:
    put(folder / "a.txt", b"hello")
    young = site_of(root, LONG_AGO + 0.5)
    assert fields_of(answered(young, request("/a.txt")))["etag"] == f"W/{PAGE_TAG}"
    assert answered(young, request("/a.txt", fields={"If-None-Match": PAGE_TAG})).status == 304


@pytest.mark.parametrize("path", ["/", "/d", "/none", "/%zz"])
def test_pages_are_not_remembered(site: Site, folder: Path, path: str) -> None:
    """What is not there is: its words, not its address (test_missing.py)."""
    (folder / "d").mkdir()
    reply = answered(site, request(path))
    assert (reply.validator is None) is (reply.covers is None) is (path != "/none")


@pytest.mark.attack(39)
@pytest.mark.parametrize(
    ("now_has", "sent"), [(b"", b""), (b"hel", b"hel"), (b"jello", b"jello"), (b"hello, world", b"hello")]
)
def test_a_file_that_changes_while_it_is_read_makes_no_claims(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, now_has: bytes, sent: bytes
) -> None:
    file = put(folder / "a.txt", b"hello")
    real = os.pread

    def read(fd: int, count: int, offset: int) -> bytes:
        file.write_bytes(now_has)
        return real(fd, count, offset)

    monkeypatch.setattr(os, "pread", read)
    reply = answered(site, request("/a.txt"))
    monkeypatch.undo()
    assert (reply.status, reply.length, reply.body) == (200, len(sent), sent)
    assert "etag" not in fields_of(reply)
    assert "last-modified" not in fields_of(reply)
    assert reply.validator is None


def test_a_disk_that_fails_is_500(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "a.txt", b"hello")

    def fail(*_args: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    reply = answered(site, request("/a.txt"))
    assert reply.status == 500
    assert b"Input/output" not in body_of(reply)


@pytest.mark.attack(41)
def test_a_lack_of_descriptors_is_503_and_says_when_to_come_again(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "d" / "index.html", b"hello")
    real = os.open
    missing: list[bytes] = []

    def fail(name: Any, *args: Any, **options: Any) -> int:
        if name == missing[-1]:
            raise OSError(24, "Too many open files")
        return real(name, *args, **options)

    monkeypatch.setattr(os, "open", fail)
    for name in (b"d", b"index.html"):
        missing.append(name)
        reply = answered(site, request("/d/"))
        assert reply.status == 503
        assert fields_of(reply)["retry-after"] == "1"


def test_a_fault_of_the_program_is_not_hidden(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(site.root, "locate", fail)
    with pytest.raises(ZeroDivisionError):
        answered(site, request("/"))


def test_all_404s_are_the_same(site: Site, folder: Path) -> None:
    put(folder / "a.txt")
    (folder / "out").symlink_to("../outside/secret.txt")
    (folder / "gone").symlink_to("../outside/nothing")
    pages = {
        body_of(answered(site, request(path)))
        for path in ("/none", "/.git", "/a%2fb", "/a.txt/", "/out", "/gone")
    }
    assert len(pages) == 1


@pytest.mark.parametrize(
    ("accept", "plain"),
    [
        (None, False),
        ("*/*", True),
        ("application/json", True),
        ("image/avif,image/webp,*/*;q=0.8", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/html;q=0.5, text/plain", True),
    ],
)
def test_an_error_is_a_page_for_those_who_read_pages(site: Site, accept: str | None, plain: bool) -> None:
    kind = "text/plain; charset=utf-8" if plain else "text/html; charset=utf-8"
    for path, method, said in (
        ("/none", "GET", b"404 Not Found: There is nothing at this address.\n"),
        ("/", "PUT", b"405 Method Not Allowed: Files here can only be read.\n"),
    ):
        reply = answered(site, request(path, method, {} if accept is None else {"accept": accept}))
        assert fields_of(reply)["content-type"] == kind
        assert (body_of(reply) == said) is plain


def test_refusals_reach_the_caller_as_replies(site: Site) -> None:
    with pytest.raises(RequestError):
        site.root.locate("/%zz")
    assert answered(site, request("/%zz")).status == 400


# --- what it costs ----------------------------------------------------------------------------------------

IN_ROOT = Counter(stat=1, open=1, fstat=2, pread=1, close=1)
"""Look, open, look again; read, look whether it stayed the same; close."""

FOLDER_ON_THE_WAY = Counter(open=1, close=1)


@pytest.mark.parametrize(
    ("path", "calls"),
    [
        ("/a.txt", IN_ROOT),
        ("/", IN_ROOT),
        ("/d/a.txt", IN_ROOT + FOLDER_ON_THE_WAY),
        ("/d/", IN_ROOT + FOLDER_ON_THE_WAY),
        ("/d/e/a.txt", IN_ROOT + FOLDER_ON_THE_WAY + FOLDER_ON_THE_WAY),
        ("/none", Counter(stat=2)),  # the site may have a page of its own for that
    ],
)
def test_a_reply_takes_no_more_system_calls_than_it_needs(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, calls: Counter[str]
) -> None:
    for name in ("a.txt", "index.html", "d/a.txt", "d/index.html", "d/e/a.txt"):
        put(folder / name, b"hello")
    counted: Counter[str] = Counter()

    def counting(name: str) -> Any:
        real = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            counted[name] += 1
            return real(*args, **options)

        return call

    with monkeypatch.context() as patched:
        for name in (
            "stat",
            "lstat",
            "open",
            "fstat",
            "pread",
            "read",
            "readlink",
            "close",
            "dup",
            "scandir",
        ):
            patched.setattr(os, name, counting(name))
        reply = answered(site, request(path))
        used = counted.copy()
        counted.clear()
        unchanged = reply.validator is not None and reply.validator()
        validated = counted.copy()
    assert used == calls
    assert unchanged
    # A second look opens nothing: it asks whether each folder is one still, and whether the file is the same; of a refusal, its page.
    folders = path.strip("/").count("/") + path.endswith("d/")
    assert validated == Counter(stat=1 + folders if reply.covers is None else 1)
