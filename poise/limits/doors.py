"""The limits of the doors through which a loop is looked at."""

from __future__ import annotations

from poise.limits.limit import KIB, Checked, limit


class DoorLimits(Checked):
    """The doors of the live view: the page's server and the control socket."""

    viewers: int = limit(
        8, "viewers", "of one page at once, and as many of one control socket; the next is told 503"
    )
    connections: int = limit(
        32,
        "connections",
        "to one page at once, viewers included; a thread serves each, so further ones are refused",
    )
    head_time: float = limit(
        5.0, "seconds", "from a connection's start to the end of what is asked; then it is closed", low=0.01
    )
    send_time: float = limit(
        5.0,
        "seconds",
        "a viewer may take for what it is sent; one that is slower is dropped, and comes again",
        low=0.01,
    )
    send_buffer: int = limit(
        256 * KIB,
        "bytes",
        "of what was sent that the kernel keeps for one viewer, so that a slow one is soon known",
    )
    question: int = limit(4 * KIB, "bytes", "the longest question on a control socket", low=64)
    answer: int = limit(
        64 * KIB * KIB,
        "bytes",
        "the longest line that is taken from a control socket: all that a recorder holds",
    )
    recording: int = limit(
        256 * KIB * KIB, "bytes", "of a file that is replayed: more than a full recorder can make"
    )
    rows: int = limit(
        256, "rows", "of a recording put into words at once: meanwhile no other thread runs, the loop neither"
    )
    once: float = limit(
        1.25,
        "seconds",
        "looked at for one single state, unless it is said otherwise: figures are of whole seconds",
        low=0.01,
    )
    longest: float = limit(600.0, "seconds", "that one recording may be asked to take", low=0.01)
    patience: float = limit(
        3.0,
        "seconds",
        "a program may take to answer on its control socket before that is told to who asks",
        low=0.01,
    )
