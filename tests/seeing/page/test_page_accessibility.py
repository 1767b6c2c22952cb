"""The page before axe-core, which knows what people with screen readers, magnifiers and keyboards stumble over."""

from __future__ import annotations

import pytest

from tests.seeing.page.looking import Shown, showing
from tests.seeing.page.stories import told
from tests.support.browser import Browser
from tests.support.npm import package

pytestmark = [pytest.mark.live, pytest.mark.slow]

AXE = "4.14.1"
SERIOUS = """
axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
  .filter(each => each.impact === "serious" || each.impact === "critical")
  .map(each => `${each.id}: ${each.nodes.map(node => node.target.join(" ")).slice(0, 5).join("; ")}`))
"""


def faults(shown: Shown, source: str) -> list[str]:
    if not shown.js("'axe' in window"):
        shown.js(f"{source}; 0")  # by the tools of the browser, which the page's policy does not bind
    found: list[str] = shown.js(SERIOUS)
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("story", ["slow", "stuck", "unread"])
def test_axe_finds_no_serious_fault(browser: Browser, story: str, theme: str) -> None:
    source = (package("axe-core", AXE) / "axe.min.js").read_text(encoding="utf-8")
    with showing(browser, told(story)) as shown:
        shown.page.prefer(prefers_color_scheme=theme)
        assert faults(shown, source) == []
        for fold in ("#strip-figures", "#plots"):
            shown.page.click(f"{fold} summary")
        shown.pause()
        shown.js("document.querySelector('[data-speak=zh]').click()")
        assert faults(shown, source) == []
        shown.page.window(360, 740)
        assert faults(shown, source) == []


def test_a_fault_would_be_found(browser: Browser) -> None:
    source = (package("axe-core", AXE) / "axe.min.js").read_text(encoding="utf-8")
    with showing(browser, told("calm")) as shown:
        shown.js('document.body.append(document.createElement("button"))')
        assert [fault.split(":")[0] for fault in faults(shown, source)] == ["button-name"]
