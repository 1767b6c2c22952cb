"""The page's server without a program behind it: what it tells is what a test gives it, when the test gives it.

It sends the files of the page with the policy that they have to live under, and holds the token as the real one does.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from poise.seeing import page_texts
from tests.seeing.page.said import SAID

Value = dict[str, Any]

PAGE = Path(page_texts.__file__).parent / "page"
POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
TOKEN = "0123456789abcdef"


def texts() -> Mapping[str, Mapping[str, str]]:
    """All that the page can say."""
    return {language: {**SAID[language], **page_texts.TEXTS[language]} for language in page_texts.TEXTS}


class FakeFeed:
    """Serves the page on a port of its own. ``tell`` sends a state to all who look; ``records`` is what they can ask for."""

    def __init__(self, hello: Value, records: Value) -> None:
        self.hello = hello
        self.records = records
        self._last: list[Value] = []
        self._viewers: set[queue.SimpleQueue[bytes | None]] = set()
        self._lock = threading.Lock()
        self._closed = False
        self.asked: list[str] = []
        feed = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                feed._answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # closing waits for them
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/#{TOKEN}"

    def tell(self, state: Value) -> None:
        """Send ``state``; who comes later gets all that were told before."""
        with self._lock:
            self._last.append(state)
            for viewer in self._viewers:
                viewer.put(_event("state", state))

    def hang_up(self) -> None:
        """End the connections of all who look."""
        with self._lock:
            for viewer in self._viewers:
                viewer.put(None)

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self.hang_up()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: _Handler) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(request.path)
        if path in ("/feed", "/records") and request.headers["Authorization"] != f"Bearer {TOKEN}":
            request.send(401, "text/plain", b"no token\n")
        elif path == "/feed":
            self._feed(request)
        elif path == "/records":
            request.send(200, "application/json", json.dumps(self.records).encode())
        elif path == "/texts.json":
            request.send(200, "application/json", json.dumps(texts()).encode())
        else:
            file = PAGE / (path.removeprefix("/page/") if path != "/" else "index.html")
            kind = TYPES.get(file.suffix)
            if kind is None or not file.is_file():
                request.send(404, "text/plain", b"nothing there\n")
            else:
                request.send(200, kind, file.read_bytes())

    def _feed(self, request: _Handler) -> None:
        told: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
            if self._closed:
                return
            told.put(_event("hello", self.hello))
            for state in self._last:
                told.put(_event("state", state))
            self._viewers.add(told)
        try:
            request.begin(200, "text/event-stream")
            while (piece := told.get()) is not None:
                request.wfile.write(piece)
        except OSError:
            pass
        finally:
            with self._lock:
                self._viewers.discard(told)


class _Handler(BaseHTTPRequestHandler):
    def begin(self, status: int, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def send(self, status: int, kind: str, data: bytes) -> None:
        self.begin(status, kind, len(data))
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _event(name: str, value: Value) -> bytes:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()


@contextmanager
def feeding(hello: Value, records: Value) -> Iterator[FakeFeed]:
    feed = FakeFeed(hello, records)
    try:
        yield feed
    finally:
        feed.close()
