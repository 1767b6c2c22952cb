"""What descriptors are called, what waits on them, and that both texts say the same."""

from __future__ import annotations

import os
import re
import socket
import sys
from functools import partial
from operator import not_
from pathlib import Path
from typing import Any

import pytest

from poise.http.message import Reply, Request
from poise.http.server import HTTPServer
from poise.loop.reactor import Reactor
from poise.loop.seat import Seat
from poise.net.listener import listen
from poise.net.protocol import BufferedProtocol, Protocol
from poise.readiness.interest import READ
from poise.seeing import levels
from poise.seeing.naming import About, about, about_seat, kind_of
from poise.seeing.stacks import culprit, of_text
from poise.seeing.texts import TEXTS, percent, say
from poise.seeing.threadtime import ThreadTime
from tests.support.loops import turn_until


class Site(HTTPServer):
    def respond(self, request: Request) -> Reply | None:
        return None


class Filling(BufferedProtocol):
    pass


def named(reactor: Reactor, fd: int) -> About:
    return about(fd, reactor._handlers[fd])


def test_a_connection_is_called_by_what_hears_of_it() -> None:
    with Reactor() as reactor:
        plain = listen(reactor, ("127.0.0.1", 0), Protocol)
        filling = listen(reactor, ("127.0.0.1", 0), Filling)
        site = Site(reactor)
        web = site.listen(("127.0.0.1", 0))
        assert named(reactor, plain._fd) == ("listener", "accept", f"127.0.0.1:{plain.sockname[1]}")
        for listener, what in (
            (plain, "Protocol.data_received"),
            (filling, "Filling.buffer_updated"),
            (web, "Site.respond"),
        ):
            with socket.create_connection(listener.sockname) as client:
                turn_until(reactor, partial(len, listener.streams))
                [stream] = listener.streams
                assert named(reactor, stream._fd) == (
                    "connection",
                    what,
                    "{}:{}".format(*client.getsockname()),
                )
                stream.abort()
                turn_until(reactor, partial(not_, listener.streams))
            listener.close()
        assert named(reactor, reactor._wakeup.fileno()).kind == "wakeup"


def test_layers_are_tls_and_a_ring_of_them_ends() -> None:
    class Layer:
        def get_protocol(self) -> Layer:
            return self

    class Stream:
        __module__ = "poise.net.stream"
        peer = None

        def get_protocol(self) -> Any:
            return Layer()

        def handler(self, mask: int) -> None: ...

    assert about(-1, Stream().handler) == ("tls", "Layer.data_received", "")


def test_an_owner_that_changes_in_this_moment_is_known_by_its_handler() -> None:
    class Stream:
        __module__ = "poise.net.stream"

        def handler(self, mask: int) -> None: ...

    assert about(-1, Stream().handler) == ("connection", "Stream.handler", "")


def test_anything_else_is_asked_of_the_kernel(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    stream, far = socket.socketpair()
    with (
        stream,
        far,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.create_server(("127.0.0.1", 0)) as server,
        (tmp_path / "file").open("w") as file,
        Path("/dev/null").open() as null,
    ):
        found = {
            "pipe": reader,
            "connection": stream.fileno(),
            "datagram": datagrams.fileno(),
            "listener": server.fileno(),
            "file": file.fileno(),
            "terminal": null.fileno(),
            "other": 99_999,
        }
        assert {kind: kind_of(fd) for kind, fd in found.items()} == {kind: kind for kind in found}
        assert about(server.fileno(), partial(print)).peer == "{}:{}".format(*server.getsockname())
        assert about(reader, partial(print)) == ("pipe", "print", "")
        if hasattr(os, "eventfd"):
            event = os.eventfd(0)
            assert kind_of(event) == "wakeup"
            os.close(event)
    os.close(reader)
    os.close(writer)


def test_a_seat_keeps_what_it_was_called() -> None:
    one, other = socket.socketpair()
    with one, other, Reactor() as reactor:
        seat = Seat(one.fileno(), 1, "test.<locals>.handler", READ, 0)
        assert about_seat(seat, reactor) == ("other", "handler", "")
        assert seat.about is None
        reactor.register(one.fileno(), READ, print)
        assert about_seat(seat, reactor).what == "print"
        reactor.unregister(one.fileno())
        assert about_seat(seat, reactor).what == "print"


@pytest.mark.skipif(sys.platform != "linux", reason="what the kernel holds is asked in Linux's way")
def test_where_the_bytes_are() -> None:
    with Reactor() as reactor, socket.create_server(("127.0.0.1", 0)) as server:
        far = socket.create_connection(server.getsockname())
        assert levels.backlog(server.fileno()) == (1, 128)
        near, _ = server.accept()
        with near, far:
            near.send(b"x" * 10)
            far.send(b"x" * 30)
            seat = Seat(near.fileno(), 1, "", READ, 0)

            class Owner:
                size: Any = 7

                def get_write_buffer_size(self) -> Any:
                    return self.size

                def handler(self, mask: int) -> None: ...

            owner = Owner()
            reactor.register(near.fileno(), READ, owner.handler)
            assert levels.levels(seat, reactor) == (30, 7, 0, 30, 10)
            owner.size = None
            assert levels.levels(seat, reactor).queued is None, "it was given up in this moment"
            seat.closed_ns = 1
            assert levels.levels(seat, reactor) == levels.UNKNOWN
            assert levels.memory(near.fileno()) is not None
            reactor.unregister(near.fileno())
    assert levels.totals(99_999) == (None, None)
    assert levels.backlog(0) is None
    assert levels.ask(0, 0, None, 1) is None


def test_a_thread_that_nobody_knows_has_no_times() -> None:
    unknown = ThreadTime(0)
    assert unknown.read() is None
    unknown.close()
    unknown.close()


# --- texts ------------------------------------------------------------------------------------------------


def test_every_text_is_there_in_both_languages_with_the_same_arguments() -> None:
    english, chinese = TEXTS["en"], TEXTS["zh"]
    assert english.keys() == chinese.keys()
    for id, text in english.items():  # noqa: A001 - as in the State
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", chinese[id])), id


def test_a_sentence_never_fails_for_a_word() -> None:
    assert say("verdict.idle", {}, "zh") == "无事可做：循环正在等待。"
    assert say("verdict.full", {}) == "The loop is busy – of the time: it can hardly do more."
    assert say("no.such", {}, "xx") == "no.such"


def test_a_share_in_a_sentence_is_not_all_unless_it_is() -> None:
    assert [percent(part) for part in (0, 0.001, 0.5, 0.999, 1)] == ["0 %", "<1 %", "50 %", ">99 %", "100 %"]


# --- stacks -----------------------------------------------------------------------------------------------


def test_the_line_to_look_at_is_the_programs_own() -> None:
    ours = ("/program/app.py", 3, "handler")
    library = (os.__file__, 9, "walk")
    poise = (levels.__file__, 1, "levels")
    assert culprit([library, ours, poise]) == ours
    assert culprit([poise, library]) == library
    assert culprit([poise]) == poise
    assert culprit([("<frozen importlib._bootstrap>", 1, "_find"), ours]) == ours
    assert culprit([]) is None


def test_what_faulthandler_has_written_is_read() -> None:
    text = (
        "Timeout (0:00:00.150000)!\n"
        "Thread 0x0000000000000001 (most recent call first):\n"
        '  File "/other.py", line 1 in wait\n\n'
        "Thread 0x0000000000000002 (most recent call first):\n"
        '  File "/program/app.py", line 12 in keep\n'
        '  File "/program/app.py", line 7 in handler\n'
        f'  File "{Path(levels.__file__).parents[1]}/loop/observed.py", line 9 in _observe_calls\n'
        '  File "/program/app.py", line 99 in main\n'
    )
    assert of_text(text, 2) == [("/program/app.py", 12, "keep"), ("/program/app.py", 7, "handler")]
    assert of_text(text, 3) == []
