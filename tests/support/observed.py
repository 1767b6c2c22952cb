"""A reactor that is observed from its first moment, to run the tests of the bare one on it."""

from __future__ import annotations

from typing import Any

from poise.loop.probe import Probe
from poise.loop.reactor import Reactor
from poise.loop.seat import Level


class ObservedReactor(Reactor):
    """All is written down, as while somebody watches at the highest level."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.probe = Probe(self)
        self.probe.start(Level.FULL)
