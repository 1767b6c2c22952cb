"""One look at one descriptor, between the waits of a loop: does it have something this very moment?"""

from __future__ import annotations

import select
from collections.abc import Callable
from functools import partial


def glance(fd: int, *, exceptional: bool = False) -> Callable[[], object] | None:
    """What tells, each time it is called, whether ``fd`` is readable now (poll(2)); None where nothing tells that cheaply.

    Or whether it is in an ``exceptional`` condition (POLLPRI), as a table of the kernel is that has changed since.
    """
    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(fd, select.POLLPRI if exceptional else select.POLLIN)
    return partial(poll.poll, 0)
