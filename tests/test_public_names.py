"""The public face: what is exported, once, and that it is there."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import poise

EXPECTED = [
    "AccessLog",
    "AlreadyRegistered",
    "BufferedProtocol",
    "ClientTLS",
    "CombinedLog",
    "ConnectError",
    "ConnectLimits",
    "Connecting",
    "DEVNULL",
    "Datagram",
    "DatagramLimits",
    "DatagramProtocol",
    "Deadline",
    "DeadlineExceeded",
    "DelimiterFramer",
    "DiscoveryLimits",
    "Embedded",
    "EventStream",
    "FAULTS",
    "Feed",
    "FileBody",
    "FileLimits",
    "FileServer",
    "FixedFramer",
    "FrameError",
    "FrameLimits",
    "FramedProtocol",
    "Framer",
    "HTTPServer",
    "Handle",
    "HttpLimits",
    "JSONLog",
    "LengthFramer",
    "LineFramer",
    "ListenLimits",
    "Listener",
    "LogLimits",
    "LoopLimits",
    "MachineFault",
    "ManualClock",
    "NetstringFramer",
    "NotRegistered",
    "Offloaded",
    "Overloaded",
    "PIPE",
    "PeerFault",
    "PoiseError",
    "PoiseSelector",
    "Poller",
    "Process",
    "ProcessLimits",
    "ProcessProtocol",
    "ProgramFault",
    "Protocol",
    "READ",
    "Reactor",
    "ReadPipe",
    "RealClock",
    "Reply",
    "Request",
    "RequestError",
    "ResolveError",
    "Root",
    "STDOUT",
    "ServerTLS",
    "Signals",
    "Sink",
    "Site",
    "SocketOptions",
    "Stream",
    "StreamLimits",
    "TLSError",
    "TLSLimits",
    "TLSStream",
    "TLSTruncated",
    "TimerHandle",
    "TruncatedDatagram",
    "VarintFramer",
    "WRITE",
    "Watch",
    "WritePipe",
    "__version__",
    "available",
    "cbreak_terminal",
    "choose",
    "connect",
    "embed",
    "get_option",
    "listen",
    "offload",
    "open_datagram",
    "raw_terminal",
    "read_pipe",
    "set_option",
    "spawn",
    "start_tls",
    "stdin",
    "stdout",
    "watch",
    "write_pipe",
]


def test_the_list_of_public_names() -> None:
    assert sorted(poise.__all__) == EXPECTED
    assert dir(poise) == EXPECTED


def test_each_name_is_exported_once_and_exists() -> None:
    assert len(poise.__all__) == len(set(poise.__all__))
    for name in poise.__all__:
        assert getattr(poise, name) is not None, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = poise.nothing


def test_what_type_checkers_see_is_what_there_is() -> None:
    tree = ast.parse(Path(poise.__file__).read_text(encoding="utf-8"))
    checked = {
        (f"{node.module}", alias.name, alias.asname or alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("poise.")
        for alias in node.names
    }
    assert checked == {
        (f"poise.{room}", poise._NAME_THERE.get(name, name), name) for name, room in poise._ROOM_OF.items()
    }


def test_every_public_name_says_what_it_is() -> None:
    for name in poise.__all__:
        thing = getattr(poise, name)
        if name != "__version__":
            assert (thing.__doc__ or "").strip(), f"{name} has no docstring"


def test_importing_poise_imports_no_room() -> None:
    program = "import sys, poise; print(sorted(name for name in sys.modules if name.startswith('poise')))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "['poise']"
