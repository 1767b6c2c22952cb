"""Who is ready? One small file per kernel call, under one contract (``poller.py``)."""

from __future__ import annotations

from poise.readiness.interest import (
    ERROR,
    FAULTS,
    HANGUP,
    INVALID,
    PEER_CLOSED,
    PRIORITY,
    READ,
    WRITE,
    show,
)
from poise.readiness.poller import Events, Poll, Poller, available, choose, waiting_time

__all__ = [
    "ERROR",
    "FAULTS",
    "HANGUP",
    "INVALID",
    "PEER_CLOSED",
    "PRIORITY",
    "READ",
    "WRITE",
    "Events",
    "Poll",
    "Poller",
    "available",
    "choose",
    "show",
    "waiting_time",
]
