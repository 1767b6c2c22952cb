"""``poise top``: the loop of a running program, in a terminal."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
from collections.abc import Callable
from functools import partial

from poise.cli import attach, standard
from poise.cli.paint import Line, painted
from poise.cli.plain import plain, width
from poise.cli.topmodel import SORTS, Model
from poise.cli.toptexts import WORDS, language
from poise.cli.topview import PANES, Look, screen
from poise.errors import MachineFault
from poise.limits.seeing import DoorLimits
from poise.loop.reactor import Reactor
from poise.net.terminal import cbreak
from poise.readiness.interest import READ
from poise.seeing.texts import TEXTS

KEYS = 1024  # bytes of keys taken at a time
ENTER, ESCAPE, ERASE = ("\r", "\n"), "\x1b", ("\x7f", "\b")
LONGEST_FILTER = 40
ALTERNATE, BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, REST_OF_LINE, REST = "\x1b[H", "\x1b[K", "\x1b[J"
USUAL = (80, 24)


def top(args: argparse.Namespace) -> int:
    """Look until the person or the program goes; the exit code. Raises MachineFault in words for people."""
    look = Look(WORDS[args.lang or language()], TEXTS[args.lang or language()])
    if not args.once and not args.json and not (os.isatty(standard.INPUT) and os.isatty(standard.OUTPUT)):
        raise MachineFault(
            errno.ENOTTY, "poise top needs a terminal; for a script there are --once and --json"
        )
    program = attach.chosen(args.pid)
    if args.once:
        return once(program, look, as_json=args.json)
    if args.json:
        return stream(program)
    return View(program, look).run()


def once(program: attach.Program, look: Look, *, as_json: bool) -> int:
    """One state, in words or as JSON."""
    model, told = Model(), {}

    def answered(answer: attach.Answer) -> None:
        told.update(answer)
        model.tell(answer)

    limits = DoorLimits()

    def patient(reactor: Reactor) -> None:
        reactor.call_later(limits.once + limits.patience, reactor.stop)

    why = follow(program, {"ask": "once"}, answered, patient)
    if not model.state:
        raise MachineFault(errno.ECONNRESET, f"{program.pid}: {why}")
    if as_json:
        standard.report(json.dumps(told, indent=2) + "\n")
    else:
        room = window()[0] if os.isatty(standard.OUTPUT) else 132
        lines = [painted(line, room, colour=False).rstrip() for line in screen(model, look, room, None)]
        standard.report("\n".join(lines) + "\n")
    return 0


def stream(program: attach.Program) -> int:
    """All that is told, a line of JSON each, until the program, the person or the reader goes."""
    errors: list[OSError] = []

    def answered(answer: attach.Answer) -> bool:
        error = standard.write(standard.OUTPUT, json.dumps(answer) + "\n")
        if error is not None:
            errors.append(error)
        return error is None

    follow(program, {"ask": "watch"}, answered)
    standard.written(errors[0] if errors else None)
    return 0


def follow(
    program: attach.Program,
    question: attach.Answer,
    answered: Callable[[attach.Answer], object],
    begin: Callable[[Reactor], object] | None = None,
) -> str:
    """Ask, and hear all answers until ``answered`` says False; why there are no more. ``begin`` gets the reactor that runs meanwhile."""
    reasons: list[str] = []

    def heard(answer: attach.Answer) -> None:
        if answered(answer) is False:
            ended("nobody listens")

    def ended(why: str) -> None:
        reasons.append(why)
        reactor.stop()

    with Reactor() as reactor:
        reactor.at_close.append(attach.ask(reactor, program.path, question, heard, ended))
        if begin is not None:
            begin(reactor)
        reactor.run()
    return reasons[0] if reasons else attach.SILENT


def window() -> tuple[int, int]:
    """Columns and lines of the terminal."""
    try:
        columns, lines = os.get_terminal_size(standard.OUTPUT)
    except OSError:
        return USUAL
    return (columns, lines) if columns and lines else USUAL


class View:
    """The view that stays, and what keys do to it."""

    def __init__(self, program: attach.Program, look: Look) -> None:
        self._program = program
        self._look = look
        self._model = Model()
        self._paused: Model | None = None
        self._typing: str | None = None
        self._limits = DoorLimits()
        self._told_at = 0.0  # by the reactor's clock
        self._times = 0  # that we have attached
        self._leave: Callable[[], object] = lambda: None
        self._why = ""
        self._colour = "NO_COLOR" not in os.environ

    def run(self) -> int:
        """Until q, Ctrl-C or the program's end; says which of the two it was."""
        with Reactor() as self._reactor, cbreak(standard.INPUT) as self._mode:
            reactor = self._reactor
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                reactor.signals.add(number, reactor.stop)
            reactor.signals.add(signal.SIGTSTP, self._suspend)
            reactor.signals.add(signal.SIGWINCH, self.draw)
            reactor.register(standard.INPUT, READ, self._typed)
            reactor.at_close.append(self._let_go)
            self._attach()
            self._look_after()
            standard.write(standard.OUTPUT, ALTERNATE)
            try:
                reactor.run()
            finally:
                standard.write(standard.OUTPUT, BACK)
        if self._why:
            standard.say(f"{self._program.pid}: {self._why}")
        return 0

    def _attach(self) -> None:
        self._model = Model()
        self._told_at = self._reactor.clock.monotonic()
        self._times += 1
        self._leave = attach.ask(
            self._reactor,
            self._program.path,
            {"ask": "watch"},
            self._answered,
            partial(self._ended, self._times),
            self._limits,
        )

    def _let_go(self) -> None:
        self._times += 1
        self._leave()

    def _suspend(self) -> None:
        """Ctrl-Z: nobody looks meanwhile, so the program is let go; the terminal belongs to the shell."""
        self._let_go()
        self._mode.restore()
        standard.write(standard.OUTPUT, BACK)
        os.kill(os.getpid(), signal.SIGSTOP)
        # From here on somebody has brought us back.
        self._mode.__enter__()
        standard.write(standard.OUTPUT, ALTERNATE)
        self._attach()

    def draw(self) -> None:
        """Draw all of it: the terminal itself knows best what has not changed."""
        room, lines = window()
        look = self._look._replace(note=self._note(), lost=self._lost())
        shown = screen(self._paused or self._model, look, room, lines)
        drawn = "\r\n".join(self._drawn(line, room) for line in shown[:lines])
        filled = len(shown) >= lines and is_full(shown[-1], room)
        standard.write(standard.OUTPUT, HOME + drawn + ("" if filled else REST))

    def _drawn(self, line: Line, room: int) -> str:
        return painted(line, room, colour=self._colour) + ("" if is_full(line, room) else REST_OF_LINE)

    def _note(self) -> str:
        words = self._look.words
        if self._typing is not None:
            return words["filter"].replace("{text}", self._typing)
        other = PANES[(PANES.index(self._look.pane) + 1) % len(PANES)]
        by = words["by"].replace("{sort}", words[f"sort.{self._look.sort}"])
        notes = [words["help"].replace("{other}", words[f"other.{other}"]), by]
        if self._look.wanted:
            notes.append(f"[{self._look.wanted}]")
        if self._paused:
            notes.insert(0, words["paused"])
        return "   ".join(notes)

    def _lost(self) -> str:
        silence = self._reactor.now - self._told_at
        if silence <= self._limits.patience:
            return ""
        return self._look.words["lost"].replace("{ns}", f"{silence:.0f} s")

    # -- what happens ----------------------------------------------------------------------------

    def _answered(self, answer: attach.Answer) -> None:
        self._told_at = self._reactor.now
        self._model.tell(answer)
        if self._paused is None:
            self.draw()

    def _ended(self, times: int, why: str) -> None:
        if times == self._times:  # and not of our own accord
            self._why = why
            self._reactor.stop()

    def _look_after(self) -> None:
        """A program that does not answer is to be noticed."""
        if self._reactor.now - self._told_at > self._limits.patience:
            self.draw()
        self._reactor.call_later(1.0, self._look_after)

    def _typed(self, _mask: int) -> None:
        try:
            keys = os.read(standard.INPUT, KEYS).decode("utf-8", "ignore")
        except OSError:
            keys = ""
        if not keys:  # the terminal has gone
            self._reactor.stop()
            return
        if keys.startswith(ESCAPE) and len(keys) > 1:  # an arrow or the like
            return
        for key in keys:
            if self._typing is None:
                self._command(key)
            else:
                self._type(key)
        self.draw()

    def _command(self, key: str) -> None:
        look = self._look
        if key in "qQ":
            self._reactor.stop()
        elif key in "pP ":
            self._paused = None if self._paused else self._model.copy()
        elif key in "sS":
            self._look = look._replace(sort=following(tuple(SORTS), look.sort))
        elif key in "dD":
            self._look = look._replace(pane=following(PANES, look.pane))
        elif key in "fF/":
            self._typing = look.wanted

    def _type(self, key: str) -> None:
        typed = self._typing or ""
        if key in ENTER:
            self._typing = None
            return
        if key == ESCAPE:
            self._typing, typed = None, ""
        elif key in ERASE:
            self._typing = typed = typed[:-1]
        elif key.isprintable():
            self._typing = typed = (typed + key)[:LONGEST_FILTER]
        self._look = self._look._replace(wanted=typed)


def is_full(line: Line, room: int) -> bool:
    """Whether it reaches the last column, where a terminal stays: what is erased then is that column."""
    return sum(width(plain(span.text)) for span in line) >= room


def following(names: tuple[str, ...], name: str) -> str:
    """The one after ``name``, the first after the last."""
    return names[(names.index(name) + 1) % len(names)]
