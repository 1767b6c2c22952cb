"""What a process takes of the machine: memory, processor time, threads, switches (proc(5)).

Elsewhere than on Linux only the process itself can be asked, and only for processor time and switches; the rest is 0.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import NamedTuple

from poise.lab.text import Text

PROC = Path("/proc")
NO_PROC = Text(
    "This system has no /proc, so the server's memory and threads cannot be seen from outside.",
    "这个系统没有 /proc，无法从外部看到服务器的内存和线程。",
)


class Usage(NamedTuple):
    """``wall`` and ``cpu`` in seconds, ``rss`` in KiB; ``switches`` of both kinds: it waited, or it was made to."""

    wall: float = 0.0
    cpu: float = 0.0
    rss: int = 0
    threads: int = 0
    switches: int = 0

    def since(self, before: Usage) -> Usage:
        """What has come since ``before``; memory and threads as they are now."""
        return self._replace(
            wall=self.wall - before.wall,
            cpu=self.cpu - before.cpu,
            switches=self.switches - before.switches,
        )


def usage(pid: int) -> Usage:
    """Of the process ``pid``; of another process all zero where there is no /proc."""
    if not (PROC / str(pid) / "status").exists():
        return own() if pid == os.getpid() else Usage(wall=time.monotonic())
    pairs = (line.partition(":") for line in (PROC / str(pid) / "status").read_text().splitlines())
    fields = {name: value.split() for name, _colon, value in pairs}
    tasks = list((PROC / str(pid) / "task").iterdir())
    return Usage(
        wall=time.monotonic(),
        cpu=time.process_time() if pid == os.getpid() else sum(map(_cpu, tasks)),
        rss=int(fields["VmRSS"][0]),
        threads=int(fields["Threads"][0]),
        switches=sum(map(_switches, tasks)),
    )


def _cpu(task: Path) -> float:
    """Seconds on a processor, from the scheduler's own nanoseconds: the ticks in ``stat`` are 10 ms long."""
    try:
        return int((task / "schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError):
        return 0.0  # the thread has ended, or the kernel keeps no such count


def _switches(task: Path) -> int:
    try:
        lines = (task / "status").read_text().splitlines()
    except OSError:
        return 0  # the thread has ended
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def own() -> Usage:
    """Of this process, where there is no /proc."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(
        wall=time.monotonic(),
        cpu=used.ru_utime + used.ru_stime,
        switches=used.ru_nvcsw + used.ru_nivcsw,
    )
