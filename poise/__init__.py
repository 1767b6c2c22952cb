"""Poise (就绪, "ready"): a network toolkit, HTTP server and laboratory over one readiness loop.

Every public name is exported here, once. A name is imported when it is first used, so that a program pays only for
the rooms that it enters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from poise.errors import (
        AlreadyRegistered,
        DeadlineExceeded,
        MachineFault,
        NotRegistered,
        PeerFault,
        PoiseError,
        ProgramFault,
        RequestError,
    )
    from poise.files.locate import Root
    from poise.files.server import FileServer
    from poise.files.site import Site
    from poise.http.log import AccessLog
    from poise.http.message import FileBody, Reply, Request
    from poise.http.server import HTTPServer
    from poise.limits import FileLimits, HttpLimits, ListenLimits, LogLimits, LoopLimits, StreamLimits
    from poise.loop.clock import ManualClock, RealClock
    from poise.loop.reactor import Reactor
    from poise.net.listener import Listener, listen
    from poise.net.protocol import Protocol
    from poise.net.stream import Stream
    from poise.readiness.poller import Poller, available, choose

_ROOMS = {
    "errors": (
        "AlreadyRegistered",
        "DeadlineExceeded",
        "MachineFault",
        "NotRegistered",
        "PeerFault",
        "PoiseError",
        "ProgramFault",
        "RequestError",
    ),
    "limits": ("FileLimits", "HttpLimits", "ListenLimits", "LogLimits", "LoopLimits", "StreamLimits"),
    "readiness.poller": ("Poller", "available", "choose"),
    "loop.clock": ("ManualClock", "RealClock"),
    "loop.reactor": ("Reactor",),
    "net.listener": ("Listener", "listen"),
    "net.protocol": ("Protocol",),
    "net.stream": ("Stream",),
    "http.log": ("AccessLog",),
    "http.message": ("FileBody", "Reply", "Request"),
    "http.server": ("HTTPServer",),
    "files.locate": ("Root",),
    "files.server": ("FileServer",),
    "files.site": ("Site",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [  # noqa: PLE0604 - derived, so that no name can be forgotten
    *_ROOM_OF,
    "__version__",
]


def __getattr__(name: str) -> object:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module 'poise' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"poise.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
