"""The limits of the laboratory's exercises: how long a learner's program may run, and with how much."""

from __future__ import annotations

from poise.limits.limit import KIB, MIB, Checked, limit


class ExerciseLimits(Checked):
    """Checking an exercise: what a learner's program may use, and how long its clients wait."""

    start: float = limit(
        5.0, "seconds", "until the program listens; longer, and it waits for something else", low=0.01
    )
    patience: float = limit(
        2.0,
        "seconds",
        "that a client waits for an answer; on loopback one takes less than a millisecond",
        low=0.01,
    )
    life: int = limit(
        30, "seconds", "for one start of the program; then the kernel ends it, whoever else has gone"
    )
    cpu: int = limit(10, "seconds", "of processor time for one start; an endless loop ends there")
    memory: int = limit(
        512 * MIB,
        "bytes",
        "of address space; a program that keeps everything meets its end early",
        low=64 * MIB,
    )
    descriptors: int = limit(
        256,
        "descriptors",
        "open in the program at once: twice the clients, so that those left open are noticed",
        low=64,
    )
    output: int = limit(1 * MIB, "bytes", "that the program may print, or write into a file", low=4 * KIB)
    source: int = limit(256 * KIB, "bytes", "of the longest file that is checked")
    quiet: float = limit(
        0.3, "seconds", "in which nobody says anything, and the program is watched doing nothing", low=0.05
    )
    quiet_waits: int = limit(
        15, "waits", "that may come back while it is quiet: fifty a second; more is polling, not waiting"
    )
    quiet_cpu: float = limit(0.1, "seconds", "of processor time that may be used while it is quiet", low=0.01)
    clients: int = limit(100, "clients", "at once in the exercise with many")
    flood: int = limit(
        4 * MIB,
        "bytes",
        "sent by a client who does not read; several times what the kernel's buffers hold",
        low=MIB,
    )
    kernel_buffer: int = limit(
        64 * KIB,
        "bytes",
        "of each kernel buffer between the two, made the same on every machine",
        low=4 * KIB,
    )
    shown: int = limit(60, "bytes", "of a message shown in an explanation; of longer ones, both ends", low=16)
    transcript: int = limit(16, "lines", "of what the clients did, the last ones", low=4)
