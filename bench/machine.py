"""What the figures were measured on: machine, kernel, interpreter and the versions of the programs."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ANSWER_TIME = 10.0  # seconds


def describe() -> dict[str, Any]:
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "wrk": version(("wrk", "-v")),
        "compiler": version(("cc", "--version")),
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        model = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        model = None
    return model[1] if model else platform.processor() or "unknown"


def version(command: Sequence[str], folder: Path | None = None) -> str:
    """The first line that a program prints about itself, on whichever of its outputs (`wrk -v` exits with 1)."""
    try:
        answer = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=ANSWER_TIME, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({error})"
    lines = (answer.stdout + answer.stderr).strip().splitlines()
    return lines[0].strip() if lines else "unknown"


def cores() -> tuple[int, int]:
    """The core for the server and the core for the client: the last and the first that may be used here."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[-1], usable[0]
