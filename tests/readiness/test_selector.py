"""The pollers as selectors: the interpreter's own tests on each of them, and what those leave out."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from poise.errors import ProgramFault
from poise.limits import LoopLimits
from poise.readiness.by_poll import ByPoll
from poise.readiness.interest import HANGUP, READ, WRITE
from poise.readiness.poller import available
from poise.readiness.selector import PoiseSelector
from tests.support.scripted import ScriptedPoller

ROOT = Path(__file__).parents[2]
BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE


@pytest.fixture(params=available())
def selector(request: pytest.FixtureRequest) -> Iterator[PoiseSelector]:
    with PoiseSelector(request.param) as made:
        yield made


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


# --- the interpreter's own suites -------------------------------------------------------------------------


def run_suite(name: str, poller: str, least: int) -> None:
    """Run the suite ``name`` in a process of its own; it must pass, and not by having lost its tests."""
    done = subprocess.run(
        [sys.executable, "-m", "unittest", name],
        cwd=ROOT,
        env={**os.environ, "POISE_POLLER": poller},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ran = re.search(r"^Ran (\d+) tests? in", done.stderr, re.MULTILINE)
    assert ran is not None, done.stderr
    assert int(ran[1]) >= least, done.stderr
    assert re.search(r"^OK( |$)", done.stderr, re.MULTILINE), done.stderr


def need(module: str) -> None:
    if importlib.util.find_spec("test") is None or importlib.util.find_spec(module) is None:
        pytest.skip(f"this interpreter is installed without its package {module}")


@pytest.mark.slow
@pytest.mark.parametrize("poller", available())
def test_the_standard_tests_of_selectors(poller: str) -> None:
    need("test.test_selectors")
    run_suite(f"tests.readiness.stdlib_selectors.{poller}", poller, least=19)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the suites are those of the Unix event loop")
@pytest.mark.parametrize("poller", available())
def test_the_standard_tests_of_asyncio(poller: str) -> None:
    need("test.test_asyncio")
    run_suite("tests.readiness.stdlib_asyncio", poller, least=90)


# --- what they leave out ----------------------------------------------------------------------------------


def test_a_fault_wakes_the_reader_and_the_writer(pair: tuple[socket.socket, socket.socket]) -> None:
    poller = ScriptedPoller([[(pair[0].fileno(), HANGUP), (pair[1].fileno(), HANGUP)]])
    with PoiseSelector(poller) as selector:
        both = selector.register(pair[0], BOTH)
        one = selector.register(pair[1], selectors.EVENT_WRITE)
        assert selector.select(0) == [(both, BOTH), (one, selectors.EVENT_WRITE)]


def test_what_nobody_asked_for_is_not_reported(pair: tuple[socket.socket, socket.socket]) -> None:
    poller = ScriptedPoller([[(pair[0].fileno(), WRITE)]])
    with PoiseSelector(poller) as selector:
        selector.register(pair[0], selectors.EVENT_READ)
        assert selector.select(0) == []


def test_one_that_was_closed_too_early_leaves_the_others_served(
    selector: PoiseSelector, pair: tuple[socket.socket, socket.socket]
) -> None:
    gone, peer = socket.socketpair()
    with closing(peer):
        selector.register(gone, selectors.EVENT_READ)
        key = selector.register(pair[0], selectors.EVENT_READ, "data")
        gone.close()
        assert selector.get_map()[gone].fileobj is gone
        assert selector.unregister(gone).fileobj is gone
        pair[1].send(b"x")
        assert selector.select(5) == [(key, selectors.EVENT_READ)]
        with pytest.raises(ValueError, match="cannot be a descriptor"):
            selector.unregister(gone)


def test_a_change_that_fails_unregisters(selector: PoiseSelector) -> None:
    gone, peer = socket.socketpair()
    with closing(peer):
        selector.register(gone, selectors.EVENT_READ)
        gone.close()
        if selector.poller.name == "select":  # it asks the kernel nothing until it waits
            selector.modify(gone, BOTH)
        else:
            with pytest.raises(OSError, match="Bad file descriptor"):
                selector.modify(gone, BOTH)
            assert len(selector.get_map()) == 0


def test_more_are_ready_than_a_batch_of_the_reactor_holds() -> None:
    with PoiseSelector("poll", limits=LoopLimits(events=1)) as selector:
        pairs = [socket.socketpair() for _ in range(4)]
        for one, _ in pairs:
            selector.register(one, selectors.EVENT_WRITE)
        assert len(selector.select(0)) == 4
        for one, other in pairs:
            one.close()
            other.close()


def test_regular_files_are_ready(selector: PoiseSelector, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        key = selector.register(file, selectors.EVENT_WRITE)
        assert selector.select() == [(key, selectors.EVENT_WRITE)]


def test_any_timeout_is_understood(
    selector: PoiseSelector, pair: tuple[socket.socket, socket.socket]
) -> None:
    key = selector.register(pair[0], selectors.EVENT_WRITE)
    for timeout in (None, 1e12, math.inf, 0, -1, -math.inf):
        assert selector.select(timeout) == [(key, selectors.EVENT_WRITE)]
    with pytest.raises(ValueError, match="NaN"):
        selector.select(math.nan)


def test_the_descriptor(selector: PoiseSelector) -> None:
    try:
        expected = selector.poller.fileno()
    except ProgramFault:
        assert not hasattr(selector, "fileno")
    else:
        assert selector.fileno() == expected


def test_what_has_no_descriptor_is_refused(selector: PoiseSelector) -> None:
    for odd in (object(), "1", -1):
        with pytest.raises(ValueError):
            selector.register(odd, selectors.EVENT_READ)
    for events in (0, 4):
        with pytest.raises(ValueError, match="neither"):
            selector.register(0, events)


def test_a_poller_of_ones_own_is_taken_over_and_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    poller = ByPoll()
    with PoiseSelector(poller) as selector:
        selector.register(pair[0], BOTH)
        assert poller.interest(pair[0].fileno()) == READ | WRITE
        assert repr(selector) == "<PoiseSelector on <ByPoll 1 registered>>"
    assert selector.get_map() is None
    with pytest.raises(ValueError, match="closed"):
        poller.poll(0)
