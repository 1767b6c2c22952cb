"""A page before which somebody sits, and the program that it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.seeing.page.fake_feed import FakeFeed, feeding
from tests.seeing.page.stories import Program
from tests.support.browser import Browser, Page

PATIENCE = 20_000  # milliseconds


def plain(text: object) -> str:
    """With an ordinary space between a figure and its unit."""
    return str(text).replace("\N{NARROW NO-BREAK SPACE}", " ")


class Sight:
    """What there is to see on a page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def drawn(self) -> None:
        """What was to be drawn has been."""
        self.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))")

    def until(self, condition: str) -> None:
        """Wait until this is so, in the page."""
        came = self.js(
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
        assert came, f"never came: {condition}\n{self.text('body')[:2000]}"

    def js(self, expression: str) -> Any:
        return self.page.js(expression)

    def text(self, selector: str) -> str:
        return plain(self.js(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''"))

    def all(self, selector: str) -> list[str]:
        found = self.js(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)")
        return [plain(each) for each in found]

    def rows(self) -> list[str]:
        """The numbers of the descriptors, from top to bottom."""
        return self.all("#wall-rows tr .fd")

    def pause(self) -> None:
        self.page.click("#pause")
        self.until('document.body.dataset.mode === "paused"')

    @property
    def turn(self) -> int:
        """The number of the turn that is shown in the strip."""
        return int(self.js('document.getElementById("strip").getAttribute("aria-valuenow")'))

    @property
    def states(self) -> int:
        """How many the program has told it."""
        return int(self.js("document.body.dataset.states ?? 0"))

    def speak(self, language: str) -> None:
        """Choose the language of the page."""
        self.page.click(f"[data-speak={language}]")
        self.until(f'document.documentElement.lang.startsWith("{language}")')


class Shown(Sight):
    """The page and what is behind it."""

    def __init__(self, page: Page, feed: FakeFeed, program: Program) -> None:
        super().__init__(page)
        self.feed = feed
        self.program = program
        self._told = 0

    def tell(self) -> None:
        """The program tells what is new, and the page shows it."""
        self._told += 1
        self.feed.tell(self.program.state())
        self.until(f"Number(document.body.dataset.states ?? 0) >= {self._told}")
        self.drawn()


@contextmanager
def showing(browser: Browser, program: Program, *, told: bool = True) -> Iterator[Shown]:
    """``program`` in a page of its own, which complains of nothing."""
    with feeding(program.hello(), program.records()) as feed, browser.page() as page:
        shown = Shown(page, feed, program)
        page.window(1280, 900)
        page.go(feed.url)
        if told:
            shown.tell()
            shown.until("document.body.dataset.shown !== undefined")
        yield shown
        assert page.complaints == []


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Sight]:
    """The page of a real program, showing something."""
    with browser.page() as page:
        page.window(1280, 900)
        page.go(url)
        sight = Sight(page)
        sight.until("document.body.dataset.shown !== undefined")
        yield sight
