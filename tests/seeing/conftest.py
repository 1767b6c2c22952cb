"""What the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from poise.seeing import runtime


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of the test's own, which no other program uses."""
    above = tmp_path_factory.mktemp("run")
    above.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(above))
    monkeypatch.setattr(runtime, "COMMON", str(above))
    return above / "poise"
