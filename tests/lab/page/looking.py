"""The lab's page, and somebody before it who predicts, runs and watches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from poise.lab.server import LabServer
from tests.support.browser import Browser, Page

PATIENCE = 30_000  # milliseconds: longer than any run may take
RUN = """
(async () => {{
  document.querySelectorAll("#predict input")[{choice}].click();
  document.querySelector("#start").click();
  const end = performance.now() + {patience};
  for (;;) {{
    const state = document.querySelector(".starting").dataset.status;
    if (state === "done" || state === "refused" || performance.now() > end) return state;
    await new Promise(next => setTimeout(next, 20));
  }}
}})()
"""


class Seen:
    """An experiment on the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def js(self, expression: str) -> Any:
        return self.page.js(expression)

    def text(self, selector: str) -> str:
        found = self.js(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")
        return str(found).replace("\N{NARROW NO-BREAK SPACE}", " ")

    def count(self, selector: str) -> int:
        return int(self.js(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def until(self, condition: str) -> None:
        """Wait until this is so, in the page."""
        came = self.js(
            f"""(async () => {{
              const end = performance.now() + {PATIENCE};
              while (!({condition})) {{
                if (performance.now() > end) return false;
                await new Promise(next => setTimeout(next, 20));
              }}
              return true;
            }})()"""
        )
        assert came, f"never came: {condition}\n{self.text('body')[:2000]}"

    def run(self, choice: int = 0) -> str:
        """Guess, run to the end, and say how that went: "done", "refused" or "running"."""
        return str(self.js(RUN.format(choice=choice, patience=PATIENCE)))

    def drawn(self) -> None:
        self.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))")

    def speak(self, language: str) -> None:
        self.js(f"document.querySelector('[data-speak={language}]').click()")


@contextmanager
def looking(browser: Browser, lab: LabServer, place: str = "", language: str = "en") -> Iterator[Seen]:
    """A page of its own at this place, which complains of nothing."""
    with browser.page() as page:
        page.window(1280, 900)
        page.prefer(prefers_reduced_motion="reduce", prefers_color_scheme="light")
        page.go(lab.url + (f"/{place}" if place else ""))
        seen = Seen(page)
        seen.until(f"document.body.dataset.view === {json.dumps(place or 'contents')}")
        seen.speak(language)
        yield seen
        assert page.complaints == []
