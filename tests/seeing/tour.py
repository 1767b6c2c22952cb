"""Pictures of the live page for docs/seeing.md, each of a real program in a real browser.

python -m tests.seeing.tour OUTDIR
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.seeing.cases import FAULTS, started
from tests.seeing.page.looking import Sight, opened
from tests.seeing.page.screenshots import box, whole
from tests.support.browser import Browser
from tests.support.program import ROOT

WIDTH, HEIGHT = 1280, 860
ATTEMPTS = 10  # at a picture of what lasts less than a second
PLACE = Path(tempfile.gettempdir()) / "poise"
"""Where the programs seem to be, for those who look at the pictures."""
RUN = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("examples.watched." + sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
STUCK = "/is stuck.* [3-9]\\d\\d.ms /.test(document.querySelector('h1').textContent)"
HELD = "/held the loop for/.test(document.querySelector('h1').textContent)"
FLAGGED = "document.querySelector('tr.flagged:not(.is-closed)')"
QUEUED = f"{FLAGGED}?.querySelector('.levels').ariaLabel.includes('MiB')"
MANY_TURNS = "document.getElementById('number-turns').textContent.includes(',')"
SPINS = f"{FLAGGED} && {MANY_TURNS} && /spins/.test(document.querySelector('h1').textContent)"


@contextmanager
def seen(browser: Browser, name: str) -> Iterator[tuple[Sight, Callable[[], object]]]:
    """The page of a program, and how its fault is brought about."""
    command = ["-c", RUN, str(PLACE), name]
    with started(name, command=command) as case, opened(browser, case.url) as sight:
        sight.page.window(WIDTH, HEIGHT)
        sight.page.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
        yield sight, lambda: FAULTS[name](case)


def section(sight: Sight, file: Path, name: str) -> Path:
    """A picture of one section of the page, as high as it is."""
    sight.drawn()
    for _ in range(2):  # what is drawn may change how high it is
        sight.page.window(WIDTH, int(sight.js("document.body.scrollHeight")))
        sight.drawn()
    whole(sight.page, file, box(sight.page, name))
    return file


def verdicts(sight: Sight, out: Path, name: str, *others: str) -> Iterator[Path]:
    """What the page says first, and ``others`` of its sections, in both languages."""
    for language, end in (("en", ""), ("zh", "-zh")):
        sight.speak(language)
        for part in ("verdict", *others):
            yield section(sight, out / f"{name}{'' if part == 'verdict' else f'-{part}'}{end}.png", part)
    sight.speak("en")


def of_report(browser: Browser, out: Path) -> Iterator[Path]:
    with seen(browser, "report") as (sight, ask):
        for _ in range(ATTEMPTS):
            ask()
            sight.until(STUCK)
            picture = sight.page.screenshot(out / "stuck.png")
            if sight.js(STUCK):
                yield picture
                break
        sight.until(HELD)
        yield from verdicts(sight, out, "report")
        sight.page.window(WIDTH, HEIGHT)
        sight.page.click("#stalls-rows summary")
        sight.page.click("#stalls-rows button")
        sight.until("document.querySelectorAll('#calls tr').length > 0")
        yield section(sight, out / "past.png", "turn")


def of_collector(browser: Browser, out: Path) -> Iterator[Path]:
    with seen(browser, "collector") as (sight, come_and_go):
        come_and_go()
        sight.until(SPINS)
        yield from verdicts(sight, out, "collector", "wall")


def of_ticker(browser: Browser, out: Path) -> Iterator[Path]:
    with seen(browser, "ticker") as (sight, do_not_read):
        do_not_read()
        sight.until(QUEUED)
        yield from verdicts(sight, out, "ticker", "wall")
        sight.page.prefer(prefers_color_scheme="dark", prefers_reduced_motion="reduce")
        sight.page.window(WIDTH, HEIGHT)
        sight.js("scrollTo(0, 0)")
        sight.drawn()
        yield sight.page.screenshot(out / "dark.png")


def take(out: Path) -> list[Path]:
    """Take the pictures into ``out``; the files."""
    out.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    PLACE.symlink_to(ROOT)
    try:
        with tempfile.TemporaryDirectory() as profile:
            browser = Browser(Path(profile))
            try:
                for pictures in (of_report, of_collector, of_ticker):
                    made += pictures(browser, out)
            finally:
                browser.close()
    finally:
        PLACE.unlink()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    made = take(parser.parse_args().out)
    print(f"{len(made)} pictures, {sum(file.stat().st_size for file in made):,} bytes")


if __name__ == "__main__":
    main()
