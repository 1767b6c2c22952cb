"""How much may wait to be sent: asyncio's rule for the two marks, the same for streams and datagrams."""

from __future__ import annotations

from poise.limits import DatagramLimits, StreamLimits


def water_marks(
    limits: StreamLimits | DatagramLimits, high: int | None = None, low: int | None = None
) -> tuple[int, int]:
    """``(low, high)`` in bytes: pause above ``high``, go on at ``low`` or less.

    ``high`` alone makes ``low`` a quarter of it, ``low`` alone makes ``high`` four times as much; None for both are the
    defaults of ``limits``, the low one no more than the high one. ValueError unless high >= low >= 0.
    """
    if high is None:
        high = limits.high_water if low is None else 4 * low
        low = min(limits.low_water, high) if low is None else low
    elif low is None:
        low = high // 4
    if not high >= low >= 0:
        raise ValueError(f"high ({high}) must be at least low ({low}), and low at least 0")
    return low, high
