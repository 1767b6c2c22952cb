"""Poise (就绪, "ready"): a network toolkit, HTTP server and laboratory over one readiness loop.

Every public name is exported here, once. A name is imported when it is first used, so that a program pays only for
the rooms that it enters. Type checkers take ``X as X`` for an export (PEP 484).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from poise.apps.embed import Embedded as Embedded
    from poise.apps.embed import embed as embed
    from poise.errors import AlreadyRegistered as AlreadyRegistered
    from poise.errors import DeadlineExceeded as DeadlineExceeded
    from poise.errors import FrameError as FrameError
    from poise.errors import MachineFault as MachineFault
    from poise.errors import NotRegistered as NotRegistered
    from poise.errors import PeerFault as PeerFault
    from poise.errors import PoiseError as PoiseError
    from poise.errors import ProgramFault as ProgramFault
    from poise.errors import RequestError as RequestError
    from poise.errors import TLSError as TLSError
    from poise.errors import TLSTruncated as TLSTruncated
    from poise.files.locate import Root as Root
    from poise.files.server import FileServer as FileServer
    from poise.files.site import Site as Site
    from poise.http.events import EventStream as EventStream
    from poise.http.feed import Feed as Feed
    from poise.http.log import AccessLog as AccessLog
    from poise.http.logformats import CombinedLog as CombinedLog
    from poise.http.logformats import JSONLog as JSONLog
    from poise.http.message import FileBody as FileBody
    from poise.http.message import Reply as Reply
    from poise.http.message import Request as Request
    from poise.http.server import HTTPServer as HTTPServer
    from poise.limits import ConnectLimits as ConnectLimits
    from poise.limits import DatagramLimits as DatagramLimits
    from poise.limits import DiscoveryLimits as DiscoveryLimits
    from poise.limits import FileLimits as FileLimits
    from poise.limits import FrameLimits as FrameLimits
    from poise.limits import HttpLimits as HttpLimits
    from poise.limits import ListenLimits as ListenLimits
    from poise.limits import LogLimits as LogLimits
    from poise.limits import LoopLimits as LoopLimits
    from poise.limits import ProcessLimits as ProcessLimits
    from poise.limits import StreamLimits as StreamLimits
    from poise.limits import TLSLimits as TLSLimits
    from poise.loop.clock import ManualClock as ManualClock
    from poise.loop.clock import RealClock as RealClock
    from poise.loop.handle import Handle as Handle
    from poise.loop.offload import Offloaded as Offloaded
    from poise.loop.offload import Overloaded as Overloaded
    from poise.loop.offload import offload as offload
    from poise.loop.reactor import Reactor as Reactor
    from poise.loop.signals import Signals as Signals
    from poise.loop.timers import Deadline as Deadline
    from poise.loop.timers import TimerHandle as TimerHandle
    from poise.net.certificates import ClientTLS as ClientTLS
    from poise.net.certificates import ServerTLS as ServerTLS
    from poise.net.connect import ConnectError as ConnectError
    from poise.net.connect import Connecting as Connecting
    from poise.net.connect import connect as connect
    from poise.net.datagram import Datagram as Datagram
    from poise.net.datagram import TruncatedDatagram as TruncatedDatagram
    from poise.net.datagram import open_datagram as open_datagram
    from poise.net.framed import FramedProtocol as FramedProtocol
    from poise.net.listener import Listener as Listener
    from poise.net.listener import listen as listen
    from poise.net.options import SocketOptions as SocketOptions
    from poise.net.options import get_option as get_option
    from poise.net.options import set_option as set_option
    from poise.net.pipe import ReadPipe as ReadPipe
    from poise.net.pipe import WritePipe as WritePipe
    from poise.net.pipe import read_pipe as read_pipe
    from poise.net.pipe import stdin as stdin
    from poise.net.pipe import stdout as stdout
    from poise.net.pipe import write_pipe as write_pipe
    from poise.net.process import DEVNULL as DEVNULL
    from poise.net.process import PIPE as PIPE
    from poise.net.process import STDOUT as STDOUT
    from poise.net.process import Process as Process
    from poise.net.process import ProcessProtocol as ProcessProtocol
    from poise.net.process import spawn as spawn
    from poise.net.protocol import BufferedProtocol as BufferedProtocol
    from poise.net.protocol import DatagramProtocol as DatagramProtocol
    from poise.net.protocol import Protocol as Protocol
    from poise.net.resolve import ResolveError as ResolveError
    from poise.net.sink import Sink as Sink
    from poise.net.start_tls import start_tls as start_tls
    from poise.net.stream import Stream as Stream
    from poise.net.terminal import cbreak as cbreak_terminal
    from poise.net.terminal import raw as raw_terminal
    from poise.net.tls import TLSStream as TLSStream
    from poise.readiness.interest import FAULTS as FAULTS
    from poise.readiness.interest import READ as READ
    from poise.readiness.interest import WRITE as WRITE
    from poise.readiness.poller import Poller as Poller
    from poise.readiness.poller import available as available
    from poise.readiness.poller import choose as choose
    from poise.readiness.selector import PoiseSelector as PoiseSelector
    from poise.seeing.watch import Watch as Watch
    from poise.seeing.watch import watch as watch
    from poise.wire.framing import DelimiterFramer as DelimiterFramer
    from poise.wire.framing import FixedFramer as FixedFramer
    from poise.wire.framing import Framer as Framer
    from poise.wire.framing import LengthFramer as LengthFramer
    from poise.wire.framing import LineFramer as LineFramer
    from poise.wire.framing import NetstringFramer as NetstringFramer
    from poise.wire.framing import VarintFramer as VarintFramer

_ROOMS = {
    "errors": (
        "AlreadyRegistered",
        "DeadlineExceeded",
        "FrameError",
        "MachineFault",
        "NotRegistered",
        "PeerFault",
        "PoiseError",
        "ProgramFault",
        "RequestError",
        "TLSError",
        "TLSTruncated",
    ),
    "limits": (
        "ConnectLimits",
        "DatagramLimits",
        "DiscoveryLimits",
        "FileLimits",
        "FrameLimits",
        "HttpLimits",
        "ListenLimits",
        "LogLimits",
        "LoopLimits",
        "ProcessLimits",
        "StreamLimits",
        "TLSLimits",
    ),
    "readiness.interest": ("FAULTS", "READ", "WRITE"),
    "readiness.poller": ("Poller", "available", "choose"),
    "readiness.selector": ("PoiseSelector",),
    "loop.clock": ("ManualClock", "RealClock"),
    "loop.handle": ("Handle",),
    "loop.offload": ("Offloaded", "Overloaded", "offload"),
    "loop.reactor": ("Reactor",),
    "loop.signals": ("Signals",),
    "loop.timers": ("Deadline", "TimerHandle"),
    "wire.framing": (
        "DelimiterFramer",
        "FixedFramer",
        "Framer",
        "LengthFramer",
        "LineFramer",
        "NetstringFramer",
        "VarintFramer",
    ),
    "net.certificates": ("ClientTLS", "ServerTLS"),
    "net.connect": ("ConnectError", "Connecting", "connect"),
    "net.datagram": ("Datagram", "TruncatedDatagram", "open_datagram"),
    "net.framed": ("FramedProtocol",),
    "net.listener": ("Listener", "listen"),
    "net.options": ("SocketOptions", "get_option", "set_option"),
    "net.pipe": ("ReadPipe", "WritePipe", "read_pipe", "stdin", "stdout", "write_pipe"),
    "net.process": ("DEVNULL", "PIPE", "STDOUT", "Process", "ProcessProtocol", "spawn"),
    "net.protocol": ("BufferedProtocol", "DatagramProtocol", "Protocol"),
    "net.resolve": ("ResolveError",),
    "net.sink": ("Sink",),
    "net.start_tls": ("start_tls",),
    "net.stream": ("Stream",),
    "net.terminal": ("cbreak_terminal", "raw_terminal"),
    "net.tls": ("TLSStream",),
    "http.events": ("EventStream",),
    "http.feed": ("Feed",),
    "http.log": ("AccessLog",),
    "http.logformats": ("CombinedLog", "JSONLog"),
    "http.message": ("FileBody", "Reply", "Request"),
    "http.server": ("HTTPServer",),
    "files.locate": ("Root",),
    "files.server": ("FileServer",),
    "files.site": ("Site",),
    "apps.embed": ("Embedded", "embed"),
    "seeing.watch": ("Watch", "watch"),
}
# In its own room a name has its subject around it; out here it must say more.
_NAME_THERE = {"cbreak_terminal": "cbreak", "raw_terminal": "raw"}
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

    value = getattr(import_module(f"poise.{room}"), _NAME_THERE.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
