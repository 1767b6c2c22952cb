"""Whatever happens to a program, the terminal is put back."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.errors import MachineFault
from poise.net.terminal import cbreak, raw

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ends = os.openpty()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            pass


def local(fd: int) -> int:
    return int(termios.tcgetattr(fd)[3])


def test_every_key_at_once_and_unseen(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    before = termios.tcgetattr(slave)
    with cbreak(slave):
        os.write(master, b"k")
        assert os.read(slave, 100) == b"k", "nobody pressed Enter"
        assert not local(slave) & (termios.ECHO | termios.ICANON)
        assert local(slave) & termios.ISIG, "Ctrl-C still interrupts"
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 100)
    assert termios.tcgetattr(slave) == before


def test_every_key_at_once_and_shown(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    with cbreak(slave, echo=True):
        os.write(master, b"k")
        assert os.read(slave, 100) == b"k"
        assert os.read(master, 100) == b"k"


def test_every_byte_as_it_is(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    before = termios.tcgetattr(slave)
    everything = bytes(range(256))
    with raw(slave) as mode:
        os.write(master, everything)
        assert os.read(slave, 1000) == everything
        os.write(slave, everything)
        assert os.read(master, 1000) == everything
        mode.restore()
        assert termios.tcgetattr(slave) == before
    assert termios.tcgetattr(slave) == before


def test_what_was_typed_ahead_is_kept(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    os.write(master, b"ahead\n")
    with cbreak(slave):
        assert os.read(slave, 100) == b"ahead\n"


def test_an_error_puts_it_back(terminal: tuple[int, int]) -> None:
    _, slave = terminal
    before = termios.tcgetattr(slave)
    with pytest.raises(ZeroDivisionError), raw(slave):
        _ = 1 // (termios.tcgetattr(slave) == before)
    assert termios.tcgetattr(slave) == before


def test_what_is_no_terminal_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        (tmp_path / "file").open() as file,
        pytest.raises(MachineFault, match="is no terminal"),
        raw(file.fileno()),
    ):
        pass


def test_a_terminal_that_has_gone_needs_nothing(terminal: tuple[int, int]) -> None:
    with raw(terminal[1]):
        os.close(terminal[1])


def test_a_forked_child_leaves_it_alone(terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    _, slave = terminal
    with raw(slave) as mode:
        changed = termios.tcgetattr(slave)
        parent = os.getpid()
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: parent + 1)
            mode.restore()
        assert termios.tcgetattr(slave) == changed
        mode.restore()
    assert termios.tcgetattr(slave) != changed


ENDINGS = {
    "by its own": "with raw(0): tell()",
    "by an error": "with raw(0): tell(); raise LookupError",
    "by exit": "with raw(0): tell(); sys.exit(3)",
    "by exit with the block still open": "raw(0).__enter__(); tell(); sys.exit(3)",
    "by Ctrl-C": "with raw(0): tell(); os.kill(os.getpid(), signal.SIGINT); input()",
}
PROGRAM = """
import os, signal, sys, termios
from poise.net.terminal import raw

def tell():
    print(termios.tcgetattr(0)[3], flush=True)

"""


@pytest.mark.slow
@pytest.mark.pitfall(58)
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_however_a_program_ends(terminal: tuple[int, int], ending: str) -> None:
    _, slave = terminal
    before = termios.tcgetattr(slave)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + ending],
        stdin=slave,
        capture_output=True,
        cwd=ROOT,
        timeout=30,
        check=False,
    )
    assert int(done.stdout) != before[3], done.stderr
    assert termios.tcgetattr(slave) == before
