"""What changes below a folder is told: by the kernel, and by looking."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise import Reactor
from poise.errors import MachineFault
from poise.files import changes, inotify
from poise.files.changes import ByInotify, Changes, fingerprint
from poise.files.inotify import events
from poise.files.live import PATH, SCRIPT_HASH, SOURCE, Live
from poise.http.events import EventStream
from poise.limits import FileLimits
from poise.loop.offload import Overloaded
from tests.support.loops import turn_until

QUICK = FileLimits(settle=0, look=0.05)
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    with Reactor() as made:
        yield made


@pytest.fixture(params=[pytest.param("inotify", marks=LINUX), "polling"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "polling":
        monkeypatch.setattr(sys, "platform", "elsewhere")
    return str(request.param)


class Told:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def test_every_kind_of_change_is_told(reactor: Reactor, tmp_path: Path, by: str) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    old = tmp_path / "deep" / "deeper" / "old"
    old.write_text("old")
    told = Told()
    watched = Changes(reactor, str(tmp_path), told, QUICK)
    assert watched.by == by
    new = tmp_path / "made"

    def deeper() -> None:
        (new / "inner").write_text("x")

    for change in (
        lambda: old.write_text("other and longer"),
        lambda: old.rename(old.with_name("new")),
        lambda: old.with_name("new").unlink(),
        lambda: os.utime(tmp_path / "deep" / "deeper", (1, 1)),
        new.mkdir,
        deeper,
        (new / "inner").unlink,
        new.rmdir,
    ):
        before = told.times
        change()
        turn_until(reactor, lambda: told.times > before)  # noqa: B023 - it is asked at once
        while reactor.poller.poll(0):
            reactor.turn(0)
    watched.close()
    watched.close()


def test_what_is_hidden_is_not_told(reactor: Reactor, tmp_path: Path, by: str) -> None:
    (tmp_path / ".git").mkdir()
    told = Told()
    watched = Changes(reactor, str(tmp_path), told, QUICK)
    assert watched.by == by
    (tmp_path / ".git" / "index").write_text("x")
    (tmp_path / ".swp").write_text("x")
    (tmp_path / "seen").write_text("x")
    turn_until(reactor, lambda: told.times)
    assert told.times == 1
    watched.close()


@LINUX
def test_many_changes_are_told_as_one(reactor: Reactor, tmp_path: Path) -> None:
    told = Told()
    watched = Changes(reactor, str(tmp_path), told, FileLimits(settle=0.05))
    for number in range(100):
        (tmp_path / str(number)).write_text("x")
    turn_until(reactor, lambda: told.times)
    assert told.times == 1
    (tmp_path / "late").write_text("x")
    turn_until(reactor, lambda: watched._timer is not None)
    watched.close()
    reactor.turn(0)
    assert told.times == 1


@LINUX
def test_more_folders_than_watches_are_looked_at(reactor: Reactor, tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / str(number)).mkdir()
    watched = Changes(reactor, str(tmp_path), Told(), FileLimits(watches=5))
    assert watched.by == "polling"
    watched.close()
    told = Told()
    watched = Changes(reactor, str(tmp_path), told, FileLimits(watches=6, settle=0))
    assert watched.by == "inotify"
    (tmp_path / "one-more").mkdir()
    turn_until(reactor, lambda: told.times)
    watched.close()


@LINUX
def test_a_folder_that_is_gone_before_it_is_watched(
    reactor: Reactor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "folders_below", lambda folder: iter([folder, folder + b"/gone"]))
    watched = Changes(reactor, str(tmp_path), Told(), QUICK)
    assert watched.by == "inotify"
    watched.close()


@LINUX
def test_a_folder_that_cannot_be_watched(reactor: Reactor, tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match="No such file"):
        ByInotify(reactor, os.fsencode(tmp_path / "none"), Told(), 10)


@LINUX
def test_a_hint_is_no_promise(reactor: Reactor, tmp_path: Path) -> None:
    watched = ByInotify(reactor, os.fsencode(tmp_path), Told(), 10)
    watched._on_ready(1)  # nothing is there
    watched.close()


def test_a_system_without_inotify(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_options: object())
    with pytest.raises(MachineFault, match="no inotify"):
        inotify.kernel()


def test_events_are_read_one_after_the_other() -> None:
    one = inotify.EVENT.pack(1, 2, 3, 8) + b"name\0\0\0\0"
    assert list(events(one + inotify.EVENT.pack(4, 5, 0, 0))) == [(1, 2, b"name"), (4, 5, b"")]


def test_a_look_is_bounded_and_survives_what_vanishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = os.fsencode(tmp_path)
    for number in range(3):
        (tmp_path / str(number)).write_text("x")
    whole = fingerprint(folder, 100)
    assert fingerprint(folder, 3) == whole
    assert fingerprint(folder, 1) != whole
    assert fingerprint(folder + b"/none", 9) == 0
    real = os.scandir

    def scan(path: bytes) -> Any:
        found = real(path)
        (tmp_path / "0").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(os, "scandir", scan)
    assert fingerprint(folder, 100) not in (whole, 0)


def test_when_every_thread_is_busy_it_looks_later(
    reactor: Reactor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "elsewhere")
    told = Told()
    watched = Changes(reactor, str(tmp_path), told, QUICK)
    refused = Told()

    def busy(*_: object) -> None:
        refused()
        raise Overloaded(11, "busy")

    with monkeypatch.context() as patched:
        patched.setattr(changes, "offload", busy)
        turn_until(reactor, lambda: refused.times)
    (tmp_path / "new").write_text("x")
    turn_until(reactor, lambda: told.times)
    turn_until(reactor, lambda: watched._watcher._looking is not None)  # type: ignore[union-attr]
    watched.close()


# --- live -------------------------------------------------------------------------------------------------


def text_of(stream: EventStream) -> str:
    return next(stream).decode()


def test_listeners_are_told_and_counted(reactor: Reactor, tmp_path: Path) -> None:
    live = Live(reactor, str(tmp_path), FileLimits(listeners=2, settle=0, look=0.05))
    assert live.by in ("inotify", "polling")
    one, two = live.reply(), live.reply()
    assert live.reply().status == 503
    assert isinstance(one.body, EventStream)
    assert isinstance(two.body, EventStream)
    assert dict(one.fields)["Content-Type"] == "text/event-stream"
    assert text_of(one.body) == ": listening\n\n"
    two.close()
    (tmp_path / "new").write_text("x")
    stream = one.body
    turn_until(reactor, lambda: stream._size)
    assert text_of(stream) == "data: changed\n\n"
    again = live.reply()
    assert again.status == 200
    live.close()
    live.tell()
    again.close()
    one.close()


def test_the_script_listens_where_the_server_speaks() -> None:
    import base64
    import hashlib

    assert f'"{PATH}"' in SOURCE
    assert f"sha256-{base64.b64encode(hashlib.sha256(SOURCE.encode()).digest()).decode()}" == SCRIPT_HASH
