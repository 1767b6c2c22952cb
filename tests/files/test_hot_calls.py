"""What a remembered file costs, call by call: the shortest way through the program, on which nothing may come to stand."""

from __future__ import annotations

import gc
import select
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from poise.files.locate import Root
from poise.files.site import Site
from tests.files.support import LATER, put
from tests.http.web import get, web

WAY = ["turn", "_wait_time", "_dispatch", "_on_ready", "data_received", "write"]
"""The functions of ours that are called, in order."""

BUILTIN = 12
"""How many functions written in C are called meanwhile: the clock twice, epoll, recv, send, and seven that look at what is there."""


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


@pytest.mark.skipif(
    not hasattr(select, "epoll"), reason="other pollers have a function of their own around the kernel's"
)
def test_a_remembered_file_takes_the_shortest_way(folder: Path) -> None:
    put(folder / "small.txt", b"x" * 1024)
    with Root(folder) as root, web(poller="epoll") as made:
        site = Site(root, wall=lambda: LATER, reactor=made.reactor)
        made.server.answer = site.reply
        client = made.client()
        for _ in range(3):
            assert client.ask(get("/small.txt")).body == b"x" * 1024
        asked = len(made.server.asked)
        client.send(get("/small.txt"))
        select.select([next(iter(made.listener.streams)).get_extra_info("socket")], [], [], 5)
        python, builtin = calls(lambda: made.reactor.turn(1))
        assert client.answer().status == 200
        assert len(made.server.asked) == asked, "it was remembered"
    clock = python.count("monotonic")  # the one of these tests is written in Python
    assert [name for name in python if name not in ("<lambda>", "monotonic")] == WAY
    assert len(builtin) + clock <= BUILTIN, builtin
