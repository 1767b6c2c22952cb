"""What runs inside the learner's process, looked at from near: here it runs in the test's own."""

from __future__ import annotations

import _thread
import json
import mmap
import os
import select
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.lab.exercises import inside
from poise.lab.exercises.inside import COUNTERS, SLOT, Epoll, Observer, Waiting, is_here

HERE = "127.0.0.1"


class Told:
    """An observer, and what it has told."""

    def __init__(self, path: Path) -> None:
        self._pipe, tell = os.pipe()
        self._tell = tell
        self.tally = mmap.mmap(-1, SLOT * len(COUNTERS))
        self.observer = Observer(tell, self.tally, str(path))
        os.set_blocking(self._pipe, False)

    @property
    def events(self) -> list[dict[str, Any]]:
        try:
            return [json.loads(line) for line in os.read(self._pipe, 65536).splitlines()]
        except BlockingIOError:
            return []

    @property
    def counts(self) -> dict[str, int]:
        return dict(zip(COUNTERS, self.observer.counts, strict=True))

    def close(self) -> None:
        self.observer.counts.release()
        self.tally.close()
        os.close(self._pipe)
        os.close(self._tell)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    made = Told(tmp_path / "mine.py")
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_select_is_counted_and_does_what_it_did(
    told: Told, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("select", "poll", "epoll"):
        monkeypatch.setitem(vars(select), name, vars(select)[name])
    inside.watch_waits(told.observer)
    one, other = pair
    assert select.select([one], [], [], 0) == ([], [], [])
    assert select.select([one], [one], [], 0) == ([], [one], [])
    other.send(b"x")
    assert select.select((each for each in [one]), [], []) == ([one], [], [])
    assert told.counts == dict.fromkeys(COUNTERS, 0) | {
        "select": 3,
        "empty": 1,
        "writable": 1,
        "readable": 1,
        "watched": 2,
    }
    poller = select.poll()
    poller.register(one, select.POLLIN)
    assert poller.poll(0) == [(one.fileno(), select.POLLIN)]
    with select.epoll() as epoll:
        epoll.register(one.fileno(), select.EPOLLIN)
        assert epoll.poll(timeout=0) == [(one.fileno(), select.EPOLLIN)]
        assert epoll.fileno() > 2
    assert epoll.closed
    assert (told.counts["poll"], told.counts["epoll"], told.counts["readable"]) == (1, 1, 3)


def test_the_bits_of_an_event_decide_how_a_wait_is_counted(
    told: Told, pair: tuple[socket.socket, socket.socket]
) -> None:
    one, other = pair
    waiting = Waiting(told.observer, "poll", select.poll())
    waiting.register(one, select.POLLOUT)
    waiting.poll(0)
    waiting.modify(one, select.POLLIN)
    waiting.poll(0)
    other.close()
    waiting.poll(0)
    waiting.unregister(one)
    waiting.poll(0)
    assert told.counts == dict.fromkeys(COUNTERS, 0) | {
        "poll": 4,
        "writable": 1,
        "empty": 2,
        "fault": 1,
        "watched": 1,
    }


def test_the_traps_of_epoll_are_told(told: Told, pair: tuple[socket.socket, socket.socket]) -> None:
    Epoll.observer, Epoll.made = told.observer, select.epoll
    with Epoll() as epoll:
        epoll.register(pair[0], select.EPOLLIN | select.EPOLLET)
        epoll.register(pair[1], select.EPOLLIN | select.EPOLLONESHOT)
        with Epoll.fromfd(os.dup(epoll.fileno())) as same:
            assert same.fileno() != epoll.fileno()
    assert [each["event"] for each in told.events] == ["edge", "oneshot"]


@pytest.mark.parametrize(
    ("event", "arguments", "host"),
    [
        ("socket.bind", (None, ("0.0.0.0", 80)), "0.0.0.0"),
        ("socket.bind", (None, ("", 80)), "''"),
        ("socket.connect", (None, ("192.0.2.1", 80)), "192.0.2.1"),
        ("socket.sendto", (None, ("255.255.255.255", 80)), "255.255.255.255"),
        ("socket.sendmsg", (None, ("::2", 80, 0, 0)), "::2"),
        ("socket.getaddrinfo", ("example.org", 80, 0, 0, 0), "example.org"),
        ("socket.gethostbyname", ("127.0.0.1.example.org",), "127.0.0.1.example.org"),
    ],
)
def test_what_is_not_on_loopback_is_refused(
    event: str, arguments: tuple[object, ...], host: str, told: Told
) -> None:
    with pytest.raises(PermissionError, match="loopback"):
        told.observer.audit(event, arguments)
    (said,) = told.events
    assert (said["event"], said["host"]) == ("outside", host)


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.bind", (None, ("127.0.0.1", 80))),
        ("socket.bind", (None, "/a/unix/socket")),
        ("socket.connect", (None, ("localhost", 80))),
        ("socket.sendto", (None, ("127.255.255.255", 80))),
        ("socket.getaddrinfo", (None, 80, 0, 0, 0)),
        ("socket.getaddrinfo", ("::1", 80, 0, 0, 0)),
        ("open", ("/etc/hostname", "r", 0)),
    ],
)
def test_what_is_on_this_machine_is_let_through(
    event: str, arguments: tuple[object, ...], told: Told
) -> None:
    told.observer.audit(event, arguments)
    assert told.events == []


def test_loopback_is_taken_at_its_word() -> None:
    assert all(map(is_here, ("127.0.0.1", "127.1.2.3", "localhost", "::1")))
    assert not any(map(is_here, ("127.0.0.1.example.org", "localhost.", "128.0.0.1", "", "127.1")))


def test_threads_are_told_and_processes_are_refused(told: Told) -> None:
    told.observer.audit("_thread.start_new_thread", ())
    with pytest.raises(PermissionError, match="would start another process"):
        told.observer.audit("os.fork", ())
    assert [each["event"] for each in told.events] == ["thread", "process"]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there an audit event tells of threads")
def test_threads_are_told_where_no_event_does(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (_thread, "start_new_thread"),
        (_thread, "start_new"),
        (threading, "_start_new_thread"),
    ):
        monkeypatch.setitem(vars(module), name, vars(module)[name])
    inside.watch_threads(told.observer)
    ran = threading.Event()
    thread = threading.Thread(target=ran.set)
    thread.start()
    thread.join()
    assert ran.is_set()
    assert [each["event"] for each in told.events] == ["thread"]


def test_listening_is_told_and_gives_the_buffers_their_size(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("listen", *inside.CALLS):
        monkeypatch.setattr(socket.socket, name, getattr(socket.socket, name))
    plain = socket.socket()
    with plain:
        before = plain.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    inside.watch_sockets(told.observer, 16384)
    with socket.socket() as listening:
        with pytest.raises(PermissionError):
            listening.bind(("0.0.0.0", 0))
        with pytest.raises(TypeError):
            listening.bind()  # type: ignore[call-arg] # what it does with a mistake is its own business
        listening.bind((HERE, 0))
        listening.listen(1)
        after = listening.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert after != before
        assert after in (16384, 32768)  # Linux doubles it
        outside, listens = told.events
        assert outside["event"] == "outside"
        assert listens["address"] == list(listening.getsockname())


def test_too_many_events_are_left_out(told: Told) -> None:
    for number in range(inside.MOST_EVENTS + 5):
        told.observer.tell("thread", line=number)
    assert len(told.events) == inside.MOST_EVENTS


def ran(told: Told, program: str) -> tuple[int, list[dict[str, Any]]]:
    path = Path(told.observer.path)
    path.write_text(program, encoding="utf-8")
    module, folders = sys.modules["__main__"], list(sys.path)
    try:
        return inside.run(told.observer, str(path)), told.events
    finally:
        sys.modules["__main__"], sys.path[:] = module, folders


def test_a_program_runs_as_the_main_one(told: Told) -> None:
    code, events = ran(
        told, "import sys\nassert __name__ == '__main__'\nassert __file__ in sys.path[0] + '/mine.py'\n"
    )
    assert (code, events) == (0, [])
    assert ran(told, "raise SystemExit(5)\n") == (5, [])
    assert ran(told, "raise SystemExit\n") == (0, [])
    assert ran(told, "raise SystemExit('words')\n") == (1, [])


def test_an_exception_is_told_with_its_line(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    code, (event,) = ran(told, "import os\n\n\ndef f():\n    os.close(987654)\n\n\nf()\n")
    assert code == 1
    assert (event["kind"], event["name"], event["line"]) == ("OSError", "EBADF", 5)
    assert "in f" in capsys.readouterr().err
    _, (event,) = ran(told, "x = 1\nwhile True\n")
    assert (event["kind"], event["line"]) == ("SyntaxError", 2)


CLASSES = """\
class Server:
    def __init__(self, port):
        self.port = port


class Other(Server):
    def __init__(self, port, pages):
        {call}
        self.pages = pages


Other(80, {{}})
"""


@pytest.mark.parametrize(
    ("call", "uses_super"), [("super().__init__(port)", True), ("Server.__init__(self, port)", False)]
)
def test_which_init_was_called_by_which_is_seen(call: str, uses_super: bool, told: Told) -> None:
    ran(told, CLASSES.format(call=call))
    own, above = told.observer.made
    assert own == {
        "class": "Other",
        "inherits": True,
        "init": "Other.__init__",
        "by": "<module>",
        "super": False,
    }
    assert above["init"] == "Server.__init__"
    assert above["by"] == "Other.__init__"
    assert above["super"] is uses_super
