"""Figures with their units, and texts of strangers that a terminal must not obey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.cli.paint import RESET, STYLES, Column, Span, columns, painted
from poise.cli.plain import fitted, plain, width
from poise.seeing import figures
from tests.seeing.watching import HOSTILE


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (None, "–"), (0, "0 ms"), (7, "7 ns"), (999, "999 ns"), (1_000, "1.00 µs"), (9_994, "9.99 µs"), (99_940, "99.9 µs"),
        (999_499, "999 µs"), (999_600, "1.00 ms"), (212_000_000, "212 ms"), (1_500_000_000, "1.50 s"), (59_900_000_000, "59.9 s"),
        (61_000_000_000, "1 min 1 s"), (3_660_000_000_000, "1 h 1 min"), (-5_000_000, "−5.00 ms"),
    ],
)  # fmt: skip
def test_durations(ns: int | None, shown: str) -> None:
    assert figures.duration(ns) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (1000, "0.98 KiB"), (65_536, "64.0 KiB"), (3 * 2**30, "3.00 GiB"), (2**50, "1024 TiB")],
)  # fmt: skip
def test_sizes(count: int | None, shown: str) -> None:
    assert figures.size(count) == shown


@pytest.mark.parametrize(
    ("part", "shown"),
    [(None, "–"), (0, "0 %"), (0.97, "97 %"), (0.025, "2.5 %"), (0.0004, "0.04 %"), (1e-6, "<0.01 %")],
)
def test_shares(part: float | None, shown: str) -> None:
    assert figures.share(part) == shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("ns", 2_000_000, "2.00 ms"), ("lag_ns", 0, "0 ms"), ("ago", 14_400_000_000, "14 s"), ("ago_ns", 61e9, "1 min 1 s"),
        ("free", 0.97, "97 %"), ("queue_bytes", 2048, "2.00 KiB"), ("bytes_per_s", 2048, "2.00 KiB/s"), ("fd", 1024, "1024"),
        ("count", 12_345, "12,345"), ("name", "report", "report"), ("longest", "40 ms", "40 ms"), ("open", True, "True"), ("x", None, "–"),
    ],
)  # fmt: skip
def test_a_gap_tells_by_its_name_what_it_measures(name: str, value: object, shown: str) -> None:
    assert figures.named(name, value) == shown


def test_a_text_is_filled_and_what_is_not_known_is_a_dash() -> None:
    assert (
        figures.filled("{name} held {ns}, {other}", {"name": "{ns}", "ns": 1_000_000})
        == "{ns} held 1.00 ms, –"
    )


def test_a_figure_is_at_least_a_second_ago() -> None:
    assert figures.since(3) == "1 s"


@pytest.mark.slow
@given(st.text())
def test_no_control_character_is_left_of_any_text(text: str) -> None:
    assert plain(text).isprintable()
    assert len(plain(text)) == len(text)


def test_a_hostile_name_is_harmless_and_can_still_be_read() -> None:
    shown = plain(HOSTILE)
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "\u202e" not in shown
    assert "<img src=x onerror=alert(1)>" in shown


@pytest.mark.slow
@given(
    st.text(alphabet=st.characters(exclude_categories=["Cc", "Cf", "Cs", "Mn", "Me", "Mc"])),
    st.integers(0, 30),
)
def test_a_cell_is_as_wide_as_its_column(text: str, wide: int) -> None:
    for right in (False, True):
        assert (
            wide - 1 <= width(fitted(text, wide, right=right)) <= max(wide, 1 if wide == 0 and text else wide)
        )


def test_cells_are_cut_by_columns_and_not_by_letters() -> None:
    assert fitted("就绪就绪", 6) == "就绪… "
    assert fitted("ready", 4) == "rea…"
    assert fitted("ab", 4, right=True) == "  ab"
    assert width("就绪") == 4
    assert width("e\u0301") == 1


def test_a_line_is_cut_to_the_window_and_styled_only_on_demand() -> None:
    line = [Span("abc", "bold"), Span("def"), Span("ghi", "dim")]
    assert painted(line, 5, colour=False) == "abcd…"
    assert painted(line, 9, colour=True) == f"{STYLES['bold']}abc{RESET}def{STYLES['dim']}ghi{RESET}"
    assert painted([Span("")], 9, colour=True) == ""


def test_columns_of_the_highest_rank_go_first_and_what_is_left_over_is_shared() -> None:
    wanted = [Column("a", 4), Column("b", 4, grow=1, rank=1), Column("c", 4, grow=3, rank=2)]
    assert [(each.name, wide) for each, wide in columns(wanted, 18)] == [("a", 4), ("b", 5), ("c", 7)]
    assert [(each.name, wide) for each, wide in columns(wanted, 12)] == [("a", 4), ("b", 7)]
    assert [(each.name, wide) for each, wide in columns(wanted, 2)] == [("a", 4)]
