"""One watching from its first viewer to its last: the thread that looks at the loop, and what it has found.

The thread looks every few milliseconds. Each look does one small portion of whatever is to be done, because while it runs, the
loop does not: they share the interpreter.
"""

from __future__ import annotations

import threading

from poise.loop.clock import cpu_nanoseconds
from poise.loop.notes import WAIT
from poise.loop.probe import Probe
from poise.loop.seat import Level
from poise.seeing.deadman import Deadman
from poise.seeing.lints import Lints
from poise.seeing.requests import Requests
from poise.seeing.sampling import Sampler
from poise.seeing.series import SECOND, Series
from poise.seeing.shorts import Shorts
from poise.seeing.stalls import Stalls

JOINED = 5.0  # seconds; the thread looks up at each tick


class Looking:
    """Begins with ``start``; ``lock`` is held in each look, and by whoever reads several things that belong together."""

    def __init__(self, probe: Probe, *, stacks: bool) -> None:
        self.probe = probe
        self.lock = threading.RLock()
        self.began_ns = probe.nanoseconds()
        self._deadman = Deadman(probe.limits.patience) if stacks else None
        self.sampler = Sampler(probe)
        self.stalls = Stalls(probe, self._deadman)
        self.series = Series(probe)
        self.shorts = Shorts(probe)
        self.requests = Requests(probe)
        self.lints = Lints(probe, self.sampler, self.series, self.stalls, self.shorts)
        self.spent_ns = 0
        """Processor time that went into the watching, ours and what viewers' threads have told."""
        self.sent = 0
        """Bytes that were sent to viewers."""
        # Held until the end: waiting for a lock is one call of C, for an Event a page of Python, a hundred times a second.
        self._going_on = threading.Lock()
        self._going_on.acquire()
        self._thread = threading.Thread(target=self._run, name="poise watching", daemon=True)
        self._turn_n = 0
        self._reported: set[type[Exception]] = set()
        self._round_ns = self._second_ns = self.began_ns

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def end(self) -> None:
        """Look no more, and let go of everything. Twice is no error."""
        with self.lock:
            if self._going_on.locked():
                self._going_on.release()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(JOINED)
        with self.lock:
            self.shorts.end()
            self.requests.end()
            self.stalls.close()
            if self._deadman is not None:
                self._deadman.close()

    def spend(self, ns: int, sent: int) -> None:
        """A viewer's thread has used so much processor time and sent so many bytes."""
        with self.lock:
            self.spent_ns += ns
            self.sent += sent

    def _run(self) -> None:
        before = cpu_nanoseconds()
        while not self._going_on.acquire(timeout=self._pause()):
            with self.lock:
                try:
                    self.look()
                except Exception as error:  # noqa: BLE001 - one look that fails must not end the watching
                    self._failed(error)
                now = cpu_nanoseconds()
                self.spent_ns += now - before
                before = now

    def _failed(self, error: Exception) -> None:
        """Our fault is loud, but not a hundred times a second."""
        if type(error) not in self._reported:
            self._reported.add(type(error))
            self.probe.reactor.call_soon_threadsafe(self.probe.reactor.on_error, error)

    def _pause(self) -> float:
        """Until the next look: longer while the loop waits, because to be woken costs more than the look."""
        probe, limits = self.probe, self.probe.limits
        idle = probe.phase is WAIT and probe.turn_n == self._turn_n
        self._turn_n = probe.turn_n
        return limits.idle_tick if idle else limits.tick

    def look(self) -> None:
        """One look: at the turn always, and at a portion of the rest."""
        if self.probe.level is Level.OFF:
            self.stalls.look_from_outside(self.began_ns)
            return
        self.stalls.look()
        now = self.probe.nanoseconds()
        if now >= self._round_ns and self.sampler.step():
            self._round_ns = now + int(self.probe.limits.every * SECOND)
            self.lints.round()
        if now >= self._second_ns:
            self._second_ns = now + SECOND
            self.sampler.end_second()
            self.series.end_second(self.spent_ns, self.sent)
            self.lints.end_second()
