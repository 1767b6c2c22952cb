"""The lab's page before axe-core, which knows what people with screen readers, magnifiers and keyboards stumble over."""

from __future__ import annotations

import pytest

from poise.lab.server import LabServer
from tests.lab.page.looking import Seen, looking
from tests.seeing.page.test_page_accessibility import AXE, SERIOUS
from tests.support.browser import Browser
from tests.support.npm import package

pytestmark = [pytest.mark.live, pytest.mark.slow]


def faults(seen: Seen) -> list[str]:
    if not seen.js("'axe' in window"):  # by the tools of the browser, which the page's policy does not bind
        seen.js(f"{(package('axe-core', AXE) / 'axe.min.js').read_text(encoding='utf-8')}; 0")
    found: list[str] = seen.js(SERIOUS)
    return found


@pytest.mark.parametrize("place", ["", "silent", "writable", "scaling", "bits", "masks"])
def test_axe_finds_no_serious_fault(browser: Browser, lab: LabServer, place: str) -> None:
    package("axe-core", AXE)
    with looking(browser, lab, place) as seen:
        assert faults(seen) == []
        if place:
            assert seen.run() == "done"
        for theme, language, width in (("light", "en", 1280), ("dark", "zh", 360)):
            seen.js(f"document.querySelector('[data-choose={theme}]').click()")
            seen.speak(language)
            seen.page.window(width, 740)
            seen.js("document.querySelectorAll('details').forEach(each => each.open = true)")
            seen.drawn()
            assert faults(seen) == [], (theme, language, width)


def test_a_fault_would_be_found(browser: Browser, lab: LabServer) -> None:
    package("axe-core", AXE)
    with looking(browser, lab) as seen:
        seen.js("document.body.append(document.createElement('button'))")
        assert [fault.split(":")[0] for fault in faults(seen)] == ["button-name"]
