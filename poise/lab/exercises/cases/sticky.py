"""The fourth exercise: a message is a line, and each is answered with its length in bytes and itself."""

from __future__ import annotations

from poise.lab.exercises.cases import case
from poise.lab.exercises.cases.case import WAYS, Case, exchange, greeting
from poise.lab.exercises.child import Program
from poise.lab.exercises.client import Stage

LONGEST = 8192  # bytes of a line, as the exercise says
LONG = b"0123456789" * 800
ENDLESS = b"and so on " * 6554  # eight times what is allowed, without an end of a line


def answer(line: bytes) -> bytes:
    """What the exercise asks for."""
    return b"%d %s" % (len(line) - 1, line)


MANNER = greeting(answer)


def glued(stage: Stage, program: Program) -> None:
    lines = [b"one\n", b"two\n", b"three\n"]
    exchange(stage.connect(), b"".join(lines), b"".join(map(answer, lines)))


def torn(stage: Stage, program: Program) -> None:
    client = stage.connect()
    exchange(client, b"one\ntw", answer(b"one\n"))
    exchange(client, b"o\nthree", answer(b"two\n"))
    exchange(client, b"\n", answer(b"three\n"))


def mixed(stage: Stage, program: Program) -> None:
    first, second = stage.connect(), stage.connect()
    exchange(first, b"one\nhel", answer(b"one\n"))
    exchange(second, b"two\nwor", answer(b"two\n"))
    exchange(first, b"lo\n", answer(b"hello\n"))
    exchange(second, b"ld\n", answer(b"world\n"))


def waited_for(stage: Stage, program: Program) -> None:
    client, other = stage.connect(), stage.connect()
    line = "你好\n".encode()
    for each in line[:-1]:
        client.send(bytes([each]))
        MANNER.talk(other)  # when the other one was answered, the program has seen the byte
        client.expect_nothing()
    exchange(client, line[-1:], answer(line))


def empty(stage: Stage, program: Program) -> None:
    exchange(stage.connect(), b"\n\nx\n", answer(b"\n") * 2 + answer(b"x\n"))


def garbage(stage: Stage, program: Program) -> None:
    line = b" \x00\xff\xfe\r\xe4 \t\n"
    exchange(stage.connect(), line, answer(line))


def long(stage: Stage, program: Program) -> None:
    client = stage.connect()
    exchange(client, LONG + b"\n", answer(LONG + b"\n"))
    MANNER.talk(client)


def endless(stage: Stage, program: Program) -> None:
    client = stage.connect()
    client.flood(ENDLESS)
    client.expect_cut()
    MANNER.talk(stage.connect())


def unfinished(stage: Stage, program: Program) -> None:
    client = stage.connect()
    MANNER.talk(stage.connect())
    with program.paused():
        client.send(b"done\nnot do")
        client.half_close()
    client.expect_last(answer(b"done\n"))


CASES = (
    Case("line", case.served(MANNER)),
    Case("one-thread", case.by(MANNER, *WAYS)),
    Case("glued", glued),
    Case("torn", torn),
    Case("mixed", mixed),
    Case("waited-for", waited_for),
    Case("empty", empty),
    Case("garbage-line", garbage),
    Case("long", long),
    Case("endless", endless),
    Case("unfinished", unfinished),
    Case("silent", case.silent(MANNER)),
    Case("reset", case.reset(MANNER)),
    Case("gone", case.gone(MANNER)),
    Case("quiet", case.at_rest(MANNER)),
    Case("hundred", case.hundred(MANNER)),
)
