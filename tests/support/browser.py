"""A headless Chromium that does what a person does, driven over a pipe by its own protocol (DevTools).

The browser reads commands from descriptor 3 and writes replies and events to descriptor 4, each one JSON and a zero byte.
What it complains of, a broken policy or an exception of a script, is kept: a page that works has no complaints.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.clients import CHROMIUM, CHROMIUM_FLAGS, client

PATIENCE = 30.0  # seconds; a browser on a machine under load is slow
KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Backspace": 8,
    "/": 191,
    " ": 32,
}
"""Those that are pressed, and the codes that a browser still wants to have."""
TEXTS = {"Enter": "\r", "/": "/", " ": " "}
SHIFT = 8


class Gone(AssertionError):
    """The browser has ended, or refuses a command."""


class Browser:
    """One Chromium, and the pipes to it."""

    def __init__(self, profile: Path) -> None:
        program = client(*CHROMIUM)
        inward, self._out = _pipe()
        self._in, outward = _pipe()
        self._data = b""
        self._count = 0
        self._pages: dict[str, Page] = {}
        flags = [
            *CHROMIUM_FLAGS,
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "--no-proxy-server",
        ]
        try:
            self._pid = os.posix_spawn(
                program,
                [program, *flags, "--hide-scrollbars", "about:blank"],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, inward, 3),
                    (os.POSIX_SPAWN_DUP2, outward, 4),
                ],
                setpgroup=0,
            )
        finally:
            os.close(inward)
            os.close(outward)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Have the browser do something; its answer. Events that come before it go to their pages."""
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        while True:
            heard = self.hear()
            if heard.get("id") == number:
                if "error" in heard:
                    raise Gone(f"{method}: {heard['error']}")
                return heard["result"]

    def hear(self) -> Any:
        """The next message; an event has been told to its page."""
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._data:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self._in, 1 << 20) if ready else b""
            if not data:
                raise Gone("the browser has ended" if ready else f"the browser said nothing for {PATIENCE} s")
            self._data += data
        raw, _, self._data = self._data.partition(b"\0")
        message = json.loads(raw)
        page = self._pages.get(message.get("sessionId", ""))
        if page is not None and "method" in message:
            page.event(message["method"], message["params"])
        return message

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A page of its own, which shares nothing with others."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        made = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            made.call(f"{domain}.enable")
        try:
            yield made
        finally:
            del self._pages[session]
            self.call("Target.disposeBrowserContext", browserContextId=context)

    def close(self) -> None:
        """End it, with all the processes that it has started."""
        try:
            self.call("Browser.close")
        except (AssertionError, OSError):
            pass
        finally:
            os.close(self._in)
            os.close(self._out)
            try:
                os.killpg(self._pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.waitpid(self._pid, 0)


def _pipe() -> tuple[int, int]:
    """Both ends beyond the numbers that the browser wants to have."""
    ends = os.pipe()
    try:
        first, second = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    return first, second


class Page:
    """A tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.loads = 0
        self.arrivals = 0
        """Pages that were loaded, or came back as they had been left."""
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def call(self, method: str, **parameters: Any) -> Any:
        return self._browser.call(method, self._session, **parameters)

    def event(self, name: str, about: Any) -> None:
        """What the browser tells."""
        if name == "Page.loadEventFired":
            self.loads += 1
        elif name == "Page.frameNavigated":
            self.arrivals += 1
        elif name == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif name == "Log.entryAdded" and about["entry"]["level"] in ("warning", "error"):
            if not about["entry"].get("url", "").endswith("/favicon.ico"):  # not every site has one
                self.complaints.append(about["entry"]["text"])
        elif name == "Runtime.exceptionThrown":
            self.complaints.append(about["exceptionDetails"]["text"])

    @contextmanager
    def loading(self) -> Iterator[None]:
        """What is done in here leads to another page, or to this one again; afterwards it is there."""
        before = self.loads
        yield
        self.until(lambda: self.loads > before)

    def until(self, condition: Callable[[], object]) -> None:
        """Listen to the browser until ``condition()``, which its events make true."""
        while not condition():
            self._browser.hear()

    def go(self, url: str) -> None:
        with self.loading():
            self.call("Page.navigate", url=url)

    def back(self) -> None:
        """To the page before, by the browser's own way."""
        history = self.call("Page.getNavigationHistory")
        before = self.arrivals
        self.call(
            "Page.navigateToHistoryEntry", entryId=history["entries"][history["currentIndex"] - 1]["id"]
        )
        self.until(lambda: self.arrivals > before)

    @property
    def url(self) -> str:
        history = self.call("Page.getNavigationHistory")
        return str(history["entries"][history["currentIndex"]]["url"])

    def js(self, expression: str) -> Any:
        """The value of ``expression`` in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, *keys: str, shift: bool = False) -> None:
        for key in keys:
            about = {"key": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": SHIFT if shift else 0}
            text = {"text": TEXTS[key]} if key in TEXTS else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of it."""
        node = self.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        found = self.call("DOM.querySelector", nodeId=node, selector=selector)["nodeId"]
        assert found, f"no {selector}"
        self.call("DOM.scrollIntoViewIfNeeded", nodeId=found)
        corners = self.call("DOM.getContentQuads", nodeId=found)["quads"][0]
        where = {"x": (corners[0] + corners[4]) / 2, "y": (corners[1] + corners[5]) / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)

    def window(self, width: int, height: int, scale: float = 1) -> None:
        """In CSS pixels, ``scale`` real ones to each."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def prefer(self, **features: str) -> None:
        """What the person has set: ``prefers_color_scheme="dark"``."""
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=wanted)

    def screenshot(self, path: Path) -> Path:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
        return path
