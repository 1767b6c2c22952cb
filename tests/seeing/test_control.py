"""The control socket: who is answered what, what garbage comes to, and that nothing is left of anybody."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.errors import MachineFault
from poise.limits.seeing import DoorLimits
from poise.seeing import runtime
from poise.seeing.control import Control
from poise.seeing.session import program
from tests.seeing.watching import HELLO, RECORDS, FakeViewer, FakeWatching, state

PATIENCE = 20.0
QUICK = DoorLimits(once=0.02, head_time=0.2, send_time=0.3, viewers=3)


class Client:
    """A connection to ``path``."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self._file = self.socket.makefile("rb")

    def ask(self, **question: Any) -> Client:
        self.socket.sendall(json.dumps(question).encode() + b"\n")
        return self

    def answer(self) -> dict[str, Any]:
        line = self._file.readline()
        assert line.endswith(b"\n"), line
        return dict(json.loads(line))

    def rest(self) -> bytes:
        return self._file.read()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()


@pytest.fixture
def watching() -> FakeWatching:
    return FakeWatching()


@pytest.fixture
def control(folder: Path, watching: FakeWatching) -> Iterator[Control]:
    made = Control(lambda: watching, QUICK)
    yield made
    made.close()


def test_it_is_called_after_the_process_and_is_ours_alone(control: Control, folder: Path) -> None:
    assert re.fullmatch(rf"{os.getpid()}(\.\d+)?\.sock", os.path.basename(control.path))
    assert stat.S_IMODE(os.stat(control.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert os.listdir(folder) == [os.path.basename(control.path)]


def test_it_says_who_it_is_without_watching(control: Control, watching: FakeWatching) -> None:
    with Client(control.path).ask(ask="who") as client:
        who = client.answer()["who"]
        assert who["pid"] == os.getpid()
        assert who["program"] == program()
        assert client.rest() == b""
    assert watching.attached == 0


def test_who_watches_is_told_what_stays_and_then_each_state(control: Control, watching: FakeWatching) -> None:
    watching.states = [state(at=1), state(at=2), state(at=3)]
    with Client(control.path).ask(ask="watch") as client:
        assert client.answer() == {"hello": HELLO}
        assert [client.answer()["state"]["at"] for _ in range(3)] == [1, 2, 3]
        assert watching.viewers == 1
    watching.wait(0)


def test_the_end_of_one_who_watches_is_noticed_at_once(folder: Path) -> None:
    watching = FakeWatching(every=PATIENCE)
    control = Control(lambda: watching, QUICK)
    try:
        with Client(control.path).ask(ask="watch") as client:
            client.answer()
            watching.wait(1)
        watching.wait(0, PATIENCE / 2)
    finally:
        control.close()


def test_what_must_not_wait_is_told_before_its_time(folder: Path) -> None:
    watching = FakeWatching(state(at=1), state(at=2), every=PATIENCE)
    control = Control(lambda: watching, QUICK)
    try:
        with Client(control.path).ask(ask="watch") as client:
            client.answer()
            assert client.answer()["state"]["at"] == 1
            watching.hurry()
            began = time.monotonic()
            assert client.answer()["state"]["at"] == 2
            assert time.monotonic() - began < PATIENCE / 2
        watching.wait(0)
    finally:
        control.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (MachineFault(errno.EPERM, "no page can be made here"), "no page can be made here"),
    ],
    ids=["an open file", "a thread", "a fault"],
)
def test_what_our_own_machine_refuses_is_told_to_who_asks(folder: Path, error: Exception, said: str) -> None:
    def make() -> FakeWatching:
        raise error

    control = Control(make, QUICK)
    try:
        for ask in ("watch", "once", "records"):
            with Client(control.path).ask(ask=ask) as client:
                assert said in client.answer()["error"]
                assert client.rest() == b""
    finally:
        control.close()


def test_a_mistake_of_ours_is_told_and_loud(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loud: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", loud.append)
    watching = FakeWatching(state(at=object()))  # which is no JSON
    control = Control(lambda: watching, QUICK)
    before = set(threading.enumerate())
    try:
        with Client(control.path).ask(ask="watch") as client:
            client.answer()
            assert "cannot be looked at" in client.answer()["error"]
            assert client.rest() == b""
        for thread in set(threading.enumerate()) - before:
            thread.join(PATIENCE)
        assert [each.exc_type for each in loud] == [TypeError]
        watching.wait(0)
    finally:
        control.close()


def test_no_word_is_said_in_the_middle_of_a_line(folder: Path) -> None:
    class Broken(FakeWatching):
        def attach(self, *, full: bool = False) -> FakeViewer:
            viewer = super().attach(full=full)

            def recording(portion: int) -> Iterator[bytes]:
                yield b'{"rows":['
                raise OSError(errno.EMFILE, "Too many open files")

            viewer.recording = recording  # type: ignore[method-assign]
            return viewer

    watching = Broken()
    control = Control(lambda: watching, QUICK)
    try:
        with Client(control.path).ask(ask="records") as client:
            assert client.rest() == b'{"rows":['
        watching.wait(0)
    finally:
        control.close()


def test_once_is_one_state_after_a_while(control: Control, watching: FakeWatching) -> None:
    with Client(control.path).ask(ask="once", seconds=0.05) as client:
        assert client.answer() == {"hello": HELLO}
        assert client.answer() == {"state": state()}
        assert client.rest() == b""
    watching.wait(0)
    assert watching.attached == 1


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000])
def test_all_records_come_whole_in_one_line(folder: Path, count: int) -> None:
    rows = [[1, number, 5, 0, 1, 1] for number in range(count)]
    recorded = RECORDS | {"rows": rows}
    watching = FakeWatching(records=recorded)
    control = Control(lambda: watching, QUICK)
    try:
        with Client(control.path).ask(ask="records") as client:
            assert client.answer() == recorded
            assert client.rest() == b""
    finally:
        control.close()
    watching.wait(0)


def test_everything_is_recorded_for_who_asks_for_it(control: Control, watching: FakeWatching) -> None:
    for question in ({}, {"full": False}, {"full": True}):
        with Client(control.path).ask(ask="records", **question) as client:
            client.answer()
    assert watching.full == [False, False, True]


def test_the_watching_is_made_by_the_first_who_needs_it_and_once(folder: Path) -> None:
    made: list[FakeWatching] = []

    def make() -> FakeWatching:
        made.append(FakeWatching())
        return made[-1]

    control = Control(make, QUICK)
    try:
        with Client(control.path).ask(ask="who") as client:
            client.answer()
        assert made == []
        for _ in range(2):
            with Client(control.path).ask(ask="once") as client:
                client.answer()
        assert len(made) == 1
    finally:
        control.close()


GARBAGE = {
    "nothing": b"\n",
    "no JSON": b"GET / HTTP/1.1\r\n\r\n",
    "no object": b"[1, 2]\n",
    "a number": b"7\n",
    "no question": b"{}\n",
    "another question": b'{"ask": "kill"}\n',
    "a list for a question": b'{"ask": ["who"]}\n',
    "too deep": b"[" * 3000 + b"\n",
    "no text at all": bytes(range(128, 256)) + b"\n",
    "zeros": b"\0" * 100 + b"\n",
    "seconds are a text": b'{"ask": "once", "seconds": "1"}\n',
    "seconds are true": b'{"ask": "once", "seconds": true}\n',
    "seconds below zero": b'{"ask": "once", "seconds": -1}\n',
    "seconds without end": b'{"ask": "once", "seconds": Infinity}\n',
    "seconds are no number": b'{"ask": "records", "seconds": NaN}\n',
    "full is a text": b'{"ask": "records", "full": "yes"}\n',
    "too many seconds": b'{"ask": "records", "seconds": 1e9}\n',
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_told_what_is_wrong_and_starts_nothing(
    control: Control, watching: FakeWatching, garbage: bytes
) -> None:
    with Client(control.path) as client:
        client.socket.sendall(garbage)
        assert list(client.answer()) == ["error"]
        assert client.rest() == b""
    assert watching.attached == 0


@given(st.binary(max_size=200).map(lambda data: data.replace(b"\n", b"")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_whatever_is_said_is_answered_with_one_line(
    control: Control, watching: FakeWatching, said: bytes
) -> None:
    with Client(control.path) as client:
        client.socket.sendall(said + b"\n")
        assert list(client.answer()) in (["error"], ["who"])
        assert client.rest() == b""
    assert watching.attached == 0


def test_a_question_without_end_is_cut_off(control: Control) -> None:
    with Client(control.path) as client:
        with suppress(OSError):
            for _ in range(1000):
                client.socket.sendall(b"x" * 4096)
        with suppress(ConnectionResetError):
            assert client.rest().count(b"\n") <= 1
    with Client(control.path).ask(ask="who") as other:
        assert "who" in other.answer()


def test_who_asks_nothing_is_sent_away(control: Control) -> None:
    with Client(control.path) as client:
        client.socket.sendall(b'{"ask":')
        assert client.answer() == {"error": "the question took too long"}


def test_who_says_more_while_watching_is_sent_away(control: Control, watching: FakeWatching) -> None:
    with Client(control.path).ask(ask="watch") as client:
        client.answer()
        client.ask(ask="watch")
        with suppress(ConnectionResetError):
            client.rest()
    watching.wait(0)


def test_there_is_room_for_so_many(control: Control, watching: FakeWatching) -> None:
    clients = [Client(control.path).ask(ask="watch") for _ in range(QUICK.viewers)]
    try:
        watching.wait(QUICK.viewers)
        with Client(control.path) as late:
            assert late.answer() == {"error": "busy"}
    finally:
        for each in clients:
            each.__exit__()
    watching.wait(0)
    with Client(control.path).ask(ask="watch") as client:
        assert "hello" in client.answer()


@pytest.mark.slow
def test_who_does_not_take_what_it_asked_for_is_dropped(folder: Path) -> None:
    large = state(rows=[{"fd": 1, "peer": "x" * 100_000}])
    watching = FakeWatching(large)
    control = Control(lambda: watching, QUICK)
    try:
        with Client(control.path).ask(ask="watch"):
            watching.wait(1)
            watching.wait(0)
    finally:
        control.close()


def test_closing_sends_everybody_away_and_leaves_no_file_and_no_thread(folder: Path) -> None:
    before = set(threading.enumerate())
    watching = FakeWatching(every=PATIENCE)
    control = Control(lambda: watching, QUICK)
    with Client(control.path).ask(ask="watch") as client:
        client.answer()
        client.answer()
        control.close()
        control.close()
        assert client.rest() == b""
    watching.wait(0)
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
    assert set(threading.enumerate()) <= before
    assert os.listdir(folder) == []


def test_two_of_one_process_have_two_names(folder: Path, control: Control) -> None:
    other = Control(FakeWatching, QUICK)
    try:
        assert other.path != control.path
        for each in (control, other):
            with Client(each.path).ask(ask="who") as client:
                assert client.answer()["who"]["pid"] == os.getpid()
    finally:
        other.close()


def test_what_stands_at_our_name_is_replaced_whoever_left_it(folder: Path) -> None:
    first = Control(FakeWatching, QUICK)
    number = int(os.path.basename(first.path).removesuffix(".sock").partition(".")[2] or 0) + 1
    first.close()
    stale = folder / f"{os.getpid()}.{number}.sock"
    stale.write_text("")
    (folder / f".{os.getpid()}.{number}").write_text("")
    control = Control(FakeWatching, QUICK)
    try:
        assert control.path == str(stale)
        with Client(control.path).ask(ask="who") as client:
            client.answer()
        assert os.listdir(folder) == [stale.name]
    finally:
        control.close()


def test_without_a_folder_there_is_none_and_it_says_why(folder: Path) -> None:
    for place in runtime.places():
        Path(place).write_text("")
    with pytest.raises(MachineFault, match="is no folder"):
        Control(FakeWatching, QUICK)


def test_a_folder_whose_name_is_too_long_for_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    monkeypatch.setattr(runtime, "COMMON", str(long))
    with pytest.raises(MachineFault, match="no control socket"):
        Control(FakeWatching, QUICK)
    assert os.listdir(long / "poise") == []
