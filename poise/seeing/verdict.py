"""One sentence about the loop, the one that matters most now."""

from __future__ import annotations

from typing import Any, Final

from poise.loop.seat import Level
from poise.seeing import recorder
from poise.seeing.figures import duration, since
from poise.seeing.looking import Looking
from poise.seeing.series import SECOND
from poise.seeing.stalls import Stall
from poise.seeing.texts import percent

FULL: Final = 0.9  # of the time: what comes now has to wait for what came before
BUSY: Final = 0.5
MUCH: Final = 0.9  # of a hold is seen by looking at it: then it is the same one


def verdict(looking: Looking, stuck: Stall | None, now: int) -> dict[str, Any]:
    """``{id, args}``: the text is ``verdict.<id>``, and the arguments are strings ready to be put into it."""
    probe, series = looking.probe, looking.series
    if stuck is not None:
        return told("stuck", name=stuck.name, longest=duration(stuck.ns))
    if probe.level is Level.OFF:
        return told("starting")
    spin = looking.lints.has("unused", "write_idle")
    if spin is not None:
        return told("spinning", fd=spin.args["fd"], rate=spin.args["rate"])
    hold = series.longest()
    if hold is not None and hold.ns >= probe.limits.red and now - hold.ended < probe.limits.recent * SECOND:
        name = recorder.name_of_holder(hold.holder, probe)
        worst = looking.stalls.worst.get(name)
        if worst is not None and worst.ns >= hold.ns * MUCH:
            name = worst.name
        return told("held", name=name, longest=duration(hold.ns), ago=since(now - hold.ended))
    busy, longest = series.busy_share(), duration(hold.ns) if hold is not None else duration(0)
    if busy is None:
        return told("new")
    if busy >= FULL:
        return told("full", busy=percent(busy))
    if busy >= BUSY:
        return told("busy", busy=percent(busy), longest=longest)
    if series.per_second("calls") < 1:
        return told("idle")
    return told("free", free=percent(1 - busy), longest=longest)


def told(id: str, **args: str) -> dict[str, Any]:  # noqa: A002 - that is what it is called in the State
    return {"id": id, "args": args}
