"""A small file that is not in memory is read by a thread, and its reply is the same as any other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault
from poise.files import whole
from poise.files.locate import Root
from poise.files.site import Site
from poise.net.readahead import NOWAIT, read_now
from tests.files.support import LATER, Beside, answered, body_of, fields_of, later, put, request

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first kilobyte of any file is in memory."""
    monkeypatch.setattr(whole, "read_now", lambda fd, count: os.pread(fd, min(count, 1024), 0))


@pytest.mark.usefixtures("cold")
def test_what_is_on_the_disk_is_read_beside_the_loop(root: Root, folder: Path) -> None:
    put(folder / "a.bin", CONTENT)
    usual = answered(Site(root, wall=lambda: LATER), request("/a.bin"))
    beside = Beside()
    site = Site(root, wall=lambda: LATER, offload=beside)
    replies = later(site, request("/a.bin"))
    assert replies == []
    beside.do()
    (reply,) = replies
    assert body_of(reply) == body_of(usual) == CONTENT
    assert reply.status == 200
    assert reply.fields == usual.fields
    assert reply.validator is not None
    assert reply.validator()


@pytest.mark.usefixtures("cold")
def test_a_sibling_and_what_is_compressed_to_nothing_smaller_are_read_in_the_same_way(
    root: Root, folder: Path
) -> None:
    put(folder / "a.txt", CONTENT)
    put(folder / "a.txt.gz", CONTENT[:5000])
    put(folder / "b.txt", noise := os.urandom(5000))
    beside = Beside()
    site = Site(root, wall=lambda: LATER, offload=beside)
    replies = later(site, request("/a.txt", fields={"Accept-Encoding": "gzip"}))
    beside.do()
    assert body_of(replies[0]) == CONTENT[:5000]
    assert fields_of(replies[0])["content-encoding"] == "gzip"
    replies = later(site, request("/b.txt", fields={"Accept-Encoding": "gzip"}))
    beside.do()
    assert replies == []  # it was compressed in vain, and now it is read
    beside.do()
    assert body_of(replies[0]) == noise


@pytest.mark.usefixtures("cold")
def test_what_changes_meanwhile_is_nothing_to_keep(root: Root, folder: Path) -> None:
    put(folder / "a.bin", CONTENT)
    beside = Beside()
    replies = later(Site(root, wall=lambda: LATER, offload=beside), request("/a.bin"))
    with (folder / "a.bin").open("r+b") as file:
        file.write(b"changed")
    beside.do()
    assert body_of(replies[0])[:7] == b"changed"
    assert replies[0].validator is None
    assert "etag" not in fields_of(replies[0])


@pytest.mark.usefixtures("cold")
def test_a_disk_that_fails_is_a_500(root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "a.bin", CONTENT)
    beside = Beside()
    replies = later(Site(root, wall=lambda: LATER, offload=beside), request("/a.bin"))

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    with monkeypatch.context() as broken:
        broken.setattr(os, "pread", fail)
        beside.do()
    assert replies[0].status == 500
    if before:
        assert len(os.listdir("/proc/self/fd")) == before - 1  # the file that waited is closed


@pytest.mark.usefixtures("cold")
def test_without_a_thread_to_spare_the_loop_reads_it(root: Root, folder: Path) -> None:
    put(folder / "a.bin", CONTENT)

    def refuse(*_: Any) -> Callable[..., Any]:
        raise MachineFault(11, "too much is under way")

    for offload in (refuse, None):
        reply = answered(Site(root, wall=lambda: LATER, offload=offload), request("/a.bin"))
        assert body_of(reply) == CONTENT


@pytest.mark.parametrize("size", [0, 1, 4096, 10_000])
def test_what_is_in_memory_is_read_at_once(folder: Path, size: int) -> None:
    put(folder / "a.bin", CONTENT[:size])
    fd = os.open(folder / "a.bin", os.O_RDONLY)
    try:
        assert read_now(fd, size + 1) == (CONTENT[:size] if NOWAIT else b"")
    finally:
        os.close(fd)
