"""What a limit is: a number with a unit, a reason and a range that makes sense."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from poise.limits.record import Record

KIB = 1024
MIB = 1024 * KIB


class Limit:
    """What is said of one limit where it is declared. Its name and type are those of the field that it becomes."""

    __slots__ = ("default", "high", "low", "name", "option", "reason", "type", "unit")

    def __init__(
        self, default: float, unit: str, reason: str, option: str | None, low: float, high: float
    ) -> None:
        self.name = self.type = ""
        self.default = default
        self.unit = unit
        self.reason = reason
        self.option = option
        self.low = low
        self.high = high

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.type = name, owner.__annotations__[name]

    @property
    def dest(self) -> str:
        """The option's name among parsed arguments."""
        return (self.option or "").replace("-", "_")


def limit(
    default: float,
    unit: str,
    reason: str,
    *,
    option: str | None = None,
    low: float = 1,
    high: float = math.inf,
) -> Any:
    """A field of a Checked record that knows its unit, its reason and the range that makes sense."""
    return Limit(default, unit, reason, option, low, high)


class Checked(Record):
    """Refuses values outside the declared range when a limits object is made."""

    LIMITS: ClassVar[Mapping[str, Limit]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.LIMITS = cls.DEFAULTS
        cls.DEFAULTS = {name: spec.default for name, spec in cls.LIMITS.items()}

    def _begin(self) -> None:
        for name, spec in self.LIMITS.items():
            check(spec, getattr(self, name))


def check(spec: Limit, value: float) -> None:
    """Raise ValueError with a sentence for people when ``value`` is outside the range of ``spec``."""
    low, high = spec.low, spec.high
    if not low <= value <= high:
        bounds = f"at least {low:.12g}" if high == math.inf else f"between {low:.12g} and {high:.12g}"
        raise ValueError(f"{spec.name.replace('_', ' ')} must be {bounds} ({spec.unit}), not {value:.12g}")
