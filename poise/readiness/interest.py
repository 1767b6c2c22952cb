"""The bits of a mask: what is asked of a descriptor, and what the kernel says about it.

The numbers are those of ``poll(2)`` on Linux, written out because Windows has none of the names. The basic
``EPOLL*`` bits are the same numbers, so an epoll hands its masks through unchanged.

READ, PRIORITY, WRITE and PEER_CLOSED can be asked for. The FAULTS cannot: the kernel reports them whenever
anything at all is watched, asked for or not.
"""

from __future__ import annotations

from typing import Final

READ: Final = 0x0001
PRIORITY: Final = 0x0002
WRITE: Final = 0x0004
ERROR: Final = 0x0008
HANGUP: Final = 0x0010
INVALID: Final = 0x0020
PEER_CLOSED: Final = 0x2000

FAULTS: Final = ERROR | HANGUP | INVALID
INTERESTS: Final = READ | PRIORITY | WRITE | PEER_CLOSED

_NAMES: Final = {
    READ: "READ",
    PRIORITY: "PRIORITY",
    WRITE: "WRITE",
    ERROR: "ERROR",
    HANGUP: "HANGUP",
    INVALID: "INVALID",
    PEER_CLOSED: "PEER_CLOSED",
}


def show(mask: int) -> str:
    """``mask`` for people: ``"READ|WRITE"``, ``"0"`` for none, bits without a name in hexadecimal."""
    words = [name for bit, name in _NAMES.items() if mask & bit]
    unnamed = mask & ~(INTERESTS | FAULTS)
    if unnamed:
        words.append(hex(unnamed))
    return "|".join(words) or "0"
