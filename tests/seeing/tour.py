"""Pictures of the live page for docs/seeing.md, each of a real program in a real browser.

python -m tests.seeing.tour OUTDIR
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.seeing.cases import FAULTS, Started, started
from tests.seeing.page.looking import Sight, opened
from tests.seeing.page.screenshots import whole
from tests.support.browser import Browser

WIDTH = 1080
BESIDE = 12  # pixels around what is pictured
EVIDENT = {
    "report": "/held the loop for/.test(document.querySelector('h1').textContent)",
    "collector": "document.querySelector('tr.flagged') && document.querySelector('tr.flagged .flag').textContent",
    "ticker": "document.querySelector('tr.flagged')?.querySelector('.levels').ariaLabel.includes('MiB')",
}
"""By the name of the program, when its fault is to be seen."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", default=list(FAULTS))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(Path(profile))
        try:
            for name in asked.names:
                with started(name) as case, opened(browser, case.url) as sight:
                    FAULTS[name](case)
                    sight.page.window(WIDTH, 900)
                    sight.until(EVIDENT[name])
                    time.sleep(1)
                    for lang in ("en", "zh"):
                        sight.speak(lang)
                        sight.drawn()
                        height = int(sight.js("document.body.scrollHeight"))
                        sight.page.window(WIDTH, height)
                        sight.drawn(); sight.drawn()
                        whole(sight.page, asked.out / f"{name}-{lang}.png")
        finally:
            browser.close()


if __name__ == "__main__":
    main()
