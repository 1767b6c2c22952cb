"""The other end of a control socket (:mod:`poise.seeing.control`): finding running programs, and asking one.

It is a program of the toolkit like any other: a reactor, a stream, lines. What comes is held to be what it claims only as far
as the folder is ours alone; texts in it may be anybody's all the same, and are made harmless where they are shown.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from poise.cli.standard import say
from poise.errors import FrameError, MachineFault
from poise.limits.seeing import DoorLimits
from poise.loop.reactor import Reactor
from poise.net.connect import ConnectError, connect
from poise.net.framed import FramedProtocol
from poise.net.stream import Stream
from poise.seeing import runtime
from poise.wire.framing import LineFramer

Answer = dict[str, Any]

NOBODY = "no program of yours that can be looked at is running; start one with: poise serve"
ENDED = "the program has ended"
SILENT = "the program does not answer: it is stopped, or its machine has no time or no room for it"


class Program(NamedTuple):
    """One that runs and has a control socket. ``name`` is what it says of itself, None while it does not answer."""

    pid: int
    path: str
    name: str | None


class Asking(FramedProtocol):
    """Asks one question over a stream; ``on_answer`` gets each answer, ``on_end`` why there are no more."""

    def __init__(
        self,
        question: Answer,
        on_answer: Callable[[Answer], object],
        on_end: Callable[[str], object],
        limits: DoorLimits,
    ) -> None:
        super().__init__(LineFramer(limits.answer))
        self._question = question
        self._on_answer = on_answer
        self._on_end = on_end
        self._why = ENDED

    def connection_made(self, stream: Stream) -> None:
        super().connection_made(stream)
        self.send(json.dumps(self._question).encode())

    def leave(self) -> None:
        """Hear no more."""
        if hasattr(self, "stream"):
            self.stream.abort()

    def message_received(self, message: bytes) -> None:
        try:
            answer = json.loads(message)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            self._why = "what answers there is not Poise"
            self.stream.abort()
        elif "error" in answer:
            self._why = str(answer["error"])
            self.stream.close()
        else:
            self._on_answer(answer)

    def frame_error(self, error: FrameError) -> None:
        self._why = f"what answers there is not Poise: {error}"

    def connection_lost(self, _error: Exception | None) -> None:
        self._on_end(self._why)


def ask(
    reactor: Reactor,
    path: str,
    question: Answer,
    on_answer: Callable[[Answer], object],
    on_end: Callable[[str], object],
    limits: DoorLimits | None = None,
) -> Callable[[], object]:
    """Ask the program whose control socket is ``path``. ``on_end`` is called once, also when it cannot be reached.

    What is returned is called to go before that.
    """
    limits = limits if limits is not None else DoorLimits()
    asking = Asking(question, on_answer, on_end, limits)

    def failed(error: Exception) -> None:
        if isinstance(error, ConnectError) and _refused(error):
            _forget(path)
        on_end(str(error))

    connecting = connect(reactor, f"unix:{path}", lambda: asking, timeout=limits.patience, on_failure=failed)

    def leave() -> None:
        connecting.cancel()
        asking.leave()

    return leave


def running(limits: DoorLimits | None = None) -> list[Program]:
    """The programs of this user that can be looked at, by their numbers; sockets of dead ones are cleaned away."""
    limits = limits if limits is not None else DoorLimits()
    found: list[Program] = []
    waiting: set[str] = set()
    with Reactor() as reactor:

        def answered(path: str, answer: Answer) -> None:
            who = answer.get("who")
            if isinstance(who, dict) and isinstance(who.get("pid"), int):
                found.append(Program(who["pid"], path, str(who.get("program", ""))))

        def ended(path: str, _why: str) -> None:
            waiting.discard(path)
            if not waiting:
                reactor.stop()

        for path in sockets():
            waiting.add(path)
            told = partial(answered, path), partial(ended, path)
            reactor.at_close.append(ask(reactor, path, {"ask": "who"}, *told, limits))
        if waiting:
            reactor.call_later(limits.patience, reactor.stop)
            reactor.run()
    found += [Program(pid, path, None) for path in waiting if (pid := pid_of(path)) is not None]
    return sorted(found, key=lambda program: (program.pid, program.path))


def pid_of(path: str) -> int | None:
    """The process that a control socket is called after."""
    number = os.path.basename(path).partition(".")[0]
    return int(number) if number.isascii() and number.isdigit() else None


def sockets() -> Iterable[str]:
    """The control sockets in the runtime folders, of the living and the dead. Says which folder cannot be trusted."""
    for folder in runtime.places():
        if not os.path.lexists(folder):
            continue
        try:
            runtime.check(folder)
        except MachineFault as error:
            say(str(error))
            continue
        for name in sorted(os.listdir(folder)):
            if name.endswith(runtime.SOCKET):
                yield os.path.join(folder, name)


def chosen(pid: int | None) -> Program:
    """The program with that number, or the only one that runs. Raises MachineFault, which says what to do."""
    programs = running()
    if pid is not None:
        programs = [program for program in programs if program.pid == pid] or programs
        if programs and programs[0].pid == pid:
            return _answering(programs[0])
        raise MachineFault(errno.ESRCH, _absent(pid, programs))
    if len(programs) == 1:
        return _answering(programs[0])
    if not programs:
        raise MachineFault(errno.ESRCH, NOBODY)
    raise MachineFault(errno.ESRCH, f"several are running; say which one by its number:\n{table(programs)}")


def _answering(program: Program) -> Program:
    if program.name is None:
        raise MachineFault(
            errno.ETIMEDOUT,
            f"process {program.pid} does not answer: it is stopped, or its machine has no time or no room for it",
        )
    return program


def table(programs: list[Program]) -> str:
    """One line for each."""
    from poise.cli.plain import plain

    return "\n".join(
        f"  {program.pid:>7}  {plain(program.name or '(does not answer)')}" for program in programs
    )


def _absent(pid: int, programs: list[Program]) -> str:
    if not _lives(pid):
        why = f"there is no process {pid}"
    else:
        why = f"process {pid} has no control socket: it is none of Poise, belongs to another user, or was started with --no-control"
    return f"{why}; running:\n{table(programs)}" if programs else f"{why}. {NOBODY}"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        pass
    return True


def _refused(error: ConnectError) -> bool:
    return any(getattr(each, "errno", None) == errno.ECONNREFUSED for each in error.errors)


def _forget(path: str) -> None:
    """Remove the socket of a process that is dead: one that listens does so before its socket has this name."""
    try:
        os.unlink(path)
    except OSError:
        pass
