"""One suite over all eight servers: as programs, the way a student runs them."""

from __future__ import annotations

import re
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from poise.lab.models import FOLDER, MODELS, Change, Model
from poise.lab.models.service import LONGEST_LINE, Conversation, WebConversation
from tests.support.program import PATIENCE, ROOT

SERVED = re.compile(rb"serving on 127\.0\.0\.1:(\d+)\n")
AVAILABLE = [model for model in MODELS.values() if model.available]
MANY = [model for model in AVAILABLE if model.many]
RESET = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """Every model, running; model's name → port. Each ends by Ctrl-C, without a word."""
    with ExitStack() as stack:
        running = {}
        for model in AVAILABLE:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", f"poise.lab.models.{model.room}"],
                    cwd=ROOT,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
            running[model.name] = process
        found = {}
        for name, process in running.items():
            assert process.stdout is not None
            line = SERVED.fullmatch(process.stdout.readline())
            assert line is not None, name
            found[name] = int(line[1])
        yield found
        for name, process in running.items():
            process.send_signal(signal.SIGINT)
            _out, said = process.communicate(timeout=PATIENCE)
            assert (process.returncode, said) == (0, b""), name


@pytest.fixture(params=AVAILABLE, ids=lambda model: model.name)
def port(request: pytest.FixtureRequest, ports: dict[str, int]) -> int:
    return ports[request.param.name]


@pytest.fixture(params=MANY, ids=lambda model: model.name)
def port_of_many(request: pytest.FixtureRequest, ports: dict[str, int]) -> int:
    return ports[request.param.name]


def client(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), PATIENCE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def read(of: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := of.recv(count - len(data))):
        data += piece
    return data


def reply(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


FOUND, MISSING = reply(b"200 OK", b"ready\n"), reply(b"404 Not Found", b"not here\n")
GET, GET_NONE = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n", b"GET /none HTTP/1.1\r\nHost: lab\r\n\r\n"


def test_echo_of_a_line_that_comes_byte_by_byte(port: int) -> None:
    with client(port) as one:
        for each in b"split\n":
            one.sendall(bytes([each]))
        assert read(one, 6) == b"split\n"


def test_echo_of_several_lines_and_a_half(port: int) -> None:
    with client(port) as one:
        one.sendall(b"a\nbc\nd")
        assert read(one, 5) == b"a\nbc\n"
        one.sendall(b"ef\n")
        assert read(one, 4) == b"def\n"


@pytest.mark.parametrize(
    ("request_", "answer"),
    [(GET, FOUND), (GET_NONE, MISSING), (GET + GET_NONE, FOUND + MISSING), (b"hi\n" + GET, b"hi\n" + FOUND)],
    ids=["200", "404", "two in one packet", "a line before"],
)
def test_get(port: int, request_: bytes, answer: bytes) -> None:
    with client(port) as one:
        one.sendall(request_)
        assert read(one, len(answer)) == answer


def test_a_half_closed_client_gets_its_answer_and_then_the_end(port: int) -> None:
    with client(port) as one:
        one.sendall(GET)
        one.shutdown(socket.SHUT_WR)
        assert read(one, len(FOUND) + 1) == FOUND


def test_who_leaves_without_a_word_harms_nobody(port: int) -> None:
    for _ in range(3):
        rude = client(port)
        rude.sendall(b"half a line")
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        rude.close()
    with client(port) as one:
        one.sendall(b"still there?\n")
        assert read(one, 13) == b"still there?\n"


def test_who_leaves_while_an_answer_is_on_its_way_harms_nobody(port: int) -> None:
    rude = client(port)
    rude.setblocking(False)
    data = memoryview(b"%060d\n" % 7 * 200_000)
    while data and select.select([], [rude], [], 0.1)[1]:  # until the server, too, can send no more
        data = data[rude.send(data) :]
    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    rude.close()
    with client(port) as one:
        one.sendall(GET)
        assert read(one, len(FOUND)) == FOUND


def test_a_line_without_an_end_is_given_up(port: int) -> None:
    with client(port) as one:
        try:
            one.sendall(b"x" * (LONGEST_LINE + 4096))
            assert read(one, 1) == b""
        except ConnectionError:
            pass  # the rest was not read any more


def test_more_than_the_buffers_hold_comes_back_whole(port: int) -> None:
    """Lines of twelve megabytes in all, and nothing is read until no more can be sent: then no send takes everything."""
    data = memoryview(b"%060d\n" % 7 * 200_000)
    got = bytearray()
    with client(port) as one:
        one.setblocking(False)
        sent = 0
        while sent < len(data) and select.select([], [one], [], 0.25)[1]:
            sent += one.send(data[sent:])
        full = sent < len(data)  # everything between us and the server is
        while len(got) < len(data):
            readable, writable, _ = select.select([one], [one] if sent < len(data) else [], [], PATIENCE)
            assert readable or writable
            if readable:
                got += one.recv(1 << 20)
            if writable:
                sent += one.send(data[sent:])
    assert full
    assert got == data


def test_many_at_once_and_a_silent_one_among_them(port_of_many: int) -> None:
    with client(port_of_many), ExitStack() as stack:
        clients = [stack.enter_context(client(port_of_many)) for _ in range(20)]
        for number, one in enumerate(clients):
            one.sendall(b"client %d\n" % number)
        for number, one in enumerate(reversed(clients)):
            wanted = b"client %d\n" % (len(clients) - 1 - number)
            assert read(one, len(wanted)) == wanted


@pytest.mark.parametrize(
    "model", [model for model in AVAILABLE if not model.many], ids=lambda model: model.name
)
def test_one_at_a_time_is_what_the_blocking_ones_promise(model: Model, ports: dict[str, int]) -> None:
    with client(ports[model.name]), client(ports[model.name]) as second:
        second.sendall(b"anybody?\n")
        assert select.select([second], [], [], 0.05)[0] == []
        second.settimeout(PATIENCE)
        if model.name == "timeout":
            assert read(second, 9) == b"anybody?\n"


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_a_model_is_short_and_uses_nothing_but_the_standard_library_and_the_service(model: Model) -> None:
    source = model.source()
    assert len(source.splitlines()) <= 130
    imported = set(re.findall(r"^(?:from|import) (\S+)", source, re.MULTILINE)) - {"__future__"}
    assert imported <= {
        "select",
        "socket",
        "threading",
        "time",
        "typing",
        "poise.lab.models.service",
        "poise.lab.models.standalone",
    }


def test_the_service_is_sixty_lines() -> None:
    lines = (FOLDER / "service.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines[10:]) <= 70


def test_a_change_that_fits_no_line_or_several_is_refused() -> None:
    model = MODELS["select"]
    with pytest.raises(ValueError, match="stands 0 times"):
        model.source(Change("no such line", ""))
    with pytest.raises(ValueError, match="stands 3 times"):
        model.source(Change("except BlockingIOError:", ""))
    assert "wlist = []" in model.source(
        Change("wlist = [client for client, talk in clients.items() if talk.unsent]", "wlist = []")
    )


def test_a_model_is_loaded_with_what_is_put_in_its_way() -> None:
    stand_in = object()
    serve = MODELS["select"].load(None, {"select": stand_in})
    assert serve.__globals__["select"] is stand_in
    assert serve.__code__.co_filename == str(FOLDER / "by_select.py")


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_conversation_does_not_care_how_it_is_split(size: int) -> None:
    data = b"one\n" + GET + b"\ntwo\n" + GET_NONE + b"rest"
    talk = WebConversation()
    for first in range(0, len(data), size):
        talk.received(data[first : first + size])
    assert talk.unsent == b"one\n" + FOUND + b"\ntwo\n" + MISSING
    assert not talk.finished
    talk.received(b"")
    assert talk.over
    talk.sent(len(talk.unsent))
    assert talk.finished


def test_a_conversation_keeps_what_was_not_sent() -> None:
    talk = Conversation()
    talk.received(b"abc\n")
    talk.sent(3)
    assert talk.unsent == b"\n"
