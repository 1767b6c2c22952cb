"""One round: load from the client on one side, the processor time of the server on the other.

Processor time per request is the first figure, because it holds even while the machine is busy with something else.
It is read from three places, the most exact that the system has:

* the processor clock of a process (``clock_gettime`` with a clock made from its number, nanoseconds): it includes
  threads that have ended, which a server with a thread per connection has by the thousand;
* ``/proc/PID/task/*/schedstat`` (nanoseconds, living threads only);
* ``/proc/PID/stat`` (ticks of mostly 10 ms).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from bench.asking import Unequal
from bench.load import Sample
from bench.scenarios import Scenario
from bench.servers import PROC, Server, pinned, stat_fields

NANOSECONDS = 1_000_000_000
CPUCLOCK_SCHED = 2  # linux/posix-timers.h: the clock counts what the scheduler gave the process
MARGIN = 30.0  # seconds that the client may take beyond its round before it is given up


# --- processor time ---------------------------------------------------------------------------------------


def clock_ns(pid: int) -> int:
    return time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED)


def schedstat_ns(pid: int, proc: Path = PROC) -> int:
    """The first field of schedstat is the time on the processor, in nanoseconds."""
    tasks = (proc / str(pid) / "task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def stat_ns(pid: int, proc: Path = PROC) -> int:
    """utime and stime, the 14th and 15th field, in clock ticks."""
    fields = stat_fields((proc / str(pid) / "stat").read_text())
    return (int(fields[11]) + int(fields[12])) * NANOSECONDS // os.sysconf("SC_CLK_TCK")


SOURCES: dict[str, Callable[[int], int]] = {
    "process clock": clock_ns,
    "schedstat": schedstat_ns,
    "stat": stat_ns,
}


def source(sources: dict[str, Callable[[int], int]] = SOURCES) -> str:
    """The first source that works here, tried on this very process."""
    for name, read in sources.items():
        try:
            if read(os.getpid()) > 0:
                return name
        except (OSError, ValueError, IndexError):
            continue
    raise OSError("this system tells nobody how long a process ran")


def cpu_ns(pids: Iterable[int], read: Callable[[int], int]) -> int:
    """Processor time of all of ``pids`` together, in nanoseconds."""
    return sum(read(pid) for pid in pids)


# --- load -------------------------------------------------------------------------------------------------


def measure(
    server: Server, scenario: Scenario, folder: Path, seconds: int, cores: Collection[int], clock: str
) -> Sample:
    """One round against ``server``; ``folder`` holds what the scenario has prepared.

    The client is pinned to ``cores``; ``clock`` names one of :data:`SOURCES`. Raises Unequal when nothing was answered.
    """
    pids, read = server.pids(), SOURCES[clock]
    command = scenario.client(folder, server.port, seconds)
    with pinned(cores):
        ran, began = cpu_ns(pids, read), time.monotonic_ns()
        client = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + MARGIN)
        spent, passed = cpu_ns(pids, read) - ran, time.monotonic_ns() - began
    load = scenario.parse(client.stdout)
    if not load.requests:
        raise Unequal(f"answered nothing in a whole round, with {load.errors} errors")
    return Sample(load, spent, passed, server.private_bytes(), server.take_log())
