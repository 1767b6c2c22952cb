"""Sizes and times as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from poise.files.texts import Texts

UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def human_size(size: int) -> str:
    """``size`` bytes in the unit that a person would take: two or three figures, powers of a thousand."""
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    power = 0
    while amount >= 999.5 and power < len(UNITS):
        amount /= 1000
        power += 1
    unit = UNITS[power - 1]
    return f"{amount:.1f} {unit}" if amount < 99.95 else f"{amount:.0f} {unit}"


def exact_size(size: int, texts: Texts) -> str:
    """``size`` to the byte."""
    return texts["byte"] if size == 1 else texts["bytes"].format(count=f"{size:,}")


def moment(modified: int) -> str | None:
    """A time in seconds since the epoch as RFC 3339 has it, in UTC; None for one that no calendar has."""
    try:
        return (EPOCH + timedelta(seconds=modified)).isoformat()
    except OverflowError:
        return None


def changed(modified: int, texts: Texts) -> str:
    """The time of a change as HTML, in UTC since nobody knows where the reader is."""
    when = moment(modified)
    if when is None:
        return texts["none"]
    return f'<time datetime="{when}">{when[:10]}<span class="wide"> {when[11:16]}</span></time>'
