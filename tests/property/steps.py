"""Scripts for two ends of one connection: who does what, and whether by itself or from inside a callback."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

FILE = 100_000  # bytes of the file that is sent
NOW = "now"
CALLBACKS = ("made", "data", "data", "data", "buffer", "eof", "pause", "resume", "lost")


class Step(NamedTuple):
    """End ``end`` calls its method ``name`` with ``args``: now, or the next time that it hears ``when``."""

    end: int
    when: str
    name: str
    args: tuple[Any, ...] = ()


class Script(NamedTuple):
    """What is to be done, and how narrow the two ends are: bytes of each kernel buffer, None for the system's own."""

    steps: list[Step]
    rooms: tuple[int | None, int | None]
    keeps_open: tuple[bool, bool]
    """What each end's ``eof_received`` returns."""
    kinds: tuple[int | None, int | None]
    """Each end's first protocol: bytes of its own buffer, None for ``data_received``."""


def named(*names: str) -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    return st.sampled_from(names).map(lambda name: (name, ()))


def call(name: str, *args: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    return st.tuples(st.just(name), st.tuples(*args))


small, middle, large = st.integers(0, 100), st.integers(1000, 8000), st.integers(10_000, 60_000)
sizes = st.one_of(small, middle, large)
forms = st.sampled_from(["bytes", "bytearray", "memoryview", "words"])
kinds = st.sampled_from([None, None, 700, 5000, 65_536])
offsets = st.one_of(small, large)

write = call("write", sizes, forms, st.booleans())
writelines = call("writelines", st.lists(st.tuples(st.one_of(small, middle), forms), max_size=4))
sendfile = call("sendfile", offsets, st.one_of(small, middle, large, st.just(FILE)))
marks = call("set_marks", *[st.one_of(st.none(), st.integers(0, 30_000))] * 2)
flow = st.one_of(named("pause_reading", "resume_reading"), marks, call("switch", kinds))
ends = st.one_of(
    named("write_eof", "abort"),
    call("close", st.booleans()),
    call("send_short", offsets, sizes.map(lambda size: size + 1)),
)
deeds = st.one_of(write, writelines, sendfile, flow, flow, write, sendfile, ends)

who = st.integers(0, 1)
by_itself = st.tuples(who, st.just(NOW), deeds)
from_inside = st.tuples(
    who, st.sampled_from(CALLBACKS), st.one_of(deeds, deeds, deeds, named("raise_error", "pause_reading"))
)
passing = st.tuples(st.just(0), st.just(NOW), named("turn", "turn", "turn", "turn", "turn", "tick"))

steps = st.one_of(by_itself, passing, by_itself, passing, from_inside).map(
    lambda drawn: Step(drawn[0], drawn[1], *drawn[2])
)
rooms = st.sampled_from([None, 4096, 20_000])
scripts = st.builds(
    Script,
    st.one_of(st.lists(steps, max_size=10), st.lists(steps, min_size=8, max_size=40)),
    st.tuples(rooms, rooms),
    st.tuples(st.booleans(), st.booleans()),
    st.tuples(kinds, kinds),
)
