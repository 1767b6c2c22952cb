"""Sockets, ``select`` and ``time`` as a model sees them, with a recorder between it and the kernel.

A model is written against the bare standard library and knows nothing of this. What it calls is what is made, with the
same arguments, and it gets the same result or the same exception.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable
from functools import cache
from typing import Any, Self

from poise.lab.events import Recorder, preview
from poise.readiness.interest import ERROR, READ, WRITE

Watched = Any
"""A number, or what has ``fileno()``."""


class TappedSocket(socket.socket):
    """A socket whose calls are recorded."""

    recorder: Recorder

    @classmethod
    def around(cls, plain: socket.socket, recorder: Recorder) -> Self:
        """Takes over ``plain``, which is not to be used any more."""
        timeout = plain.gettimeout()
        self = cls(fileno=plain.detach())
        self.settimeout_unseen(timeout)
        self.recorder = recorder
        return self

    def settimeout_unseen(self, timeout: float | None) -> None:
        super().settimeout(timeout)

    def accept(self) -> tuple[socket.socket, Any]:
        def accepted() -> tuple[TappedSocket, Any]:
            client, address = super(TappedSocket, self).accept()
            return TappedSocket.around(client, self.recorder), address

        return self.recorder.made(
            "handle",
            "accept",
            self.fileno(),
            "",
            accepted,
            shown=lambda got: f"(fd {got[0].fileno()}, {got[1]})",
        )

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        return self.recorder.made(
            "handle",
            "recv",
            self.fileno(),
            str(size),
            lambda: super(TappedSocket, self).recv(size, flags),
            shown=preview,
            count=len,
        )

    def send(self, data: Any, flags: int = 0, /) -> int:
        return self.recorder.made(
            "handle",
            "send",
            self.fileno(),
            preview(data),
            lambda: super(TappedSocket, self).send(data, flags),
            count=int,
        )

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        self.recorder.made(
            "handle",
            "sendall",
            self.fileno(),
            preview(data),
            lambda: super(TappedSocket, self).sendall(data, flags),
            count=lambda _none: len(data),
        )

    def setblocking(self, flag: bool, /) -> None:
        self.recorder.made(
            "mark",
            "setblocking",
            self.fileno(),
            repr(flag),
            lambda: super(TappedSocket, self).setblocking(flag),
        )

    def settimeout(self, value: float | None, /) -> None:
        self.recorder.made(
            "mark",
            "settimeout",
            self.fileno(),
            repr(value),
            lambda: super(TappedSocket, self).settimeout(value),
        )

    def shutdown(self, how: int, /) -> None:
        self.recorder.made(
            "handle",
            "shutdown",
            self.fileno(),
            ("SHUT_RD", "SHUT_WR", "SHUT_RDWR")[how],
            lambda: super(TappedSocket, self).shutdown(how),
        )

    def setsockopt(self, level: int, option: int, value: Any, *rest: Any) -> None:
        self.recorder.made(
            "mark",
            "setsockopt",
            self.fileno(),
            f"{level}, {option}, {value!r}",
            lambda: super(TappedSocket, self).setsockopt(level, option, value, *rest),
        )

    def close(self) -> None:
        if self.fileno() >= 0:
            self.recorder.made("handle", "close", self.fileno(), "", super().close)


def number(thing: Watched) -> int:
    """The descriptor of what is watched."""
    return thing if isinstance(thing, int) else int(thing.fileno())


class TappedSelect:
    """The module ``select`` with its three calls recorded; everything else is the module's own."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(select, name)

    def select(
        self,
        rlist: Iterable[Watched],
        wlist: Iterable[Watched],
        xlist: Iterable[Watched],
        timeout: float | None = None,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        lists = (list(rlist), list(wlist), list(xlist))
        return self.recorder.made(
            "submit",
            "select",
            None,
            ", ".join(str(list(map(number, each))) for each in lists)
            + ("" if timeout is None else f", {timeout!r}"),
            lambda: select.select(*lists, timeout),
            shown=lambda got: ", ".join(str(list(map(number, each))) for each in got),
            watched=lambda: as_masks(*lists),
            ready=lambda got: as_masks(*got),
            submits=sum(map(len, lists)),
        )

    def poll(self) -> TappedPoll:
        return TappedPoll(self.recorder, "poll", select.poll(), 1000)

    def epoll(self) -> TappedPoll:
        return TappedPoll(self.recorder, "epoll", select.epoll(), 1)


def as_masks(rlist: list[Any], wlist: list[Any], xlist: list[Any]) -> dict[int, int]:
    """What three lists say, as a mask for each descriptor."""
    masks: dict[int, int] = {}
    for bit, things in ((READ, rlist), (WRITE, wlist), (ERROR, xlist)):
        for thing in things:
            masks[number(thing)] = masks.get(number(thing), 0) | bit
    return masks


class TappedPoll:
    """A poll or epoll object whose calls are recorded. ``units``: how many of its time units are a second."""

    def __init__(self, recorder: Recorder, name: str, inner: Any, units: int) -> None:
        self.recorder = recorder
        self.name = name
        self.units = units
        self._inner = inner
        self._masks: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.name == "epoll":
            self._inner.close()

    def register(self, thing: Watched, mask: int) -> None:
        self._mark("register", thing, mask)

    def modify(self, thing: Watched, mask: int) -> None:
        self._mark("modify", thing, mask)

    def _mark(self, call: str, thing: Watched, mask: int) -> None:
        fd = number(thing)
        function = getattr(self._inner, call)
        self.recorder.made(
            "mark",
            f"{self.name}.{call}",
            fd,
            f"{fd}, {bits(mask)}",
            lambda: function(fd, mask),
            submits=int(self.name == "epoll"),  # poll's own object is a list in the program
            depth=3,
        )
        self._masks[fd] = mask

    def unregister(self, thing: Watched) -> None:
        fd = number(thing)
        self.recorder.made("mark", f"{self.name}.unregister", fd, str(fd), lambda: self._inner.unregister(fd))
        self._masks.pop(fd, None)

    def poll(self, timeout: float | None = None, *rest: int) -> list[tuple[int, int]]:
        events: list[tuple[int, int]] = self.recorder.made(
            "submit",
            f"{self.name}.poll",
            None,
            "" if timeout is None else repr(timeout),
            lambda: self._inner.poll(timeout, *rest),
            shown=lambda got: "[" + ", ".join(f"({fd}, {bits(mask)})" for fd, mask in got) + "]",
            watched=lambda: self._masks,
            ready=dict,
            submits=0 if self.name == "epoll" else len(self._masks),
        )
        return events


NAMES = (
    (0x001, "IN"),
    (0x002, "PRI"),
    (0x004, "OUT"),
    (0x008, "ERR"),
    (0x010, "HUP"),
    (0x020, "NVAL"),
    (0x2000, "RDHUP"),
    (0x80000000, "ET"),
)
"""poll's and epoll's names without their prefixes; the numbers are the same in both (poll(2), epoll_ctl(2))."""


@cache
def bits(mask: int) -> str:
    """``IN|OUT``; 0 when no bit is set; what has no name as a number."""
    names = [name for bit, name in NAMES if mask & bit]
    rest = mask & ~sum(bit for bit, _name in NAMES)
    return "|".join(names + ([hex(rest)] if rest else [])) or "0"


class TappedTime:
    """The module ``time`` with ``sleep`` recorded."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        self.recorder.made("submit", "sleep", None, repr(seconds), lambda: time.sleep(seconds))


def replacements(recorder: Recorder) -> dict[str, object]:
    """What stands in a model's module instead of the standard library's."""
    return {"select": TappedSelect(recorder), "time": TappedTime(recorder)}
