"""What a limit is: a number with a unit, a reason and a range that makes sense."""

from __future__ import annotations

import math
from dataclasses import Field, field, fields
from typing import Any

KIB = 1024
MIB = 1024 * KIB


def limit(
    default: float,
    unit: str,
    reason: str,
    *,
    option: str | None = None,
    low: float = 1,
    high: float = math.inf,
) -> Any:
    """A dataclass field that knows its unit, its reason and the range that makes sense."""
    metadata = {"unit": unit, "reason": reason, "option": option, "low": low, "high": high}
    return field(default=default, metadata=metadata)


class Checked:
    """Refuses values outside the declared range when a limits object is made."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for spec in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            check(spec, getattr(self, spec.name))


def check(spec: Field[Any], value: float) -> None:
    """Raise ValueError with a sentence for people when ``value`` is outside the range of ``spec``."""
    low, high = spec.metadata["low"], spec.metadata["high"]
    if not low <= value <= high:
        bounds = f"at least {low:.12g}" if high == math.inf else f"between {low:.12g} and {high:.12g}"
        unit = spec.metadata["unit"]
        raise ValueError(f"{spec.name.replace('_', ' ')} must be {bounds} ({unit}), not {value:.12g}")
