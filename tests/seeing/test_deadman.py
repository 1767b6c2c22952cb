"""The stacks are written while C code keeps the interpreter, and a forked child does not wait for a thread that it has not."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from poise.seeing.deadman import Deadman
from poise.seeing.stacks import PACKAGE, culprit, of_text, running


@pytest.mark.slow
def test_it_writes_what_the_interpreter_was_kept_by() -> None:
    deadman = Deadman(0.05)
    count = 1_000_000
    while True:  # until the sum takes long enough on this machine
        deadman.arm()
        began = time.perf_counter()
        sum(range(count))  # one call of C
        took = time.perf_counter() - began
        deadman.disarm()
        text = deadman.taken()
        if took > 0.2:
            break
        count *= 2
    file, line, function = culprit(of_text(text, threading.get_ident())) or ("", 0, "")
    here = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert (file, function) == (__file__, "test_it_writes_what_the_interpreter_was_kept_by")
    assert here[line - 1].endswith("# one call of C")
    assert deadman.taken() == "", "it is told once"
    deadman.close()
    deadman.close()
    deadman.arm()


def test_it_writes_nothing_when_it_is_armed_in_time() -> None:
    deadman = Deadman(60)
    for _ in range(3):
        deadman.arm()
    deadman.disarm()
    deadman.disarm()
    assert deadman.taken() == ""
    deadman.close()


def test_a_call_that_has_not_come_to_its_first_line_is_none_yet() -> None:
    """The interpreter may go to another thread before that: then nothing of it is known."""
    found: dict[str, Any] = {}
    code = "def _observe_handle():\n    frame = _getframe()\n    return running(frame)\n"
    names = {"_getframe": sys._getframe, "running": running}
    exec(compile(code, PACKAGE + "loop/observed.py", "exec"), names, found)
    names.update(found)
    assert found["_observe_handle"]() is None


@pytest.mark.slow
def test_a_forked_child_ends() -> None:
    """Without care it would wait at its end, for ever, for the thread of its parent."""
    deadman = Deadman(60)
    idle = Deadman(60)
    deadman.arm()
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child, which reports by how it ends
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(5)
        faulthandler.cancel_dump_traceback_later()  # what the end of an interpreter does, too
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert deadman._armed, "the parent's goes on"
    assert not idle._armed
    deadman.close()
    idle.close()
