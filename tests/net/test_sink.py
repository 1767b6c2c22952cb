"""The sink's promise: whoever does not read the log stops nobody."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.limits import LogLimits
from poise.loop.reactor import Reactor
from poise.net.descriptor import PIPE_BUF
from poise.net.sink import Sink, whole_lines
from poise.readiness.poller import available
from tests.support.loops import turn_until


@pytest.fixture(params=available())
def reactor(request: pytest.FixtureRequest) -> Iterator[Reactor]:
    with Reactor(request.param) as made:
        yield made


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass


def read_all(fd: int) -> bytes:
    data = b""
    while True:
        try:
            more = os.read(fd, 1 << 20)
        except BlockingIOError:
            return data
        if not more:
            return data
        data += more


def test_lines_come_out_in_order(reactor: Reactor, pipe: tuple[int, int]) -> None:
    sink = Sink(reactor, pipe[1])
    got = b""
    expected = b""
    for number in range(3000):
        line = f"line {number} 就绪 \udcff\n"
        sink.write(line)
        expected += line.encode("utf-8", "backslashreplace")

    def done() -> bool:
        nonlocal got
        got += read_all(pipe[0])
        return len(got) >= len(expected)

    turn_until(reactor, done)
    assert got == expected
    assert sink.lost == 0
    sink.finish(1)
    assert len(reactor.poller) == 1, "nothing but the wake-up is watched when nothing waits"


@pytest.mark.pitfall(58)
def test_a_reader_that_has_stopped_stops_nobody(reactor: Reactor, pipe: tuple[int, int]) -> None:
    sink = Sink(reactor, pipe[1], LogLimits(waiting=10_000))
    os.set_blocking(pipe[1], True)
    ran: list[int] = []
    for number in range(5000):
        sink.write(f"{number:0>99}\n")
        if number % 50 == 0:
            reactor.call_soon(ran.append, number)
            reactor.turn(0)
    assert len(ran) == 100, "the loop was never held"
    assert sink.lost > 0
    assert os.get_blocking(pipe[1]), "the flag of a shared descriptor was not touched"
    got = b""

    def said() -> bool:
        nonlocal got
        got += read_all(pipe[0])
        return b"log lines were lost" in got and got.endswith(b"time\n")

    turn_until(reactor, said)
    lines = got.decode().splitlines()
    assert len(lines) - 1 + sink.lost == 5000
    assert f"{sink.lost} log lines were lost" in lines[-1]


def test_a_reader_that_has_gone_is_no_error(reactor: Reactor, pipe: tuple[int, int]) -> None:
    sink = Sink(reactor, pipe[1])
    os.close(pipe[0])
    sink.write("nobody\n")
    turn_until(reactor, lambda: len(reactor.poller) == 1)
    sink.write("reads this\n")
    assert len(reactor.poller) == 1


def test_a_closed_descriptor_is_no_error(reactor: Reactor) -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    sink = Sink(reactor, write)
    sink.write("x\n")
    assert len(reactor.poller) == 1
    sink.finish(1)


def test_a_file_is_written_in_large_pieces(reactor: Reactor, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        sink = Sink(reactor, log.fileno())
        for _ in range(5):
            sink.write("x" * 99 + "\n")
        sink.write("y" * (10 * PIPE_BUF) + "\n")
        sink.finish(5)
    assert len((tmp_path / "log").read_bytes()) == 501 + 10 * PIPE_BUF


def test_finishing_is_bounded(reactor: Reactor, pipe: tuple[int, int]) -> None:
    sink = Sink(reactor, pipe[1])
    sink.write("x" * 500_000 + "\n")
    before = reactor.clock.monotonic()
    sink.finish(0.05)
    assert reactor.clock.monotonic() - before < 1
    assert len(reactor.poller) == 1


def test_what_others_have_filled_meanwhile(
    reactor: Reactor, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink(reactor, pipe[1])
    real = os.write
    answers: list[BaseException | None] = [BlockingIOError(), None, OSError(5, "I/O error")]

    def write(fd: int, data: bytes) -> int:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return real(fd, data)

    monkeypatch.setattr(os, "write", write)
    sink.write("one\n")
    sink.write("two\n")
    turn_until(reactor, lambda: not answers)
    assert read_all(pipe[0]) == b"one\n"
    assert len(reactor.poller) == 1


@pytest.mark.pitfall(58)
def test_a_terminal_that_was_stopped_stops_nobody(reactor: Reactor) -> None:
    """A terminal is writable when a few bytes fit; a whole piece would wait for somebody to look."""
    master, slave = os.openpty()
    sink = Sink(reactor, slave, LogLimits(waiting=1_000_000))
    for _ in range(1000):
        sink.write("x" * 99 + "\n")
    for _ in range(200):
        reactor.turn(0)
    assert sink._size > 0
    assert os.get_blocking(slave)
    sink.finish(0)
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize("size", [60, 1500, 3000])
def test_two_that_write_to_one_pipe_do_not_tear_each_others_lines(
    size: int, reactor: Reactor, pipe: tuple[int, int]
) -> None:
    """Up to PIPE_BUF bytes a pipe takes whole, so that much and no more is written at once. The reader is slow."""
    other = Reactor(reactor.poller.name)
    sinks = [Sink(each, pipe[1], shared=True) for each in (reactor, other)]
    expected = []
    for number in range(6):
        for name, sink in zip("ab", sinks, strict=True):
            lines = [f"{name}{number}.{each}:{name * size}\n" for each in range(30_000 // size)]
            sink.write("".join(lines))
            expected += [line.encode() for line in lines]
    got = b""
    for each in itertools.islice(
        itertools.cycle((reactor, other)), 1000
    ):  # now one of them is first, now the other
        try:
            got += os.read(pipe[0], 10_000)
        except BlockingIOError:
            pass
        each.turn(0)
    other.close()
    assert sorted(got.splitlines(keepends=True)) == sorted(expected)


@pytest.mark.parametrize(
    ("data", "most", "expected"),
    [
        (b"a\nb\n", 4, 4),
        (b"a\nb\n", 3, 2),
        (b"a\nb\n", 2, 2),
        (b"abc\nd\n", 2, 4),
        (b"abc\nd\n", 4, 4),
        (b"abc\nd\n", 5, 4),
        (b"abcdef\n", 3, 7),
    ],
)
def test_whole_lines(data: bytes, most: int, expected: int) -> None:
    assert whole_lines(data, most) == expected
