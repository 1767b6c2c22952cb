"""What a run leaves: one JSON object, and from it the picture and the trace.

Fields: ``format`` "poise-lab-1", ``experiment``, ``models``, ``seed``, ``machine``, ``started`` (ISO 8601, UTC), ``seconds``, ``outcome``
"shown" | "not shown" | "cannot" | "failed", ``reason`` (texts or None), ``prediction`` {chosen, right, correct}, ``claim``
[{text, measured, relation, bound, holds}], ``figure`` (see :mod:`poise.lab.figure`), ``reference`` {machine, figure} or None,
``records`` (whatever the experiment measured), ``events`` and ``events_left_out``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from poise.lab import plot, trace
from poise.lab.experiment import Experiment, Records
from poise.lab.machine import machine
from poise.lab.references import reference
from poise.lab.text import Text

FORMAT = "poise-lab-1"


def result(
    experiment: Experiment,
    job: Mapping[str, Any],
    kept: Mapping[str, Any],
    *,
    prediction: str | None,
    failed: Text | None,
    began: float,
    seconds: float,
) -> dict[str, Any]:
    """Put together what a run told."""
    records = kept["records"]
    claim = judged(experiment, records)
    reason = kept["text"] or (failed and failed._asdict())
    return {
        "format": FORMAT,
        "experiment": experiment.id,
        "models": job["models"],
        "seed": job["seed"],
        "machine": machine(),
        "started": datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "outcome": outcome(claim, cannot=bool(kept["text"]), failed=failed is not None),
        "reason": reason,
        "prediction": predicted(experiment, prediction, job["models"]),
        "claim": claim,
        "figure": None if records is None else experiment.figure(records).as_json(),
        "reference": reference(experiment.id),
        "records": records,
        "events": sorted(kept["events"], key=lambda event: int(event["at"])),
        "events_left_out": kept["left_out"],
    }


def judged(experiment: Experiment, records: Records | None) -> list[dict[str, Any]]:
    """Each check of the claim with what was measured. Empty when nothing was."""
    if records is None:
        return []
    return [
        {
            "text": check.text._asdict(),
            "measured": check.measured,
            "relation": check.relation,
            "bound": check.bound,
            "holds": check.holds,
        }
        for check in experiment.claim(records)
    ]


def outcome(claim: list[dict[str, Any]], *, cannot: bool, failed: bool) -> str:
    """One word for it all."""
    if failed:
        return "failed"
    if cannot:
        return "cannot"
    return "shown" if all(check["holds"] for check in claim) else "not shown"


def predicted(experiment: Experiment, chosen: str | None, models: Sequence[str]) -> dict[str, Any]:
    """What was guessed, beside what is so; nobody was right or wrong when the server that is asked about took no part."""
    right = experiment.right.id
    unknown = chosen is None or not experiment.answered(models)
    return {"chosen": chosen, "right": right, "correct": None if unknown else chosen == right}


def write(of: dict[str, Any], folder: Path, language: str) -> list[Path]:
    """Write ``ID.json``, ``ID.svg`` and ``ID.trace.json``, those that there is something for; returns their paths. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {".json": json.dumps(of, ensure_ascii=False, indent=1) + "\n"}
    if of["figure"] is not None:
        files[".svg"] = plot.svg(of["figure"], language, of["machine"], of["reference"])
    if of["events"]:
        files[".trace.json"] = json.dumps(trace.trace(of), ensure_ascii=False) + "\n"
    written = []
    for ending, text in files.items():
        path = folder / (of["experiment"] + ending)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
