"""Keeps the processes of a run on this machine: whatever a file of the lab asks for, the kernel is not asked.

Python tells of every bind, connect and sendto before it makes the call (PEP 578). An audit hook stays for the life of the process and
of the processes that it forks, so it is put up only where a run takes place.
"""

from __future__ import annotations

import sys
from typing import Any

WATCHED = frozenset({"socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg"})


def put_up() -> None:
    """From now on no address beyond loopback can be used here."""
    sys.addaudithook(watch)


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Raises PermissionError for an address that is not of this machine alone."""
    if event in WATCHED and not is_loopback(arguments[1]):
        raise PermissionError(f"the lab stays on loopback: {event} {arguments[1]!r}")


def is_loopback(address: object) -> bool:
    """Whether it is in 127.0.0.0/8 or ::1; None is the address of whoever is connected already, so it was looked at before."""
    match address:
        case None:
            return True
        case (str(host), *_):
            return host.startswith("127.") or host == "::1"
    return False
