"""``poise top``, ``trace`` and ``replay``: finding programs, looking, leaving without a trace, and saying what to do instead."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import stat
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.cli import attach, tracing
from poise.cli.main import CANNOT_START, main, parser
from poise.cli.outcome import Outcome
from poise.cli.plain import width
from poise.cli.top import follow
from poise.cli.where import network_addresses
from poise.limits.seeing import DoorLimits
from poise.loop.reactor import Reactor
from poise.seeing.control import Control
from poise.seeing.trace import recording, trace
from tests.seeing import perfetto
from tests.seeing.watching import HELLO, HOSTILE, RECORDS, FakeViewer, FakeWatching, row, state
from tests.support.full import FULL, no_room
from tests.support.load import load
from tests.support.program import PATIENCE, program, serving
from tests.support.terminal import Terminal, terminal

QUICK = DoorLimits(once=0.01)
ESCAPES = re.compile(r"\x1b\[(?:\?1049[hl]|\?25[hl]|H|J|K|[0-9;]*m)")
"""All that ``poise top`` says to a terminal."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of the test's own, for this process and for those that it starts."""
    above = tmp_path / "run"
    above.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(above))
    monkeypatch.setattr("poise.seeing.runtime.COMMON", str(above))
    for name in [name for name in os.environ if name.startswith("POISE_")]:
        monkeypatch.delenv(name)
    return above / "poise"


@pytest.fixture
def watching() -> FakeWatching:
    return FakeWatching()


@pytest.fixture
def control(run: Path, watching: FakeWatching) -> Iterator[Control]:
    """Something that can be looked at: this very process."""
    made = Control(lambda: watching, QUICK)
    yield made
    made.close()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "small.txt").write_text("hello\n")
    return tmp_path / "site"


# -- what is typed ------------------------------------------------------------------------------------------


def test_what_can_be_typed() -> None:
    args = parser().parse_args(["top"])
    assert (args.pid, args.once, args.json, args.lang) == (None, False, False, None)
    args = parser().parse_args(["top", "4711", "--once", "--json", "--lang", "zh"])
    assert (args.pid, args.once, args.json, args.lang) == (4711, True, True, "zh")
    args = parser().parse_args(["trace", "-o", "x", "--seconds", "0.5"])
    assert (args.pid, args.output, args.seconds, args.full) == (None, "x", 0.5, True)
    assert not parser().parse_args(["trace", "-o", "x", "--lean"]).full
    args = parser().parse_args(["replay", "x", "-p", "0"])
    assert (args.file, args.port) == ("x", 0)
    args = parser().parse_args(["serve"])
    assert (args.watch, args.watch_host, args.no_control) == (None, None, False)
    assert parser().parse_args(["serve", "--watch"]).watch == 0
    assert parser().parse_args(["serve", "--watch=8001"]).watch == 8001


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["top", "poise"], "a process has a number, not 'poise'"),
        (["top", "-1"], "a process has a number, not '-1'"),
        (["top", "--lang", "de"], "invalid choice"),
        (["trace"], "-o"),
        (["trace", "-o", "x", "--seconds", "601"], "a recording takes 0 to 600 seconds, not 601"),
        (["trace", "-o", "x", "--seconds", "nan"], "a recording takes"),
        (["replay"], "FILE"),
        (["serve", "--watch=x"], "a port is a number"),
    ],
)
def test_mistakes_are_explained(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


# -- who is there -------------------------------------------------------------------------------------------


def test_nobody_is_there(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--once"]) == CANNOT_START
    assert "start one with: poise serve" in capfd.readouterr().err
    assert not run.exists()  # who only looks makes nothing


def test_the_only_one_is_found_without_its_number(
    control: Control, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", "--once", "--lang", "en"]) == 0
    assert " 4711  poise serve ." in capfd.readouterr().out


def test_of_several_one_has_to_be_named(
    control: Control, run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("poise.seeing.session.program", lambda: HOSTILE)
    with socket.socket(socket.AF_UNIX) as stranger:  # one that never answers
        stranger.bind(str(run / "1.sock"))
        stranger.listen()
        monkeypatch.setattr(attach, "DoorLimits", lambda: QUICK.but(patience=0.2))
        other = Control(FakeWatching, QUICK)
        try:
            assert main(["top", "--once"]) == CANNOT_START
        finally:
            other.close()
    said = capfd.readouterr().err
    assert "several are running; say which one by its number:" in said
    assert said.count(f"{os.getpid()}  <img src=x") == 2
    assert "      1  (does not answer)" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("pid", "said"), [(os.getppid(), "has no control socket"), (2**22 + 1, "there is no process")]
)
def test_a_number_that_is_not_there(
    control: Control, pid: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", str(pid), "--once"]) == CANNOT_START
    err = capfd.readouterr().err
    assert said in err
    assert str(os.getpid()) in err  # and what is there


def test_the_socket_of_a_dead_process_is_cleaned_away(run: Path, control: Control) -> None:
    for name in ("99999991.sock", "99999992.sock"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(run / name))
    assert [each.pid for each in attach.running()] == [os.getpid()]
    assert os.listdir(run) == [os.path.basename(control.path)]


def test_a_program_that_does_not_answer_is_said_to_be_there(
    run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run.mkdir(mode=0o700)
    monkeypatch.setattr(attach, "DoorLimits", lambda: QUICK.but(patience=0.05))
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(str(run / "4711.sock"))
        stopped.listen()
        for words in (["top", "--once"], ["top", "4711", "--once"]):
            assert main(words) == CANNOT_START
            assert "process 4711 does not answer: it is stopped" in capfd.readouterr().err


def test_a_file_that_is_no_socket_of_ours_is_left_alone(run: Path, control: Control) -> None:
    (run / "notes").write_text("")
    assert [each.pid for each in attach.running()] == [os.getpid()]
    assert (run / "notes").exists()


def test_a_folder_that_may_be_anybodys_is_not_asked(
    run: Path, control: Control, capfd: pytest.CaptureFixture[str]
) -> None:
    run.chmod(0o755)
    try:
        assert attach.running() == []
        assert "is open to others" in capfd.readouterr().err
    finally:
        run.chmod(0o700)


ODD = {
    "no JSON": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "no object": b"[]\n",
    "no text": b"\xff\xfe\n",
    "another object": b'{"x": 1}\n',
    "a name instead of a number": b'{"who": {"pid": "x"}}\n',
    "nothing": b"",
    "without an end": b"x" * 1000,
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_what_answers_otherwise_is_none_of_ours(
    run: Path, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.mkdir(mode=0o700)
    ended: list[str] = []
    with socket.socket(socket.AF_UNIX) as listening, Reactor() as reactor:
        listening.bind(str(run / "7.sock"))
        listening.listen()
        attach.ask(reactor, str(run / "7.sock"), {"ask": "who"}, lambda _: None, ended.append, QUICK)
        reactor.turn(0.1)
        connection, _ = listening.accept()
        with connection:
            connection.sendall(answer)
        while not ended:
            reactor.turn(0.1)
    assert len(ended) == 1


# -- looking ------------------------------------------------------------------------------------------------


def test_once_does_not_wait_for_ever(
    control: Control,
    watching: FakeWatching,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("poise.cli.top.DoorLimits", lambda: QUICK.but(patience=0.05))
    held = threading.Event()
    monkeypatch.setattr(watching, "next_state", lambda: held.wait(PATIENCE) and state())
    try:
        assert main(["top", "--once"]) == CANNOT_START
    finally:
        held.set()
    assert f"poise: {os.getpid()}: the program does not answer" in capfd.readouterr().err


def test_once_as_json_is_one_object(control: Control, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--once", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"hello": HELLO, "state": state()}


def test_once_in_chinese(control: Control, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--once", "--lang", "zh"]) == 0
    assert "谁" not in capfd.readouterr().err


@pytest.mark.parametrize("words", [["--once"], ["--once", "--json"], ["--json"]])
def test_a_state_that_cannot_be_written_is_a_failure_and_ends_it(
    control: Control, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with no_room():
        assert main(["top", *words]) == CANNOT_START
    assert capfd.readouterr().err == "poise: cannot write what there is to say: No space left on device\n"


def test_a_recording_that_cannot_be_written_is_a_failure(
    control: Control, capfd: pytest.CaptureFixture[str]
) -> None:
    if not os.path.exists(FULL):
        pytest.skip(f"this system has no {FULL}")
    assert main(["trace", "-o", FULL, "--seconds", "0.1"]) == CANNOT_START
    assert "cannot write /dev/full: No space left on device" in capfd.readouterr().err


def test_without_a_terminal_it_says_what_there_is(
    control: Control, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["top"]) == CANNOT_START
    assert "--once and --json" in capfd.readouterr().err


def test_json_is_a_line_for_each_state_until_the_program_goes(
    run: Path, watching: FakeWatching, capfd: pytest.CaptureFixture[str]
) -> None:
    control = Control(lambda: watching, QUICK)
    watching.states = [state(at=1), state(at=2), state(at=3)]
    tell = watching.next_state

    def next_state() -> dict[str, Any]:
        if watching.told == 3:
            for each in control._now():
                each.shutdown(socket.SHUT_RDWR)
        return tell()

    watching.next_state = next_state  # type: ignore[method-assign]
    try:
        assert main(["top", "--json"]) == 0
    finally:
        control.close()
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert lines[0] == {"hello": HELLO}
    assert [each["state"]["at"] for each in lines[1:]] == [1, 2, 3]


def test_who_is_busy_says_so(run: Path, watching: FakeWatching, capfd: pytest.CaptureFixture[str]) -> None:
    control = Control(lambda: watching, QUICK.but(viewers=1))
    try:
        [found] = attach.running()
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(control.path)
            other.sendall(b'{"ask": "watch"}\n')
            watching.wait(1)
            assert follow(found, {"ask": "once"}, lambda _: None) == "busy"
    finally:
        control.close()


def frames(seen: str) -> list[str]:
    """What was drawn, one whole screen after the other, without what only the terminal sees."""
    return [
        ESCAPES.sub("", each.partition("\x1b[J")[0]).replace("\r", "")
        for each in seen.split("\x1b[H")[1:]
        if "\x1b[J" in each
    ]


def shown(tty: Terminal, *texts: str, lines: int | None = None) -> str:
    """The first screen from now on that has all of ``texts``, and so many ``lines``."""
    tty.forget()
    while True:
        tty.until("\x1b[J")
        for frame in frames(tty.seen):
            if all(text in frame for text in texts) and lines in (None, frame.count("\n") + 1):
                return frame
        tty.seen = tty.seen.rpartition("\x1b[J")[2]
        tty._data = tty.seen.encode()


def top(*options: str) -> list[str]:
    """To look at this very process: others may be running on this machine, too."""
    return [sys.executable, "-m", "poise", "top", str(os.getpid()), *options]


def test_in_a_terminal_it_draws_heeds_keys_and_leaves_everything_as_it_was(
    control: Control, watching: FakeWatching
) -> None:
    watching.states = [
        state(rows=[row(3, what="alpha", peer=None, held_ns=5), row(9, what="beta", held_ns=9)])
    ]
    with terminal(top("--lang", "en"), size=(150, 30)) as tty:
        tty.until("q quit")
        modes = termios.ECHO | termios.ICANON
        assert termios.tcgetattr(tty._master)[3] & modes == 0
        assert tty.seen.startswith("\x1b[?1049h\x1b[?25l")
        frame = shown(tty, "by time held")
        assert frame.index("beta") < frame.index("alpha")  # who held it most goes first
        assert len(frame.splitlines()) == 30
        tty.type("s")
        shown(tty, "by last used")
        tty.type("ss")
        frame = shown(tty, "by number")
        assert frame.index("alpha") < frame.index("beta")
        tty.type("fbet")
        assert "alpha" not in shown(tty, "show only: bet_", "beta")
        tty.type("x\x7f")
        shown(tty, "show only: bet_", "beta")
        tty.type("\r")
        assert "alpha" not in shown(tty, "[bet]", "beta", "q quit")
        tty.type("f\x1b")
        shown(tty, "alpha", "beta", "q quit")
        tty.type("d")
        shown(tty, "report", "d timers")
        tty.type("d")
        shown(tty, "HTTPServer.sweep", "d descriptors")
        tty.type("p")
        tty.until("paused: p goes on")
        tty.type("p")
        assert "paused" not in shown(tty, "q quit")
        tty.type("\x1b[A")  # an arrow: nothing
        shown(tty, "q quit")
        tty.type("q")
        seen = tty.end()
        assert tty.process.returncode == 0
        assert seen.endswith("\x1b[?25h\x1b[?1049l")
        assert termios.tcgetattr(tty._master)[3] & modes == modes
    watching.wait(0)


@pytest.mark.slow
def test_a_terminal_that_is_made_larger_or_smaller_is_filled(
    control: Control, watching: FakeWatching
) -> None:
    watching.every = PATIENCE  # so that nothing is drawn unless a signal says so
    with terminal(top("--lang", "en"), size=(100, 24)) as tty:
        shown(tty, "4711", "q quit")
        for columns, lines in ((140, 40), (60, 10)):
            termios.tcsetwinsize(tty._master, (lines, columns))
            os.kill(tty.process.pid, signal.SIGWINCH)
            rows = shown(tty, "4711", "q quit", lines=lines).split("\n")
            assert "Nothing new" not in rows[-1]  # it was drawn at once
            assert width(rows[0]) == columns
            assert max(map(width, rows)) <= columns
        tty.type("q")
        tty.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_and_the_terminal_is_put_back(
    control: Control, watching: FakeWatching, number: signal.Signals
) -> None:
    with terminal(top("--lang", "en")) as tty:
        tty.until("q quit")
        os.kill(tty.process.pid, number)
        assert tty.end().endswith("\x1b[?25h\x1b[?1049l")
        assert tty.process.returncode == 0
    watching.wait(0)


def test_ctrl_z_gives_the_terminal_back_and_lets_the_program_go(
    control: Control, watching: FakeWatching
) -> None:
    modes = termios.ECHO | termios.ICANON
    with terminal(top("--lang", "en")) as tty:
        tty.until("q quit")
        tty.forget()
        os.kill(tty.process.pid, signal.SIGTSTP)
        tty.until("\x1b[?25h\x1b[?1049l")
        watching.wait(0)
        assert os.waitid(os.P_PID, tty.process.pid, os.WSTOPPED | os.WNOWAIT) is not None
        assert termios.tcgetattr(tty._master)[3] & modes == modes
        os.kill(tty.process.pid, signal.SIGCONT)
        tty.until("\x1b[?1049h\x1b[?25l")
        shown(tty, "4711", "q quit")
        assert termios.tcgetattr(tty._master)[3] & modes == 0
        tty.type("q")
        tty.end()
        assert tty.process.returncode == 0
    watching.wait(0)
    assert watching.attached == 2


def test_no_name_of_a_stranger_speaks_to_the_terminal(control: Control, watching: FakeWatching) -> None:
    watching.states = [state(rows=[row(9, peer=HOSTILE, what=HOSTILE)], verdict={"id": "x", "args": {}})]
    watching.told_first = HELLO | {"program": HOSTILE}
    with terminal(top("--lang", "en"), size=(400, 24)) as tty:
        tty.until("q quit")
        tty.type("q")
        seen = tty.end()
    assert "<img src=x onerror=alert(1)>" in seen
    left = ESCAPES.sub("", seen)
    assert all(each in "\r\n" or each.isprintable() for each in left)


def test_no_colour_for_those_who_want_none(control: Control) -> None:
    with terminal(top("--lang", "en"), environment={"NO_COLOR": "1"}) as tty:
        tty.until("q quit")
        tty.type("q")
        assert not re.search(r"\x1b\[[0-9;]*m", tty.end())


@pytest.mark.slow
def test_a_program_that_ends_is_told_and_leaves_the_terminal_usable(
    run: Path, watching: FakeWatching
) -> None:
    control = Control(lambda: watching, QUICK)
    with terminal(top("--lang", "en")) as tty:
        tty.until("q quit")
        control.close()
        seen = tty.end()
    assert f"poise: {os.getpid()}: the program has ended" in seen


# -- traces -------------------------------------------------------------------------------------------------


def test_a_trace_is_written_for_its_owner_alone(
    control: Control, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    assert main(["trace", "-o", str(path), "--seconds", "0"]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = json.loads(path.read_text())
    assert recording(written) == RECORDS
    perfetto.read(written)
    assert f"poise replay {path}" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "why"),
    [("no/x", "No such file or directory"), (".", "Is a directory"), ("new/", "Is a directory"), ("/sys/x", "Permission denied")],
)  # fmt: skip
def test_what_cannot_be_written_is_said_before_it_is_recorded(
    control: Control,
    watching: FakeWatching,
    tmp_path: Path,
    name: str,
    why: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = os.path.join(tmp_path, name)
    assert main(["trace", "-o", path, "--seconds", "600"]) == CANNOT_START
    assert capfd.readouterr().err == f"poise: cannot write {path}: {why}\n"
    assert watching.attached == 0


def test_a_trace_to_stdout(control: Control, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "-o", "-", "--seconds", "0"]) == 0
    told = capfd.readouterr()
    assert recording(json.loads(told.out)) == RECORDS
    assert told.err.endswith("poise: 1 records\n")
    with no_room():
        assert main(["trace", "-o", "-", "--seconds", "0"]) == CANNOT_START
    assert "cannot write -: No space left on device" in capfd.readouterr().err


def test_a_trace_takes_the_place_of_another_and_a_link_stays_one(control: Control, tmp_path: Path) -> None:
    before, link = tmp_path / "x.json", tmp_path / "link.json"
    before.write_text("x" * 100_000)
    link.symlink_to(before)
    assert main(["trace", "-o", str(link), "--seconds", "0"]) == 0
    assert recording(json.loads(before.read_text())) == RECORDS
    assert link.is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir() if each.suffix) == ["link.json", "x.json"]


def test_where_no_file_can_be_made_one_that_is_there_is_written(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_outcome: Outcome) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Outcome, "_open_beside", refused)
    path = tmp_path / "x.json"
    assert main(["trace", "-o", str(path), "--seconds", "0"]) == CANNOT_START
    path.write_text("x" * 100_000)
    assert main(["trace", "-o", str(path), "--seconds", "0"]) == 0
    assert recording(json.loads(path.read_text())) == RECORDS


@pytest.mark.slow
@pytest.mark.parametrize(("key", "number", "code"), [("\x03", None, 130), ("", signal.SIGTERM, 143)])
def test_who_interrupts_a_recording_finds_what_was_there_before(
    control: Control, watching: FakeWatching, tmp_path: Path, key: str, number: int | None, code: int
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "x.json").write_text("before")
    words = [sys.executable, "-m", "poise", "trace", "-o", str(kept / "x.json"), "--seconds", "600"]
    with terminal(words) as tty:
        tty.until("0 of 600 s")
        tty.until(f"recording {os.getpid()}: 1 of 600 s")
        assert len(list(kept.iterdir())) == 2
        if number is not None:
            tty.process.send_signal(number)
        tty.type(key)
        seen = tty.end()
        assert tty.process.returncode == code
    assert seen.endswith("\r\x1b[K")
    assert [(each.name, each.read_text()) for each in kept.iterdir()] == [("x.json", "before")]
    watching.wait(0)


def test_a_program_that_ends_while_it_is_recorded(
    control: Control, watching: FakeWatching, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    attach_ = watching.attach

    def attached(*, full: bool = False) -> FakeViewer:
        for each in control._now():
            each.shutdown(socket.SHUT_RDWR)
        return attach_(full=full)

    watching.attach = attached  # type: ignore[method-assign]
    path = tmp_path / "kept" / "x.json"
    path.parent.mkdir()
    assert main(["trace", "-o", str(path), "--seconds", "600"]) == CANNOT_START
    assert "the program has ended" in capfd.readouterr().err
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "x", '{"traceEvents": []}', "[" * 100_000])
def test_what_is_no_recording_is_not_replayed(
    tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    assert main(["replay", str(path)]) == CANNOT_START
    assert f"{path} has no recording of Poise in it" in capfd.readouterr().err


def test_a_recording_in_which_nothing_happened_is_not_replayed(
    control: Control, watching: FakeWatching, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    watching.recorded = RECORDS | {"rows": []}
    path = tmp_path / "x.json"
    assert main(["trace", "-o", str(path), "--seconds", "0"]) == 0
    assert f"{path}: the loop did nothing but wait" in capfd.readouterr().err
    assert main(["replay", str(path)]) == CANNOT_START
    assert f"{path}: the loop did nothing but wait" in capfd.readouterr().err


def test_what_cannot_be_read_or_is_too_long_is_not_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(tmp_path / "no")]) == CANNOT_START
    assert "cannot read" in capfd.readouterr().err
    (tmp_path / "long").write_text("{}" + " " * 100)
    monkeypatch.setattr(tracing, "DoorLimits", lambda: DoorLimits(recording=100))
    assert main(["replay", str(tmp_path / "long")]) == CANNOT_START
    assert "longer than 100 bytes" in capfd.readouterr().err


def test_a_replay_serves_the_recording_with_its_page(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(trace(RECORDS)))
    with program([sys.executable, "-m", "poise", "replay", str(path)]) as replay:
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#([0-9a-f]{32})", replay.line())
        assert found
        head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {found[2]}\r\n\r\n"
        answers = {}
        for target in ("/records", "/feed"):
            with socket.create_connection(("127.0.0.1", int(found[1])), PATIENCE) as connection:
                connection.sendall(f"GET {target} HTTP/1.1\r\n{head}".encode())
                data = b""
                while b'"stalls":[]' not in data and b"\n: \n\n" not in data:
                    more = connection.recv(65536)
                    assert more, data
                    data += more
                answers[target] = data
        assert b'"format":"poise-records-1"' in answers["/records"]
        assert b"event: hello" in answers["/feed"]
        assert b'"replay":true' in answers["/feed"]
        assert replay.stop(signal.SIGINT) == 0
        assert replay.stderr == ""


# -- the real server ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_real_server_is_looked_at_and_nothing_is_left_of_it(
    run: Path, site: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(site, "--no-access-log") as served, load(served.port, clients=2):
        assert main(["top", str(served.pid), "--once", "--json"]) == 0  # by now it has begun in earnest
        capfd.readouterr()
        wait_until_gone(served.pid, 2)  # the loop, and who waits at the control socket
        before = sorted(os.listdir(f"/proc/{served.pid}/fd")), sorted(os.listdir(f"/proc/{served.pid}/task"))
        assert main(["top", str(served.pid), "--once", "--json"]) == 0
        told = json.loads(capfd.readouterr().out)
        assert told["hello"]["pid"] == served.pid
        assert told["hello"]["program"].startswith("poise serve ")
        assert told["state"]["numbers"]["turns_per_s"] > 0
        assert {"listener", "connection"} <= {each["kind"] for each in told["state"]["rows"]}
        path = site.parent / "t.json"
        assert main(["trace", str(served.pid), "-o", str(path), "--seconds", "0.3"]) == 0
        read = perfetto.read(json.loads(path.read_text()))
        assert sum(each.args.get("kind") == "connection" for each in read.slices) > 10
        wait_until_gone(served.pid, len(before[1]))
        after = sorted(os.listdir(f"/proc/{served.pid}/fd")), sorted(os.listdir(f"/proc/{served.pid}/task"))
        assert after == before
    assert os.listdir(run) == []


def wait_until_gone(pid: int, threads: int) -> None:
    """Until what looked has noticed that nobody does any more: it does so by the end of its connection."""
    with Reactor() as reactor:
        for _ in range(1000):
            if len(os.listdir(f"/proc/{pid}/task")) <= threads:
                return
            reactor.turn(0.01)


def test_after_a_kill_the_next_who_looks_cleans_up(
    run: Path, site: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with program([sys.executable, "-m", "poise", "serve", str(site), "--port", "0"]) as served:
        served.line()
        while not any(name.endswith(".sock") for name in (os.listdir(run) if run.exists() else ())):
            assert served.process.poll() is None
        served.process.kill()
        served.process.wait(PATIENCE)
        assert os.listdir(run) == [f"{served.pid}.sock"]
        assert main(["top", str(served.pid), "--once"]) == CANNOT_START
    assert os.listdir(run) == []
    assert f"there is no process {served.pid}" in capfd.readouterr().err


@pytest.mark.slow
def test_each_worker_has_a_socket_of_its_own(run: Path, site: Path) -> None:
    with serving(site, "--workers", "2", "--no-access-log") as served:
        with Reactor() as reactor:
            while len(found := attach.running()) < 2:
                reactor.turn(0.02)
        children = Path(f"/proc/{served.pid}/task/{served.pid}/children").read_text().split()
        assert sorted(each.pid for each in found) == sorted(map(int, children))
    assert os.listdir(run) == []


def fetch(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_without_control_there_is_none(run: Path, site: Path) -> None:
    with serving(site, "--no-control") as served:
        fetch(served.port)
        assert not run.exists()
        assert len(os.listdir(f"/proc/{served.pid}/task")) == 1


def test_a_folder_that_cannot_be_used_is_told_in_one_line_and_the_server_serves(
    run: Path, site: Path
) -> None:
    run.parent.joinpath("elsewhere").mkdir()
    run.symlink_to(run.parent / "elsewhere")
    environment = {"XDG_RUNTIME_DIR": str(run.parent)}
    with serving(site, environment=environment) as served:
        fetch(served.port)
    assert list((run.parent / "elsewhere").iterdir()) == []


@pytest.mark.slow
def test_watch_prints_one_address_and_an_open_page_ends_with_the_process(run: Path, site: Path) -> None:
    with program([sys.executable, "-m", "poise", "serve", str(site), "--port", "0", "--watch"]) as served:
        served.line()
        url = served.line()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#([0-9a-f]{32})", url)
        assert found
        with socket.create_connection(("127.0.0.1", int(found[1])), PATIENCE) as connection:
            connection.sendall(
                f"GET /feed HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {found[2]}\r\n\r\n".encode()
            )
            data = b""
            while data.count(b"event: state") < 2:
                more = connection.recv(65536)
                assert more
                data += more
            assert b'"poller":"' in data
            served.process.kill()
            rest = b""
            while more := connection.recv(65536):  # ends with the process, and does not hang
                rest += more
        assert found[2] not in served.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("option", "sockets"), [((), 1), (("--no-control",), 0)])
def test_a_server_with_a_page_is_still_one_program(
    run: Path, site: Path, option: tuple[str, ...], sockets: int
) -> None:
    with serving(site, "--watch", *option) as served:
        fetch(served.port)
        if sockets:
            assert attach.chosen(None).pid == served.pid
        assert len(attach.running()) == sockets


def test_json_ends_when_its_reader_does(control: Control, watching: FakeWatching) -> None:
    watching.every = 0.01
    with program([sys.executable, "-m", "poise", "top", "--json"]) as top:
        assert json.loads(top.line())["hello"] == HELLO
        assert top.process.stdout is not None
        top.process.stdout.close()
        assert top.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("options", [["--json"], ["--once"], ["--once", "--json"]])
def test_what_cannot_be_written_is_an_error(
    control: Control, options: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr("poise.cli.standard.OUTPUT", full)
    try:
        assert main(["top", *options]) == CANNOT_START
    finally:
        os.close(full)
    assert "No space left on device" in capfd.readouterr().err


@pytest.mark.slow
def test_watch_for_others_has_an_address_for_them_and_says_so(run: Path, site: Path) -> None:
    with serving(site, "--watch", "--watch-host", "0.0.0.0") as served:
        urls = [
            served.line() for _ in ("127.0.0.1", *(each for each in network_addresses() if ":" not in each))
        ]
        secrets = {url.partition("#")[2] for url in urls}
        assert len(secrets) == 1
        assert urls[0].startswith("http://127.0.0.1:")
        assert "others in the network can see the loop" in served.stderr
        for url in urls:
            host, _, port = url.removeprefix("http://").partition("/")[0].rpartition(":")
            with socket.create_connection((host, int(port)), PATIENCE) as connection:
                connection.sendall(f"GET /records HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
                assert connection.recv(12) == b"HTTP/1.1 401"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--watch", "--workers", "2"], "each worker has its own"),
        (["--watch-host", "127.0.0.1"], "it needs that, too"),
        (["--watch", "--watch-host", "192.0.2.1"], "cannot show the loop"),
        (["--watch", "--watch-host", "no.such.name.invalid"], "cannot resolve"),
    ],
)
def test_watch_that_cannot_be(
    run: Path, site: Path, options: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(site), "--port", "0", *options]) == CANNOT_START
    assert said in capfd.readouterr().err
