"""Watch a reactor: as long as there are viewers a thread looks at the loop, and what it finds is for whoever asks.

    watching = Watching(reactor)
    watching.attach()                       # the first viewer
    cursor = Cursor()
    watching.state(cursor)                  # as often as you like, from any thread
    watching.detach()                       # the last one: nothing is left behind

Everything may be called from any thread, and while the loop is stuck. The probe belongs to the loop's thread: what is wanted of
it is posted there, and comes about in its next turn.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
from typing import Any

from poise.errors import ProgramFault
from poise.limits.seeing import SeeingLimits
from poise.loop.probe import Probe
from poise.loop.reactor import Reactor
from poise.loop.seat import Level
from poise.seeing import naming, recorder
from poise.seeing.looking import Looking
from poise.seeing.recorder import Recording
from poise.seeing.state import Cursor, state


class Watching:
    """Looks at ``reactor`` while there are viewers.

    ``program`` is what the viewers are told that it is. ``stacks`` allows the second tier of stalls, which takes the timer of
    ``faulthandler``, of which there is one in a process. Raises ProgramFault when the reactor is closed.
    """

    def __init__(
        self,
        reactor: Reactor,
        limits: SeeingLimits | None = None,
        *,
        program: str = "",
        stacks: bool = True,
        probe: Probe | None = None,
        loop: str = "poise",
    ) -> None:
        """``probe`` writes down what ``reactor`` does, when that is a ``loop`` of another kind."""
        reactor.check_open()
        self.reactor = reactor
        self.limits = limits if limits is not None else SeeingLimits()
        self.probe = probe if probe is not None else Probe(reactor, self.limits)
        self.probe.describe = naming.describe
        self.program = program or os.path.basename(sys.argv[0])
        self.loop = loop
        self.viewers = 0
        self.own: frozenset[int] = frozenset()
        """Descriptors of the loop that belong to the watching itself, shown as "this page"."""
        self._stacks = stacks
        self._level = Level.RECORDER
        self._lock = threading.RLock()
        self._looking: Looking | None = None
        self._begun: Looking | None = None  # the one that the probe was started for
        self._closed = False
        self._started_wall = reactor.clock.wall()
        reactor.at_close.append(self.close)

    # -- viewers ---------------------------------------------------------------------------------

    def attach(self) -> None:
        """One viewer more; the first one begins the watching. Raises ProgramFault after close()."""
        with self._lock:
            if self._closed:
                raise ProgramFault("this watching is over, or its reactor is closed")
            if self._looking is None:
                looking = Looking(self.probe, stacks=self._stacks)
                try:
                    looking.start()
                except RuntimeError:  # the machine has no thread left
                    looking.end()
                    raise
                self._looking = looking
                self.reactor.call_soon_threadsafe(self._apply)
            self.viewers += 1  # when nothing has failed: who did not come does not go

    def detach(self) -> None:
        """One viewer less; with the last one everything is taken away. ProgramFault when there is none."""
        with self._lock:
            if not self.viewers:
                raise ProgramFault("there is no viewer to detach")
            self.viewers -= 1
            ended = None if self.viewers else self._leave()
        if ended is not None:
            ended.end()

    def set_level(self, level: Level) -> None:
        """How much is recorded from the next turn on, while somebody watches. ValueError for OFF: detach instead."""
        if level is Level.OFF:
            raise ValueError("the watching ends with its last viewer, not by its level")
        with self._lock:
            self._level = level
            if self._looking is not None:
                self.reactor.call_soon_threadsafe(self._apply)

    def close(self) -> None:
        """No viewers any more, and none to come. The reactor calls it when it closes; twice is no error."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.viewers = 0
            if self.close in self.reactor.at_close:  # unless it is from there that it is called
                self.reactor.at_close.remove(self.close)
            ended = self._leave()
        if ended is not None:
            ended.end()

    def _leave(self) -> Looking | None:
        """What is to be ended, but not while the loop may wait for the lock: a thread ends with its present look."""
        looking, self._looking = self._looking, None
        if looking is not None:
            self.reactor.call_soon_threadsafe(self._apply)
        return looking

    def _apply(self) -> None:
        """On the loop: have the probe do what is wanted by now."""
        with self._lock:
            before, now = self._begun, self._looking
            if before is not now:
                self.probe.stop()  # another one has nothing to do with what was before
                self._begun = now
            if now is not None:
                with now.lock:
                    self.probe.start(self._level)
                    now.stalls.begin()
                for each in (now.shorts, now.requests):
                    (each.begin if self._level is Level.FULL else each.end)()

    # -- what they are told ----------------------------------------------------------------------

    def hello(self) -> dict[str, Any]:
        """What does not change: who is watched, and by which thresholds. Times in nanoseconds unless their name says otherwise."""
        limits, clock = self.limits, self.reactor.clock
        return {
            "version": version(),
            "pid": os.getpid(),
            "program": self.program,
            "poller": self.reactor.poller.name,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
            "cores": os.cpu_count() or 1,
            "started_wall": self._started_wall,
            "clock_ns": self.probe.nanoseconds(),
            "wall": clock.wall(),
            "thresholds": {"note_ns": limits.note, "warn_ns": limits.warn, "red_ns": limits.red},
            "ring_size": limits.records,
            "loop": self.loop,
        }

    def state(self, cursor: Cursor) -> dict[str, Any]:
        """What there is to say now, and what ``cursor`` was not told yet. ProgramFault when nobody is attached."""
        return state(self._present(), cursor, self.own, self.viewers)

    def held_since(self) -> int:
        """When the call began that holds the loop now, from the warn threshold on; 0 when there is none, or no viewer."""
        looking = self._looking
        held = None if looking is None else looking.stalls.held
        return 0 if held is None or held.lasted < self.limits.warn else held.began

    def records(self) -> dict[str, Any]:
        """All that the recorder holds, for a trace or a replay. ProgramFault when nobody is attached."""
        recording = self.recording()
        rows = [row for portion in recording.portions(self.limits.rows) for row in portion]
        return {"rows": rows, **self.about(recording)}

    def recording(self) -> Recording:
        """The same, to be taken in portions: whoever serves a loop at the same time keeps it waiting less. ProgramFault, too."""
        self._present()
        return Recording(self.probe)

    def about(self, recording: Recording) -> dict[str, Any]:
        """What belongs to a recording besides its rows, of which all were taken."""
        looking = self._present()
        with looking.lock:
            stalls = [stall.as_dict() for stall in looking.stalls.found]
        return {
            "format": recorder.FORMAT,
            "hello": self.hello(),
            "seats": recording.seats(),
            "stalls": stalls,
        }

    def spend(self, ns: int, sent: int) -> None:
        """For viewers' threads: so much processor time and so many bytes went into telling them."""
        with self._lock:
            if self._looking is not None:
                self._looking.spend(ns, sent)

    def _present(self) -> Looking:
        looking = self._looking
        if looking is None:
            raise ProgramFault("nobody is attached, so nothing is watched")
        return looking


def version() -> str:
    """Poise's own, which its front door knows: that stands above this room and is there in any program."""
    return str(getattr(sys.modules.get("poise"), "__version__", ""))
