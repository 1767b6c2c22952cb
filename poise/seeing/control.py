"""The control socket: how ``poise top`` comes to a running program, and goes again.

It is a unix socket in the runtime folder (:mod:`poise.seeing.runtime`), called after the process, which only its user can
connect to. Until somebody does, all that there is of it is a thread that the kernel has put to sleep: the loop knows nothing
of it, and a loop that is stuck can be looked at like any other, which is when people look.

One question, a line of JSON, then answers, a line each:

* ``{"ask": "who"}``: who this is;
* ``{"ask": "watch"}``: what does not change, then a state a few times a second until the asker goes;
* ``{"ask": "once", "seconds": 1}``: what does not change, and one state after so long;
* ``{"ask": "records", "seconds": 5}``: after so long, all that the recorder holds; with ``"full": true`` requests are
  recorded too, and changes of interest and short writes with the lines that made them.

Watching begins with a question that needs it and ends with the last asker. A socket file is put under its name when it
is listened to already, so one that refuses is one whose process is dead.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from poise.errors import MachineFault
from poise.limits import ListenLimits
from poise.seeing import runtime

if TYPE_CHECKING:
    from poise.limits.seeing import DoorLimits
    from poise.seeing.viewing import Watching

PRIVATE = 0o600
JOINED = 1.0  # seconds that closing waits for the thread, which needs none
RETRY = 0.1  # seconds until a newcomer that could not be accepted is tried again
_numbers = itertools.count()  # of the sockets of this process


class Control:
    """A control socket, open until ``close``. ``watching()`` is called, in a thread, when somebody first asks.

    Raises MachineFault when there can be none.
    """

    def __init__(self, watching: Callable[[], Watching], limits: DoorLimits | None = None) -> None:
        self._make = watching
        self._watching: Watching | None = None
        self._limits = limits
        self._lock = threading.Lock()
        self._sessions: set[socket.socket] = set()
        self._closed = threading.Event()
        self.path, self._socket = bind(ListenLimits().backlog)
        self._thread = threading.Thread(target=self._accept, name="poise control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Go, and send away whoever is here. Twice is no error."""
        if self._closed.is_set():
            return
        self._closed.set()
        _remove(self.path)
        for each in (self._socket, *self._now()):
            _end(each)
        self._thread.join(JOINED)

    def watching(self) -> Watching:
        """Who watches, made on first use."""
        with self._lock:
            if self._watching is None:
                self._watching = self._make()
            return self._watching

    def _now(self) -> list[socket.socket]:
        with self._lock:
            return list(self._sessions)

    def _accept(self) -> None:
        with self._socket:
            while True:
                try:
                    connection, _ = self._socket.accept()
                except OSError:  # closed; or out of descriptors, and the newcomer waits until there are some
                    if self._closed.wait(RETRY):
                        return
                    continue
                session = threading.Thread(
                    target=self._talk, args=(connection,), name="poise control session", daemon=True
                )
                try:
                    session.start()
                except RuntimeError:  # the machine has no thread left; the next one may be luckier
                    connection.close()

    def _talk(self, connection: socket.socket) -> None:
        # What nobody needs before somebody comes.
        from poise.limits.seeing import DoorLimits
        from poise.seeing import session

        limits = self._limits if self._limits is not None else DoorLimits()
        with connection:
            with self._lock:
                full = len(self._sessions) >= limits.viewers or self._closed.is_set()
                if not full:
                    self._sessions.add(connection)
            try:
                if full:
                    session.refuse(connection, "busy", limits)
                else:
                    session.talk(connection, self.watching, limits)
            finally:
                with self._lock:
                    self._sessions.discard(connection)


def bind(backlog: int) -> tuple[str, socket.socket]:
    """A listening socket in the runtime folder, and its path. Raises MachineFault."""
    folder = runtime.make()
    number = next(_numbers)
    name = f"{os.getpid()}.{number}" if number else f"{os.getpid()}"
    path = os.path.join(folder, name + runtime.SOCKET)
    coming = os.path.join(folder, f".{name}")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove(coming)
        listening.bind(coming)
        os.chmod(coming, PRIVATE)
        listening.listen(backlog)
        os.rename(coming, path)
    except OSError as error:
        listening.close()
        _remove(coming)
        raise MachineFault(error.errno, f"no control socket {path}: {error.strerror or error}") from error
    return path, listening


def _end(each: socket.socket) -> None:
    """Wake whoever waits for it in another thread, who closes it."""
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended already
        pass


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
