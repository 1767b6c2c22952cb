"""``--log FILE``: every line whole and in one file, whatever the disk does, and while the file is rotated."""

from __future__ import annotations

import argparse
import errno
import json
import os
import re
import resource
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.cli import logfile
from poise.cli.log import Log
from poise.cli.logfile import LogFile, open_log
from poise.cli.main import CANNOT_START, main
from poise.errors import MachineFault
from poise.http.log import AccessLog
from poise.http.logformats import CombinedLog, JSONLog
from poise.limits import LogLimits, LoopLimits
from poise.loop.offload import offload
from poise.loop.reactor import Reactor
from poise.net.sink import Sink
from poise.readiness.poller import available
from tests.support.client import connected, get, read_answer
from tests.support.loops import turn_until
from tests.support.program import program, serve_command, serving

LINE = re.compile(r'127\.0\.0\.1 - - \[[^]]+\] "GET (\S+) HTTP/1\.1" (\d+) (\d+)\n')


@pytest.fixture(params=available())
def reactor(request: pytest.FixtureRequest) -> Iterator[Reactor]:
    with Reactor(request.param) as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def logfile_at(reactor: Reactor, path: Path, limits: LogLimits | None = None) -> LogFile:
    return LogFile(reactor, open_log(str(path)), str(path), limits)


class Blocked:
    """Holds one thread of a reactor until it is let go."""

    def __init__(self, reactor: Reactor) -> None:
        self._free = threading.Event()
        self._busy = threading.Event()
        offload(reactor, self._work)
        assert self._busy.wait(20)

    def _work(self) -> None:
        self._busy.set()
        self._free.wait(20)

    def let_go(self) -> None:
        self._free.set()


# -- the file -----------------------------------------------------------------------------------------------


def test_lines_come_out_in_order_and_behind_what_was_there(reactor: Reactor, path: Path) -> None:
    path.write_text("before\n")
    log = logfile_at(reactor, path)
    expected = "before\n"
    for number in range(300):
        text = f"line {number} 就绪 \udcff\n"
        log.write(text)
        expected += text
        reactor.turn(0)
    log.finish(20)
    assert path.read_bytes() == expected.encode("utf-8", "backslashreplace")
    assert log.lost == 0


def test_a_new_file_is_not_for_everybody(reactor: Reactor, path: Path) -> None:
    logfile_at(reactor, path)
    assert path.stat().st_mode & 0o137 == 0


def test_the_loop_is_not_held_by_a_file(path: Path) -> None:
    """Every thread is busy: nothing is written, and nothing waits for it."""
    with Reactor(limits=LoopLimits(threads=1)) as reactor:
        blocked = Blocked(reactor)
        log = logfile_at(reactor, path)
        ran: list[int] = []
        for number in range(100):
            log.write(f"{number}\n")
            reactor.call_soon(ran.append, number)
            reactor.turn(0)
        assert ran == list(range(100))
        assert path.read_text() == ""
        blocked.let_go()
        log.finish(20)
        assert path.read_text() == "".join(f"{number}\n" for number in range(100))


def test_what_waits_is_bounded_counted_and_said(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Reactor(limits=LoopLimits(threads=1)) as reactor:
        blocked = Blocked(reactor)
        log = logfile_at(reactor, path, LogLimits(waiting=1000))
        for number in range(200):
            log.write(f"{number:0>9}\n")
        assert log.lost == 100
        blocked.let_go()
        turn_until(reactor, lambda: path.stat().st_size == 1000)
        log.finish(20)
        assert capfd.readouterr().err == (
            f"poise: 100 lines of the log {path} were lost: it did not take them in time\n"
        )
        log.write("more\n")  # there is room again
        log.finish(20)
        assert path.read_text().endswith(f"{99:0>9}\nmore\n")
        assert capfd.readouterr().err == ""


def test_when_too_many_calls_wait_for_a_thread_it_is_tried_again(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Reactor(limits=LoopLimits(threads=1, waiting=1)) as reactor:
        blocked = Blocked(reactor)
        offload(reactor, os.getpid)
        log = logfile_at(reactor, path, LogLimits(retry=0.01))
        log.write("one\n")
        reactor.turn(0.05)
        log.write("two\n")
        assert "trying again" in capfd.readouterr().err
        blocked.let_go()
        turn_until(reactor, lambda: path.read_text() == "one\ntwo\n")
        turn_until(reactor, lambda: "written again" in capfd.readouterr().err)


def test_finishing_is_bounded_and_says_what_was_lost(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Reactor(limits=LoopLimits(threads=1)) as reactor:
        blocked = Blocked(reactor)
        log = logfile_at(reactor, path)
        log.write("one\n")
        log.write("two\nthree\n")
        before = reactor.clock.monotonic()
        log.finish(0.05)
        assert reactor.clock.monotonic() - before < 5
        assert f"3 lines of the log {path} were lost" in capfd.readouterr().err
        fd = log._fd
    blocked.let_go()
    os.close(fd)  # a thread might have been at it, so it was left open


def test_a_reactor_that_closes_leaves_the_file_to_the_thread_that_has_it(path: Path) -> None:
    for reopening in (False, True):
        with Reactor(limits=LoopLimits(threads=1)) as reactor:
            blocked = Blocked(reactor)
            log = logfile_at(reactor, path)
            log.reopen() if reopening else log.write("one\n")
        os.close(log._fd)  # raises when it was closed already
        blocked.let_go()


# -- rotation -----------------------------------------------------------------------------------------------


def test_what_waits_goes_to_the_new_file(reactor: Reactor, path: Path, tmp_path: Path) -> None:
    log = logfile_at(reactor, path)
    log.write("one\n")  # under way
    log.write("two\n")
    old = path.rename(tmp_path / "old")
    log.reopen()
    log.write("three\n")
    log.finish(20)
    assert old.read_text() == "one\n"
    assert path.read_text() == "two\nthree\n"


def test_the_last_of_many_signals_counts(reactor: Reactor, path: Path, tmp_path: Path) -> None:
    """One that comes while the file is being opened is about that file."""
    log = logfile_at(reactor, path)
    log.reopen()
    turn_until(reactor, lambda: not log._working)
    path.rename(tmp_path / "1")
    log.reopen()
    turn_until(reactor, path.exists)
    path.rename(tmp_path / "2")
    log.reopen()
    log.write("line\n")
    log.finish(20)
    assert path.read_text() == "line\n"


def test_a_file_that_cannot_be_opened_anew_is_said_and_the_old_one_goes_on(
    reactor: Reactor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = logfile_at(reactor, folder / "log")
    folder.rename(tmp_path / "elsewhere")
    log.reopen()
    log.write("line\n")
    log.finish(20)
    assert (tmp_path / "elsewhere" / "log").read_text() == "line\n"
    assert capfd.readouterr().err == (
        f"poise: cannot open the log {folder}/log anew: No such file or directory; going on with the old file\n"
    )


class Disk:
    """Stands before ``os.write``: takes ``room`` bytes, and then nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd: int, data: memoryview) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._write(fd, data[: self.room])
        self.room -= taken
        return taken


def test_a_full_disk_is_waited_for_and_a_line_goes_on_where_it_stopped(
    reactor: Reactor, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(logfile, "say", said.append)
    disk = Disk(monkeypatch, 10)
    log = logfile_at(reactor, path, LogLimits(retry=0.01))
    log.write("first\nsecond\n")
    turn_until(reactor, lambda: said)
    assert path.read_text() == "first\nseco"
    log.write("third\n")
    disk.room = 3
    turn_until(reactor, lambda: path.read_text() == "first\nsecond\n")
    disk.room = 1000
    turn_until(reactor, lambda: len(said) == 2)
    assert path.read_text() == "first\nsecond\nthird\n"
    assert said == [
        f"cannot write to the log {path}: No space left on device; trying again",
        f"the log {path} is written again",
    ]


def test_a_log_that_is_rotated_away_from_a_full_disk_begins_its_line_again(
    reactor: Reactor, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(logfile, "say", said.append)
    disk = Disk(monkeypatch, 10)
    log = logfile_at(reactor, path, LogLimits(retry=1000.0, waiting=40))
    log.write("first\nsecond\n")
    turn_until(reactor, lambda: said)
    path.unlink()
    disk.room = 1000
    log.reopen()  # and there is no waiting for the next attempt
    turn_until(reactor, lambda: len(said) == 2)
    assert path.read_text() == "second\n"
    log.write("x" * 39 + "\n")  # all the room is free again
    log.finish(20)
    assert log.lost == 0
    assert len(path.read_text()) == 47


def test_a_disk_that_stays_full_is_not_waited_for_at_the_end(
    reactor: Reactor, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(logfile, "say", said.append)
    Disk(monkeypatch, 0)
    log = logfile_at(reactor, path, LogLimits(retry=1000.0))
    log.write("first\nsecond\n")
    before = reactor.clock.monotonic()
    log.finish(20)
    assert reactor.clock.monotonic() - before < 10
    assert said[-1] == f"2 lines of the log {path} were lost: it did not take them in time"


def test_an_old_file_that_cannot_be_closed_is_let_go(path: Path) -> None:
    fd = logfile._open_again(str(path), 1_000_000)
    os.close(fd)


# -- what is asked for --------------------------------------------------------------------------------------


def asked(**options: object) -> argparse.Namespace:
    given = {"no_access_log": False, "log": "-", "log_format": "common", "dir": "/", "dotfiles": False}
    return argparse.Namespace(**given | options)


@pytest.mark.parametrize(
    ("name", "kind"), [("common", AccessLog), ("combined", CombinedLog), ("json", JSONLog)]
)
def test_a_format_is_a_kind_of_log(name: str, kind: type[AccessLog]) -> None:
    with Reactor() as reactor:
        assert type(Log(reactor, asked(log_format=name)).access) is kind


def test_no_log_opens_nothing(path: Path) -> None:
    with Reactor() as reactor:
        log = Log(reactor, asked(no_access_log=True, log=str(path)))
        assert log.access is None
        log.reopen()
        log.finish()
    assert not path.exists()


def test_stderr_is_not_opened_again() -> None:
    with Reactor() as reactor:
        log = Log(reactor, asked())
        assert isinstance(log._output, Sink)
        log.reopen()
        log.finish()


def test_a_pipe_is_written_when_it_is_read(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with Reactor() as reactor:
        with pytest.raises(MachineFault, match=f"cannot open the log {fifo}: No such device"):
            Log(reactor, asked(log=str(fifo)))
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        log = Log(reactor, asked(log=str(fifo)))
        assert log.access is not None
        log.access.add("a", "GET / HTTP/1.1", 200, 1)
        log.reopen()
        log.finish()
        assert os.read(reader, 1000).endswith(b'"GET / HTTP/1.1" 200 1\n')
        os.close(reader)


@pytest.mark.parametrize(
    ("log", "dotfiles", "said"),
    [
        ("access.log", False, True),
        ("sub/access.log", False, True),
        (".log", False, False),
        ("sub/.logs/a.log", False, False),
        (".log", True, True),
        ("../access.log", False, False),
        ("../site-logs/access.log", False, False),
    ],
)
def test_a_log_that_can_be_read_by_everybody_is_told_of(
    log: str, dotfiles: bool, said: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    for folder in (site, site / "sub", site / "sub" / ".logs", tmp_path / "site-logs"):
        folder.mkdir()
    with Reactor() as reactor:
        Log(reactor, asked(log=str(site / log), dir=str(site), dotfiles=dotfiles))
    assert ("lies in the folder that is served" in capfd.readouterr().err) is said


def test_a_log_that_cannot_be_opened_is_told_before_anything_is_served(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(tmp_path), "--port", "0", "--log", str(tmp_path)]) == CANNOT_START
    assert capfd.readouterr().err == f"poise: cannot open the log {tmp_path}: Is a directory\n"


# -- the program --------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    made = tmp_path / "site"
    made.mkdir()
    (made / "small.txt").write_bytes(b"small")
    return made


class Load(threading.Thread):
    """A client that asks again and again until it is stopped: for ``path``, or with "#" in it for ever new ones."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._port = port
        self._path = path
        self._stopped = threading.Event()

    def run(self) -> None:
        with connected(self._port) as sock:
            while not self._stopped.is_set():
                path = self._path.replace("#", str(len(self.asked)))
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                read_answer(sock)
                self.asked.append(path)

    def stop(self) -> list[str]:
        self._stopped.set()
        self.join()
        return self.asked


@pytest.mark.slow
def test_a_log_is_rotated_under_load_and_no_line_is_lost_or_split(site: Path, path: Path) -> None:
    with serving(site, "--log", str(path)) as served:
        loads = [Load(served.port, each) for each in ("/small.txt", "/new/#", "/other/#")]
        for load in loads:
            load.start()
        mine: list[str] = []
        for number in range(20):
            path.rename(path.with_suffix(f".{number}"))
            served.process.send_signal(signal.SIGUSR1)
            while not path.exists():
                mine.append(f"/mine/{len(mine)}")
                assert get(served.port, mine[-1]).status == 404
        asked = Counter(mine)
        for load in loads:
            asked.update(load.stop())
        assert served.stop() == 0
        assert served.stderr == ""
    found: Counter[str] = Counter()
    for file in [path, *(path.with_suffix(f".{number}") for number in range(20))]:
        for line in file.read_text().splitlines(keepends=True):
            match = LINE.fullmatch(line)
            assert match, f"{file.name}: {line!r}"
            found[match[1]] += 1
    assert found == asked
    assert sum(found.values()) > 100


@pytest.mark.slow
def test_a_log_in_json(site: Path, path: Path) -> None:
    environment = {"POISE_LOG_FORMAT": "json", "POISE_LOG": str(path)}
    with serving(site, environment=environment) as served:
        for _ in range(5):
            get(served.port, "/small.txt", fields="User-Agent: me\r\n")
        served.stop()
        assert served.stderr == ""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["target"], row["bytes"], row["user_agent"]) for row in rows] == [("/small.txt", 5, "me")] * 5
    assert all(0 <= row["duration"] < 10 for row in rows)


@pytest.mark.slow
def test_a_disk_that_was_full_for_a_while_loses_nothing(site: Path, path: Path) -> None:
    """The kernel itself says no: a file may become only so large."""
    with serving(site, "--log", str(path)) as served:
        unlimited = resource.prlimit(served.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(served.pid, resource.RLIMIT_FSIZE, (4000, unlimited[1]))
        with connected(served.port) as sock:

            def ask(number: int) -> None:
                sock.sendall(f"GET /{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                read_answer(sock)

            count = 0
            while "File too large; trying again" not in served.stderr:
                ask(count)
                count += 1
                assert count < 1_000_000
            resource.prlimit(served.pid, resource.RLIMIT_FSIZE, unlimited)
            while "written again" not in served.stderr:
                ask(count)
                count += 1
                assert count < 1_000_000
        served.stop()
        lost = re.findall(r"(\d+) lines of the log .* were lost", served.stderr)
    lines = path.read_text().splitlines(keepends=True)
    assert all(LINE.fullmatch(line) for line in lines)
    assert len(lines) + sum(map(int, lost)) == count


@pytest.mark.slow
def test_a_server_that_logs_to_stderr_survives_the_signal(site: Path) -> None:
    with serving(site) as served:
        get(served.port, "/small.txt")
        served.process.send_signal(signal.SIGUSR1)
        get(served.port, "/small.txt")
        served.stop()
        assert served.stderr.count('"GET /small.txt HTTP/1.1" 200 5') == 2


@pytest.mark.slow
def test_what_nobody_asked_for_is_not_loaded(site: Path) -> None:
    """Start-up stays light: each of these is imported when it is used."""
    code = (
        "import sys; from poise.cli import main\n"
        "from poise.loop.reactor import Reactor\n"
        "Reactor.run = lambda self: print(*sorted(sys.modules), file=sys.stderr)\n"
        f"main.main(['serve', {str(site)!r}, '--port', '0', '--lan'])\n"
    )
    command = [serve_command(site)[0], "-c", code]
    with program(command) as served:
        served.process.wait(20)
        loaded = set(served.stderr.split())
    assert "poise.cli.serve" in loaded
    rare = {"qr", "browser", "logfile", "completions", "man", "outline", "find"}
    assert not loaded & {f"poise.cli.{name}" for name in rare}
    assert not loaded & {"poise.http.logformats", "segno", "webbrowser"}
