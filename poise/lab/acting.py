"""The process of one run: ``python3 -c "…" JOB LIFELINE``, started by :mod:`poise.lab.running` and by nobody else.

Its messages are JSON, one a line, on what was its standard output: progress, events, records. What an experiment prints by
mistake goes to stderr and cannot spoil them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from poise.lab import fence, lifeline
from poise.lab.experiment import Cannot
from poise.lab.experiments import EXPERIMENTS
from poise.lab.stage import Stage
from poise.limits.lab import LabLimits

INPUT, OUTPUT, ERROR = 0, 1, 2


def main(job: dict[str, Any]) -> None:
    """Run one experiment and tell what came of it."""
    lifeline.die_with(job["parent"])
    fence.put_up()
    messages = os.dup(OUTPUT)
    os.dup2(ERROR, OUTPUT)
    guard = lifeline.guard(INPUT, job.get("seconds", LabLimits().run_time))
    with open(messages, "w", encoding="utf-8") as pipe:

        def tell(message: dict[str, Any]) -> None:
            pipe.write(json.dumps(message, ensure_ascii=False) + "\n")
            pipe.flush()

        stage = Stage(seed=job["seed"], models=job["models"], tell=tell, private=[messages])
        try:
            tell({"kind": "started", "pid": os.getpid(), "guard": guard})
            tell({"kind": "records", "records": EXPERIMENTS[job["experiment"]].run(stage)})
        except Cannot as cannot:
            tell({"kind": "cannot", "text": cannot.text._asdict()})
        finally:
            stage.close()
            os.kill(guard, signal.SIGKILL)
            os.waitpid(guard, 0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
