"""The recorder between a program and the kernel: it sees everything and changes nothing."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from poise.lab.events import Recorder, error_name, now, preview
from poise.lab.levels import unacknowledged, unread
from poise.lab.pairs import tcp_pair
from poise.lab.tapped import TappedPoll, TappedSelect, TappedSocket, bits, replacements
from poise.lab.trace import trace


@pytest.fixture
def recorder() -> Recorder:
    return Recorder("test", now())


@pytest.fixture
def pair(recorder: Recorder) -> Iterator[tuple[socket.socket, socket.socket]]:
    with tcp_pair(recorder) as ends:
        yield ends


def test_bytes_go_through_and_are_counted(
    recorder: Recorder, pair: tuple[socket.socket, socket.socket]
) -> None:
    client, server = pair
    client.sendall(b"word")
    assert server.recv(10) == b"word"
    assert server.send(b"four") == 4
    server.sendall(b"more")
    assert client.recv(8, socket.MSG_WAITALL) == b"fourmore"
    assert recorder.counts == {"recv": 1, "send": 1, "sendall": 1}
    assert recorder.moved["recv"] == 4
    received, *_sent = recorder.events
    assert (received["call"], received["args"], received["result"]) == ("recv", "10", "b'word'")
    assert (received["step"], received["fd"], received["count"]) == ("handle", server.fileno(), 4)


def test_errors_are_the_kernels_own(recorder: Recorder, pair: tuple[socket.socket, socket.socket]) -> None:
    _client, server = pair
    server.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.recv(1)
    server.settimeout(0.001)
    with pytest.raises(TimeoutError):
        server.recv(1)
    assert recorder.errors == {"recv EAGAIN": 1, "recv TimeoutError": 1}
    assert [event["step"] for event in recorder.events] == ["mark", "handle", "mark", "handle"]


def test_what_is_accepted_is_recorded_too(recorder: Recorder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        plain.settimeout(5.0)
        with (
            TappedSocket.around(plain, recorder) as listener,
            socket.create_connection(listener.getsockname()) as client,
        ):
            assert listener.gettimeout() == 5.0
            server, address = listener.accept()
            assert address == client.getsockname()
            with server:
                assert isinstance(server, TappedSocket)
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
    calls = [event["call"] for event in recorder.events]
    assert calls == ["accept", "setsockopt", "shutdown", "close", "close"]
    assert recorder.events[0]["result"].startswith("(fd ")


def test_the_line_is_that_of_the_program(
    recorder: Recorder, pair: tuple[socket.socket, socket.socket]
) -> None:
    _client, server = pair
    server.setblocking(False)
    line = test_the_line_is_that_of_the_program.__code__.co_firstlineno
    assert 0 < recorder.events[0]["line"] - line < 10


def test_a_spin_is_one_record_until_something_is_done(
    recorder: Recorder, pair: tuple[socket.socket, socket.socket]
) -> None:
    client, server = pair
    tapped = TappedSelect(recorder)
    for _ in range(3):
        tapped.select([], [server], [], 0)
    client.sendall(b"x")
    server.recv(1)
    tapped.select([], [server], [], 0)
    assert [(event["call"], event["times"]) for event in recorder.events] == [
        ("select", 3),
        ("recv", 1),
        ("select", 1),
    ]
    assert recorder.counts["select"] == 4


def test_what_is_too_much_is_counted_and_not_kept(pair: tuple[socket.socket, socket.socket]) -> None:
    client, _server = pair
    small = Recorder("small", now(), most=2)
    for _ in range(5):
        small.made("handle", "send", 1, "", lambda: client.send(b"x"), count=int)
    assert (len(small.events), small.left_out, small.counts["send"], small.moved["send"]) == (2, 3, 5, 5)


def test_select_speaks_in_masks(recorder: Recorder, pair: tuple[socket.socket, socket.socket]) -> None:
    client, server = pair
    client.sendall(b"x")
    tapped = TappedSelect(recorder)
    rs, ws, xs = tapped.select([server], [server], [server], 5.0)
    assert (rs, ws, xs) == ([server], [server], [])
    event = recorder.events[-1]
    fd = str(server.fileno())
    assert event["watched"] == {fd: 1 | 4 | 8}
    assert event["ready"] == {fd: 1 | 4}
    assert event["args"] == f"[{fd}], [{fd}], [{fd}], 5.0"
    assert recorder.moved["submitted"] == 3
    with pytest.raises(ValueError, match="negative"):
        tapped.select([-1], [], [])
    assert recorder.events[-1]["error"].startswith("ValueError")
    assert tapped.POLLIN == select.POLLIN


@pytest.mark.parametrize("name", ["poll", "epoll"])
def test_poll_and_epoll_tell_their_marks(
    recorder: Recorder, pair: tuple[socket.socket, socket.socket], name: str
) -> None:
    if not hasattr(select, name):
        pytest.skip(f"no {name} here")
    client, server = pair
    made: TappedPoll = getattr(TappedSelect(recorder), name)()
    with made as p:
        p.register(server, select.POLLIN)
        p.modify(server, select.POLLIN | select.POLLOUT)
        assert p.poll(0) == [(server.fileno(), select.POLLOUT)]
        client.sendall(b"x")
        assert p.poll(1) == [(server.fileno(), select.POLLIN | select.POLLOUT)] or name == "poll"
        p.unregister(server)
        assert p.poll(0) == []
    calls = [event["call"].partition(".")[2] for event in recorder.events]
    assert calls == ["register", "modify", "poll", "poll", "unregister", "poll"]
    assert recorder.events[1]["args"] == f"{server.fileno()}, IN|OUT"
    assert recorder.moved["submitted"] == 2  # epoll: register and modify; poll: one in each of two waits


def test_sleep_is_a_wait(recorder: Recorder) -> None:
    slept = replacements(recorder)["time"]
    slept.sleep(0)  # type: ignore[attr-defined]
    assert slept.monotonic() > 0  # type: ignore[attr-defined]
    assert recorder.events[0]["call"] == "sleep"


@pytest.mark.parametrize(
    ("mask", "text"),
    [(0, "0"), (1, "IN"), (0x2001, "IN|RDHUP"), (0x80000001, "IN|ET"), (0x40, "0x40"), (0x41, "IN|0x40")],
)
def test_masks_for_people(mask: int, text: str) -> None:
    assert bits(mask) == text


def test_a_preview_is_short() -> None:
    assert preview(b"abc") == "b'abc'"
    assert preview(memoryview(b"abc")) == "b'abc'"
    assert preview(bytes(1000)).endswith("… (1000 bytes)")
    assert len(preview(bytes(10**6))) < 300


def test_an_errors_name() -> None:
    assert error_name(OSError(11, "")) == "EAGAIN"
    assert error_name(TimeoutError("timed out")) == "TimeoutError"


def test_levels_of_the_kernels_buffers() -> None:
    with tcp_pair() as (client, server):
        assert unread(server) == 0
        client.sendall(b"1234")
        select.select([server], [], [], 5.0)
        assert unread(server) == 4
        assert unacknowledged(client) <= 4
    with open("/dev/null", "rb") as file:
        assert unread(file) == 0  # type: ignore[arg-type]


def test_a_trace_has_a_lane_for_each_process(recorder: Recorder) -> None:
    recorder.made("handle", "recv", 3, "10", lambda: b"x", count=len)
    other = Recorder("other", recorder.began)
    other.made("submit", "select", None, "", lambda: None)
    events = [*recorder.kept()["events"], *other.kept()["events"]]
    made = trace({"events": events, "experiment": "x", "started": "now"})
    names = [each["args"]["name"] for each in made["traceEvents"] if each["ph"] == "M"]
    assert names == ["test", "other"]
    slices = [each for each in made["traceEvents"] if each["ph"] == "X"]
    assert [each["pid"] for each in slices] == [1, 2]
    assert slices[0]["dur"] >= 1
    assert slices[0]["args"]["fd"] == 3
