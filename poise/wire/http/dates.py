"""Dates as HTTP writes them (RFC 9110 section 5.6.7), without a clock and without a locale.

One form is written, IMF-fixdate; three are read. A date that no calendar has (31 February, a Monday that was
a Sunday) is no date: a recipient ignores it.
"""

from __future__ import annotations

import re
from math import floor

from poise.wire.pattern import pattern

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY_SECONDS = 86400
FIRST, LAST = -62_135_596_800, 253_402_300_800  # the seconds of the years 1 to 9999
EPOCH = 719_163  # the ordinal of 1 January 1970
THURSDAY = 3  # that it was
SINCE_MARCH_0 = 719_468  # days until then from 1 March of the year 0
DAYS_OF_400_YEARS = 146_097

_day_name = "|".join(DAYS)
_long_day_name = "|".join(LONG_DAYS)
_month = "|".join(MONTHS)
_time = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = tuple(
    pattern(form)
    for form in (
        # IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
        rf"(?P<name>{_day_name}), (?P<day>[0-9]{{2}}) (?P<month>{_month}) (?P<year>[0-9]{{4}}) {_time} GMT",
        # rfc850-date: Sunday, 06-Nov-94 08:49:37 GMT
        rf"(?P<name>{_long_day_name}), (?P<day>[0-9]{{2}})-(?P<month>{_month})-(?P<year>[0-9]{{2}}) {_time} GMT",
        # asctime-date: Sun Nov  6 08:49:37 1994
        rf"(?P<name>{_day_name}) (?P<month>{_month}) (?P<day>[0-9]{{2}}| [0-9]) {_time} (?P<year>[0-9]{{4}})",
    )
)


def http_date(seconds: float) -> str:
    """IMF-fixdate of ``seconds`` since the epoch, fractions cut off.

    Raises ValueError outside the years 1 to 9999, which four digits cannot write.
    """
    if not FIRST <= seconds < LAST:
        raise ValueError(f"{seconds} is outside the years 1 to 9999")
    days, rest = divmod(floor(seconds), DAY_SECONDS)
    year, month, day = _calendar(days)
    hour, rest = divmod(rest, 3600)
    minute, second = divmod(rest, 60)
    name = DAYS[(days + THURSDAY) % 7]
    return f"{name}, {day:02} {MONTHS[month]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def _calendar(days: int) -> tuple[int, int, int]:
    """Year, month (0 for January) and day of the month, so many days after 1 January 1970, in the Gregorian calendar.

    A year is counted from its March, so that the day that some have and others have not is its last one: then months are
    alternately 31 and 30 days long but for July and August, which is what 153 days in 5 months come to. The library that
    knows it all costs a good part of a start.
    """
    era, day = divmod(days + SINCE_MARCH_0, DAYS_OF_400_YEARS)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    return 400 * era + year + (month > 9), (month + 2) % 12, day + 1


def parse_http_date(text: str, *, now: float | None = None) -> int | None:
    """Seconds since the epoch, or None when ``text`` is no date in one of the three forms.

    The two-digit year of the second form lies at most 50 years ahead of ``now`` (seconds since the epoch).
    Without ``now`` it is read as POSIX does: 69 to 99 are of the last century, 00 to 68 of this one.
    """
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            return _seconds(match, now)
    return None


def _seconds(match: re.Match[str], now: float | None) -> int | None:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second
        return None
    from datetime import date  # few ask for it, and it is a good part of a start

    year = int(match["year"])
    if len(match["year"]) == 2:
        year = _whole_year(year, now)
    try:
        day = date(year, MONTHS.index(match["month"]) + 1, int(match["day"]))
    except ValueError:
        return None
    if DAYS[day.weekday()] != match["name"][:3]:
        return None
    return (day.toordinal() - EPOCH) * DAY_SECONDS + hour * 3600 + minute * 60 + second


def _whole_year(year: int, now: float | None) -> int:
    if now is None:
        return year + (1900 if year >= 69 else 2000)
    from datetime import date

    latest = date.fromordinal(EPOCH + floor(now) // DAY_SECONDS).year + 50
    return latest - (latest - year) % 100
