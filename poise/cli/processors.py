"""How many processors this process may use: what ``--workers auto`` means."""

from __future__ import annotations

import math
import os

QUOTA = "/sys/fs/cgroup/cpu.max"
"""What a container may use: microseconds of processor time in so many microseconds, or ``max`` (cgroup v2)."""


def processors() -> int:
    """At least 1. A container that may use one and a half of sixty-four has two."""
    try:
        count = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # another system
        count = os.cpu_count() or 1
    return max(1, min(count, quota(QUOTA) or count))


def quota(path: str) -> int | None:
    """The processors that the file allows, rounded up; None when it says nothing of that."""
    try:
        with open(path, encoding="ascii") as file:
            allowed, period = file.read().split()
        return math.ceil(int(allowed) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no such file; "max"; something else altogether
        return None
