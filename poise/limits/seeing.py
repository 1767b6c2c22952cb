"""The limits of what watches the loop."""

from __future__ import annotations

from poise.limits.limit import KIB, Checked, limit

MS = 1_000_000  # nanoseconds


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
    look: float = limit(
        0.05,
        "seconds",
        "between two looks for what a viewer is told before its next state: a call that holds the loop",
        low=0.001,
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
    saving: float = limit(
        2.0,
        "seconds",
        "recorded in full, each request too, when the page saves a trace; what was recorded before goes along",
        low=0.01,
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


class SeeingLimits(Checked):
    """Watching the loop: what is kept, how often is looked, and what is worth a word.

    Nothing of it is in use while nobody watches.
    """

    records: int = limit(
        65_536,
        "records",
        "kept in the ring, about: a second or two of a saturated loop, minutes of a usual one; older ones are overwritten",
        low=16,
    )
    page: int = limit(1_024, "records", "on one page of the ring, which is overwritten page by page", low=1)
    turns: int = limit(4_096, "turns", "kept apart from the ring, for the strip of the last ones", low=16)
    left: int = limit(4_096, "descriptors", "that have gone are kept until the watching thread has seen them")
    lags: int = limit(1_024, "timers", "whose lateness is kept, for the percentiles")
    names: int = limit(1_024, "names", "of timers and posted calls are summed up one by one")
    seated: int = limit(
        256, "descriptors", "that were there before the watching began are noted in one turn at most"
    )
    cpu_every: int = limit(
        MS, "nanoseconds", "at least between two looks at the processor time: each is a system call", low=0
    )
    note: int = limit(10 * MS, "nanoseconds", "a call that holds the loop for so long is worth a look")
    warn: int = limit(50 * MS, "nanoseconds", "a call that holds the loop for so long is a stall, and named")
    red: int = limit(100 * MS, "nanoseconds", "people notice: every other client has waited for so long")
    tick: float = limit(0.02, "seconds", "between two looks of the watching thread at the turn", low=0.001)
    idle_tick: float = limit(0.025, "seconds", "the same while the loop waits and nothing comes", low=0.001)
    every: float = limit(
        0.25, "seconds", "between two rounds over the descriptors, and two states for a viewer", low=0.05
    )
    rearm: int = limit(
        100 * MS,
        "nanoseconds",
        "between two times that the timer is set which writes the stacks while C code keeps the interpreter; it costs 40 µs",
        low=MS,
    )
    patience: float = limit(
        0.15, "seconds", "until that timer writes, if the watching thread could not set it anew", low=0.01
    )
    back: int = limit(8_192, "records", "are looked back at for the call that a stack belongs to")
    readings: int = limit(
        64, "readings", "of what the kernel says of the loop's thread are kept, one for each look", low=2
    )
    stalls: int = limit(64, "stalls", "are kept, the last ones")
    rows: int = limit(
        200,
        "descriptors",
        "shown at most, those that were used last; of the others so many are looked at in turns",
    )
    portion: int = limit(
        25,
        "descriptors",
        "are asked for their bytes in one look, in which the loop stands still, some 0.1 ms; of more, every other one in a round",
    )
    window: int = limit(60, "seconds", "are summed up in who held the loop, and in the longest hold")
    recent: int = limit(10, "seconds", "are the busy share of", low=1)
    points: int = limit(300, "points", "of the series are kept, one for each second", low=2)
    strip: int = limit(300, "turns", "told to a viewer at first, the last ones")
    strip_more: int = limit(
        50, "turns", "told to it at most each time after that: nobody sees more in that time"
    )
    holders: int = limit(20, "names", "of who held the loop are told")
    timers: int = limit(12, "timers", "are told, the next ones")
    record_cost: int = limit(
        450,
        "nanoseconds",
        "that writing down one call costs the loop, measured; for the page's own account",
        low=0,
    )
    unused: int = limit(16, "calls", "in a row from which nothing came are no coincidence", low=2)
    suspects: int = limit(4, "descriptors", "have their calls looked at before and after, at a time", low=1)
    often: int = limit(
        20, "events", "in one round, one in nearly each turn, make a descriptor suspect", low=2
    )
    silent: int = limit(2, "rounds", "without an event although bytes wait are no coincidence", low=1)
    unread: int = limit(
        2_000 * MS,
        "nanoseconds",
        "in which a peer takes nothing of what waits for it, and it is said to not read",
        low=MS,
    )
    slow_turns: int = limit(
        3, "turns", "of those kept, in which one descriptor took more than half, are a habit", low=1
    )
    storm: int = limit(1_000, "connections", "opened in each of two seconds are a storm")
    full: float = limit(0.9, "of the limit", "of open descriptors are near it", low=0.01, high=1.0)
    near_select: int = limit(900, "descriptors", "is near the 1024 that select(2) can name", high=1024)
    kept: float = limit(5.0, "seconds", "a lint is shown after it was seen last", low=0)
    path: int = limit(
        120, "characters", "of a request's path are kept; its query is not, which may have secrets", low=2
    )
    heads: int = limit(
        256 * KIB,
        "bytes",
        "of heads whose replies are remembered are kept, so that each is read once for its path",
    )
    shorts: int = limit(256, "sends", "that took less than all are kept until somebody has looked at them")
