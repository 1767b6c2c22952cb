"""Writes poise/lab/references.json, the runs that are drawn in grey: ``python3 -m tests.lab_references [NAME …]``.

To be run on a quiet machine. Only figures with axes are kept, and only of runs that showed what they claim.
"""

from __future__ import annotations

import json
import sys

from poise.lab.experiments import EXPERIMENTS
from poise.lab.references import PAGE, references
from poise.lab.running import running


def main(names: list[str]) -> None:
    kept = dict(references())
    for name in names or EXPERIMENTS:
        result = list(running(EXPERIMENTS[name]))[-1]["result"]
        if result["outcome"] != "shown":
            print(f"{name}: {result['outcome']}, not kept", file=sys.stderr)
        elif result["figure"]["kind"] in ("lines", "bars"):
            kept[name] = {"machine": result["machine"], "figure": result["figure"]}
    rows = [
        f"{json.dumps(name)}: {json.dumps(kept[name], ensure_ascii=False)}"
        for name in EXPERIMENTS
        if name in kept
    ]
    PAGE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
