from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load import Load, Sample
from bench.report import Ratio, counted, describe, figures, pad, ratio, sample_of, table, width

values = st.floats(min_value=1e-3, max_value=1e6)


def sample(cost_us: float, requests: int = 1000, seconds: float = 1.0, errors: int = 0) -> Sample:
    return Sample(
        Load(requests, seconds, errors), cpu_ns=round(cost_us * 1000 * requests), wall_ns=1_000_000_000
    )


def test_a_ratio_is_taken_within_each_round() -> None:
    """The ratio of the medians would be 2 / 2 = 1."""
    assert ratio([1.0, 2.0, 9.0], [2.0, 1.0, 3.0]) == Ratio(median=2.0, low=0.5, high=3.0)


def test_rounds_must_pair_up() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        ratio([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="no rounds"):
        ratio([], [])


@given(st.lists(st.tuples(values, values), min_size=1))
def test_the_median_lies_within_the_range(rounds: list[tuple[float, float]]) -> None:
    found = ratio([a for a, _ in rounds], [b for _, b in rounds])
    assert found.low <= found.median <= found.high


@given(st.lists(values, min_size=1))
def test_a_server_equals_itself(rounds: list[float]) -> None:
    assert ratio(rounds, rounds) == Ratio(1.0, 1.0, 1.0)


ROUNDS = {
    "nginx": [sample(10.0), sample(20.0), sample(10.0)],
    "poise": [sample(5.0, seconds=0.5), sample(10.0, seconds=0.5), sample(8.0, seconds=0.5)],
}


def test_the_reference_comes_first_and_has_no_ratio() -> None:
    ours, theirs = figures(ROUNDS, "poise")
    assert (ours.name, ours.cost, ours.rate, ours.cost_ratio, ours.rate_ratio) == (
        "poise",
        8.0,
        2000.0,
        None,
        None,
    )
    assert theirs.name == "nginx"


def test_ratios_are_the_references_over_the_others() -> None:
    _, theirs = figures(ROUNDS, "poise")
    assert theirs.cost_ratio == Ratio(0.5, 0.5, 0.8)
    assert theirs.rate_ratio == Ratio(2.0, 2.0, 2.0)


def test_without_the_reference_there_are_figures_and_no_ratios() -> None:
    lines = figures(ROUNDS, "floor")
    assert [line.cost_ratio for line in lines] == [None, None]
    assert "—" in table(lines, "floor")


def test_the_table_lines_its_columns_up() -> None:
    head, ours, theirs = table(figures(ROUNDS, "poise"), "poise").splitlines()
    end = head.index("requests/s") + len("requests/s")
    assert ours[:end].endswith(" 2,000")
    assert theirs[:end].endswith(" 1,000")
    assert theirs.startswith("nginx ")
    assert "0.50 (0.50 … 0.80)" in theirs


def test_a_round_with_errors_is_said_in_the_table() -> None:
    rounds = {"poise": [sample(1.0), sample(1.0, errors=1)], "nginx": [sample(1.0), sample(1.0)]}
    ours, theirs = table(figures(rounds, "poise"), "poise").splitlines()[1:]
    assert ours.endswith("errors: not to be believed")
    assert "errors" not in theirs


def test_columns_are_those_of_a_terminal() -> None:
    assert width("就绪 µs") == 7
    assert pad("就绪", 6, left=True) == "就绪  "
    assert pad("就绪", 6, left=False) == "  就绪"


def test_a_round_is_kept_with_what_was_counted_and_what_follows() -> None:
    kept = json.loads(json.dumps(describe(sample(4.0, requests=10, seconds=2.0))))
    assert kept["load"] == {"requests": 10, "seconds": 2.0, "errors": 0, "refused": 0, "bytes": 0}
    assert (kept["cpu_us_per_request"], kept["requests_per_second"]) == (4.0, 5.0)
    assert kept["cpu_ns"] == 40_000


def test_a_round_that_was_kept_can_be_read_again() -> None:
    taken = Sample(Load(10, 2.0, 1, 2, 3), 4, 5, 6, 7)
    assert sample_of(json.loads(json.dumps(describe(taken)))) == taken


def test_a_start_is_told_by_its_time() -> None:
    rounds = {"poise": [sample(1.0, requests=1, seconds=0.1)], "slow": [sample(1.0, requests=1, seconds=0.4)]}
    head, ours, theirs = (
        line.split("  ") for line in table(figures(rounds, "poise"), "poise", "start").splitlines()
    )
    assert [cell.strip() for cell in head if cell][:3] == ["server", "ms/start", "CPU µs/start"]
    assert "100.0" in ours
    assert "0.25 (0.25 … 0.25)" in " ".join(theirs)


def test_how_often_it_was_measured_is_said_in_words() -> None:
    assert counted(1, 1) == "1 round after one warm-up"
    assert counted(5, 3) == "5 rounds after 3 warm-ups"
