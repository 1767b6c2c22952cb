"""Pictures of the live page, every section of every story in both languages and both themes.

python -m tests.seeing.page.screenshots OUTDIR [STORY …] [--width 1280 …]
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.seeing.page.fake_feed import FakeFeed, feeding
from tests.seeing.page.stories import STORIES, Program, told
from tests.support.browser import Browser, Page

SECTIONS = ("verdict", "turn", "minutes", "wall", "holders", "timers", "lints", "cost", "past")
SCENES = (*STORIES, "past")
WIDTHS = (360, 1280, 3840)
LANGUAGES = ("en", "zh")
THEMES = ("light", "dark")


def shown(page: Page, feed: FakeFeed, program: Program) -> None:
    """Open the page, and wait until it shows what it was told."""
    page.go(feed.url)
    told_before = int(page.js("document.body.dataset.states ?? 0") or 0)
    feed.tell(program.state())
    page.js(
        f"""new Promise(done => {{
          const look = () => Number(document.body.dataset.states ?? 0) > {told_before} && document.body.dataset.shown !== undefined
            ? setTimeout(done, 300) : requestAnimationFrame(look);
          look();
        }})"""
    )


def back(page: Page, program: Program) -> None:
    """To the longest turn, as one who clicks on it."""
    slowest = max(program.turns, key=lambda turn: int(turn[8]))
    page.js(
        f"""new Promise(done => {{
          document.getElementById("pause").click();
          const look = () => {{
            if (document.body.dataset.mode !== "paused") return requestAnimationFrame(look);
            const scrub = document.getElementById("scrub");
            scrub.value = Number(scrub.max) - {program.n - slowest[0]};
            scrub.dispatchEvent(new Event("input"));
            done();
          }};
          look();
        }})"""
    )


def whole(page: Page, file: Path, clip: dict[str, float] | None = None) -> None:
    about = {"clip": {**clip, "scale": 1}} if clip else {}
    data = page.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, **about)["data"]
    file.write_bytes(base64.b64decode(data))


def box(page: Page, section: str) -> dict[str, float]:
    found: dict[str, float] = page.js(
        f"""(() => {{ const b = document.getElementById("{section}").getBoundingClientRect();
                      return {{x: Math.max(0, b.x - 16), y: b.y + scrollY - 8, width: b.width + 32, height: b.height + 16}}; }})()"""
    )
    return found


def look(page: Page, width: int, theme: str, language: str) -> None:
    height = {360: 740, 1280: 900}.get(width, 2160)
    page.window(width, height)
    page.prefer(prefers_color_scheme=theme, prefers_reduced_motion="reduce")
    page.js(f"document.querySelector('[data-speak={language}]').click()")


def take(
    out: Path,
    stories: Iterable[str] = SCENES,
    widths: Iterable[int] = WIDTHS,
    themes: Iterable[str] = THEMES,
    languages: Iterable[str] = LANGUAGES,
    *,
    sections: bool = True,
) -> list[Path]:
    """Take the pictures into ``out``; the files."""
    out.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(Path(profile))
        try:
            for story in stories:
                program = told("slow" if story == "past" else story, warm=200)
                with feeding(program.hello(), program.records()) as feed, browser.page() as page:
                    shown(page, feed, program)
                    if story == "past":
                        back(page, program)
                    for width in widths:
                        for theme in themes:
                            for language in languages:
                                look(page, width, theme, language)
                                page.js("new Promise(done => setTimeout(done, 150))")
                                stem = f"{story}-{width}-{theme}-{language}"
                                made.append(out / f"{stem}.png")
                                for _ in range(2):  # what is drawn may change how high it is
                                    page.window(width, int(page.js("document.body.scrollHeight")))
                                    page.js("new Promise(done => setTimeout(done, 150))")
                                whole(page, made[-1])
                                if sections and width == 1280:
                                    for section in SECTIONS:
                                        made.append(out / f"{stem}-{section}.png")
                                        whole(page, made[-1], box(page, section))
                    if page.complaints:
                        print(story, page.complaints)
        finally:
            browser.close()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("stories", nargs="*", default=list(SCENES))
    parser.add_argument("--width", type=int, action="append")
    parser.add_argument("--theme", action="append")
    parser.add_argument("--language", action="append")
    parser.add_argument("--whole", action="store_true", help="no pictures of single sections")
    asked = parser.parse_args()
    made = take(
        asked.out,
        asked.stories,
        asked.width or WIDTHS,
        asked.theme or THEMES,
        asked.language or LANGUAGES,
        sections=not asked.whole,
    )
    print(f"{len(made)} pictures in {asked.out}")


if __name__ == "__main__":
    main()
