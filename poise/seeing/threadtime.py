"""How a thread has spent its time: computing, or ready to run while the machine ran somebody else.

The kernel keeps three numbers for each thread (``/proc/self/task/TID/schedstat``, Documentation/scheduler/sched-stats): nanoseconds on a
processor, nanoseconds in the queue for one, and how often. What is missing from the time on the wall was spent asleep.
"""

from __future__ import annotations

import os
from typing import NamedTuple

ROOM = 128  # bytes: three numbers


class Spent(NamedTuple):
    """Nanoseconds, ever."""

    cpu: int
    queued: int


class ThreadTime:
    """The numbers of one thread of this process. On a system that does not keep them, ``read`` gives None."""

    def __init__(self, native_id: int) -> None:
        try:
            self._fd = os.open(f"/proc/self/task/{native_id}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = -1

    def read(self) -> Spent | None:
        """What it has spent until now; None when the thread has gone, or the system does not tell."""
        if self._fd < 0:
            return None
        try:
            cpu, queued, _ = os.pread(self._fd, ROOM, 0).split()
        except (OSError, ValueError):
            return None
        return Spent(int(cpu), int(queued))

    def close(self) -> None:
        """Let go of the descriptor. Twice is no error."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
