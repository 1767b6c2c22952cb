"""How many processors there are for us, in a container, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from poise.cli import processors as room
from poise.cli.processors import processors, quota


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("150000 100000\n", 2),
        ("100000 100000\n", 1),
        ("50000 100000\n", 1),
        ("max 100000\n", None),
        ("", None),
        ("1 0\n", None),
    ],
)
def test_what_a_container_may_use(text: str, expected: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert quota(str(tmp_path / "cpu.max")) == expected
    assert quota(str(tmp_path / "absent")) is None


def test_the_least_of_what_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)
    monkeypatch.setattr(room, "QUOTA", str(tmp_path / "cpu.max"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    assert processors() == 4
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert processors() == 2
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1
