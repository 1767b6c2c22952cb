"""The twenty rows of the notes, and what each experiment must have."""

from __future__ import annotations

import importlib.util

import pytest

from poise.lab.describe import describe
from poise.lab.experiment import Experiment
from poise.lab.experiments import EXPERIMENTS
from poise.lab.models import MODELS
from poise.lab.references import references
from poise.lab.rows import ROWS


def test_there_are_twenty_rows() -> None:
    assert list(ROWS) == list(range(1, 21))


@pytest.mark.parametrize("number", ROWS)
def test_each_row_has_an_experiment_that_says_so_itself(number: int) -> None:
    shown = ROWS[number].experiments
    assert shown
    assert set(shown) <= EXPERIMENTS.keys()
    assert set(shown) == {each.id for each in EXPERIMENTS.values() if number in each.rows}


def test_the_exercises_of_the_rows_exist() -> None:
    named = {name for row in ROWS.values() for name in row.exercises}
    assert set(ROWS[20].exercises) == named
    if importlib.util.find_spec("poise.lab.exercises") is None:
        pytest.skip("the exercises are not here")
    catalog = importlib.import_module("poise.lab.exercises.catalog")
    assert named == set(catalog.BY_NAME)


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_an_experiment_is_whole(experiment: Experiment) -> None:
    assert EXPERIMENTS[experiment.id] is experiment
    choices = [choice.id for choice in experiment.choices]
    assert 2 <= len(choices) == len(set(choices)) <= 4
    assert experiment.right.id in choices
    assert experiment.reading
    assert all(each.url.startswith(("https://", "http://")) for each in experiment.reading)
    assert 0 < experiment.seconds < 20
    assert {*experiment.models, *experiment.sources} <= MODELS.keys()


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_a_changed_line_is_named(experiment: Experiment) -> None:
    described = describe(experiment)
    assert {variant["model"] for variant in described["variants"]} <= {
        each["name"] for each in described["sources"]
    }
    for variant in described["variants"]:
        line = variant["source"].splitlines()[variant["line"] - 1]
        assert line.strip() == variant["after"]
        assert variant["who"].startswith(variant["model"])


def test_the_right_choice_is_not_always_in_the_same_place() -> None:
    places = [[choice.right for choice in each.choices].index(True) for each in EXPERIMENTS.values()]
    assert len(set(places)) >= 3
    assert max(places.count(place) for place in set(places)) <= 0.7 * len(places)


def test_a_reference_run_belongs_to_an_experiment_and_names_its_machine() -> None:
    for name, kept in references().items():
        assert kept["figure"]["kind"] in ("lines", "bars"), name
        assert kept["machine"]["python"]
        assert name in EXPERIMENTS
