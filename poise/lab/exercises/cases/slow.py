"""The fifth exercise: an echo server whose client sends and does not read.

The kernel's buffers are made small (``kernel_buffer`` of the limits), so that some hundred kilobytes fill all four of
them; what a program takes in beyond that, it keeps in memory of its own.
"""

from __future__ import annotations

from poise.lab.exercises.cases import case
from poise.lab.exercises.cases.case import WAYS, Case, exchange, quiet
from poise.lab.exercises.cases.echo import MANNER, leaving
from poise.lab.exercises.child import Program
from poise.lab.exercises.client import Client, Stage, Unmet
from poise.limits import KIB

BUFFERS = 4  # between the two: one at each end, for each direction
STEP = 16 * KIB
NUMBER = 8  # bytes: each stands at a place that it names


def numbered(size: int) -> bytes:
    """Bytes of which each piece says where it belongs."""
    return b"".join(b"%07d\n" % at for at in range(size // NUMBER))


def slow_client(stage: Stage, program: Program) -> tuple[Client, bytes]:
    """One that has sent as much as was taken, and has read nothing; and what was taken."""
    client = stage.connect("slow", buffer=stage.limits.kernel_buffer)
    data = numbered(stage.limits.flood)
    taken = client.pour(data, program.idle, BUFFERS * stage.limits.kernel_buffer)
    return client, data[:taken]


def held_up(stage: Stage, program: Program) -> None:
    slow_client(stage, program)
    MANNER.talk(stage.connect())


def bounded(stage: Stage, program: Program) -> None:
    _, taken = slow_client(stage, program)
    if len(taken) == stage.limits.flood:
        raise Unmet("unbounded", "slow", got=taken)


def waiting(stage: Stage, program: Program) -> None:
    slow_client(stage, program)
    quiet(stage, program)


def nothing_lost(stage: Stage, program: Program) -> None:
    client, taken = slow_client(stage, program)
    client.expect_all(taken)
    exchange(client, b"and now?\n", b"and now?\n")
    quiet(stage, program)


def end_in_queue(stage: Stage, program: Program) -> None:
    """The end comes while something waits in the queue.

    The client reads in steps, and each time the program may go on until its queue is full again. So its queue is nearly
    full when it comes to the end of what the client has sent, wherever the kernel has kept the rest.
    """
    client, taken = slow_client(stage, program)
    client.half_close()
    for at in range(0, len(taken), STEP):
        program.settle()
        client.expect_all(taken[at : at + STEP], at)
    client.expect_end()


def crash_in_queue(stage: Stage, program: Program) -> None:
    client, _ = slow_client(stage, program)
    client.reset()
    MANNER.talk(stage.connect())
    quiet(stage, program)


CASES = (
    Case("echo", case.served(MANNER)),
    Case("one-thread", case.by(MANNER, *WAYS)),
    Case("leaving", leaving),
    Case("quiet", case.at_rest(MANNER)),
    Case("held-up", held_up),
    Case("bounded", bounded),
    Case("waiting", waiting),
    Case("nothing-lost", nothing_lost),
    Case("end-in-queue", end_in_queue),
    Case("crash-in-queue", crash_in_queue),
    Case("reset", case.reset(MANNER)),
    Case("gone", case.gone(MANNER)),
    Case("hundred", case.hundred(MANNER)),
)
