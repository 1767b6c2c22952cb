"""The programs of examples/watched: each has its fault, and with ``--fixed`` it has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.running import Peer, example
from tests.seeing.cases import FAULTS, REQUEST, started
from tests.seeing.test_watch import Viewer
from tests.support.program import PATIENCE, ROOT

pytestmark = [pytest.mark.live, pytest.mark.slow]

HELPERS = {"__init__", "start"}
MUCH = 256 * 1024  # bytes; what may be queued for one reader is 64 KiB and one more list of prices
FOUND = {file.stem for file in (ROOT / "examples" / "watched").glob("*.py")} - HELPERS


def test_every_one_is_a_case_and_stands_in_the_pages() -> None:
    assert set(FAULTS) == FOUND
    for page in (Path("examples", "README.md"), Path("docs", "seeing.md"), Path("docs", "seeing.zh-CN.md")):
        text = (ROOT / page).read_text(encoding="utf-8")
        for name in FOUND:
            assert f"python3 -m examples.watched.{name}" in text, (page, name)


@pytest.mark.parametrize("name", FAULTS)
def test_help_says_what_it_takes(name: str) -> None:
    with example(f"watched.{name}", "--help") as program:
        assert program.line().startswith("usage:")
        assert program.ends() == 0


@pytest.mark.parametrize("fixed", [False, True])
def test_a_visitor_waits_for_the_report_of_another_or_does_not(fixed: bool) -> None:
    with (
        started("report", *["--fixed"] * fixed) as case,
        Peer(case.port) as client,
        Peer(case.port) as visitor,
    ):
        viewer = Viewer(case.url)
        case.clients.callback(viewer.close)
        viewer.told("state")
        client.send(REQUEST % b"/report")
        while not fixed and viewer.told("state")["turn"]["stuck"] is None:
            pass
        visitor.send(REQUEST % b"/")
        visitor.until(b"Welcome.\n")
        client.socket.setblocking(False)
        if fixed:
            with pytest.raises(BlockingIOError):
                client.socket.recv(1)
        else:
            assert client.socket.recv(1) == b"H", "its report was made first"
        client.socket.settimeout(PATIENCE)
        assert b"sold: [" in client.until(b"]\n")


@pytest.mark.parametrize("fixed", [False, True])
def test_who_has_gone_is_let_go_or_is_not(fixed: bool) -> None:
    with started("collector", *["--fixed"] * fixed) as case, Peer(case.port) as sender:
        sender.send(b"all that I have to say\n")
        sender.finish()
        if fixed:
            assert sender.rest() == b""
        else:
            sender.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                sender.rest()


@pytest.mark.parametrize("fixed", [False, True])
def test_what_is_kept_for_who_does_not_read(fixed: bool) -> None:
    with started("ticker", *["--fixed"] * fixed) as case:
        viewer = Viewer(case.url)
        case.clients.callback(viewer.close)
        peer = FAULTS["ticker"](case)
        life, kept = None, 0
        while kept < MUCH:
            state = viewer.told("state")
            for row in state["rows"]:
                if row["peer"] == peer:
                    life, kept = [row["fd"], row["gen"]], max(kept, row["queue"] or 0)
            if life in state["gone"]:
                break
        assert (kept < MUCH) is fixed
