"""The page before a real program, by the door that the program has for it: no stand-in on either side."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.seeing import perfetto
from tests.seeing.page.looking import plain
from tests.support.browser import Browser, Page
from tests.support.program import program

pytestmark = [pytest.mark.live, pytest.mark.slow]

PATIENCE = 20_000  # milliseconds

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


def until(page: Page, condition: str) -> None:
    came = page.js(
        f"""new Promise(done => {{
          const end = performance.now() + {PATIENCE};
          const look = () => {{
            if ({condition}) done(true);
            else if (performance.now() > end) done(false);
            else setTimeout(look, 20);
          }};
          look();
        }})"""
    )
    assert came, f"never came: {condition}\n{text(page, 'body')[:2000]}"


def text(page: Page, selector: str) -> str:
    return plain(page.js(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''"))


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    with browser.page() as page:
        page.window(1280, 900)
        page.go(url)
        yield page


def test_a_real_program_is_seen_live_and_stuck_and_gone(browser: Browser) -> None:
    with program([sys.executable, "-c", APP, HOSTILE]) as app:
        url, port = app.line(), app.line()
        with opened(browser, url) as page:
            until(page, "document.body.dataset.shown !== undefined")
            assert f"-c {HOSTILE} · pid" in text(page, "#program")
            origin, _, token = url.partition("#")
            assert [asked for asked in page.requests if not asked.startswith(origin)] == []
            assert [asked for asked in page.requests if token in asked.partition("#")[0]] == []
            assert page.complaints == []
            with socket.create_connection(("127.0.0.1", int(port)), PATIENCE / 1000) as client:
                client.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
                until(page, "/stuck/.test(document.querySelector('h1').textContent)")
            until(page, "/held/.test(document.querySelector('h1').textContent)")
            assert page.js("document.title") != "owned"
            assert page.js("document.querySelectorAll('img').length") == 0
            app.process.kill()
            until(page, "document.body.dataset.connection === 'lost'")


def test_a_recording_of_a_real_program_is_replayed(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    recorded(path)
    with (
        program([sys.executable, "-m", "poise", "replay", str(path)]) as replay,
        opened(browser, replay.line()) as page,
    ):
        until(page, "document.body.dataset.mode === 'replay'")
        until(page, "document.body.dataset.shown !== undefined")
        assert page.js("document.querySelector('#strip').getAttribute('aria-valuenow') > 0")
        assert page.complaints == []


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
