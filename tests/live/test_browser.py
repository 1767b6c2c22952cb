"""A person with a browser, a headless Chromium, before the pages of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.files.support import LONG_AGO, put
from tests.support.browser import Browser, Page
from tests.support.clients import POLLERS
from tests.support.program import Served, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]

LONG_NAME = "a-name-that-nobody-would-want-to-read-in-one-breath-" * 4 + ".tar.gz"
README = """# About these files

They are **here to be seen**.

| one | two | three | four | five | six | seven |
|-----|-----|-------|------|------|-----|-------|
| a-rather-long-word | a-rather-long-word | a-rather-long-word | a-rather-long-word | 5 | 6 | 7 |

    a line of code that is far longer than any telephone is wide, and that is not broken anywhere by anybody

<script>document.title = "taken over"</script>
"""

PLACES = '[...document.querySelectorAll("main thead th")].map(h => h.getBoundingClientRect().left)'
STATUS = 'document.querySelector("main [role=status]").textContent'
NAMES = '[...document.querySelectorAll("main tbody tr")].filter(r => !r.hidden).map(r => r.querySelector("a").textContent)'
FOCUSED = "document.activeElement.textContent || document.activeElement.id || document.activeElement.name"
SENTENCE = 'document.querySelector("h1").textContent'
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CONTRAST = """
(() => {
  const part = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = c.match(/[0-9.]+/g).map(Number);
                       return .2126 * part(r) + .7152 * part(g) + .0722 * part(b); };
  const behind = e => { for (; e; e = e.parentElement) {
                          const c = getComputedStyle(e).backgroundColor;
                          if (!c.startsWith("rgba(0, 0, 0, 0")) return c; } };
  const all = [...document.querySelectorAll("body *")].filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())
                                                                   && !["SCRIPT", "STYLE"].includes(e.tagName));
  return Math.min(...all.map(e => { const a = light(getComputedStyle(e).color), b = light(behind(e));
                                    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); }));
})()
"""
"""The least contrast of any text on the page with what is behind it (WCAG 2.2, 1.4.3)."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    for age, (name, size) in enumerate(
        (("alpha.txt", 300), ("beta.png", 20), ("gamma.py", 1000), ("图片.jpg", 5))
    ):
        put(root / "things" / name, b"x" * size, modified=LONG_AGO - age * 1000)
    put(root / "things" / "inside" / "needle.txt", b"found")
    put(root / "things" / LONG_NAME, b"xx", modified=LONG_AGO - 9000)
    put(root / "told" / "README.md", README.encode())
    put(root / "told" / "other.txt")
    put(root / "page" / "index.html", b"<!doctype html><title>One</title><h1>One</h1>")
    for number in range(12):
        put(root / "many" / f"{number}.txt", b"x")
    return root


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("profile"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def served(folder: Path, browser: Browser) -> Iterator[Served]:
    with serving(folder, "--page-size", "5") as running:
        yield running


@contextmanager
def tab(browser: Browser) -> Iterator[Page]:
    """A page that at its end has complained of nothing: no policy was broken, no script has failed."""
    with browser.page() as made:
        yield made
        assert made.complaints == []


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    with tab(browser) as made:
        yield made


BY_NAME = ["inside", LONG_NAME, "alpha.txt", "beta.png", "gamma.py", "图片.jpg"]


def test_sorting_with_the_mouse(page: Page, served: Served) -> None:
    page.go(f"{served.url}things/?page=1")
    with page.loading():
        page.click("thead th:nth-child(2) a")
    assert page.url == f"{served.url}things/?sort=size&order=desc"
    assert page.js(NAMES) == ["inside", "gamma.py", "alpha.txt", "beta.png", "图片.jpg"]
    assert page.js('document.querySelector("[aria-sort]").getAttribute("aria-sort")') == "descending"
    with page.loading():
        page.click("thead th:nth-child(2) a")
    assert page.js(NAMES) == ["inside", LONG_NAME, "图片.jpg", "beta.png", "alpha.txt"]
    with page.loading():
        page.click("thead th:nth-child(3) a")
    assert page.js(NAMES) == ["inside", "alpha.txt", "beta.png", "gamma.py", "图片.jpg"]
    page.back()
    assert page.url == f"{served.url}things/?sort=size", "the way back is the browser's own"


def test_the_filter(page: Page, served: Served) -> None:
    page.go(f"{served.url}things/")
    everything = page.js(NAMES)
    requests = len(page.requests)
    places = page.js(PLACES)
    page.click("#filter")
    page.type("TA")
    assert page.js(NAMES) == [LONG_NAME, "beta.png"]
    page.type(" png")
    assert page.js(NAMES) == ["beta.png"], "every word counts, in any order"
    page.type("zz")
    assert page.js(NAMES) == []
    assert page.js(STATUS) == "No name here has that in it."
    assert page.js(PLACES) == places, "nothing jumps"
    page.press("Escape")
    assert page.js(NAMES) == everything
    assert page.js(STATUS) == ""
    assert page.js(PLACES) == places
    assert len(page.requests) == requests, "it asks nobody"


def test_the_keyboard_alone(page: Page, served: Served) -> None:
    page.go(f"{served.url}things/")
    page.press("Tab")
    assert page.js(FOCUSED) == "Skip to the list"
    assert page.js("document.activeElement.getBoundingClientRect().left >= 0"), "what has the focus is seen"
    page.press("Enter", "Tab")
    assert page.js(FOCUSED) == "Name ↑", "the list comes next"
    page.press("Tab", "Tab", "Tab")
    assert page.js(FOCUSED) == "inside"
    assert page.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("ArrowDown", "ArrowDown")
    assert page.js(FOCUSED) == "alpha.txt"
    page.press("ArrowUp")
    assert page.js(FOCUSED) == LONG_NAME
    page.press("/")
    assert page.js(FOCUSED) == "filter"
    page.type("ins")
    assert page.js("document.activeElement.value") == "ins", "the slash itself is not typed"
    page.press("ArrowDown")
    assert page.js(FOCUSED) == "inside"
    with page.loading():
        page.press("Enter")
    assert page.url == f"{served.url}things/inside/"
    with page.loading():
        page.press("Backspace")
    assert page.url == f"{served.url}things/"
    page.press("Tab", "Tab", "Tab")
    assert page.js("document.activeElement.name") == "q", "past the way here, to the search"
    page.type("needel")
    page.press("Backspace", "Backspace")
    assert page.js("document.activeElement.value") == "need", "in a field it is the field's own"
    with page.loading():
        page.press("Enter")
    assert page.js(SENTENCE) == "1 found for need in folder things."
    with page.loading():
        page.press("Backspace")
    assert page.js(SENTENCE).startswith("Folder things:")


@pytest.mark.parametrize("path", ["things/", "told/", "things/?q=needle", "many/?page=2", "absent"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_can_be_read(page: Page, served: Served, theme: str, path: str) -> None:
    page.prefer(prefers_color_scheme=theme)
    page.go(f"{served.url}{path}")
    paper, ink = page.js(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (brightness(paper) > brightness(ink)) is (theme == "light")
    assert page.js(CONTRAST) >= 4.5
    if path == "absent":
        page.complaints.clear()  # that the page is not there is what the browser complains of


def brightness(colour: str) -> int:
    return sum(int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(","))


@pytest.mark.parametrize("path", ["things/", "told/", "many/?page=2", "things/?q=name"])
@pytest.mark.parametrize("width", [360, 768, 3840])
def test_no_width_scrolls_sideways(page: Page, served: Served, path: str, width: int) -> None:
    page.window(width, 800)
    page.go(f"{served.url}{path}")
    assert page.js("innerWidth") == width
    assert page.js(OVERFLOW) <= 0
    size = page.js("parseFloat(getComputedStyle(document.body).fontSize)")
    assert size >= (24 if width == 3840 else 16), "a projector is read from afar"


def test_chinese(page: Page, served: Served) -> None:
    agent = page.js("navigator.userAgent")
    page.call("Network.setUserAgentOverride", userAgent=agent, acceptLanguage="zh-CN,zh;q=0.9,en;q=0.8")
    page.go(f"{served.url}things/")
    assert page.js("document.documentElement.lang") == "zh-Hans"
    assert page.js(SENTENCE).startswith("文件夹 things：")
    page.go(f"{served.url}things/?q=nothing-is-called-so")
    assert "没有找到" in page.js(SENTENCE)


def test_without_scripts(page: Page, served: Served) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.go(f"{served.url}many/")
    assert page.js('document.getElementById("filter").hidden'), "what would not work is not shown"
    with page.loading():
        page.click("a[rel=next]")
    assert page.js(NAMES) == [f"{number}.txt" for number in range(5, 10)]
    with page.loading():
        page.click("thead th:first-child a")
    assert page.js(NAMES) == [f"{number}.txt" for number in range(11, 6, -1)]
    page.go(f"{served.url}many/")
    page.click("input[name=q]")
    page.type("11")
    with page.loading():
        page.press("Enter")
    assert page.js(NAMES) == ["11.txt"]
    with page.loading():
        page.click("a[rel=up]")
    assert page.url == f"{served.url}many/"


def test_a_readme_runs_nothing(page: Page, served: Served) -> None:
    page.go(f"{served.url}told/")
    assert page.js("document.title") == "told"
    page.click("#filter")
    page.type("read")
    assert page.js(NAMES) == ["README.md"], "its table is not the list"
    assert page.js('document.querySelector(".readme strong").textContent') == "here to be seen"
    assert page.js('document.querySelectorAll(".readme td").length') == 7


@pytest.mark.parametrize("poller", POLLERS)
def test_pages_load_again_when_a_file_changes(browser: Browser, tmp_path: Path, poller: str) -> None:
    """Written pages and listings alike; on every poller, since the change itself comes as a readable descriptor."""
    index = put(tmp_path / "index.html", b"<!doctype html><title>One</title><h1>One</h1>")
    (tmp_path / "list").mkdir()
    with serving(tmp_path, "--live", "--poller", poller) as running, tab(browser) as page:
        page.go(running.url)
        _listening(page)
        with page.loading():
            index.write_bytes(b"<!doctype html><title>Two</title><h1>Two</h1>")
        assert page.js(SENTENCE) == "Two"
        page.go(f"{running.url}list/")
        _listening(page)
        assert page.js(SENTENCE).endswith("is empty.")
        with page.loading():
            put(tmp_path / "list" / "new.txt", b"new")
        assert page.js(NAMES) == ["new.txt"]


def _listening(page: Page) -> None:
    """The page's own connection for changes is open."""
    page.js(
        "new Promise(r => { const s = new EventSource('/.poise/changes'); s.onopen = () => { s.close(); r(1); }; })"
    )
