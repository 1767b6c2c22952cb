"""Child processes: their output, their input and their end, on every poller, with a pidfd and without."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.errors import AlreadyRegistered
from poise.limits import ProcessLimits, StreamLimits
from poise.loop.reactor import Reactor
from poise.net import process as room
from poise.net.process import DEVNULL, STDOUT, Process, ProcessProtocol, spawn
from poise.readiness.poller import available
from tests.support.loops import turn_until

Told = list[tuple[Any, ...]]
PIDFD = room._pidfd


class Log(ProcessProtocol):
    """Keeps everything that a process tells it."""

    def __init__(self) -> None:
        self.told: Told = []
        self.out: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}

    def names(self) -> list[str]:
        return [each[0] for each in self.told]

    @property
    def over(self) -> bool:
        return "lost" in self.names()

    def connection_made(self, process: Process) -> None:
        self.told.append(("made", process))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        assert data
        self.out[fd] += data

    def pipe_connection_lost(self, fd: int, error: Exception | None) -> None:
        self.told.append(("pipe", fd, error))

    def process_exited(self) -> None:
        self.told.append(("exited",))

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append(("lost", error))

    def pause_writing(self) -> None:
        self.told.append(("pause",))

    def resume_writing(self) -> None:
        self.told.append(("resume",))


@pytest.fixture(
    params=[(name, notice) for name in available() for notice in ("pidfd", "looking")],
    ids="-".join,
)
def reactor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reactor]:
    name, notice = request.param
    if notice == "looking":
        monkeypatch.setattr(room, "_pidfd", lambda pid: None)
    elif not hasattr(os, "pidfd_open"):
        pytest.skip("this system has no pidfd")
    with Reactor(name) as made:
        yield made


def sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def gone(pid: int) -> bool:
    """Whether the child has been waited for: not even a zombie is left."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def test_a_child_is_written_to_read_and_waited_for(reactor: Reactor) -> None:
    log = Log()
    process = spawn(reactor, ["cat"], log)
    assert log.told == [("made", process)]
    assert process.returncode is process.get_returncode() is None
    assert process.pid == process.get_pid() == process.get_extra_info("subprocess").pid
    assert repr(process) == f"<Process {process.pid} running>"
    assert process.stdin is not None
    process.stdin.write(b"one ")
    turn_until(reactor, lambda: log.out[1] == b"one ")
    process.stdin.write(b"two")
    process.stdin.write_eof()
    turn_until(reactor, lambda: log.over)
    assert log.out == {1: b"one two", 2: b""}
    assert sorted(log.names()[1:-1]) == ["exited", "pipe", "pipe", "pipe"]
    assert [each[2] for each in log.told if each[0] == "pipe"] == [None] * 3
    assert log.told[-1] == ("lost", None)
    assert process.returncode == 0
    assert process.is_closing()
    assert repr(process) == f"<Process {process.pid} ended 0>"
    assert gone(process.pid)
    assert len(reactor.poller) == 1
    process.close()
    process.kill()
    for _ in range(3):
        reactor.turn(0)
    assert log.names().count("lost") == 1


def test_output_and_errors_are_told_apart_and_the_code_is_kept(reactor: Reactor) -> None:
    log = Log()
    process = spawn(reactor, sh("echo out; echo err >&2; exit 7"), log, stdin=DEVNULL)
    assert process.stdin is process.get_pipe_transport(0) is None
    assert process.get_pipe_transport(1) is process.stdout is not None
    assert process.get_pipe_transport(2) is process.stderr is not None
    assert process.get_pipe_transport(3) is None
    turn_until(reactor, lambda: log.over)
    assert log.out == {1: b"out\n", 2: b"err\n"}
    assert process.returncode == 7


def test_errors_in_the_same_pipe_folder_and_environment(reactor: Reactor, tmp_path: Path) -> None:
    log = Log()
    process = spawn(
        reactor,
        sh("pwd; echo $WORD >&2"),
        log,
        stdin=None,
        stderr=STDOUT,
        cwd=tmp_path,
        env={"WORD": "就绪"},
    )
    assert process.stderr is None
    turn_until(reactor, lambda: log.over)
    assert log.out[1].decode() == f"{tmp_path.resolve()}\n就绪\n"


def test_a_child_without_pipes(reactor: Reactor) -> None:
    log = Log()
    process = spawn(reactor, ["true"], log, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
    turn_until(reactor, lambda: log.over)
    assert log.names() == ["made", "exited", "lost"]
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("way", "number"),
    [("terminate", signal.SIGTERM), ("kill", signal.SIGKILL), ("send_signal", signal.SIGUSR1)],
)
def test_signals(reactor: Reactor, way: str, number: int) -> None:
    log = Log()
    process = spawn(reactor, ["cat"], log)
    getattr(process, way)(*([number] if way == "send_signal" else []))
    turn_until(reactor, lambda: log.over)
    assert process.returncode == -number


MUCH = 3_000_000


def test_much_output_waits_for_a_slow_reader(reactor: Reactor) -> None:
    log = Log()
    process = spawn(
        reactor,
        sh(f"head -c {MUCH} /dev/zero; echo done >&2"),
        log,
        stdin=DEVNULL,
        stream_limits=StreamLimits(read_size=100_000),
    )
    assert process.stdout is not None
    process.stdout.pause_reading()
    for _ in range(20):
        reactor.turn(0.001)
    assert log.out == {1: b"", 2: b""}
    assert process.returncode is None, "it waits for us"
    process.stdout.resume_reading()
    turn_until(reactor, lambda: log.over)
    assert len(log.out[1]) == MUCH
    assert log.out[2] == b"done\n"


def test_much_input_waits_for_a_slow_child(reactor: Reactor) -> None:
    log = Log()
    process = spawn(reactor, sh("read line; cat | wc -c"), log)
    assert process.stdin is not None
    process.stdin.write(b"\n" + b"x" * MUCH)
    assert log.names() == ["made", "pause"]
    assert process.stdin.get_write_buffer_size() > 0
    process.stdin.close()
    turn_until(reactor, lambda: log.over)
    assert int(log.out[1]) == MUCH


def test_the_marks_are_passed_on(reactor: Reactor) -> None:
    log = Log()
    process = spawn(reactor, sh("cat > /dev/null"), log)
    assert process.stdin is not None
    process.stdin.write(b"x" * MUCH)
    turn_until(reactor, lambda: "resume" in log.names())
    assert log.names() == ["made", "pause", "resume"]
    process.stdin.close()
    turn_until(reactor, lambda: log.over)


@pytest.mark.pitfall(20)
@pytest.mark.pitfall(56)
@pytest.mark.parametrize("waiting", [0, MUCH])
def test_a_child_that_ends_before_it_has_read_everything(reactor: Reactor, waiting: int) -> None:
    errors: list[Exception] = []
    reactor.on_error = errors.append
    log = Log()
    process = spawn(reactor, sh("head -c 3 >/dev/null; exit 3"), log)
    assert process.stdin is not None
    process.stdin.write(b"abc" + b"x" * waiting)
    turn_until(reactor, lambda: log.over)
    [error] = [each[2] for each in log.told if each[:2] == ("pipe", 0)]
    assert isinstance(error, BrokenPipeError)
    assert process.returncode == 3
    process.stdin.write(b"too late")
    assert errors == []


def test_output_of_a_grandchild_comes_after_the_end_of_the_child(reactor: Reactor) -> None:
    log = Log()
    process = spawn(reactor, sh("exec 3<&0; cat <&3 & exec true"), log)
    turn_until(reactor, lambda: "exited" in log.names())
    assert process.returncode == 0
    assert gone(process.pid)
    assert process.stdin is not None
    process.stdin.write(b"still here")
    turn_until(reactor, lambda: log.out[1] == b"still here")
    assert log.names() == ["made", "exited"]
    process.stdin.close()
    turn_until(reactor, lambda: log.over)
    assert [each for each in log.told if each[0] == "lost"] == [("lost", None)]


def test_close_waits_for_no_grandchild(reactor: Reactor) -> None:
    log = Log()
    process = spawn(reactor, sh("exec 3<&0; cat <&3 & exec true"), log)
    turn_until(reactor, lambda: "exited" in log.names())
    process.close()
    turn_until(reactor, lambda: log.over)
    assert log.names() == ["made", "exited", "pipe", "pipe", "pipe", "lost"]


def test_close_ends_the_child(reactor: Reactor) -> None:
    log = Log()
    process = spawn(reactor, ["cat"], log)
    process.close()
    assert process.is_closing()
    assert log.names() == ["made"], "never from inside the call"
    process.close()
    turn_until(reactor, lambda: log.over)
    assert process.returncode == -signal.SIGKILL
    assert gone(process.pid)
    assert log.names().count("exited") == 1


@pytest.mark.pitfall(59)
def test_children_end_with_their_reactor(reactor: Reactor) -> None:
    first, second = Log(), Log()
    running = [spawn(reactor, ["cat"], log) for log in (first, second)]
    ended = spawn(reactor, ["true"], log := Log())
    turn_until(reactor, lambda: log.over)
    orphaned = spawn(reactor, sh("exec 3<&0; cat <&3 & exec true"), log := Log())
    turn_until(reactor, lambda: "exited" in log.names())
    reactor.close()
    assert orphaned.stdout is not None
    assert orphaned.stdout.is_closing()
    assert [each.returncode for each in running] == [-signal.SIGKILL] * 2
    assert all(gone(each.pid) for each in (*running, ended))
    running[0].close()


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["/nowhere/at/all"], FileNotFoundError),
        (["/"], PermissionError),
        ("cat file", TypeError),
        (b"cat", TypeError),
        ([], ValueError),
        (iter(()), ValueError),
        (["cat", "a\0b"], ValueError),
    ],
)
def test_what_cannot_be_started(reactor: Reactor, args: Any, error: type[Exception]) -> None:
    log = Log()
    with pytest.raises(error):
        spawn(reactor, args, log)
    assert log.told == []
    assert len(reactor.poller) == 1


@pytest.mark.parametrize("refused", [1, 2, 3, 4])
def test_what_the_poller_refuses_leaves_no_child(
    reactor: Reactor, refused: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if room._pidfd is not PIDFD:
        refused = min(refused, 3)  # nothing is watched for the child's end
    started: list[subprocess.Popen[bytes]] = []
    real_popen, real_register = subprocess.Popen, reactor.poller.register
    left = refused

    def popen(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(real_popen(*args, **options))
        return started[0]

    def register(fd: int, mask: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise AlreadyRegistered("as if")
        real_register(fd, mask)

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(reactor.poller, "register", register)
    log = Log()
    with pytest.raises(AlreadyRegistered):
        spawn(reactor, ["cat"], log)
    assert gone(started[0].pid)
    for _ in range(3):
        reactor.turn(0)
    assert log.told == []
    assert len(reactor.poller) == 1
    assert not reactor.at_close


def test_a_protocol_that_raises_at_the_start(reactor: Reactor) -> None:
    errors: list[Exception] = []
    reactor.on_error = errors.append

    class Bad(Log):
        def connection_made(self, process: Process) -> None:
            raise LookupError("at the start")

    log = Bad()
    process = spawn(reactor, ["cat"], log)
    turn_until(reactor, lambda: log.over)
    assert [type(error) for error in errors] == [LookupError]
    assert log.told[-1] == ("lost", errors[0])
    assert process.returncode == -signal.SIGKILL


def test_protocols_that_raise_later_stop_nothing(reactor: Reactor) -> None:
    errors: list[Exception] = []
    reactor.on_error = errors.append

    class Bad(Log):
        def pipe_data_received(self, fd: int, data: bytes) -> None:
            raise LookupError("data")

        def pipe_connection_lost(self, fd: int, error: Exception | None) -> None:
            super().pipe_connection_lost(fd, error)
            raise LookupError("pipe")

        def process_exited(self) -> None:
            super().process_exited()
            raise LookupError("exited")

    log = Bad()
    process = spawn(reactor, sh("echo x"), log, stdin=DEVNULL, stderr=DEVNULL)
    turn_until(reactor, lambda: log.over)
    assert sorted(str(error) for error in errors) == ["data", "exited", "pipe"]
    assert process.returncode in {0, -signal.SIGPIPE}


def test_another_protocol_takes_over(reactor: Reactor) -> None:
    first, second = Log(), Log()
    process = spawn(reactor, ["cat"], first)
    process.set_protocol(second)
    assert process.get_protocol() is second
    assert process.stdin is not None
    process.stdin.write(b"x")
    process.stdin.close()
    turn_until(reactor, lambda: second.over)
    assert second.out[1] == b"x"
    assert first.names() == ["made"]


def test_protocols_need_nothing(reactor: Reactor) -> None:
    process = spawn(reactor, ["cat"], ProcessProtocol())
    assert process.stdin is not None
    process.stdin.write(b"x" * MUCH)
    process.stdin.close()
    turn_until(reactor, process.is_closing)
    assert process.returncode == 0


def test_a_protocol_of_asyncio_runs_unchanged(reactor: Reactor) -> None:
    class Theirs(asyncio.SubprocessProtocol):
        done = False
        data = b""

        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            transport.get_pipe_transport(0).write(b"hello")
            transport.get_pipe_transport(0).close()

        def pipe_data_received(self, fd: int, data: bytes) -> None:
            self.data += data

        def process_exited(self) -> None:
            self.code = self.transport.get_returncode()

        def connection_lost(self, exc: Exception | None) -> None:
            self.done = True

    protocol: Any = Theirs()
    spawn(reactor, ["cat"], protocol)
    turn_until(reactor, lambda: protocol.done)
    assert (protocol.data, protocol.code) == (b"hello", 0)


@pytest.mark.pitfall(58)
def test_only_our_ends_are_non_blocking_and_nothing_else_is_inherited(reactor: Reactor) -> None:
    log = Log()
    program = (
        "import os; print([os.get_blocking(n) for n in (0, 1, 2)], sorted(os.listdir('/proc/self/fd'))[3:])"
    )
    with socket.socket():
        process = spawn(reactor, [sys.executable, "-I", "-S", "-c", program], log)
        assert process.stdout is not None
        assert not os.get_blocking(process.stdout.get_extra_info("fd"))
        turn_until(reactor, lambda: log.over)
    assert log.out[2] == b""
    # The fourth is the folder that it reads for the list.
    assert log.out[1].split(b"]")[0] == b"[True, True, True"
    assert log.out[1].endswith(b" ['3']\n")


def test_descriptors_that_are_passed_on(reactor: Reactor) -> None:
    read, write = os.pipe()
    log = Log()
    program = f"import os; os.write({write}, b'passed' if os.getsid(0) == os.getpid() else b'no session')"
    spawn(reactor, [sys.executable, "-ISc", program], log, pass_fds=[write], start_new_session=True)
    os.close(write)
    turn_until(reactor, lambda: log.over)
    assert os.read(read, 100) == b"passed"
    os.close(read)


def test_many_children_leave_nothing(reactor: Reactor) -> None:
    logs = [Log() for _ in range(20)]
    children = [spawn(reactor, sh(f"echo {n}; exit {n}"), log, stdin=DEVNULL) for n, log in enumerate(logs)]
    turn_until(reactor, lambda: all(log.over for log in logs))
    assert [each.returncode for each in children] == list(range(20))
    assert [int(log.out[1]) for log in logs] == list(range(20))
    assert len(reactor.poller) == 1
    assert not reactor.at_close


def test_the_looks_become_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_pidfd", lambda pid: None)
    with Reactor() as reactor:
        log = Log()
        process = spawn(reactor, ["cat"], log, limits=ProcessLimits(first_look=0.001, longest_look=0.004))
        for _ in range(8):
            process._look()
        assert process._delay == 0.004
        process.close()
        turn_until(reactor, lambda: log.over)


def test_a_system_without_pidfd_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert room._pidfd(os.getpid()) is None


def test_the_kernel_may_report_an_end_too_early(reactor: Reactor) -> None:
    log = Log()
    process = spawn(reactor, ["cat"], log)
    process._ended(1)
    assert process.returncode is None
    process.close()
    turn_until(reactor, lambda: log.over)
