"""One who has come to the control socket: what is asked, and the answers. It runs in a thread of its own.

Everything is bounded: the question's length and time, how long an answer may take to leave, how long a recording lasts. Who
does not keep to it is sent away, and hears why if that can be said. The asker's end is noticed at once, because the
pause between two states is a wait for the asker's next word, and there must be none.
"""

from __future__ import annotations

import json
import math
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from poise.errors import ProgramFault
from poise.limits.seeing import DoorLimits
from poise.loop.clock import RealClock
from poise.seeing.viewing import Viewer, Watching, encoded

ASKS = ("who", "watch", "once", "records")
END = b"\n"


class BadQuestion(ValueError):
    """What was asked makes no sense."""


class Gone(Exception):
    """The asker is no more."""


def talk(connection: socket.socket, watching: Callable[[], Watching], limits: DoorLimits) -> None:
    """Hear one question and answer it; whatever the other side does, this returns. Our own mistake is told, and raised."""
    between = True  # two lines: where a word can be said
    try:
        question = _question(connection, limits)
        with _of_the_asker():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.send_buffer)
        for piece in _answers(question, connection, watching, limits):
            with _of_the_asker():
                connection.settimeout(limits.send_time)
                connection.sendall(piece)
            between = piece.endswith(END)
    except Gone:
        pass
    except BadQuestion as error:
        refuse(connection, str(error), limits)
    except ProgramFault:
        refuse(connection, "the program is ending", limits)
    except Exception as error:
        if between:
            why = getattr(error, "strerror", None) or error
            refuse(connection, f"it cannot be looked at: {why}", limits)
        if not isinstance(
            error, (OSError, RuntimeError)
        ):  # what the machine has too little of: open files, threads
            raise


@contextmanager
def _of_the_asker() -> Iterator[None]:
    """What goes wrong with the connection is the asker's doing: it has gone, or does not take what it has asked for."""
    try:
        yield
    except OSError as error:
        raise Gone from error


def refuse(connection: socket.socket, why: str, limits: DoorLimits) -> None:
    """Say ``why`` there is no answer."""
    try:
        connection.settimeout(limits.send_time)
        connection.sendall(encoded({"error": why}) + END)
    except OSError:
        pass


def _question(connection: socket.socket, limits: DoorLimits) -> dict[str, Any]:
    clock = RealClock()
    end = clock.monotonic() + limits.head_time
    data = b""
    while END not in data:
        left = end - clock.monotonic()
        if left <= 0:
            raise BadQuestion("the question took too long")
        with _of_the_asker():
            connection.settimeout(left)
            try:
                more = connection.recv(limits.question)
            except TimeoutError:
                raise BadQuestion("the question took too long") from None
        if not more:
            raise Gone
        data += more
        if len(data) > limits.question:
            raise BadQuestion(f"a question has at most {limits.question} bytes")
    try:
        asked = json.loads(data.partition(END)[0])
    except (ValueError, RecursionError):
        raise BadQuestion("a question is one line of JSON") from None
    if not isinstance(asked, dict) or asked.get("ask") not in ASKS:
        raise BadQuestion(f"a question is an object whose ask is one of {', '.join(ASKS)}")
    return asked


def _answers(
    question: dict[str, Any], connection: socket.socket, watching: Callable[[], Watching], limits: DoorLimits
) -> Iterator[bytes]:
    ask = question["ask"]
    if ask == "who":
        yield encoded({"who": who()}) + END
        return
    seconds = _seconds(question, limits.once if ask == "once" else 0.0, limits)
    with closing(watching().attach(full=_full(question))) as viewer:
        if ask == "records":
            _wait(connection, seconds)
            yield from viewer.recording(limits.rows)
            yield END
            return
        yield encoded({"hello": viewer.hello()}) + END
        if ask == "once":
            _wait(connection, seconds)
            yield _state(viewer)
        while ask == "watch":
            yield _state(viewer)
            _pause(connection, viewer, limits)


def _state(viewer: Viewer) -> bytes:
    told = encoded({"state": viewer.state()}) + END
    viewer.told(len(told))
    return told


def _full(question: dict[str, Any]) -> bool:
    value = question.get("full", False)
    if not isinstance(value, bool):
        raise BadQuestion("full is true or false")
    return value


def _seconds(question: dict[str, Any], default: float, limits: DoorLimits) -> float:
    value = question.get("seconds", default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadQuestion("seconds is a number")
    if not 0 <= value <= limits.longest:
        raise BadQuestion(f"seconds is from 0 to {limits.longest:g}")
    return float(value)


def _pause(connection: socket.socket, viewer: Viewer, limits: DoorLimits) -> None:
    """Until there may be something new, or must be told at once."""
    clock = RealClock()
    end = clock.monotonic() + viewer.every
    while (left := end - clock.monotonic()) > 0 and not viewer.urgent():
        _wait(connection, min(left, limits.look))


def _wait(connection: socket.socket, seconds: float) -> None:
    """For so long, unless the asker goes. A further word ends it as well: one question is all that is heard."""
    if not seconds:
        return
    with _of_the_asker():
        connection.settimeout(seconds)
        try:
            connection.recv(1)
        except TimeoutError:
            return
    raise Gone


def who() -> dict[str, Any]:
    """Who this process is, for a list of them."""
    return {"pid": os.getpid(), "program": program()}


def program() -> str:
    """What runs, as it was started: ``poise serve .``, ``app.py``."""
    started = sys.argv[0] if sys.argv else ""
    folder, name = os.path.split(started)
    if name == "__main__.py":  # python -m
        name = os.path.basename(folder)
    return " ".join([name or "python", *sys.argv[1:]])
