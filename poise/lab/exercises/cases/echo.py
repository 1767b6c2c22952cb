"""The first three exercises: a server that gives back every byte, with select, poll or epoll."""

from __future__ import annotations

from poise.lab.exercises.cases import case
from poise.lab.exercises.cases.case import Case, exchange, greeting
from poise.lab.exercises.child import Program
from poise.lab.exercises.client import Stage

MANNER = greeting(lambda said: said)
CHINESE = "你好\n".encode()
GARBAGE = bytes(range(256)) + b"\x00\xff\xfe\r\n\r\n\x00"
AGAIN = 20  # clients one after the other; each gets the number that the one before it has left


def byte_by_byte(stage: Stage, program: Program) -> None:
    client = stage.connect()
    for each in CHINESE:
        exchange(client, bytes([each]), bytes([each]))


def two(stage: Stage, program: Program) -> None:
    first, second = stage.connect(), stage.connect()
    for turn in range(3):
        first.send(b"from A %d\n" % turn)
        second.send(b"from B %d\n" % turn)
        second.expect(b"from B %d\n" % turn)
        first.expect(b"from A %d\n" % turn)


def leaving(stage: Stage, program: Program) -> None:
    client = stage.connect()
    exchange(client, b"bye\n", b"bye\n")
    client.half_close()
    client.expect_end()
    MANNER.talk(stage.connect())


def last_words(stage: Stage, program: Program) -> None:
    client = stage.connect()
    MANNER.talk(stage.connect())
    with program.paused():  # both are there when the program looks
        client.send(b"last words")
        client.half_close()
    client.expect_last(b"last words")


def again(stage: Stage, program: Program) -> None:
    for number in range(AGAIN):
        client = stage.connect(f"client {number + 1}")
        MANNER.talk(client)
        client.half_close()
        client.expect_end()
        client.socket.close()


def garbage(stage: Stage, program: Program) -> None:
    exchange(stage.connect(), GARBAGE, GARBAGE)
    MANNER.talk(stage.connect())


def cases(way: str) -> tuple[Case, ...]:
    """Those of the server that waits by ``way``."""
    return (
        Case("echo", case.served(MANNER)),
        Case(way, case.by(MANNER, way)),
        Case("bytes", byte_by_byte),
        Case("two", two),
        Case("silent", case.silent(MANNER)),
        Case("leaving", leaving),
        Case("last-words", last_words),
        Case("again", again),
        Case("quiet", case.at_rest(MANNER)),
        Case("reset", case.reset(MANNER)),
        Case("gone", case.gone(MANNER)),
        Case("quiet-reset", case.after_reset(MANNER)),
        Case("garbage", garbage),
        Case("hundred", case.hundred(MANNER)),
    )
