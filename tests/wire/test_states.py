from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from poise.wire.http.states import MEANING, STEPS, State, Step, diagram, page

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_in_the_docs_is_the_table() -> None:
    assert (ROOT / "docs" / "http-states.md").read_text("utf-8") == page()


def test_the_module_prints_the_page() -> None:
    command = [sys.executable, "-m", "poise.wire.http.states"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == page()


def test_every_state_can_be_reached_and_has_a_meaning() -> None:
    reached = {State.IDLE}
    while more := {after for (before, _), after in STEPS.items() if before in reached} - reached:
        reached |= more
    assert reached == set(State) == MEANING.keys()
    assert {step for _, step in STEPS} == set(Step)


def test_every_connection_can_end() -> None:
    ending = {State.CLOSED}
    while more := {before for (before, _), after in STEPS.items() if after in ending} - ending:
        ending |= more
    assert ending == set(State)
    assert not [before for before, _ in STEPS if before is State.CLOSED]


def test_the_diagram_has_every_step() -> None:
    assert diagram().count("-->") == len(STEPS) + 2
