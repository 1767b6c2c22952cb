"""Client programs that know nothing of us: found on PATH, run without a proxy, or skipped by their name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.program import PATIENCE

POLLERS = ("select", "poll", "epoll") if sys.platform == "linux" else ("select", "poll")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def client(*names: str) -> str:
    """The path of a client program; the test is skipped, and says why, when the machine has none."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    pytest.skip(f"{names[0]} is not installed")


def run(
    *command: str | Path,
    expected: int = 0,
    patience: float = PATIENCE,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> bytes:
    """What ``command`` says on stdout; it must end with the code ``expected``. No proxy is asked."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        command,
        capture_output=True,
        timeout=patience,
        check=False,
        cwd=cwd,
        env=kept | dict(environment or {}),
        stdin=subprocess.DEVNULL,
    )
    said = f"{done.stdout.decode(errors='replace')}\n{done.stderr.decode(errors='replace')}"
    assert done.returncode == expected, f"{command[0]} ended with {done.returncode}: {said}"
    return done.stdout
