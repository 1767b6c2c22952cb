"""With ``--live`` a page that has just been told of a change never gets what was there before it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from poise.files.entity import settled
from tests.support.client import get
from tests.support.program import serving

pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_what_was_remembered_is_not_served_after_a_change(tmp_path: Path) -> None:
    style = tmp_path / "style.css"
    style.write_text("a { color: #111 }")
    while not settled(style.stat(), time.time()):  # only files at rest are remembered
        time.sleep(0.05)
    with serving(tmp_path, "--live") as served:
        for number in range(20):
            for _ in range(3):
                assert get(served.port, "/style.css").body == style.read_bytes()
            if number % 5 == 4:
                fresh = tmp_path / "fresh"
                fresh.write_text(f"a {{ color: #{number:03} }}")
                os.utime(fresh, (1, 1))
                fresh.replace(style)
