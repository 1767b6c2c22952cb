"""Packages of the npm registry that a test looks at the pages with: fetched when they are needed, kept beside the tools of the
virtual environment, never a part of the project. Without npm or the registry the test is skipped and says so.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

PLACE = Path(__file__).parents[2] / ".venv" / "npm"
PATIENCE = 50  # seconds
NEWLINE = "\n"


def package(name: str, version: str) -> Path:
    """The folder of that package."""
    folder = PLACE / f"{name}-{version}" / "node_modules" / name
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"{name} cannot be fetched: npm is not installed")
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        prefix = PLACE / f"{name}-{version}"
        command = [
            npm,
            "install",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            str(prefix),
        ]
        try:
            done = subprocess.run(
                [*command, f"{name}@{version}"],
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"{name} cannot be fetched: npm took more than {PATIENCE} s")
        if done.returncode or not folder.is_dir():
            shutil.rmtree(prefix, ignore_errors=True)
            pytest.skip(f"{name} cannot be fetched: {done.stderr.strip().partition(NEWLINE)[0]}")
    return folder
