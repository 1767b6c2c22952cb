"""A terminal that hands over every key at once, and that is put back whatever happens.

A terminal collects a line, echoes it and turns Ctrl-C into a signal before a program sees anything (termios(3)). Those
settings belong to the terminal and outlive the program, so a program that changes them and dies leaves a shell in
which nothing can be seen. They are put back when the ``with`` block is left, by whatever way, and when the
interpreter ends while the block is still open. SIGKILL cannot be answered; a program that may be ended by SIGTERM or
SIGHUP takes them as callbacks (``reactor.signals``), so that it leaves its block.

A forked child that inherits the block leaves the terminal alone: it is its parent's to put back.
"""

from __future__ import annotations

import atexit
import errno
import os
import sys
from collections.abc import Callable
from typing import Any

from poise.errors import MachineFault

if sys.platform != "win32":  # pragma: no branch - Windows has no termios
    import termios

INPUT, OUTPUT, LOCAL = 0, 1, 3  # of what tcgetattr gives


def cbreak(fd: int = 0, *, echo: bool = False) -> Mode:
    """``with cbreak():`` every key at once, shown only with ``echo``; Ctrl-C still interrupts, Enter is a newline."""

    def change(attributes: list[Any]) -> None:
        attributes[LOCAL] &= ~(termios.ICANON | (0 if echo else termios.ECHO))

    return Mode(fd, change)


def raw(fd: int = 0) -> Mode:
    """``with raw():`` every byte as it was typed, Ctrl-C too; Enter is a carriage return, and so must be ours."""

    def change(attributes: list[Any]) -> None:
        attributes[INPUT] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
        attributes[OUTPUT] &= ~termios.OPOST
        attributes[LOCAL] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)

    return Mode(fd, change)


class Mode:
    """A changed terminal, for as long as the ``with`` block lasts. What was typed ahead is kept.

    Entering raises MachineFault when ``fd`` is no terminal.
    """

    def __init__(self, fd: int, change: Callable[[list[Any]], None]) -> None:
        self._fd = fd
        self._change = change
        self._former: list[Any] | None = None
        self._owner = 0

    def __enter__(self) -> Mode:
        try:
            self._former = termios.tcgetattr(self._fd)
        except (NameError, termios.error) as error:
            raise MachineFault(errno.ENOTTY, f"descriptor {self._fd} is no terminal") from error
        self._owner = os.getpid()
        atexit.register(self.restore)
        attributes = termios.tcgetattr(self._fd)
        self._change(attributes)
        # Now: waiting for output to drain could take for ever on a terminal that was stopped with Ctrl-S.
        termios.tcsetattr(self._fd, termios.TCSANOW, attributes)
        return self

    def __exit__(self, *exc: object) -> None:
        self.restore()

    def restore(self) -> None:
        """Put everything back; may be repeated. A terminal that has gone needs nothing."""
        if self._former is None or self._owner != os.getpid():
            return
        former, self._former = self._former, None
        atexit.unregister(self.restore)
        try:
            termios.tcsetattr(self._fd, termios.TCSANOW, former)
        except termios.error:  # hung up, or closed
            pass
