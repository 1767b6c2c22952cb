"""The Date field, made once a second (RFC 9110, 6.6.1)."""

from __future__ import annotations

from poise.loop.clock import Clock
from poise.wire.http.dates import http_date


class DateClock:
    """``text`` is the date to send until the monotonic time ``until``; then ``refresh``."""

    __slots__ = ("_clock", "text", "until")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.text = ""
        self.until = 0.0
        self.refresh(clock.monotonic())

    def refresh(self, now: float) -> None:
        """``now`` is monotonic. The wall clock is read again, so a corrected clock is followed within a second."""
        wall = self._clock.wall()
        self.text = http_date(wall)
        self.until = now + 1.0 - wall % 1.0

    def current(self, now: float) -> str:
        if now >= self.until:
            self.refresh(now)
        return self.text
