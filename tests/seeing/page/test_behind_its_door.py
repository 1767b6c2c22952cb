"""The page before a real program, by the door that the program has for it: no stand-in on either side."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.seeing import perfetto
from tests.seeing.page.looking import opened
from tests.support.browser import Browser
from tests.support.program import PATIENCE, program

pytestmark = [pytest.mark.live, pytest.mark.slow]

HOSTILE = "<img src=x onerror=document.title='owned'>"

APP = """
import time
from poise import HTTPServer, Reactor, Reply, watch

class App(HTTPServer):
    def respond(self, request):
        if request.path == "/slow":
            time.sleep(1.5)
        return Reply(200, [], b"hello")

with Reactor() as reactor:
    listener = App(reactor).listen(("127.0.0.1", 0))
    print(watch(reactor, control=False).url, flush=True)
    print(listener.address[1], flush=True)
    reactor.run()
"""


def test_a_real_program_is_seen_live_and_stuck_and_gone(browser: Browser) -> None:
    with program([sys.executable, "-c", APP, HOSTILE]) as app:
        url, port = app.line(), app.line()
        with opened(browser, url) as sight:
            page = sight.page
            assert f"-c {HOSTILE} · pid" in sight.text("#program")
            origin, _, token = url.partition("#")
            assert [asked for asked in page.requests if not asked.startswith(origin)] == []
            assert [asked for asked in page.requests if token in asked.partition("#")[0]] == []
            assert page.complaints == []
            with socket.create_connection(("127.0.0.1", int(port)), PATIENCE) as client:
                client.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
                sight.until("/stuck/.test(document.querySelector('h1').textContent)")
            sight.until("/held/.test(document.querySelector('h1').textContent)")
            assert page.js("document.title") != "owned"
            assert page.js("document.querySelectorAll('img').length") == 0
            app.process.kill()
            sight.until("document.body.dataset.connection === 'lost'")


def test_a_recording_of_a_real_program_is_replayed(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    recorded(path)
    with (
        program([sys.executable, "-m", "poise", "replay", str(path)]) as replay,
        opened(browser, replay.line()) as sight,
    ):
        sight.until("document.body.dataset.mode === 'replay'")
        assert sight.turn > 0
        assert sight.page.complaints == []


def recorded(path: Path) -> None:
    """What a program does that calls itself now and then, as a trace."""
    from poise.loop.reactor import Reactor
    from poise.seeing.shared import watching_of
    from poise.seeing.trace import trace

    with Reactor() as reactor:
        viewer = watching_of(reactor).attach()
        for _ in range(30):
            reactor.call_soon(int)
            reactor.turn(0.001)
        found: dict[str, Any] = json.loads(b"".join(viewer.recording(16)))
        viewer.close()
        reactor.turn(0)
    path.write_text(json.dumps(trace(found)))
    perfetto.read(json.loads(path.read_text()))
