"""What ``poise top`` knows: the states that it was told, folded into the present. It draws nothing and asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Value = dict[str, Any]
Life = tuple[int, int]

STRIP = 240  # turns kept; the widest window shows no more
STALLS = 20  # kept
ONCE = ("strip", "rows", "gone", "stalls", "series")
"""What a state has only that part of which is new."""

SORTS: dict[str, Callable[[Value], tuple[float, ...]]] = {
    "held": lambda row: (-number(row, "held_ns"), number(row, "fd")),
    "last": lambda row: (-number(row, "last_ns"), number(row, "fd")),
    "rate": lambda row: (-(number(row, "rate_in") + number(row, "rate_out")), number(row, "fd")),
    "fd": lambda row: (number(row, "fd"), number(row, "gen")),
}
"""Ways to order descriptors, in the order in which a key goes through them."""


class Model:
    """The present of one program."""

    def __init__(self) -> None:
        self.hello: Value = {}
        self.state: Value = {}
        self.rows: dict[Life, Value] = {}
        self.turns: list[list[Any]] = []
        self.stalls: list[Value] = []

    def copy(self) -> Model:
        """The same, which stays as it is."""
        same = Model()
        same.hello, same.state = self.hello, self.state
        same.rows, same.turns, same.stalls = dict(self.rows), list(self.turns), list(self.stalls)
        return same

    def tell(self, answer: Value) -> None:
        """One line of the control socket."""
        if isinstance(answer.get("hello"), dict):
            self.hello = answer["hello"]
        if isinstance(answer.get("state"), dict):
            self._fold(answer["state"])

    def _fold(self, state: Value) -> None:
        for row in state["rows"]:
            self.rows[row["fd"], row["gen"]] = row
        for fd, gen in state["gone"]:
            self.rows.pop((fd, gen), None)
        last = self.turns[-1][0] if self.turns else -1
        self.turns += [turn for turn in state["strip"]["turns"] if turn[0] > last]
        del self.turns[:-STRIP]
        self.stalls += state["stalls"]
        del self.stalls[:-STALLS]
        self.state = {name: value for name, value in state.items() if name not in ONCE}

    def shown(self, sort: str, wanted: str) -> list[Value]:
        """The rows that have ``wanted`` in them, in the order of ``sort``."""
        return sorted((row for row in self.rows.values() if matches(row, wanted)), key=SORTS[sort])


def matches(row: Value, wanted: str) -> bool:
    """Whether one of the row's words has ``wanted`` in it, whatever the case."""
    return not wanted or any(wanted.lower() in word.lower() for word in words(row))


def words(row: Value) -> Iterable[str]:
    yield f"{row['fd']}.{row['gen']}"
    for name in ("kind", "what", "peer", "state"):
        yield str(row.get(name) or "")


def number(row: Value, name: str) -> float:
    """A figure of a row; 0 where it is not known."""
    return row.get(name) or 0
