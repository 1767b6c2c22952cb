"""What is typed for ``poise check``: all that ``poise serve`` takes, since that is what it explains."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from poise.cli.command import Command

CHECK = """\
Explain the settings of poise serve, without starting anything: first every mistake in poise.toml, with its line and column \
and what to write instead; if there is none, every setting that is not the default, and where it comes from. Takes all \
options of poise serve, so that "poise check DIR --port 80" says what "poise serve DIR --port 80" would do.
"""

EXAMPLES = """\
examples:
  poise check                     this folder with its poise.toml
  poise check site/poise.toml     the folder site with this file, as poise serve site finds it
  poise check --config my.toml    this file, as poise serve --config my.toml takes it
  poise check --all               defaults, too
  poise check --json              for scripts

A poise.toml that is found in the folder that is served says how it looks:

  [site]
  index = ["index.html"]          --index
  clean-urls = true               --clean-urls; "redirect" for --clean-urls redirect
  spa = "app.html"                --spa
  hide = ["*.bak", "drafts/"]     --hide
  [site.error-pages]
  404 = "lost.html"               --error-page
  [site.cache]
  "*.{css,js}" = "1h"             --cache
  [[headers]]
  for = "*.html"                  --header; for everything when this is left out
  values = { X-Frame-Options = "DENY" }

A file that is named with --config, which nobody else can have put there, may say everything; what has no place
in these tables stands at the top, under the name of its option:

  dir = "public"                  as seen from the file, like every path in it
  port = 8080
  max-head = "64K"
  access-log = false              --no-access-log

What is typed goes before the environment, that before the file, and that before the default.
The exit code is 0 when all is well, 1 when there are mistakes.
"""


def add_check(commands: argparse._SubParsersAction[Command], add_serve: Callable[[Command], None]) -> Command:
    """The parser; ``add_serve`` adds the options of ``poise serve``."""
    check = commands.add_parser(
        "check",
        help="explain the settings of serve, and the mistakes in poise.toml",
        description=CHECK,
        epilog=EXAMPLES,
        usage="poise check [options] [DIR|FILE]",
    )
    about = check.add_argument_group("what is shown")
    about.add_argument(
        "--all", action="store_true", help="every setting, those with their default value, too"
    )
    about.add_argument(
        "--json", action="store_true", help="one JSON object with the mistakes and the settings"
    )
    check.explains = True
    check.late = add_serve
    return check
