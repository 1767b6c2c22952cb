"""``python3 -m poise`` is the command ``poise``."""

from __future__ import annotations

import gc
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - a bare clone has nobody else to say it
    sys.exit(f"poise: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")

gc.disable()  # as main() does, and sooner

from poise.cli.main import main  # noqa: E402 - what comes before it says whether there is any sense in it

if __name__ == "__main__":
    sys.exit(main())
