"""Which representation of a file goes out: as it is, compressed beforehand, compressed now, with the live script."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poise.errors import RequestError
from poise.files.codings import encoders
from poise.files.compress import Compressor, Packed, made
from poise.files.content import Contents
from poise.files.live import SCRIPT
from poise.files.locate import Root
from poise.files.looks import Looks
from poise.files.media import compressible
from poise.files.site import Site
from poise.http.message import FileBody, Reply
from poise.limits import FileLimits
from poise.loop.offload import Overloaded
from tests.files.support import LATER, LONG_AGO, Beside, answered, body_of, fields_of, later, put, request

TEXT = b"all work and no play makes a dull boy. " * 100
ACCEPTED = {"Accept-Encoding": "gzip, br, zstd"}


def decoded(coding: str, data: bytes) -> bytes:
    if coding == "br":
        import brotli

        return bytes(brotli.decompress(data))
    if coding == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().decompress(data)
    return gzip.decompress(data)


# --- compressed beforehand --------------------------------------------------------------------------------


@pytest.fixture
def app(folder: Path) -> Path:
    put(folder / "app.js", b"plain script")
    put(folder / "app.js.br", b"made by brotli")
    put(folder / "app.js.zst", b"made by zstd!")
    put(folder / "app.js.gz", b"made by gzip.")
    return folder


@pytest.mark.attack(38)
@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("deflate", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("*", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, *", "zstd"),
        ("gzip;q=0.5, identity;q=0.1", "gzip"),
        ("garbage;;, ,gzip", "gzip"),
    ],
)
@pytest.mark.usefixtures("app")
def test_a_sibling_is_chosen_as_the_client_wishes(
    site: Site, accepted: str | None, coding: str | None
) -> None:
    reply = answered(
        site, request("/app.js", fields={} if accepted is None else {"Accept-Encoding": accepted})
    )
    fields = fields_of(reply)
    assert fields.get("content-encoding") == coding
    assert fields["vary"] == "Accept-Encoding"
    assert fields["content-type"] == "text/javascript; charset=utf-8"
    contents = {
        None: b"plain script",
        "br": b"made by brotli",
        "zstd": b"made by zstd!",
        "gzip": b"made by gzip.",
    }
    assert body_of(reply) == contents[coding]
    assert reply.length == len(contents[coding])


@pytest.mark.attack(38)
@pytest.mark.usefixtures("app")
def test_each_representation_has_its_own_tag_and_ranges(site: Site) -> None:
    plain = fields_of(answered(site, request("/app.js")))
    coded = fields_of(answered(site, request("/app.js", fields=ACCEPTED)))
    assert plain["etag"] != coded["etag"]
    same = answered(site, request("/app.js", fields={**ACCEPTED, "If-None-Match": coded["etag"]}))
    assert (same.status, fields_of(same)["vary"]) == (304, "Accept-Encoding")
    other = answered(site, request("/app.js", fields={**ACCEPTED, "If-None-Match": plain["etag"]}))
    assert other.status == 200
    part = answered(
        site, request("/app.js", fields={**ACCEPTED, "Range": "bytes=8-", "If-Range": coded["etag"]})
    )
    assert (part.status, fields_of(part)["content-range"]) == (206, "bytes 8-13/14")
    assert fields_of(part)["content-encoding"] == "br"
    assert body_of(part) == b"brotli"
    mixed = answered(
        site, request("/app.js", fields={**ACCEPTED, "Range": "bytes=8-", "If-Range": plain["etag"]})
    )
    assert (mixed.status, body_of(mixed)) == (200, b"made by brotli")


def test_a_sibling_that_was_forgotten_is_not_used(site: Site, folder: Path) -> None:
    put(folder / "a.css", b"new", modified=LONG_AGO)
    put(folder / "a.css.gz", b"old", modified=LONG_AGO - 10)
    assert body_of(answered(site, request("/a.css", fields=ACCEPTED))) == b"new"
    put(folder / "a.css.gz", b"old", modified=LONG_AGO - 1)
    assert body_of(answered(site, request("/a.css", fields=ACCEPTED))) == b"old"


@pytest.mark.usefixtures("app")
def test_what_is_no_file_is_no_sibling(site: Site, folder: Path) -> None:
    (folder / "app.js.br").unlink()
    (folder / "app.js.br").mkdir()
    (folder / "app.js.zst").unlink()
    (folder / "app.js.zst").symlink_to("../outside/secret.txt")
    reply = answered(site, request("/app.js", fields=ACCEPTED))
    assert fields_of(reply)["content-encoding"] == "gzip"
    os.unlink(folder / "app.js.gz")
    os.mkfifo(folder / "app.js.gz")
    assert body_of(answered(site, request("/app.js", fields=ACCEPTED))) == b"plain script"


def test_a_picture_has_no_sibling(site: Site, folder: Path) -> None:
    put(folder / "a.png", b"picture")
    put(folder / "a.png.gz", b"other")
    reply = answered(site, request("/a.png", fields=ACCEPTED))
    assert "vary" not in fields_of(reply)
    assert body_of(reply) == b"picture"


@pytest.mark.parametrize("change", ["new", "gone", "other", "plain"])
def test_what_is_remembered_minds_the_siblings(site: Site, folder: Path, change: str) -> None:
    put(folder / "a.css", b"plain")
    put(folder / "a.css.gz", b"coded")
    reply = answered(site, request("/a.css", fields=ACCEPTED))
    assert reply.validator is not None
    assert reply.validator()
    if change == "new":
        put(folder / "a.css.br", b"better")
    elif change == "gone":
        (folder / "a.css.gz").unlink()
    elif change == "other":
        put(folder / "a.css.gz", b"changed")
    else:
        put(folder / "a.css", b"changed")
    assert not reply.validator()


def test_what_is_remembered_without_siblings_minds_them_too(site: Site, folder: Path) -> None:
    put(folder / "a.css", b"plain")
    reply = answered(site, request("/a.css", fields=ACCEPTED))
    assert reply.validator is not None
    assert reply.validator()
    (folder / "a.css.zst").mkdir()
    assert reply.validator(), "a folder is no sibling"
    put(folder / "a.css.gz", b"coded")
    assert not reply.validator()


def test_a_system_that_fails_is_told(site: Site, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def fail(path: Any, *args: Any, **options: Any) -> int:
        if os.fsencode(path).endswith(b".br"):
            raise OSError(24, "Too many open files")
        return real(path, *args, **options)

    assert app.is_dir()
    monkeypatch.setattr(os, "open", fail)
    assert answered(site, request("/app.js", fields=ACCEPTED)).status == 503


# --- compressed now ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip"])
def test_text_is_compressed_as_the_client_wishes(site: Site, folder: Path, coding: str) -> None:
    if coding != "gzip":
        pytest.importorskip({"br": "brotli", "zstd": "zstandard"}[coding])
    put(folder / "a.txt", TEXT)
    reply = answered(site, request("/a.txt", fields={"Accept-Encoding": coding}))
    fields = fields_of(reply)
    assert (fields["content-encoding"], fields["vary"]) == (coding, "Accept-Encoding")
    assert "accept-ranges" not in fields
    assert fields["etag"].startswith("W/")
    data = body_of(reply)
    assert decoded(coding, data) == TEXT
    assert reply.length == len(data) < len(TEXT)
    again = answered(site, request("/a.txt", "HEAD", {"Accept-Encoding": coding}))
    assert (again.fields, again.length) == (reply.fields, reply.length)
    not_again = answered(
        site, request("/a.txt", fields={"Accept-Encoding": coding, "If-None-Match": fields["etag"]})
    )
    assert not_again.status == 304


@pytest.mark.attack(38)
def test_a_part_is_a_part_of_the_file(site: Site, folder: Path) -> None:
    put(folder / "a.txt", TEXT)
    reply = answered(site, request("/a.txt", fields={"Accept-Encoding": "gzip", "Range": "bytes=4-7"}))
    assert reply.status == 206
    assert "content-encoding" not in fields_of(reply)
    assert body_of(reply) == b"work"


@pytest.mark.attack(44)
@pytest.mark.parametrize("size", [1023, 1024, 4096, 4097])
def test_only_what_is_worth_it_is_compressed(folder: Path, size: int) -> None:
    put(folder / "a.txt", b"x" * size)
    put(folder / "a.bin", b"x" * size)
    with Root(folder, limits=FileLimits(compress_to=4096)) as root:
        site = Site(root, wall=lambda: LATER)
        reply = answered(site, request("/a.txt", fields={"Accept-Encoding": "gzip"}))
        assert ("content-encoding" in fields_of(reply)) is (size in (1024, 4096))
        assert "content-encoding" not in fields_of(answered(site, request("/a.bin", fields=ACCEPTED)))


def test_what_becomes_no_smaller_goes_as_it_is(site: Site, folder: Path) -> None:
    noise = os.urandom(4096)
    put(folder / "a.txt", noise)
    for _ in range(2):
        reply = answered(site, request("/a.txt", fields={"Accept-Encoding": "gzip"}))
        assert "content-encoding" not in fields_of(reply)
        assert body_of(reply) == noise


def test_those_who_ask_at_once_wait_for_one_piece_of_work(root: Root, folder: Path) -> None:
    put(folder / "a.txt", TEXT)
    beside = Beside()
    site = Site(root, wall=lambda: LATER, offload=beside)
    answers = [later(site, request("/a.txt", fields={"Accept-Encoding": "gzip"})) for _ in range(3)]
    assert len(beside.work) == 1
    beside.do()
    assert [gzip.decompress(body_of(each[0])) for each in answers] == [TEXT] * 3
    assert answers[0][0].validator is not None
    assert answers[0][0].validator()
    at_once = answered(site, request("/a.txt", fields={"Accept-Encoding": "gzip"}))
    assert fields_of(at_once)["content-encoding"] == "gzip"
    assert beside.work == []
    put(folder / "a.txt", TEXT, modified=LONG_AGO + 1)
    assert not answers[0][0].validator()
    later(site, request("/a.txt", fields={"Accept-Encoding": "gzip"}))
    beside.do()


def test_who_comes_when_all_are_busy_gets_the_file(folder: Path) -> None:
    for name in ("a.txt", "b.txt"):
        put(folder / name, TEXT)
    beside = Beside()
    with Root(folder, limits=FileLimits(compressions=1)) as root:
        site = Site(root, wall=lambda: LATER, offload=beside)
        later(site, request("/a.txt", fields={"Accept-Encoding": "gzip"}))
        reply = answered(site, request("/b.txt", fields={"Accept-Encoding": "gzip"}))
        assert body_of(reply) == TEXT
        beside.do()


def test_no_thread_is_no_compression(root: Root, folder: Path) -> None:
    put(folder / "a.txt", TEXT)

    def full(*_: object) -> None:
        raise Overloaded(11, "busy")

    site = Site(root, wall=lambda: LATER, offload=full)
    assert body_of(answered(site, request("/a.txt", fields={"Accept-Encoding": "gzip"}))) == TEXT


def test_a_file_that_changes_while_it_is_compressed_goes_as_it_is(root: Root, folder: Path) -> None:
    put(folder / "a.txt", TEXT)
    beside = Beside()
    site = Site(root, wall=lambda: LATER, offload=beside)
    answers = later(site, request("/a.txt", fields={"Accept-Encoding": "gzip"}))
    with (folder / "a.txt").open("r+b") as file:
        file.write(b"other")
    beside.do()
    fields = fields_of(answers[0])
    assert "content-encoding" not in fields
    assert "etag" not in fields
    assert body_of(answers[0]).startswith(b"other")


def test_a_file_that_breaks_while_it_is_compressed(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "a.txt", TEXT)
    beside = Beside()
    answers = later(
        Site(root, wall=lambda: LATER, offload=beside), request("/a.txt", fields={"Accept-Encoding": "gzip"})
    )

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    monkeypatch.setattr(os, "preadv", fail)
    beside.do()
    assert answers[0].status == 500


def test_what_is_kept_is_bounded(root: Root, folder: Path) -> None:
    compressor = Compressor(FileLimits(compressed=200, compressed_entries=3))
    contents: list[Packed | None] = []
    for number in range(6):
        put(folder / f"{number}.txt", TEXT + str(number).encode())
        with root.locate(f"/{number}.txt") as found:
            assert compressor.compressed(found, "gzip", contents.append)
            assert contents[-1]
        assert compressor._size <= 200
        assert len(compressor._kept) <= 3
        assert compressor._size == sum(len(packed.data) for packed in compressor._kept.values() if packed)


def test_an_unreadable_file_is_not_compressed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(folder / "a", b"x")

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    fd = os.open(path, os.O_RDONLY)
    monkeypatch.setattr(os, "pread", fail)
    assert made(fd, os.fstat(fd), zlib.compress) is None


def test_without_extras_there_is_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    assert list(encoders()) == ["gzip"]


@pytest.mark.parametrize(
    ("media_type", "worth_it"),
    [
        ("text/html; charset=utf-8", True),
        ("application/json", True),
        ("image/svg+xml", True),
        ("application/ld+json", True),
        ("font/ttf", True),
        ("font/woff2", False),
        ("image/png", False),
        ("application/zip", False),
        ("application/octet-stream", False),
    ],
)
def test_what_is_worth_compressing(media_type: str, worth_it: bool) -> None:
    assert compressible(media_type) is worth_it


# --- live, and pages that stand for something else --------------------------------------------------------


def contents_of(root: Root, **options: Any) -> Callable[..., Reply]:
    limits = options.pop("limits", root.limits)
    contents = Contents(root, Looks(root, limits), lambda: LATER, limits, **options)

    def reply(path: str, fields: dict[str, str] | None = None, status: int = 200) -> Reply:
        with root.locate(path) as found:
            if status != 200:
                return contents.page(found, status)
            made = contents.reply(found, request(path, fields=fields), lambda: True, lambda _: None)
        assert made is not None
        return made

    return reply


def test_a_live_page_ends_with_the_script(root: Root, folder: Path) -> None:
    put(folder / "a.html", b"<p>page")
    put(folder / "a.css", b"p {}")
    reply_to = contents_of(root, live=True)
    page = reply_to("/a.html", ACCEPTED)
    assert fields_of(page)["cache-control"] == "no-store"
    assert "etag" not in fields_of(page)
    assert page.validator is None
    assert body_of(page) == b"<p>page" + SCRIPT.encode()
    assert body_of(reply_to("/a.css")) == b"p {}"
    small = contents_of(root, live=True, limits=FileLimits(live_page=3))("/a.html")
    assert isinstance(small.body, FileBody)
    assert body_of(small) == b"<p>page"


def test_a_page_for_another_status_is_whole(root: Root, folder: Path) -> None:
    put(folder / "404.html", TEXT)
    reply = contents_of(root, compressor=Compressor(root.limits))(
        "/404.html", {**ACCEPTED, "Range": "bytes=0-1", "If-None-Match": "*"}, 404
    )
    assert (reply.status, body_of(reply)) == (404, TEXT)


def test_what_is_not_wanted_is_not_looked_for(root: Root, app: Path) -> None:
    assert app.is_dir()
    assert body_of(contents_of(root, siblings=False)("/app.js", ACCEPTED)) == b"plain script"


def test_reading_can_fail(root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "a.txt", b"x")

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(RequestError):
        contents_of(root)("/a.txt")
