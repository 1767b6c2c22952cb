"""Pictures of the lab: the contents and every experiment after a run, in both languages and both themes.

python -m tests.lab.screenshots OUTDIR [EXPERIMENT …] [--width 1280 …] [--language en …] [--theme light …] [--projector]
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from collections.abc import Iterable
from pathlib import Path

from poise.lab.experiments import EXPERIMENTS
from poise.lab.server import LabServer
from tests.lab.page.looking import Seen, looking
from tests.support.browser import Browser

CONTENTS = "contents"
HEIGHTS = {360: 740, 1280: 720, 3840: 2160}
STEPS = 12  # of the film, so that something can be seen


def whole(seen: Seen, file: Path, width: int) -> None:
    """The page from top to bottom."""
    seen.page.window(width, HEIGHTS.get(width, 900))
    seen.drawn()
    seen.page.window(width, int(seen.js("document.documentElement.scrollHeight")))
    seen.js("new Promise(done => setTimeout(done, 200))")  # for what is drawn when its width is known
    file.write_bytes(base64.b64decode(seen.page.call("Page.captureScreenshot", format="png")["data"]))


def take(
    out: Path,
    names: Iterable[str] = (CONTENTS, *EXPERIMENTS),
    widths: Iterable[int] = (360, 1280),
    languages: Iterable[str] = ("en", "zh"),
    themes: Iterable[str] = ("light", "dark"),
    *,
    projector: bool = False,
) -> list[Path]:
    """Take them into ``out``; the files. Each experiment is run once."""
    out.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    lab = LabServer()
    try:
        with tempfile.TemporaryDirectory() as profile:
            browser = Browser(Path(profile))
            try:
                for name in names:
                    with looking(browser, lab, "" if name == CONTENTS else name) as seen:
                        if name != CONTENTS:
                            seen.run()
                        seen.js(
                            f"document.documentElement.dataset.size = {'projector' if projector else ''!r}"
                        )
                        for language in languages:
                            seen.speak(language)
                            seen.js(
                                f"for (let i = 0; i < {STEPS}; i++) document.querySelector('.film-forward')?.click()"
                            )
                            for theme in themes:
                                seen.js(f"document.querySelector('[data-choose={theme}]').click()")
                                for width in widths:
                                    made.append(out / f"{name}-{width}-{theme}-{language}.png")
                                    whole(seen, made[-1], width)
            finally:
                browser.close()
    finally:
        lab.close()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", default=[CONTENTS, *EXPERIMENTS], metavar="EXPERIMENT")
    parser.add_argument("--width", type=int, action="append")
    parser.add_argument("--language", action="append")
    parser.add_argument("--theme", action="append")
    parser.add_argument("--projector", action="store_true")
    asked = parser.parse_args()
    made = take(
        asked.out,
        asked.names,
        asked.width or (360, 1280),
        asked.language or ("en", "zh"),
        asked.theme or ("light", "dark"),
        projector=asked.projector,
    )
    print(f"{len(made)} pictures in {asked.out}")


if __name__ == "__main__":
    main()
