"""The machine on which something was measured: it stands under every number."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

SIGNS = ("/.dockerenv", "/run/.containerenv")


def machine() -> dict[str, Any]:
    """Its kernel, processors and Python; nothing that names its owner."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "cores": cores(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "container": any(Path(sign).exists() for sign in SIGNS),
    }


def cores() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # pragma: no cover - not on Linux
        return os.cpu_count() or 1


def in_words(of: dict[str, Any]) -> str:
    """One line: "CPython 3.11.7, Linux 6.18, 2 cores"."""
    return f"{of['implementation']} {of['python']}, {of['system']} {of['release']} {of['machine']}, {of['cores']} cores"
