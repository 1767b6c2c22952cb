"""The page of a real program in a real browser: it stays alive while the loop does not, goes back, saves, and makes faults evident."""

from __future__ import annotations

import inspect
import json
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from examples.watched import report
from tests.seeing import perfetto
from tests.seeing.cases import FAULTS, REQUEST, started
from tests.seeing.page.looking import Sight, opened
from tests.support.browser import Browser
from tests.support.program import PATIENCE, Served, program

pytestmark = [pytest.mark.live, pytest.mark.slow]

APP = """
import time
from poise import HTTPServer, Reactor, Reply, watch

class App(HTTPServer):
    def respond(self, request):
        if request.path == "/sleep":
            time.sleep(3)  # sleeps
        if request.path == "/compute":
            compute(3)
        return Reply(200, [], b"hello")

def compute(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end: pass  # computes

with Reactor() as reactor:
    listener = App(reactor).listen(("127.0.0.1", 0))
    print(watch(reactor, control=False).url, flush=True)
    print(listener.address[1], flush=True)
    reactor.run()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@contextmanager
def watched_app(browser: Browser, file: Path) -> Iterator[tuple[Served, int, Sight]]:
    """The program, its port, and its page, which complains of nothing."""
    file.write_text(APP)
    with program([sys.executable, str(file)]) as app:
        url, port = app.line(), int(app.line())
        with opened(browser, url) as sight:
            yield app, port, sight
            assert sight.page.complaints == []


@contextmanager
def asked(port: int, path: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(REQUEST % path)
        yield client


def seconds(shown: str) -> float:
    """A duration as the page writes it: ``212 ms``, ``1.25 s``."""
    number, unit = shown.split()
    return float(number) * {"ms": 1e-3, "s": 1.0}[unit]


@pytest.mark.parametrize(
    ("path", "function", "marked"),
    [(b"/sleep", "App.respond", "# sleeps"), (b"/compute", "compute", "# computes")],
)
def test_it_stays_live_while_the_loop_is_stuck_and_shows_it_growing(
    browser: Browser, tmp_path: Path, path: bytes, function: str, marked: str
) -> None:
    file = tmp_path / "app.py"
    line = 1 + next(number for number, text in enumerate(APP.splitlines()) if marked in text)
    with watched_app(browser, file) as (_, port, sight), asked(port, path) as client:
        sight.until("/is stuck/.test(document.querySelector('h1').textContent)")
        before, grown = sight.states, []
        while "is stuck" in (said := sight.text("h1")):
            shown, named, where = (sight.text(f"#hold-{part}") for part in ("for", "function", "place"))
            if shown not in grown and "is stuck" in sight.text("h1"):
                assert "App.respond has held it for" in said
                assert (named, where) == (function, f"{file}:{line}")
                grown.append(shown)
            sight.drawn()
        assert client.recv(12) == b"HTTP/1.1 200"
        lasted = [seconds(each) for each in grown]
        assert lasted == sorted(lasted)
        assert len(lasted) >= 3
        assert lasted[-1] > 2
        assert sight.states - before >= 3, "it is told things meanwhile"
        sight.until("/App.respond held the loop for/.test(document.querySelector('h1').textContent)")


def test_it_goes_back_turn_by_turn_and_is_live_again(browser: Browser, tmp_path: Path) -> None:
    with watched_app(browser, tmp_path / "app.py") as (_, port, sight):
        for _ in range(5):
            with asked(port, b"/") as client:
                assert client.recv(12) == b"HTTP/1.1 200"
        sight.until("document.querySelector('#strip').getAttribute('aria-valuenow') > 5")
        sight.pause()
        at = sight.turn
        sight.page.click("#back")
        sight.drawn()
        assert sight.turn == at - 1
        assert f"Turn {at - 1:,}," in sight.text("#dock-said")
        sight.page.click("#back")
        sight.drawn()
        assert sight.turn == at - 2
        sight.page.click("#forward")
        sight.drawn()
        assert sight.turn == at - 1
        told = sight.states
        sight.page.click("#pause")
        sight.until('document.body.dataset.mode === "live"')
        sight.until(f"Number(document.body.dataset.states) > {told}")
        assert sight.turn >= at


def test_it_saves_a_trace_whose_slices_are_nested(browser: Browser, tmp_path: Path) -> None:
    with watched_app(browser, tmp_path / "app.py") as (_, port, sight):
        with asked(port, b"/") as client:
            assert client.recv(12) == b"HTTP/1.1 200"
        sight.page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        sight.page.click("#save")
        sight.until('document.getElementById("dock-said").textContent.includes("Recording")')
        while "Saved" not in sight.text("#dock-said"):  # it says so before the loop has heard of it
            with asked(port, b"/?secret") as client:
                assert client.recv(12) == b"HTTP/1.1 200"
        file = tmp_path / sight.text("#dock-said").split()[2].rstrip(".")
        end = time.monotonic() + PATIENCE
        while not file.exists():
            assert time.monotonic() < end, sight.text("#dock-said")
            sight.drawn()
        read = perfetto.read(json.loads(file.read_text()))
    asked_for = [(each.name, each.args) for span in read.spans.values() for each in span.inside]
    assert ("GET /?…", 200) in [(name, args["status"]) for name, args in asked_for]
    calls = [each for each in read.slices if each.name == "App.respond"]
    whole = [call for call in calls if call.parent is not None]
    assert len(whole) >= max(1, len(calls) - 2), "the first and the last turn may have been cut"
    for call in whole:
        depths = []
        around = call.parent
        while around is not None:
            assert around.begin <= call.begin
            assert call.end <= around.end
            depths.append(around.depth)
            around = around.parent
        assert depths == [1, 0], "in the handling of a turn"


def test_a_program_that_is_killed_is_gone_and_that_is_all(browser: Browser, tmp_path: Path) -> None:
    with watched_app(browser, tmp_path / "app.py") as (app, _, sight):
        turn = sight.text("#dock-said")
        app.process.kill()
        sight.until("document.body.dataset.connection === 'lost'")
        assert sight.text("#connection").startswith("Connection lost, trying again.")
        assert sight.text("#dock-said")[:4] == turn[:4], "what was last seen stays"
        assert sight.js("document.getElementById('connection').hidden") is False
        sight.speak("zh")
        assert "连接已断开" in sight.text("#connection")
        refused = [each for each in sight.page.complaints if "net::ERR" in each]
        assert sight.page.complaints == refused, (
            "the browser says so of each attempt; the page throws nothing"
        )
        sight.page.complaints.clear()


# -- the worked cases --------------------------------------------------------------------------------------


def lines_of(function: object) -> range:
    source, first = inspect.getsourcelines(function)  # type: ignore[arg-type]  # a function or a method
    return range(first, first + len(source))


def test_which_handler_is_slow_is_evident(browser: Browser) -> None:
    with started("report") as case, opened(browser, case.url) as sight:
        peer = FAULTS["report"](case)
        sight.until("/Shop.respond held the loop for/.test(document.querySelector('h1').textContent)")
        assert sight.text("#hold-function") == "sales"
        assert peer in sight.text("#hold-whom")
        file, _, line = sight.text("#hold-place").rpartition(":")
        assert file == report.__file__
        assert int(line) in lines_of(report.sales)
        # The ranking is of whole seconds, so it may come a moment after the sentence.
        sight.until(
            "document.querySelector('#holders-rows tr:first-child th').textContent.startsWith('Shop.respond')"
        )
        sight.speak("zh")
        assert re.search(r"Shop\.respond 占住循环 .*其他人只能等", sight.text("h1"))
        assert f"服务于 {peer}" in sight.text("#hold-whom")
        assert sight.page.complaints == []


def test_which_descriptor_spins_is_evident(browser: Browser) -> None:
    with started("collector") as case, opened(browser, case.url) as sight:
        peer = FAULTS["collector"](case)
        sight.until("document.querySelector('tr.flagged .flag')?.textContent === 'spins'")
        found = re.fullmatch(
            r"Descriptor (\d+)\.1 \(Sender\.readable\) is ready .* and its handler does nothing about it: the loop spins\.",
            sight.text("#findings li"),
        )
        assert found
        assert sight.all("tr.flagged .fd") == [found[1]]
        assert peer in sight.text("tr.flagged")
        sight.until("/^The loop spins: /.test(document.querySelector('h1').textContent)")
        assert "close it" in sight.text("#lints-list .fix")
        sight.speak("zh")
        assert sight.text("h1").startswith("循环在空转")
        assert f"描述符 {found[1]}.1（Sender.readable）" in sight.text("#findings li")
        sight.until("document.querySelector('tr.flagged .flag')?.textContent === '空转'")
        assert sight.page.complaints == []


def test_which_client_does_not_read_is_evident(browser: Browser) -> None:
    with started("ticker") as case, opened(browser, case.url) as sight:
        peer = FAULTS["ticker"](case)
        sight.until("document.querySelector('tr.flagged .flag')?.textContent === 'does not read'")
        said = sight.text("#findings li")
        assert re.fullmatch(rf"{peer} on descriptor \d+\.1 has taken nothing for .*; .* wait for it\.", said)
        assert len(sight.all("tr.flagged")) == 1
        assert peer in sight.text("tr.flagged")
        bars = "[...document.querySelectorAll('tr.flagged .fill')].map(e => Number(e.getAttribute('width')))"
        kernel_in, queue, kernel_out = sight.js(bars)
        assert kernel_in == 0
        assert queue > 0
        assert kernel_out > 0
        assert "backpressure" in sight.text("#lints-list .fix")
        sight.speak("zh")
        assert f"对面的 {peer} 已有" in sight.text("#findings li")
        sight.until("document.querySelector('tr.flagged .flag')?.textContent === '对方不读'")
        assert sight.page.complaints == []


def test_nothing_is_wrong_with_the_fixed_ones(browser: Browser) -> None:
    with started("report", "--fixed") as case, opened(browser, case.url) as sight:
        client = case.clients.enter_context(asked(case.port, b"/report"))
        assert client.recv(12) == b"HTTP/1.1 200"
        assert sight.text("#hold-function") != "sales"
        assert "sales" not in sight.text("#stalls-rows")
        assert sight.js("document.getElementById('findings').hidden")
    with started("collector", "--fixed") as case, opened(browser, case.url) as sight:
        peer = FAULTS["collector"](case)
        sight.until("document.querySelectorAll('#wall-rows tr:not(.is-closed)').length >= 4")
        open_rows = "[...document.querySelectorAll('#wall-rows tr:not(.is-closed)')]"
        sight.until(f"{open_rows}.every(row => !row.textContent.includes('{peer}'))")
        assert sight.js("document.getElementById('findings').hidden")
