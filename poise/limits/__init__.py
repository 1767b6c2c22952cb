"""How much is too much?

Every number that bounds something stands in this folder once, with its unit, its default and the reason for it.
Times are seconds and sizes are bytes unless the unit says otherwise. A limit with ``option=`` is public:
``poise serve`` grows ``--option`` and reads ``POISE_OPTION`` from the environment, and ``--help`` and the
documentation print the unit, the default and the reason from here. 0 means *no limit* only where the
reason says so.

Those of watching, the lab and its exercises are imported from their own files (``poise.limits.seeing``, ``lab``,
``exercises``): a server starts without them.
"""

from __future__ import annotations

from poise.limits.limit import KIB, MIB, Checked, Limit, check
from poise.limits.rooms import (
    ConnectLimits,
    DatagramLimits,
    DiscoveryLimits,
    FrameLimits,
    HttpLimits,
    ListenLimits,
    LoopLimits,
    ProcessLimits,
    StreamLimits,
    TLSLimits,
)
from poise.limits.site import FileLimits, LogLimits, WorkerLimits

__all__ = [
    "KIB",
    "MIB",
    "Checked",
    "ConnectLimits",
    "DatagramLimits",
    "DiscoveryLimits",
    "FileLimits",
    "FrameLimits",
    "HttpLimits",
    "Limit",
    "ListenLimits",
    "LogLimits",
    "LoopLimits",
    "ProcessLimits",
    "StreamLimits",
    "TLSLimits",
    "WorkerLimits",
    "check",
]
