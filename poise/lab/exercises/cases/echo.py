"""The first three exercises: a server that gives back every byte, with select, poll or epoll."""

from __future__ import annotations

from poise.lab.exercises.cases.case import Case, by, quiet, still_there, talk
from poise.lab.exercises.child import Program
from poise.lab.exercises.client import Stage

GREETING = b"hello\n"
CHINESE = "你好\n".encode()
GARBAGE = bytes(range(256)) + b"\x00\xff\xfe\r\n\r\n\x00"
AGAIN = 20  # clients one after the other; each gets the number that the one before it has left


def echo(stage: Stage, program: Program) -> None:
    talk(stage.connect(), GREETING, GREETING)


def byte_by_byte(stage: Stage, program: Program) -> None:
    client = stage.connect()
    for each in CHINESE:
        talk(client, bytes([each]), bytes([each]))


def two(stage: Stage, program: Program) -> None:
    first, second = stage.connect(), stage.connect()
    for turn in range(3):
        first.send(b"from A %d\n" % turn)
        second.send(b"from B %d\n" % turn)
        second.expect(b"from B %d\n" % turn)
        first.expect(b"from A %d\n" % turn)


def silent(stage: Stage, program: Program) -> None:
    stage.connect()
    talk(stage.connect(), GREETING, GREETING)
    talk(stage.connect(), b"and me?\n", b"and me?\n")


def leaving(stage: Stage, program: Program) -> None:
    client = stage.connect()
    talk(client, b"bye\n", b"bye\n")
    client.half_close()
    client.expect_end()
    still_there(stage, GREETING, GREETING)


def last_words(stage: Stage, program: Program) -> None:
    client = stage.connect()
    client.send(b"last words")
    client.half_close()
    client.expect(b"last words")
    client.expect_end()


def reset(stage: Stage, program: Program) -> None:
    other = stage.connect()
    talk(other, GREETING, GREETING)
    client = stage.connect()
    talk(client, b"so long", b"so long")
    client.reset()
    talk(other, b"still here?\n", b"still here?\n")
    still_there(stage, GREETING, GREETING)


def again(stage: Stage, program: Program) -> None:
    for number in range(AGAIN):
        client = stage.connect()
        talk(client, b"client %d\n" % number, b"client %d\n" % number)
        client.half_close()
        client.expect_end()
        client.socket.close()


def garbage(stage: Stage, program: Program) -> None:
    talk(stage.connect(), GARBAGE, GARBAGE)
    still_there(stage, GREETING, GREETING)


def hundred(stage: Stage, program: Program) -> None:
    clients = [stage.connect(f"client {number}") for number in range(1, stage.limits.clients + 1)]
    for client in clients:
        client.send(b"I am " + client.name.encode() + b"\n")
    for client in clients:
        client.expect(b"I am " + client.name.encode() + b"\n")


def at_rest(stage: Stage, program: Program) -> None:
    first, second = stage.connect(), stage.connect()
    talk(first, GREETING, GREETING)
    talk(second, GREETING, GREETING)
    first.leave()
    talk(stage.connect(), GREETING, GREETING)
    quiet(stage, program)


def after_reset(stage: Stage, program: Program) -> None:
    client = stage.connect()
    talk(client, GREETING, GREETING)
    client.reset()
    talk(stage.connect(), GREETING, GREETING)
    quiet(stage, program)


def cases(way: str) -> tuple[Case, ...]:
    """Those of the server that waits by ``way``."""
    return (
        Case("echo", echo),
        Case(way, by(way)),
        Case("bytes", byte_by_byte),
        Case("two", two),
        Case("silent", silent),
        Case("leaving", leaving),
        Case("last-words", last_words),
        Case("again", again),
        Case("quiet", at_rest),
        Case("reset", reset),
        Case("quiet-reset", after_reset),
        Case("garbage", garbage),
        Case("hundred", hundred),
    )
