"""Clients that leave in the middle, take nothing, or all come at once, over every way that costs something to answer.

What stays behind is counted in the real program: descriptors, threads, private memory, and the places that are few
(attack cases 33, 40, 41, 42 and 44).
"""

from __future__ import annotations

import os
import random
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from poise.limits import FileLimits
from tests.files.support import put
from tests.live.ways import DECODE
from tests.support.client import Answer, answers, connected, get, read_answer
from tests.support.program import PATIENCE, Served, serving

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/smaps_rollup").exists(), reason="memory is asked in Linux's own way"
    ),
]

ENTRIES = 3000
SIZE = 1_500_000  # bytes of text that compresses to half
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaving") / "root"
    for number in range(ENTRIES):
        put(folder / "many" / f"{number:05}.txt", b"x" * 100)
    for number in range(40):
        put(
            folder / "wide" / f"{number}" / "a" / "b" / "c" / "noise.bin",
            random.Random(number).randbytes(200_000),
        )
    for number in range(20):
        put(folder / f"text-{number}.txt", random.Random(number).randbytes(SIZE // 2).hex().encode())
    put(folder / "README.md", b"# A page\n\n" + b"* [a](b) **c**\n" * 2000)
    put(folder / "small.txt", b"small")
    with (folder / "large.bin").open("wb") as file:
        file.truncate(1 << 30)
    return folder


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    with serving(folder, "--no-access-log") as running:
        get(running.port, "/small.txt")
        # A file is compressed once it has been at rest for a second.
        while "content-encoding" not in get(running.port, "/text-0.txt", fields=GZIP).fields:
            pass
        yield running


GZIP = "Accept-Encoding: gzip\r\n"

COSTLY = (
    ("/?zip", ""),
    ("/?tar.gz", ""),
    ("/wide/?zip", ""),
    ("/?q=x", ""),
    ("/?q=*&json", ""),
    ("/many/", ""),
    ("/many/?json&sort=size", ""),
    ("/", ""),
    ("/text-1.txt", GZIP),
    ("/text-2.txt", "Accept-Encoding: br\r\n"),
    ("/text-3.txt", "Accept-Encoding: zstd\r\n"),
    ("/large.bin", ""),
    ("/large.bin", "Range: bytes=0-1000000,2000000-900000000\r\n"),
    ("/nothing", ""),
)


def raw(path: str, fields: str = "", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode()


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def private(pid: int) -> int:
    """KiB of memory that the process shares with nobody and has written to."""
    return int(re.findall(r"Private_Dirty: +([0-9]+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text())[0])


def until(condition: Callable[[], object], what: str) -> None:
    """Ask again and again, with a bound on real time; each asking is a request's worth of work and no busy wait."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what


@contextmanager
def reluctant(port: int, request: bytes, receive: int = 4096) -> Iterator[socket.socket]:
    """A client that asks and takes hardly anything."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", port))
        sock.sendall(request)
        yield sock


def leave(sock: socket.socket, *, rudely: bool) -> None:
    if rudely:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


@pytest.mark.attack(33)
@pytest.mark.attack(40)
@pytest.mark.parametrize("rudely", [True, False], ids=["reset", "fin"])
def test_who_leaves_leaves_nothing_behind(served: Served, rudely: bool) -> None:
    chance = random.Random(1)
    pid, port = served.pid, served.port

    def crowd(count: int) -> None:
        for _ in range(count):
            path, fields = chance.choice(COSTLY)
            with ExitStack() as leaving:
                sock = leaving.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
                data = raw(path, fields, chance.choice(("GET", "GET", "HEAD"))) * chance.choice((1, 1, 3))
                sock.sendall(data[: chance.choice((len(data), len(data) - 2))])
                for _ in range(chance.choice((0, 0, 1, 5))):
                    if not chance.randrange(4):
                        break
                    sock.settimeout(0.02)
                    try:
                        sock.recv(chance.choice((1, 100, 65536)))
                    except TimeoutError:
                        break
                leave(sock, rudely=rudely)

    def quiet() -> bool:
        get(port, "/small.txt")
        return descriptors(pid) <= before

    before = descriptors(pid)
    crowd(150)
    until(quiet, "descriptors stay open")
    busy, memory = threads(pid), private(pid)
    crowd(300)
    until(quiet, "descriptors stay open")
    assert threads(pid) <= max(busy, 17)
    assert private(pid) - memory < 16 * 1024
    places_are_free(port)


def places_are_free(port: int) -> None:
    """As many archives, searches and long listings as there may be at once begin, and end."""
    limits = FileLimits()
    for path, count in (
        ("/wide/?zip", limits.archives),
        ("/?q=noise", limits.searches),
        ("/many/", limits.listings),
    ):
        with ExitStack() as open_:
            socks = [open_.enter_context(connected(port)) for _ in range(count)]
            for sock in socks:
                sock.sendall(raw(path))
            assert [read_answer(sock).status for sock in socks] == [200] * count, path


@pytest.mark.attack(40)
@pytest.mark.attack(42)
def test_slow_readers_of_archives_hold_no_more_than_their_places(served: Served) -> None:
    most = FileLimits().archives
    port, pid = served.port, served.pid
    memory = private(pid)
    with ExitStack() as open_:
        slow = [
            open_.enter_context(reluctant(port, raw(f"/wide/?{('zip', 'tar.gz')[n % 2]}")))
            for n in range(most)
        ]
        assert all(sock.recv(12) == b"HTTP/1.1 200" for sock in slow)
        refused = get(port, "/wide/?zip")
        assert refused.status == 503
        assert refused.fields["retry-after"] == "1"
        assert get(port, "/wide/?zip", method="HEAD").status == 503
        assert private(pid) - memory < most * 2048
        # They keep no thread: everything else that needs one goes on.
        for path, fields in COSTLY[3:]:
            if not path.startswith("/large"):
                assert get(port, path, fields=fields).status in (200, 404), path
        leave(slow.pop(), rudely=True)
        until(lambda: get(port, "/wide/?zip").status == 200, "its place is free again")
    until(
        lambda: all(get(port, "/wide/?zip").status == 200 for _ in range(most)), "all places are free again"
    )


@pytest.mark.attack(42)
def test_one_more_search_or_long_listing_is_told_to_come_again(folder: Path) -> None:
    with serving(folder, "--no-access-log", "--max-searches", "1", "--max-listings", "1") as served:
        for path in ("/?q=a*z", "/many/"):
            with ExitStack() as open_:
                socks = [open_.enter_context(connected(served.port)) for _ in range(8)]
                for sock in socks:
                    sock.sendall(raw(path))
                found = [read_answer(sock) for sock in socks]
            statuses = sorted(answer.status for answer in found)
            assert set(statuses) == {200, 503}, statuses
            assert all(answer.fields["retry-after"] == "1" for answer in found if answer.status == 503)
            assert get(served.port, path).status == 200


@pytest.mark.attack(44)
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_compressing_for_many_who_take_nothing_costs_one_copy(served: Served, coding: str) -> None:
    fields = f"Accept-Encoding: {coding}\r\n"
    port, pid = served.port, served.pid
    answer = get(port, "/text-5.txt", fields=fields)
    size = len(DECODE[coding](answer.body))
    assert size == (served_size := int(get(port, "/text-5.txt", method="HEAD").fields["content-length"])), (
        served_size
    )
    memory, open_before = private(pid), descriptors(pid)
    with ExitStack() as open_:
        slow = [open_.enter_context(reluctant(port, raw("/text-5.txt", fields))) for _ in range(100)]
        for sock in slow:
            assert sock.recv(12) == b"HTTP/1.1 200"
        assert get(port, "/small.txt").status == 200
        # A socket's buffer aside, which is the kernel's, each holds a piece of the copy and what a connection costs.
        assert private(pid) - memory < 100 * (FileLimits().part // 1024 + 64) + 4096
        assert len(answer.body) * 100 > 20 << 20, "or nothing was shown"
        assert DECODE[coding](get(port, "/text-5.txt", fields=fields).body)
    until(
        lambda: get(port, "/small.txt").status == 200 and descriptors(pid) <= open_before,
        "descriptors stay open",
    )


@pytest.mark.attack(44)
def test_a_crowd_that_wants_everything_compressed_is_bounded(served: Served) -> None:
    """Each gets its content, coded or as it is, and what is kept stays within the limit."""
    port, pid = served.port, served.pid
    memory = private(pid)
    asks = [(f"/text-{number}.txt", coding) for number in range(20) for coding in ("gzip", "br", "zstd")]
    with ExitStack() as open_:
        waiting = []
        for path, coding in asks:
            sock = open_.enter_context(connected(port))
            sock.sendall(raw(path, f"Accept-Encoding: {coding}\r\n"))
            waiting.append((path, coding, sock))
        plain = 0
        for path, coding, sock in waiting:
            answer = read_answer(sock)
            assert answer.fields["vary"] == "Accept-Encoding"
            said = answer.fields.get("content-encoding")
            plain += said is None
            number = int(re.findall("[0-9]+", path)[0])
            assert decoded(answer, coding) == random.Random(number).randbytes(SIZE // 2).hex().encode()
    assert plain, "not all at once"
    limits = FileLimits()
    assert private(pid) - memory < (limits.compressed + 2 * limits.compressions * limits.compress_to) // 1024


def decoded(answer: Answer, coding: str) -> bytes:
    return DECODE[coding](answer.body) if "content-encoding" in answer.fields else answer.body


@pytest.mark.attack(41)
def test_no_descriptors_left_is_said_and_passes(folder: Path) -> None:
    """With files open for those who take nothing, whatever else is asked is answered, or told to come again."""
    command = ["sh", "-c", 'ulimit -n 200; exec "$@"', "sh", sys.executable, "-m", "poise", "serve", str(folder), "--port", "0",
               "--no-access-log"]  # fmt: skip
    with serving(folder, command=command) as served, ExitStack() as open_:
        port = served.port
        kept = [open_.enter_context(connected(port)) for _ in COSTLY]
        for sock in kept:
            sock.sendall(raw("/small.txt"))
            assert read_answer(sock).status == 200
        hogs = []
        while descriptors(served.pid) < 197:
            hog = open_.enter_context(reluctant(port, raw("/large.bin")))
            assert hog.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 503")
            hogs.append(hog)
        statuses = set()
        for (path, fields), sock in zip(COSTLY, kept, strict=True):
            sock.sendall(raw(path, fields))
            answer = all_or_cut(sock)
            statuses.add(answer.status)
            assert answer.status in (200, 404, 503), path
            # Only of what is read while it is sent, and cannot be read any more, the end may be missing.
            assert answer.whole or path.endswith(("zip", "gz", "/many/", "size")), path
        assert 503 in statuses
        for hog in hogs:
            leave(hog, rudely=True)
        until(lambda: get(port, "/wide/?zip").status == 200, "it recovers")


def all_or_cut(sock: socket.socket) -> Answer:
    """The one reply that comes, or as much of it as comes before the connection is cut."""
    data = b""
    try:
        while True:
            found = answers(data, strict=False)
            if found and found[0].whole:
                return found[0]
            more = sock.recv(1 << 18)
            if not more:
                break
            data += more
    except ConnectionResetError:
        pass
    (answer,) = answers(data, strict=False)
    return answer
