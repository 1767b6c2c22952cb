"""The limits of the laboratory: what a run may take of the machine."""

from __future__ import annotations

from poise.limits.limit import KIB, MIB, Checked, limit


class LabLimits(Checked):
    """The lab: what one run of an experiment may take."""

    run_time: float = limit(
        20.0, "seconds", "for one run; then all its processes are killed, for something holds it", low=0.01
    )
    clients: int = limit(
        10_000, "clients", "of one run at most, all of them on this machine; each is two descriptors"
    )
    events: int = limit(
        1500, "events", "kept of one process for slow motion; further ones are only counted, and that is said"
    )
    preview: int = limit(48, "bytes", "shown of what was sent or received")
    line: int = limit(
        64 * KIB, "bytes", "of a line whose end has not come: the service keeps no more for one client"
    )
    growth: int = limit(
        64 * MIB, "bytes", "that the experiment without backpressure lets its queue grow to; then it stops"
    )
    message: int = limit(8 * MIB, "bytes", "of one message from a run's process to who has started it")
    said: int = limit(64 * KIB, "bytes", "kept of what a run's processes say on stderr")
    ending: float = limit(
        2.0, "seconds", "for the last words of a run when all was told; then what is left is killed", low=0.01
    )
    silence: float = limit(
        8.0, "seconds", "that a scripted client waits at most for an answer; then it gives up", low=0.01
    )
    runs: int = limit(
        1, "runs", "at once through one page: two would spoil each other's numbers, so the next is told 503"
    )
    posted: int = limit(4 * KIB, "bytes", "that a page posts to start a run", low=64)
