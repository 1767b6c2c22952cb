"""A watching whose states are written beforehand, in the shape that the real one has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from poise.seeing.replay import Replay

HOSTILE = "<img src=x onerror=alert(1)>\x1b]0;owned\x07\x1b[2J\r\nevent: state\u202e\x9b31m"
"""A name that would do something to a page, a terminal or a line, if any of them took it for more than text."""

HELLO: dict[str, Any] = {
    "version": "0.1.0",
    "pid": 4711,
    "program": "poise serve .",
    "poller": "epoll",
    "python": "3.11.7",
    "system": "Linux 6.18",
    "cores": 2,
    "started_wall": 1_790_000_000.0,
    "clock_ns": 1_000_000_000,
    "wall": 1_790_000_010.0,
    "thresholds": {"note_ns": 10_000_000, "warn_ns": 50_000_000, "red_ns": 100_000_000},
    "ring_size": 65_536,
    "loop": "poise",
}


def row(fd: int, **others: Any) -> dict[str, Any]:
    return {
        "fd": fd,
        "gen": 1,
        "kind": "connection",
        "what": "HTTPConnection",
        "peer": "127.0.0.1:50000",
        "state": "reading",
        "wanted": 1,
        "returned": 1,
        "in": 0,
        "queue": 0,
        "out": 0,
        "rate_in": 100.0,
        "rate_out": 2_000.0,
        "events": 10,
        "held_ns": 1_000_000,
        "longest_ns": 200_000,
        "last_ns": 2_000_000_000,
        "page": False,
    } | others


def state(**others: Any) -> dict[str, Any]:
    return {
        "at": 2_000_000_000,
        "wall": 1_790_000_011.0,
        "level": "recorder",
        "verdict": {
            "id": "free",
            "args": {"free": 0.97, "ns": 212_000_000, "name": "report", "ago_ns": 14_000_000_000},
        },
        "numbers": {
            "busy": 0.03,
            "longest": {
                "ns": 212_000_000,
                "name": "report",
                "fd": 9,
                "gen": 1,
                "ago_ns": 14_000_000_000,
                "kind": "computing",
            },
            "lag_p99_ns": 1_200_000,
            "turns_per_s": 120.0,
            "callbacks_per_s": 340.0,
            "open": 2,
        },
        "cost": {"cpu": 0.002, "bytes_per_s": 3000.0, "viewers": 1, "records_per_s": 400.0},
        "turn": {"n": 77, "phase": "wait", "phase_ns": 3_000_000, "stuck": None},
        "strip": {
            "first": 75,
            "turns": [
                [75 + n, 10**9 + n * 10**6, 900_000, 80_000, 10_000, 10_000, 1, 7, 50_000] for n in range(3)
            ],
        },
        "series": {"at": [1_790_000_010], "busy": [0.03], "lag": [0.001], "calls": [340]},
        "rows": [row(3, kind="listener", what="Listener", peer=None), row(9)],
        "gone": [],
        "rows_total": 2,
        "holders": [
            {
                "name": "report",
                "calls": 4,
                "total_ns": 300_000_000,
                "longest_ns": 212_000_000,
                "share": 0.9,
                "worst": None,
            }
        ],
        "stalls": [],
        "timers": [{"name": "HTTPServer.sweep", "due_in_ns": 4_000_000_000, "every": None}],
        "timers_total": 1,
        "lags": {"p50": 100_000, "p99": 1_200_000, "max": 2_000_000},
        "lints": [],
        "recorder": {"held": 100, "overwritten": 0, "span_ns": 10_000_000_000},
    } | others


RECORDS: dict[str, Any] = {
    "format": "poise-records-1",
    "hello": HELLO,
    "seats": [
        [3, 1, "listener", "Listener", None],
        [9, 1, "connection", "HTTPConnection", "127.0.0.1:50000"],
    ],
    "rows": [[0, 1_000_000_100, 1, -1, 5, 0, 0, 0, 0, -1, 1, 0, None]],
    "stalls": [],
}


class FakeViewer:
    def __init__(self, watching: FakeWatching) -> None:
        self._watching = watching
        self._closed = False

    @property
    def every(self) -> float:
        return self._watching.every

    def hello(self) -> dict[str, Any]:
        return self._watching.told_first

    def recording(self, portion: int) -> Iterator[bytes]:
        return Replay(self._watching.recorded).attach().recording(portion)

    def told(self, sent: int) -> None:
        self._watching.sent += sent

    def state(self) -> dict[str, Any]:
        return self._watching.next_state()

    def urgent(self) -> bool:
        return self._watching.take_urgent()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._watching.left()


class FakeWatching:
    """Tells ``told_first``, then ``states`` one after the other, the last one again and again."""

    def __init__(
        self, *states: dict[str, Any], records: dict[str, Any] | None = None, every: float = 0.01
    ) -> None:
        self.every = every
        self.sent = 0
        self.full: list[bool] = []
        self.told_first = HELLO
        self.states = list(states) or [state()]
        self.recorded = records or RECORDS
        self.viewers = 0
        self.attached = 0
        self.told = 0
        self._urgent = 0
        self._changed = threading.Condition()

    def attach(self, *, full: bool = False) -> FakeViewer:
        with self._changed:
            self.full.append(full)
            self.viewers += 1
            self.attached += 1
            self._changed.notify_all()
        return FakeViewer(self)

    def next_state(self) -> dict[str, Any]:
        with self._changed:
            told = self.states[min(self.told, len(self.states) - 1)]
            self.told += 1
            self._changed.notify_all()
        return told

    def hurry(self, urgent: int = 1) -> None:
        """So many states are not to wait."""
        with self._changed:
            self._urgent = urgent

    def take_urgent(self) -> bool:
        with self._changed:
            urgent, self._urgent = self._urgent > 0, max(0, self._urgent - 1)
        return urgent

    def left(self) -> None:
        with self._changed:
            self.viewers -= 1
            self._changed.notify_all()

    def wait(self, viewers: int, patience: float = 20.0) -> None:
        """Until so many look. AssertionError when that does not come."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.viewers == viewers, patience), self.viewers
