"""What a remembered file costs, call by call, and how much of the program a reader of its way has to read.

It is the shortest way through the program, on which nothing may come to stand.
"""

from __future__ import annotations

import gc
import inspect
import linecache
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from poise.files.locate import Root
from poise.files.site import Site
from poise.loop.clock import ManualClock
from tests.files.support import LATER, put
from tests.http.web import Client, Web, get, web
from tests.support.program import ROOT

WAY = ["turn", "_wait_time", "_dispatch", "_on_ready", "data_received", "write"]
"""The functions of ours that are called, in order."""

BUILTIN = 12
"""How many functions written in C are called meanwhile: the clock twice, epoll, recv, send, and seven that look at what is there."""

LINES = 150
"""The functions on the way of one request, from ``turn()`` to ``send()``, have fewer, comments and empty ones included."""

pytestmark = pytest.mark.skipif(
    not hasattr(select, "epoll"), reason="other pollers have a function of their own around the kernel's"
)


def calls(work: Callable[[], object]) -> tuple[list[str], list[str]]:
    """The functions in Python and those in C that ``work`` calls."""
    python: list[str] = []
    builtin: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            python.append(frame.f_code.co_name)
        elif event == "c_call":
            builtin.append(argument.__name__)

    before = sys.getprofile()
    gc.disable()  # a collection calls whoever has asked to hear of it
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
        gc.enable()
    return python, builtin[: builtin.index("setprofile")]


def lines(work: Callable[[], object]) -> dict[CodeType, list[int]]:
    """The lines that ``work`` goes through, in order, by the function they stand in; those of the program only."""
    gone: dict[CodeType, list[int]] = {}

    def trace(frame: FrameType, event: str, _argument: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        if not code.co_filename.startswith(f"{ROOT / 'poise'}/") or code is ManualClock.monotonic.__code__:
            return None  # the clock of a real server is written in C
        if event == "line":
            gone.setdefault(code, []).append(frame.f_lineno)
        return trace

    before = sys.gettrace()
    gc.disable()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
        gc.enable()
    return gone


@contextmanager
def asked_for(folder: Path, *, logged: bool = False) -> Iterator[tuple[Web, Client]]:
    """A server with one request on its way to it, for a file whose reply it remembers."""
    put(folder / "small.txt", b"x" * 1024)
    with Root(folder) as root, web(poller="epoll", logged=logged) as made:
        site = Site(root, wall=lambda: LATER, reactor=made.reactor)
        made.server.answer = site.reply
        client = made.client()
        for _ in range(3):
            assert client.ask(get("/small.txt")).body == b"x" * 1024
        asked = len(made.server.asked)
        client.send(get("/small.txt"))
        select.select([next(iter(made.listener.streams)).get_extra_info("socket")], [], [], 5)
        yield made, client
        assert client.answer().status == 200
        assert len(made.server.asked) == asked, "it was remembered"


def test_a_remembered_file_takes_the_shortest_way(folder: Path) -> None:
    with asked_for(folder) as (made, _):
        python, builtin = calls(lambda: made.reactor.turn(1))
    clock = python.count("monotonic")  # the one of these tests is written in Python
    assert [name for name in python if name not in ("<lambda>", "monotonic")] == WAY
    assert len(builtin) + clock <= BUILTIN, builtin


@pytest.mark.parametrize("logged", [False, True], ids=["", "logged"])
def test_the_way_can_be_read_in_five_minutes(
    folder: Path, logged: bool, record_property: Callable[[str, object], None]
) -> None:
    """Whoever wants to know what happens between ``turn()`` and ``send()`` reads these functions and no others."""
    with asked_for(folder, logged=logged) as (made, client):
        gone = lines(lambda: made.reactor.turn(1))
        client.receive()
        assert client.data.startswith(b"HTTP/1.1 200 "), "all of it was done in that turn"
    to_read = {code.co_name: len(inspect.getsourcelines(code)[0]) for code in gone}
    assert list(to_read)[: len(WAY)] == WAY
    assert to_read.keys() - set(WAY) == ({"again"} if logged else set())
    write = next(code for code in gone if code.co_name == "write")
    assert any("_socket.send(" in linecache.getline(write.co_filename, line) for line in gone[write])
    executed = {code.co_name: len(set(numbers)) for code, numbers in gone.items()}
    record_property("lines to read", to_read)
    record_property("lines executed", executed)
    assert sum(to_read.values()) < LINES, to_read
