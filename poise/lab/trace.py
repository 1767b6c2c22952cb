"""A run's events as a Chrome trace: Perfetto and chrome://tracing open it.

One lane for each process, one complete slice for each call, so nothing has a beginning without an end. Several alike calls in a row
were kept as one record; its slice is that of the first, and ``times`` says how many there were.
"""

from __future__ import annotations

from typing import Any


def trace(result: dict[str, Any]) -> dict[str, Any]:
    """The Trace Event Format, times in microseconds."""
    lanes = {
        who: number for number, who in enumerate(dict.fromkeys(event["who"] for event in result["events"]), 1)
    }
    slices: list[dict[str, Any]] = [
        {"ph": "M", "pid": lane, "tid": lane, "name": "process_name", "args": {"name": who}}
        for who, lane in lanes.items()
    ]
    for event in result["events"]:
        lane = lanes[event["who"]]
        slices.append(
            {
                "ph": "X",
                "pid": lane,
                "tid": lane,
                "ts": event["at"],
                "dur": max(event["took"], 1),
                "name": event["call"],
                "cat": event["step"],
                "args": {
                    key: event[key]
                    for key in ("fd", "args", "result", "error", "times", "line")
                    if event[key] not in (None, "", 0)
                },
            }
        )
    return {
        "traceEvents": slices,
        "otherData": {"experiment": result["experiment"], "started": result["started"]},
    }
