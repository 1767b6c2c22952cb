"""A poller that reports what a test tells it to: faults that no kernel produces on demand, in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from poise.limits import LoopLimits
from poise.loop.clock import ManualClock
from poise.readiness.levelling import Events, Levelled

Step = Events | BaseException | Callable[[], Events]


class ScriptedPoller(Levelled):
    """Plays a script, one step per ``poll``: a batch, an exception to raise, or a callable that gives the batch.

    When the script is over, ``poll`` reports nothing and lets the ManualClock go on by the timeout, as if it
    had waited.
    """

    name = "scripted"

    def __init__(self, script: Iterable[Step] = (), clock: ManualClock | None = None) -> None:
        super().__init__(LoopLimits())
        self.script: list[Step] = list(script)
        self.clock = clock
        self.calls: list[tuple[object, ...]] = []

    def poll(self, timeout: float | None = None, maxevents: int = -1, /) -> Events:
        self.calls.append(("poll", timeout))
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, BaseException):
                raise step
            return list(step() if callable(step) else step)
        if self.clock is not None and timeout is not None:
            self.clock.advance(max(timeout, 0.0))
        return []

    @property
    def polls(self) -> list[object]:
        """The timeouts that were asked for."""
        return [call[1] for call in self.calls if call[0] == "poll"]

    def register(self, fd: int, mask: int) -> None:
        self.calls.append(("register", fd, mask))
        super().register(fd, mask)

    def modify(self, fd: int, mask: int) -> None:
        self.calls.append(("modify", fd, mask))
        super().modify(fd, mask)

    def unregister(self, fd: int) -> None:
        self.calls.append(("unregister", fd))
        super().unregister(fd)

    # There is no kernel: any number may be registered, open or not.

    def _probe(self, fd: int) -> None:
        pass

    def _watch(self, fd: int, mask: int) -> None:
        pass

    def _change(self, fd: int, mask: int) -> None:
        pass

    def _forget(self, fd: int) -> None:
        pass
