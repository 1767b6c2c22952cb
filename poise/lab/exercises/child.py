"""The learner's program in a process of its own: started within its limits, heard, looked at, ended with all that it started."""

from __future__ import annotations

import json
import math
import mmap
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from poise.lab.exercises import inside
from poise.lab.exercises.client import LOOPBACK
from poise.limits import KIB
from poise.limits.exercises import ExerciseLimits

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "TMPDIR")
"""Of the environment: what decides how a program prints; nothing that changes how Python runs."""
FLAGS = ("-P", "-u", "-X", "utf8")
"""The folder of ``inside.py`` is none to import from; what is printed is there at once, in the same letters everywhere."""
FRAME = re.compile(r'File "(.*)", line (\d+) in ')
MOMENT = 0.2  # seconds, for a program that is never idle
ENDING = 1.0  # seconds that a program may take to end, after its connections have
LOOK = 0.5  # seconds that the program may take to say where it is; the handler is in C and needs no turn of Python
STEP = 0.005  # seconds between two looks at a file that is about to be written
LOOKS = 10  # of so many steps, in which a program is seen to wait or to run
RUNNING = 0.5  # of that time on the processor: it runs
MOST_HEARD = 1024 * KIB  # of what it tells: many times as much as it should
LAST_WORDS = 4 * KIB  # of what it printed
TRIES = 3  # ports that were free a moment ago and are taken by another program now


@dataclass(slots=True)
class State:
    """What is known of the program at one moment, for words to be made from."""

    alive: bool = True
    code: int | None = None  # as of Popen: negative for a signal
    error: dict[str, Any] | None = None  # the exception that ended it
    line: int = 0  # where it is, in the learner's file; 0 is not known
    running: bool = False  # it uses the processor, instead of waiting
    counts: dict[str, int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    printed: str = ""

    def told(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["event"] == event]


class Program:
    """One start of the program. A context: at its end nothing of it is left."""

    def __init__(self, path: Path, limits: ExerciseLimits, port: int, *, buffer: int = 0) -> None:
        self.limits = limits
        self.port = port
        self._path = str(path.resolve())
        self._events: list[dict[str, Any]] = []
        self._unfinished = b""
        self._heard = 0
        with ExitStack() as stack, ExitStack() as given_away:
            self._output = stack.enter_context(tempfile.TemporaryFile())
            self._stacks = stack.enter_context(tempfile.TemporaryFile())
            tally = given_away.enter_context(tempfile.TemporaryFile())
            tally.truncate(inside.SLOT * len(inside.COUNTERS))
            self._tally = stack.enter_context(mmap.mmap(tally.fileno(), 0))
            self._hear, tell = os.pipe()
            stack.callback(os.close, self._hear)
            given_away.callback(os.close, tell)
            lifeline, keep = os.pipe()
            stack.callback(os.close, keep)
            given_away.callback(os.close, lifeline)
            given = (tell, tally.fileno(), self._stacks.fileno(), lifeline)
            self._process = self._start(given, buffer)
            stack.callback(self._end)
            self._all = stack.pop_all()

    def _start(self, given: tuple[int, ...], buffer: int) -> subprocess.Popen[bytes]:
        limits = self.limits
        bounds = (limits.life, limits.cpu, limits.memory, limits.descriptors, limits.output)
        numbers = [str(each) for each in (*given, buffer, *bounds)]
        return subprocess.Popen(  # noqa: S603 - to run the learner's program is what this is for
            [sys.executable, *FLAGS, inside.__file__, self._path, str(self.port), *numbers],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=given,
            env={name: os.environ[name] for name in KEPT if name in os.environ} | {"PORT": str(self.port)},
            start_new_session=True,
        )

    def _end(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of one that is gone
            pass
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_about: object) -> None:
        self._all.close()

    # --- hearing it ---------------------------------------------------------------------------------------

    def hear(self, timeout: float) -> bool:
        """Take in what it tells within ``timeout`` seconds; False when it has ended, or nothing came, or too much."""
        ready, _, _ = select.select([self._hear], [], [], timeout)
        data = os.read(self._hear, 64 * KIB) if ready and self._heard < MOST_HEARD else b""
        self._heard += len(data)
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        self._events += [event for line in lines if (event := told(line))]
        return bool(data)

    def told(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self._events if each["event"] == event]

    @property
    def listens(self) -> bool:
        """Whether it has said that it listens on its port."""
        return any(each["address"][1] == self.port for each in self.told("listen"))

    def until_it_begins(self) -> None:
        """Wait until the interpreter is there and the learner's own lines have their turn."""
        deadline = time.monotonic() + self.limits.start
        while not self.told("begin") and self.hear(max(0.0, deadline - time.monotonic())):
            pass

    def until_it_listens(self) -> None:
        """Wait until it listens, there or elsewhere, no longer than the limit, and only as long as it lives."""
        deadline = time.monotonic() + self.limits.start
        while not self.told("listen") and self.hear(max(0.0, deadline - time.monotonic())):
            pass

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stopped, so that several things have happened when it looks again; one that has ended stays as it is."""
        os.kill(self._process.pid, signal.SIGSTOP)
        if hasattr(os, "waitid"):  # not on macOS, where it may take a moment until it has stopped
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def port_was_taken(self) -> bool:
        """It could not have the port that was found for it: neither's fault."""
        return any(each["kind"] == "OSError" and each["name"] == "EADDRINUSE" for each in self.told("error"))

    # --- looking at it ------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        with memoryview(self._tally) as raw, raw.cast("Q") as counts:
            return dict(zip(inside.COUNTERS, counts, strict=True))

    def cpu(self) -> float:
        """Seconds of processor time until now; nan where a system does not tell of another process."""
        clock = (~self._process.pid << 3) | 2  # clock_getcpuclockid(3), as Linux makes it
        try:
            return time.clock_gettime(clock)
        except OSError:
            return math.nan

    def state(self, *, soon: bool = False) -> State:
        """What is to be seen of it. With ``soon``, one that is about to end has a moment for it."""
        deadline = time.monotonic() + (ENDING if soon else 0.0)
        while self.hear(max(0.0, deadline - time.monotonic())):
            pass
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(STEP)
        alive = self._process.poll() is None
        errors = self.told("error")
        state = State(alive, self._process.returncode, errors[-1] if errors else None)
        if alive:
            state.running = self._running()
            state.line = self._where()
        state.counts = self.counts()
        state.events = list(self._events)
        state.printed = self.printed()
        return state

    def _running(self) -> bool:
        """Whether it runs instead of waiting. One that wants to and gets no processor counts, too: the machine may be busy."""
        before = self.cpu()
        looks = []
        for _ in range(LOOKS):
            time.sleep(STEP)
            looks.append(self._wants_to_run())
        return all(looks) or self.cpu() - before > RUNNING * LOOKS * STEP

    def idle(self) -> bool:
        """Whether it waits, and has nothing to do: between two looks it neither ran nor came back from a wait."""
        before = self.counts()
        time.sleep(STEP)
        return not self._wants_to_run() and self.counts() == before

    def settle(self) -> None:
        """Let it do what there is to do; one that always does something is given a moment."""
        deadline = time.monotonic() + MOMENT
        while time.monotonic() < deadline and not (self.idle() and self.idle()):
            pass

    def _wants_to_run(self) -> bool:
        """As the scheduler sees it (proc_pid_stat(5)); False where a system does not say."""
        try:
            with open(f"/proc/{self._process.pid}/stat", encoding="ascii", errors="replace") as file:
                return file.read().rpartition(")")[2].split()[0] == "R"
        except OSError:
            return False

    def printed(self) -> str:
        """Its last words."""
        size = os.fstat(self._output.fileno()).st_size
        start = max(0, size - LAST_WORDS)
        return os.pread(self._output.fileno(), LAST_WORDS, start).decode("utf-8", "replace")

    def _where(self) -> int:
        """The line of the learner's file where it is, told by a signal handler in C, so that no loop can keep it from it."""
        if not self.told("begin"):
            return 0  # the handler is not there yet, and the signal would end the program
        before = os.fstat(self._stacks.fileno()).st_size
        written = self._path.encode("ascii", "backslashreplace").decode()  # as it writes names
        os.kill(self._process.pid, signal.SIGUSR1)
        deadline = time.monotonic() + LOOK
        while time.monotonic() < deadline and self._process.poll() is None:
            text = os.pread(self._stacks.fileno(), 64 * KIB, before).decode("utf-8", "replace")
            for file, line in FRAME.findall(text):
                if file == written:
                    return int(line)
            time.sleep(STEP)
        return 0


def told(line: bytes) -> dict[str, Any]:
    """An event; empty for what a program has written there that should not have."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    if not isinstance(event, dict):
        return {}
    keys = inside.EVENTS.get(str(event.get("event")))
    return event if keys is not None and keys <= event.keys() else {}


def free_port() -> int:
    """A port that nobody listens on now. Another program may still take it before the learner's does."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(path: Path, limits: ExerciseLimits, *, buffer: int = 0, port: int = 0) -> Iterator[Program]:
    """The program, which has begun. Without a ``port`` it is given a free one, and has time until it listens there.

    A port that another program took in the meantime is replaced.
    """
    for left in reversed(range(TRIES)):
        with Program(path, limits, port or free_port(), buffer=buffer) as program:
            if port:
                program.until_it_begins()
            else:
                program.until_it_listens()
            if not program.port_was_taken() or not left:
                yield program
                return
