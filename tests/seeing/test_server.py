"""The live page's server: what it says to whom, and what it does with those who mean no good."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.errors import ProgramFault
from poise.limits.seeing import DoorLimits
from poise.seeing import assets
from poise.seeing.server import FULL, SAFE, PageServer
from tests.seeing.watching import HELLO, HOSTILE, RECORDS, FakeWatching, row, state
from tests.support.client import Answer, answers

PATIENCE = 20.0
QUICK = DoorLimits(head_time=0.3, send_time=0.3)
PAGE = {
    "index.html": b"<!doctype html><title>Poise</title>",
    "app.js": b"export {};",
    "lib/a.css": b"a{}",
    "secret.py": b"x = 1",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page."""
    for name, data in PAGE.items():
        path = tmp_path / "page" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    read = assets.read
    monkeypatch.setattr(assets, "read", lambda: read(str(tmp_path / "page")))
    return tmp_path / "page"


@pytest.fixture
def watching() -> FakeWatching:
    return FakeWatching()


@pytest.fixture
def server(watching: FakeWatching, folder: Path) -> Iterator[PageServer]:
    made = PageServer(watching, limits=QUICK)
    yield made
    made.close()


def request(server: PageServer, target: str, *fields: str, token: bool = True, method: str = "GET") -> bytes:
    host = f"{server.address[0]}:{server.address[1]}"
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
    if token:
        lines.append(f"Authorization: Bearer {server.token}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def opened(server: PageServer) -> socket.socket:
    return socket.create_connection(server.address[:2], PATIENCE)


def ask(server: PageServer, target: str, *fields: str, token: bool = True, method: str = "GET") -> Answer:
    """One request and all of its reply."""
    with opened(server) as connection:
        connection.sendall(request(server, target, *fields, token=token, method=method))
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    [answer] = answers(data, methods=[method])
    assert answer.whole
    return answer


class Feed:
    """One viewer."""

    def __init__(self, server: PageServer, target: str = "/feed") -> None:
        self.socket = opened(server)
        self.socket.sendall(request(server, target))
        self._file = self.socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.fields: dict[str, str] = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.fields[name.lower()] = value
        self._events = b""

    def event(self) -> tuple[str, Any]:
        """The next one: its name, and what it says."""
        while b"\n\n" not in self._events:
            size = int(self._file.readline(), 16)
            assert size, "the feed has ended"
            self._events += self._file.read(size)
            assert self._file.read(2) == b"\r\n"
        block, _, self._events = self._events.partition(b"\n\n")
        name, data = block.decode().split("\n")
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    def rest(self) -> bytes:
        return self._file.read()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


# -- what is there ------------------------------------------------------------------------------------------


def test_the_page_and_its_files_are_there_without_the_token(server: PageServer) -> None:
    assert ask(server, "/", token=False).body == PAGE["index.html"]
    assert ask(server, "/page/index.html", token=False).body == PAGE["index.html"]
    script = ask(server, "/page/app.js", token=False)
    assert (script.body, script.fields["content-type"]) == (PAGE["app.js"], "text/javascript; charset=utf-8")
    assert ask(server, "/page/lib/a.css?v=1", token=False).fields["content-type"] == "text/css; charset=utf-8"
    assert json.loads(ask(server, "/texts.json", token=False).body) == assets.texts()


@pytest.mark.parametrize(
    "target",
    [
        "/page/secret.py",
        "/page/",
        "/page",
        "/index.html",
        "/page/../server.py",
        "/page/%2e%2e/server.py",
        "//",
        "/page//app.js",
        "/page/app.js/",
        "/page/APP.JS",
        "/favicon.ico",
    ],
)
def test_nothing_else_is_there(server: PageServer, target: str) -> None:
    assert ask(server, target).status == 404


def test_files_are_read_once(server: PageServer, folder: Path) -> None:
    (folder / "app.js").write_bytes(b"changed")
    assert ask(server, "/page/app.js").body == PAGE["app.js"]


def test_a_viewer_hears_what_stays_and_then_each_state(server: PageServer, watching: FakeWatching) -> None:
    watching.states = [state(at=1), state(at=2)]
    feed = Feed(server)
    assert feed.status == 200
    assert feed.fields["content-type"] == "text/event-stream"
    assert feed.event() == ("hello", HELLO)
    assert [feed.event()[1]["at"] for _ in range(3)] == [1, 2, 2]
    assert watching.viewers == 1
    feed.close()
    watching.wait(0)


def test_what_must_not_wait_is_told_before_its_time(watching: FakeWatching, folder: Path) -> None:
    watching.every = PATIENCE
    watching.states = [state(at=1), state(at=2)]
    server = PageServer(watching, limits=QUICK)
    try:
        feed = Feed(server)
        feed.event()
        assert feed.event()[1]["at"] == 1
        watching.hurry()
        began = time.monotonic()
        assert feed.event()[1]["at"] == 2
        assert time.monotonic() - began < PATIENCE / 2
        feed.close()
        watching.wait(0)
    finally:
        server.close()


def test_the_end_of_a_viewer_is_noticed_at_once(watching: FakeWatching, folder: Path) -> None:
    watching.every = PATIENCE
    server = PageServer(watching, limits=QUICK)
    try:
        feed = Feed(server)
        feed.event()
        feed.event()
        feed.close()
        watching.wait(0, PATIENCE / 2)
    finally:
        server.close()


def test_records_come_whole(server: PageServer, watching: FakeWatching) -> None:
    watching.recorded = RECORDS | {"rows": [[1, n, 5, 0, 1, 1] for n in range(1000)]}
    answer = ask(server, "/records")
    assert answer.fields["content-type"] == "application/json"
    assert json.loads(answer.body) == watching.recorded


def test_a_moment_more_is_recorded_in_full_for_who_asks_for_it(watching: FakeWatching, folder: Path) -> None:
    server = PageServer(watching, limits=QUICK.but(saving=0.05))
    try:
        for target in ("/records", "/records?full", "/records?full=1"):
            assert json.loads(ask(server, target).body) == watching.recorded
        assert watching.full == [False, True, False]
        patient = PageServer(watching, limits=QUICK.but(saving=PATIENCE))
        try:
            asked = Feed(patient, "/records?full")
            watching.wait(1)
            asked.close()
            watching.wait(0, PATIENCE / 2)
        finally:
            patient.close()
    finally:
        server.close()


def test_a_head_alone_watches_nobody(server: PageServer, watching: FakeWatching) -> None:
    for target in ("/", "/feed", "/records", "/texts.json"):
        answer = ask(server, target, method="HEAD")
        assert (answer.status, answer.body) == (200, b"")
    assert watching.attached == 0


def test_the_address_carries_the_token_where_no_server_and_no_log_sees_it(server: PageServer) -> None:
    host, port = server.address
    assert server.url == f"http://{host}:{port}/#{server.token}"
    assert host == "127.0.0.1"
    assert len(server.token) == 32


def test_each_server_has_a_token_of_its_own(server: PageServer, watching: FakeWatching) -> None:
    other = PageServer(watching, limits=QUICK)
    try:
        assert other.token != server.token
    finally:
        other.close()


# -- who may not --------------------------------------------------------------------------------------------


def test_every_reply_forbids_what_a_page_does_not_need(server: PageServer) -> None:
    replies = [
        ask(server, "/"),
        ask(server, "/records"),
        ask(server, "/nothing"),
        ask(server, "/records", token=False),
        ask(server, "/", "Origin: http://evil.example"),
        ask(server, "/", method="POST"),
    ]
    assert [each.status for each in replies] == [200, 200, 404, 401, 403, 405]
    for each in replies:
        for name, value in SAFE:
            assert each.fields[name.lower()] == value
        assert "access-control-allow-origin" not in each.fields
        assert "set-cookie" not in each.fields
        assert "server" not in each.fields
    policy = dict(SAFE)["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /feed HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer TOKEN\r\n\r\n", 421),
        (
            b"GET /feed HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\nAuthorization: Bearer TOKEN\r\n\r\n",
            403,
        ),
        (
            b"GET /feed HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nAuthorization: Bearer TOKEN\r\n\r\n",
            421,
        ),
        (b"GET /feed HTTP/1.1\r\nHost: localhost\r\n\r\n", 401),
        (b"GET /feed?token=TOKEN HTTP/1.1\r\nHost: localhost\r\n\r\n", 401),
        (b"GET /records HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n", 401),
        (b"GET /feed HTTP/1.1\r\n\r\n", 400),
        (b"GET /feed HTTP/1.0\r\nAuthorization: Bearer TOKEN\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: localhost\n\n", 400),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 501),
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST /feed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", 405),
    ],
)
def test_attacks_are_refused_and_watch_nobody(
    server: PageServer, watching: FakeWatching, request_: bytes, status: int
) -> None:
    with opened(server) as connection:
        connection.sendall(request_.replace(b"TOKEN", server.token.encode()))
        data = b""
        with suppress(ConnectionResetError):  # a head that was not read to its end is cut off after the reply
            data = b"".join(iter(lambda: connection.recv(65536), b""))
    if status not in (414, 431) or data:
        [answer] = answers(data)
        assert answer.status == status
        assert server.token.encode() not in data
    assert watching.attached == 0


@given(st.binary(min_size=1, max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_whatever_is_sent_gets_a_refusal_or_nothing(
    server: PageServer, watching: FakeWatching, said: bytes
) -> None:
    with opened(server) as connection:
        data = b""
        with suppress(ConnectionError):
            connection.sendall(said + b"\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65536):
                data += more
    assert all(400 <= answer.status < 600 for answer in answers(data))
    assert watching.attached == 0


def test_a_second_request_behind_the_first_is_not_answered(server: PageServer) -> None:
    with opened(server) as connection:
        connection.sendall(request(server, "/texts.json") * 2)
        data = b""
        with suppress(ConnectionResetError):
            while more := connection.recv(65536):
                data += more
    assert data.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in data


def test_who_says_something_more_while_it_watches_is_dropped(
    server: PageServer, watching: FakeWatching
) -> None:
    watching.every = PATIENCE
    feed = Feed(server)
    feed.event()
    feed.event()
    feed.socket.sendall(b"GET / HTTP/1.1\r\n")
    watching.wait(0, PATIENCE / 2)
    feed.close()


@pytest.mark.slow
def test_who_asks_nothing_is_sent_away_in_time(server: PageServer) -> None:
    with opened(server) as silent, opened(server) as slow:
        slow.sendall(b"GET / HT")
        assert silent.recv(1) == b""
        with suppress(ConnectionResetError):
            assert slow.recv(1) == b""


@pytest.mark.slow
def test_a_head_that_comes_in_drops_does_not_get_more_time_for_each(server: PageServer) -> None:
    began = time.monotonic()
    with opened(server) as slow, suppress(OSError):
        while time.monotonic() < began + PATIENCE:
            slow.sendall(b"G")
            slow.settimeout(0.05)
            with suppress(TimeoutError):
                if slow.recv(1) == b"":
                    break
    assert time.monotonic() - began < PATIENCE


@pytest.mark.slow
def test_a_viewer_that_does_not_take_what_it_is_sent_is_dropped(
    server: PageServer, watching: FakeWatching
) -> None:
    watching.states = [state(rows=[row(9, what="x" * 500_000)])]
    with opened(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request(server, "/feed"))
        watching.wait(1)
        watching.wait(0)


def test_there_is_room_for_so_many_viewers_and_the_next_hears_so_at_once(
    server: PageServer, watching: FakeWatching
) -> None:
    with ExitStack() as stack:
        feeds = []
        for _ in range(QUICK.viewers):
            feeds.append(Feed(server))
            stack.callback(feeds[-1].close)
        assert {each.status for each in feeds} == {200}
        watching.wait(QUICK.viewers)
        late = ask(server, "/feed")
        assert (late.status, late.fields["retry-after"]) == (503, "5")
        assert ask(server, "/").status == 200
        assert feeds[0].event() == ("hello", HELLO)
    watching.wait(0)
    feed = Feed(server)
    assert feed.status == 200
    feed.close()


@pytest.mark.slow
def test_a_thousand_viewers(watching: FakeWatching, folder: Path) -> None:
    """Those who were first go on to be told, the others are told 503, threads stay bounded, and it is over when they go."""
    watching.every = PATIENCE
    server = PageServer(watching)
    before = threading.active_count()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)  # clients and server share one interpreter here
    try:
        with ExitStack() as stack:
            first = Feed(server)
            stack.callback(first.close)
            crowd = []
            most = 0
            for _ in range(1000):
                crowd.append(stack.enter_context(opened(server)))
                crowd[-1].sendall(request(server, "/feed"))
                most = max(most, threading.active_count())
            seen = {200: 0, 503: 0}
            for connection in crowd:
                with suppress(ConnectionResetError):
                    begin = connection.recv(12)
                    if begin:
                        seen[int(begin.split()[1])] += 1
            assert seen[200] == QUICK.viewers - 1
            assert seen[503] > 900
            assert most - before <= QUICK.connections
            assert [first.event()[0] for _ in range(2)] == ["hello", "state"]
            assert watching.viewers == QUICK.viewers
        watching.wait(0)
        assert ask(server, "/").status == 200
    finally:
        sys.setswitchinterval(interval)
        server.close()


def test_hostile_names_stay_text_in_one_line(server: PageServer, watching: FakeWatching) -> None:
    watching.states = [state(rows=[row(9, peer=HOSTILE, what=HOSTILE)])]
    feed = Feed(server)
    feed.event()
    name, told = feed.event()
    assert name == "state"
    assert told["rows"][0]["peer"] == HOSTILE  # whole, and still a text
    feed.close()
    with opened(server) as connection:
        connection.sendall(request(server, "/feed"))
        data = b""
        while data.count(b"event: state") < 2:
            data += connection.recv(65536)
    body = data.partition(b"\r\n\r\n")[2]
    assert all(each in b"\r\n" or 0x20 <= each < 0x7F for each in body)  # nothing that a terminal would obey
    for line in re.split(rb"\r?\n", body)[:-1]:  # no name has begun one of its own
        assert re.fullmatch(rb"[0-9a-f]*|event: (hello|state)|data: \{.*\}", line)


def test_the_refusal_of_the_crowd_is_a_reply() -> None:
    [answer] = answers(FULL)
    assert answer.status == 503


# -- where it listens ---------------------------------------------------------------------------------------


def test_other_machines_may_connect_only_when_that_was_said(watching: FakeWatching, folder: Path) -> None:
    with pytest.raises(ProgramFault, match="anywhere=True"):
        PageServer(watching, ("0.0.0.0", 0), limits=QUICK)
    with pytest.raises(ProgramFault, match="anywhere=True"):
        PageServer(watching, ("", 0), limits=QUICK)
    server = PageServer(watching, ("0.0.0.0", 0), anywhere=True, limits=QUICK)
    try:
        port = server.address[1]
        assert server.url == f"http://127.0.0.1:{port}/#{server.token}"
        for target, token, status in (("/", False, 200), ("/records", False, 401), ("/records", True, 200)):
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
                field = f"Authorization: Bearer {server.token}\r\n" if token else ""
                connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{field}\r\n".encode())
                assert int(connection.recv(12).split()[1]) == status
    finally:
        server.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_the_loopback_of_ipv6_is_one_too(watching: FakeWatching, folder: Path) -> None:
    try:
        server = PageServer(watching, ("::1", 0), limits=QUICK)
    except OSError:
        pytest.skip("this machine has no ::1")
    try:
        assert server.url.startswith("http://[::1]:")
        with socket.create_connection(("::1", server.address[1]), PATIENCE) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: [::1]:{server.address[1]}\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
    finally:
        server.close()


def test_closing_sends_everybody_away_and_leaves_no_thread(watching: FakeWatching, folder: Path) -> None:
    before = set(threading.enumerate())
    watching.every = PATIENCE
    server = PageServer(watching, limits=QUICK)
    feed = Feed(server)
    feed.event()
    with opened(server) as silent:
        server.close()
        server.close()
        with suppress(ConnectionResetError):  # it may have been accepted, or not yet, or just now
            assert silent.recv(12) in (b"", b"HTTP/1.1 503")
    feed.rest()
    feed.close()
    assert watching.viewers == 0
    assert set(threading.enumerate()) <= before
    with pytest.raises(OSError):
        socket.create_connection(server.address[:2], PATIENCE)


def test_every_file_of_the_real_page_has_a_type() -> None:
    """Nothing is left out for its name: a file that is added needs its type in the table."""
    found = {name for _, _, names in os.walk(assets.FOLDER) for name in names}
    for name in found:
        assert os.path.splitext(name)[1] in assets.TYPES or "LICENSE" in name, name
