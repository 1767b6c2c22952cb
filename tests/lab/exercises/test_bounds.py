"""Programs that do not behave: each ends within its limits, with clear words, and nothing of it is left."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from poise.lab.exercises.catalog import BY_NAME
from poise.lab.exercises.checking import Failure, check
from poise.lab.exercises.reporting import Speaker
from poise.lab.exercises.structure import Source
from poise.lab.exercises.words import LANGUAGES
from poise.lab.exercises.writing import text_of
from poise.limits import MIB
from poise.limits.exercises import ExerciseLimits
from tests.support.program import PATIENCE, ROOT

SELECT = BY_NAME["select"]
LIMITS = ExerciseLimits(patience=0.7, cpu=1, memory=128 * MIB)

LISTEN = "import socket, sys\ns = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"


def first_failure(program: str, folder: Path, limits: ExerciseLimits = LIMITS) -> tuple[str, Failure, str]:
    """The case that failed first, why, and what is said of it in English. Both languages must be able to say it."""
    path = folder / "mine.py"
    path.write_text(program, encoding="utf-8")
    source = Source(program)
    (found,) = [each for each in check(path, source, SELECT, limits) if each.failure is not None]
    assert found.failure is not None
    texts = [Speaker(each, limits).explanation(found, source) for each in LANGUAGES]
    return found.case, found.failure, texts[0]


class Bad(NamedTuple):
    about: str
    program: str
    failure: str
    cause: str
    says: str


BAD = (
    Bad("nothing in it", "", "not-listening", "ended", "exit code 0"),
    Bad("it ends early", "import sys\nsys.exit(7)\n", "not-listening", "ended", "exit code 7"),
    Bad("it ends with a message", "raise SystemExit('no')\n", "not-listening", "ended", "exit code 1"),
    Bad("not Python", "import socket\nwhile True\n    pass\n", "not-listening", "crashed.SyntaxError", "line 2"),
    Bad("a zero byte", "x = 1\0\n", "not-listening", "crashed.SyntaxError", "null bytes"),
    Bad("an exception", "import socket\nsocket.scket()\n", "not-listening", "crashed.AttributeError", "socket.scket()"),
    Bad("an endless loop", "while True:\n    pass\n", "not-listening", "cpu", "1 s"),
    Bad("it asks the keyboard", "name = input()\n", "not-listening", "crashed.EOFError", "input()"),
    Bad("it keeps everything", "x = []\nwhile True:\n    x.append(bytes(10 ** 6))\n", "not-listening", "crashed.MemoryError", "line 3"),
    Bad("it prints without end", "while True:\n    print('hello' * 1000)\n", "not-listening", "output", "1,048,576 bytes"),
    Bad("it ends itself by a signal", "import os\nos.kill(os.getpid(), 9)\n", "not-listening", "killed", "SIGKILL"),
    Bad("it asks another machine", "import socket\nsocket.create_connection(('192.0.2.1', 80))\n", "outside", "crashed.other", "192.0.2.1"),
    Bad("it asks for a name", "import socket\nsocket.gethostbyname('example.org')\n", "outside", "crashed.other", "example.org"),
    Bad("it sends to another machine", "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))\n", "outside", "crashed.other", "sendto"),
    Bad("it looks like loopback", "import socket\nsocket.socket().connect(('127.0.0.1.example.org', 80))\n", "outside", "crashed.other", "127.0.0.1.example.org"),
    Bad("it starts a process", "import os\nos.fork()\n", "processes", "crashed.other", "line 2"),
    Bad("it starts a program", "import os\nos.system('true')\n", "processes", "crashed.other", "line 2"),
    Bad("it never accepts", LISTEN + "import select\nselect.select([], [], [])\n", "no-answer", "waits.ready", "select.select([], [], [])"),
    Bad("it waits for one more client", LISTEN + "c = s.accept()\nc = s.accept()\n", "no-answer", "waits.accept", "s.accept()"),
    Bad("it sleeps", LISTEN + "import time\ntime.sleep(60)\n", "no-answer", "waits.sleep", "time.sleep(60)"),
    Bad("it uses what it has closed", LISTEN + "c, _ = s.accept()\nc.close()\nc.send(b'x')\n", "gone", "crashed.EBADF", "c.send(b'x')"),
    Bad("it closes everything", "import os\nos.closerange(3, 256)\n" + LISTEN + "s.accept()\n", "not-listening", "", "5 s are given"),
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.about)
def test_what_does_not_behave_is_explained(bad: Bad, tmp_path: Path) -> None:
    case, failure, text = first_failure(bad.program, tmp_path)
    assert case == "echo"
    assert (failure.diagnosis.failure, failure.diagnosis.cause) == (bad.failure, bad.cause), text
    assert bad.says in text
    assert "None" not in text


@pytest.mark.slow
def test_a_program_that_outlives_its_time_is_ended_by_the_kernel(tmp_path: Path) -> None:
    limits = ExerciseLimits(life=1)
    _, failure, text = first_failure("import time\ntime.sleep(60)\n", tmp_path, limits)
    assert (failure.diagnosis.failure, failure.diagnosis.cause) == ("not-listening", "life"), text
    assert "after 1 s" in text


@pytest.mark.slow
def test_threads_are_seen_under_any_name(tmp_path: Path) -> None:
    program = text_of(SELECT, "en", solution=True).replace(
        "import sys\n", "import sys\n__import__('thr' + 'eading').Thread(target=print).start()\n", 1
    )
    case, failure, text = first_failure(program, tmp_path)
    assert (case, failure.diagnosis.failure) == ("select", "threads"), text
    assert "in line 5" in text


@pytest.mark.slow
def test_who_never_asks_the_kernel_is_found(tmp_path: Path) -> None:
    program = LISTEN + "while True:\n    c, _ = s.accept()\n    c.sendall(c.recv(99))\n"
    case, failure, text = first_failure(program, tmp_path)
    assert (case, failure.diagnosis.failure) == ("select", "no-wait"), text


@pytest.mark.slow
def test_a_loop_that_tries_every_socket_is_found(tmp_path: Path) -> None:
    """Non-blocking and never waiting: nothing is counted, so the processor time tells."""
    program = text_of(SELECT, "en", solution=True).replace(
        "    for ready in readable:\n",
        "    for each in rlist:\n        each.setblocking(False)\n"
        "    while len(rlist) > 3 and rlist[1].fileno():\n        pass\n    for ready in readable:\n",
    )
    path = tmp_path / "mine.py"
    path.write_text(program, encoding="utf-8")
    limits = ExerciseLimits(patience=0.7)
    results = list(check(path, Source(program), SELECT, limits))
    (found,) = [each for each in results if each.failure is not None]
    assert found.failure is not None
    assert found.failure.diagnosis.cause == "runs", Speaker("en", limits).explanation(found, Source(program))


HOLDING = """\
# poise-exercise: select
import os, signal, sys, time
pipe = os.open(sys.path[0] + "/alive", os.O_WRONLY)  # as long as this is open, the program is there
os.write(pipe, b"%d\\n" % os.getpid())
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
while True:
    time.sleep(60)
"""


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[int]:
    """The reading end of a pipe that a program in the folder holds open while it lives."""
    os.mkfifo(tmp_path / "alive")
    descriptor = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    yield descriptor
    os.close(descriptor)


def read(descriptor: int) -> bytes:
    """What comes next; empty for the end."""
    ready, _, _ = select.select([descriptor], [], [], PATIENCE)
    assert ready, "the program is still there"
    return os.read(descriptor, 100)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, -15)]
)
def test_nothing_is_left_when_the_checker_is_ended(
    number: int, code: int, tmp_path: Path, alive: int
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HOLDING, encoding="utf-8")
    command = [sys.executable, "-m", "poise", "lab", "check", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as checker:
        try:
            assert int(read(alive)) > 1
            checker.send_signal(number)
            assert read(alive) == b""
            assert checker.wait(PATIENCE) == code
        finally:
            checker.kill()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["alive", "mine.py"]
