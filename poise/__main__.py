"""``python3 -m poise`` is the command ``poise``."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - a bare clone has nobody else to say it
    sys.exit(f"poise: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")

from poise.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
