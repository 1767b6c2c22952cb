"""Reference runs: what the same experiment gave on a machine that is named, to be drawn in grey beside a run of one's own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("references.json")


@cache
def references() -> dict[str, dict[str, Any]]:
    """Experiment → {machine, figure}."""
    kept: dict[str, dict[str, Any]] = json.loads(PAGE.read_text(encoding="utf-8"))
    return kept


def reference(experiment: str) -> dict[str, Any] | None:
    """That of one experiment; None when none was kept."""
    return references().get(experiment)
