"""What sees to it that nothing is left of a run, whoever ends first and however.

* The processes of a run are one process group, and one of them, the guard, does nothing but wait for the end of a pipe. The other end
  is held by who started the run. When that process ends, even by SIGKILL, the kernel closes it, and the guard kills the group.
* It does the same when the time of the run is over.
* Each process asks the kernel to be killed when its parent ends (Linux: PR_SET_PDEATHSIG). This covers a guard that was killed.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with(parent: int) -> None:
    """Let the kernel kill this process when ``parent``, who has started it, ends. Elsewhere than on Linux the guard must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended before we asked
        os._exit(1)


def guard(lifeline: int, seconds: float) -> int:
    """Start the guard of this process's group; returns its process id."""
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        watch(lifeline, seconds, parent)
    return pid


def watch(
    lifeline: int, seconds: float, parent: int
) -> NoReturn:  # pragma: no cover - ends by SIGKILL, its own
    """Wait until nobody holds the other end of ``lifeline``, or the time is over; then end the whole group."""
    try:
        os.closerange(1, lifeline)
        os.closerange(lifeline + 1, 256)  # above all the pipe by which the run tells that it is over
        select.select([lifeline], [], [], seconds)
    finally:
        if os.getpgrp() == parent:  # never anybody else's
            os.killpg(parent, signal.SIGKILL)
        os._exit(1)
