"""The pictures of docs/seeing.md can be taken again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.seeing.tour import take
from tests.support.clients import CHROMIUM, client
from tests.support.program import ROOT

pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_every_picture_of_the_tour_is_taken_from_a_real_program(tmp_path: Path) -> None:
    client(*CHROMIUM)
    made = take(tmp_path)
    assert sorted(file.name for file in made) == sorted(
        file.name for file in (ROOT / "docs" / "seeing").iterdir()
    )
    assert len({file.read_bytes() for file in made}) == len(made), "no two are alike"
