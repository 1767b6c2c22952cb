"""A calculator of masks: the five operations of the notes, and what they mean for events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Operation(NamedTuple):
    """``by_hand`` does the same bit by bit, as on paper: the bits of both numbers, lowest first → the bit of the result."""

    sign: str
    compute: Callable[[int, int], int]
    by_hand: Callable[[int, int], int] | None


OPERATIONS = (
    Operation("&", lambda a, b: a & b, lambda a, b: 0 if a == 0 or b == 0 else 1),  # 一 0 则 0
    Operation("|", lambda a, b: a | b, lambda a, b: 1 if a == 1 or b == 1 else 0),  # 一 1 则 1
    Operation("^", lambda a, b: a ^ b, lambda a, b: 0 if a == b else 1),  # 相同为 0 不同为 1
    Operation("<<", lambda a, b: a << b, None),
    Operation(">>", lambda a, b: a >> b, None),
)


def calculate(a: int, sign: str, b: int) -> dict[str, Any]:
    """``calculate(11, "&", 14)``: the expression, its value, and all three in binary. Raises KeyError for another sign."""
    operation = {each.sign: each for each in OPERATIONS}[sign]
    value = operation.compute(a, b)
    return {"text": f"{a} {sign} {b}", "value": value, "binary": f"{value:b}", "a": f"{a:b}", "b": f"{b:b}"}


def on_paper(a: int, sign: str, b: int) -> int:
    """The same, bit by bit; shifts by doubling and halving."""
    operation = {each.sign: each for each in OPERATIONS}[sign]
    if operation.by_hand is None:
        for _ in range(b):
            a = a * 2 if sign == "<<" else a // 2
        return a
    width = max(a.bit_length(), b.bit_length())
    bits = [operation.by_hand(a // 2**place % 2, b // 2**place % 2) for place in range(width)]
    return sum(bit * 2**place for place, bit in enumerate(bits))
