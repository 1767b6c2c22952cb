"""What is compressed while serving: kept once, sent in pieces, let go of when nobody takes it, given up when it cannot be."""

from __future__ import annotations

import builtins
import errno
import gzip
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault
from poise.files.compress import Compressor, Packed, Pieces
from poise.files.locate import Root
from poise.files.site import Site
from poise.limits import FileLimits
from tests.files.support import LATER, LONG_AGO, answered, body_of, fields_of, put, request

ACCEPTED = {"Accept-Encoding": "gzip"}
LIMITS = FileLimits(compressed=60_000, memo_entry=1000, part=4096)
LONG = 40_000  # bytes of a file that compresses to half


def noise(seed: int, size: int = LONG) -> bytes:
    return random.Random(seed).randbytes(size // 2).hex().encode()


@pytest.fixture
def compressor() -> Compressor:
    return Compressor(LIMITS)


@pytest.fixture
def files(folder: Path) -> Iterator[Root]:
    for number in range(6):
        put(folder / f"{number}.txt", noise(number))
    put(folder / "small.txt", b"small " * 200)
    with Root(folder, limits=LIMITS) as root:
        yield root


def packed_of(compressor: Compressor, root: Root, name: str) -> Packed | None:
    told: list[Packed | None] = []
    with root.locate(f"/{name}.txt") as found:
        assert compressor.compressed(found, "gzip", told.append)
    return told[0]


def body(compressor: Compressor, packed: Packed | None) -> Pieces:
    assert packed is not None
    made = compressor.body(packed)
    assert isinstance(made, Pieces)
    return made


def test_a_long_one_is_sent_in_pieces_and_a_short_one_whole(files: Root, compressor: Compressor) -> None:
    pieces = body(compressor, packed_of(compressor, files, "0"))
    parts = list(pieces)
    assert {len(part) for part in parts[:-1]} == {LIMITS.part}
    assert gzip.decompress(b"".join(parts)) == noise(0)
    pieces.close()
    pieces.close()
    assert list(pieces) == []
    small = packed_of(compressor, files, "small")
    assert small is not None
    assert compressor.body(small) == small.data


@pytest.mark.attack(44)
def test_what_is_being_sent_is_kept_and_counts(files: Root, compressor: Compressor) -> None:
    first, second = (packed_of(compressor, files, name) for name in "01")
    sending = [body(compressor, first), body(compressor, first), body(compressor, second)]
    third = packed_of(compressor, files, "2")
    assert third is None, "there is no place left for it, so it goes as it is"
    assert packed_of(compressor, files, "0") is first
    assert compressor._size == sum(len(each.data) for each in (first, second) if each)
    sending[0].close()
    assert packed_of(compressor, files, "2") is None, "somebody still takes the first"
    sending[1].close()
    assert packed_of(compressor, files, "2") is not None, "nobody does any more"
    assert packed_of(compressor, files, "1") is second
    sending[2].close()
    assert compressor._size <= LIMITS.compressed


def test_a_short_one_that_finds_no_place_is_given_all_the_same(files: Root) -> None:
    compressor = Compressor(FileLimits(compressed=0, memo_entry=1000))
    assert packed_of(compressor, files, "small") is not None
    assert packed_of(compressor, files, "0") is None
    assert compressor._size == 0
    assert not compressor._kept


@pytest.mark.attack(38)
def test_a_reply_in_pieces_is_the_reply_of_one(files: Root, folder: Path) -> None:
    site, whole = Site(files, wall=lambda: LATER), None
    with Root(folder) as generous:
        whole = answered(Site(generous, wall=lambda: LATER), request("/0.txt", fields=ACCEPTED))
        reply = answered(site, request("/0.txt", fields=ACCEPTED))
        assert not isinstance(reply.body, bytes)
        assert (reply.length, reply.fields) == (whole.length, whole.fields)
        assert body_of(reply) == body_of(whole)
        head = answered(site, request("/0.txt", "HEAD", fields=ACCEPTED))
        assert (head.length, head.fields) == (whole.length, whole.fields)
        head.close()


def test_a_file_that_was_just_written_goes_as_it_is(files: Root, folder: Path) -> None:
    put(folder / "0.txt", b"written twice " * 1000, modified=LONG_AGO)
    now = os.stat(folder / "0.txt").st_ctime_ns / 1e9
    reply = answered(Site(files, wall=lambda: now + 0.5), request("/0.txt", fields=ACCEPTED))
    assert "content-encoding" not in fields_of(reply)
    assert fields_of(reply)["vary"] == "Accept-Encoding"
    reply.close()
    later = answered(Site(files, wall=lambda: now + 1.5), request("/0.txt", fields=ACCEPTED))
    assert fields_of(later)["content-encoding"] == "gzip"
    later.close()


@pytest.mark.attack(41)
def test_no_descriptor_for_it(files: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_fd: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "dup", none_left)
    reply = answered(Site(files, wall=lambda: LATER), request("/0.txt", fields=ACCEPTED))
    assert body_of(reply) == noise(0)


@pytest.mark.attack(41)
@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "Too many open files"), ImportError("libbrotli.so")])
def test_an_extra_that_cannot_be_loaded_now_can_be_later(
    files: Root, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    site = Site(files, wall=lambda: LATER)
    real = builtins.__import__

    def load(name: str, *args: Any) -> Any:
        if name == "brotli":
            raise error
        return real(name, *args)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", load)
        assert body_of(answered(site, request("/0.txt", fields=ACCEPTED))) == noise(0)
    reply = answered(site, request("/0.txt", fields=ACCEPTED))
    assert fields_of(reply)["content-encoding"] == "gzip"
    reply.close()


def test_no_thread_for_it(files: Root) -> None:
    def none_left(*_: object) -> None:
        raise MachineFault(errno.EAGAIN, "the system lets us start no more threads")

    site = Site(files, wall=lambda: LATER, offload=none_left)
    assert body_of(answered(site, request("/0.txt", fields=ACCEPTED))) == noise(0)


@pytest.mark.attack(38)
def test_a_sibling_of_the_same_size_and_time_has_another_tag(files: Root, folder: Path) -> None:
    put(folder / "a.txt", b"x" * 30)
    put(folder / "a.txt.gz", gzip.compress(b"x", mtime=0)[:30].ljust(30, b"\0"))
    site = Site(files, wall=lambda: LATER)
    plain, coded = (
        answered(site, request("/a.txt", fields=fields)) for fields in ({}, {"Accept-Encoding": "gzip"})
    )
    assert fields_of(coded)["content-encoding"] == "gzip"
    tags = {fields_of(reply)["etag"] for reply in (plain, coded)}
    assert len(tags) == 2
    assert not any(tag.startswith("W/") for tag in tags)
    for reply in (plain, coded):
        tag = fields_of(reply)["etag"]
        again = answered(site, request("/a.txt", fields={"If-None-Match": tag}))
        assert again.status == (304 if reply is plain else 200)
        again.close()
        reply.close()
    part = answered(
        site,
        request("/a.txt", fields={"Range": "bytes=0-1", "If-Range": fields_of(plain)["etag"], **ACCEPTED}),
    )
    assert part.status == 200, "a part of the other one would not fit"
    part.close()
