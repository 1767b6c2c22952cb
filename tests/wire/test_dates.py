from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.wire.http.dates import http_date, parse_http_date

FIRST, LAST = -62135596800, 253402300799  # the first second of the year 1, the last of the year 9999
NOON_2026 = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


def test_the_example_of_the_rfc_in_its_three_forms() -> None:
    assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777
    assert parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777
    assert parse_http_date("Sun Nov  6 08:49:37 1994") == 784111777


def test_fractions_are_cut_off_also_before_the_epoch() -> None:
    assert http_date(0.999) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert http_date(-0.5) == "Wed, 31 Dec 1969 23:59:59 GMT"


@given(st.integers(FIRST, LAST))
def test_what_is_written_is_read(seconds: int) -> None:
    assert parse_http_date(http_date(seconds)) == seconds


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001 - made UTC below
def test_agrees_with_the_standard_library(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    seconds = int(moment.timestamp())
    assert http_date(seconds) == moment.strftime("%a, %d %b ") + f"{moment.year:04}" + moment.strftime(
        " %H:%M:%S GMT"
    )
    asctime = f"{moment:%a} {moment:%b} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}"
    assert parse_http_date(asctime) == seconds


@pytest.mark.parametrize("seconds", [FIRST - 1, LAST + 1, 1e30, -1e30])
def test_years_that_four_digits_cannot_write(seconds: float) -> None:
    with pytest.raises(ValueError, match="outside the years"):
        http_date(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "784111777",
        "Mon, 06 Nov 1994 08:49:37 GMT",  # it was a Sunday
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, 06 Nov ١٩٩٤ 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
    ],
)
def test_no_date(text: str) -> None:
    assert parse_http_date(text) is None


def test_a_leap_second() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == 1483228800


def test_the_century_of_two_digits() -> None:
    assert parse_http_date("Tuesday, 01-Jan-69 00:00:00 GMT") is None  # a Wednesday in 1969
    assert parse_http_date("Wednesday, 01-Jan-69 00:00:00 GMT") == -31536000
    assert parse_http_date("Sunday, 01-Jan-68 00:00:00 GMT") == datetime(2068, 1, 1, tzinfo=UTC).timestamp()
    # Fifty years ahead of 2026 is 2076; one more is in the past.
    assert (
        parse_http_date("Wednesday, 01-Jan-76 00:00:00 GMT", now=NOON_2026)
        == datetime(2076, 1, 1, tzinfo=UTC).timestamp()
    )
    assert (
        parse_http_date("Saturday, 01-Jan-77 00:00:00 GMT", now=NOON_2026)
        == datetime(1977, 1, 1, tzinfo=UTC).timestamp()
    )
