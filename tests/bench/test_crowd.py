"""Idle connections are opened, held and looked after."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bench import wrk
from bench.crowd import Crowd, NoCrowd
from bench.http_scenarios import Get
from bench.peers import POISE
from bench.place import Peer, Place
from bench.run import surround
from bench.scenarios import KIB, Conditions
from bench.servers import Server, start
from tests.bench.stand_ins import always, core

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins processes to cores"),
    pytest.mark.slow,
]

COUNT = 40
CROWDED = Get("crowd", "", KIB, conditions=Conditions(crowd=COUNT))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def started(stack: ExitStack, folder: Path, peer: Peer) -> Server:
    CROWDED.prepare(folder)
    server = start(peer, Place(folder / "site", folder, 0, b"", CROWDED.conditions), core())
    stack.callback(server.stop)
    server.memory = server.private_bytes()
    return server


def test_the_crowd_is_there_while_others_ask(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = started(stack, tmp_path, POISE)
        crowd = surround(stack, server, CROWDED)
        assert crowd is not None
        CROWDED.check(server.port)
        assert crowd.leave() == 0
        assert crowd.leave() == 0  # once more, at the end of the stack
        assert server.idle_memory >= 0


def test_who_is_to_be_alone_is_left_alone(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = started(stack, tmp_path, replace(always(OK), alone=True))
        assert surround(stack, server, CROWDED) is None
        assert surround(stack, server, Get("small", "", KIB)) is None


@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        (always(b"HTTP/1.1 200 OK\r\n\r\n"), "has no length"),
        (always(OK[:-1], ends=True), "closed a connection"),
    ],
    ids=["length", "short"],
)
def test_without_an_answer_there_is_no_crowd(tmp_path: Path, peer: Peer, reason: str) -> None:
    with ExitStack() as stack:
        server = started(stack, tmp_path, peer)
        with pytest.raises(NoCrowd, match=reason):
            surround(stack, server, CROWDED)


def test_connections_that_a_server_has_closed_are_counted(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = started(stack, tmp_path, always(OK, ends=True))
        crowd = Crowd(server.port, COUNT, wrk.head(server.port, "/"))
        server.stop()  # whatever was still on its way has arrived
        assert crowd.leave() == COUNT


def test_more_than_the_descriptors_of_a_process_are_refused() -> None:
    with pytest.raises(NoCrowd, match=re.escape("999999999 connections need as many descriptors")):
        Crowd(1, 999_999_999, "")
