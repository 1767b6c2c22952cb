"""The same page for any asyncio program: ``poise.watch_asyncio()`` inside its loop, or ``poise watch -- script.py`` from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from poise.apps.asyncio_loop import AnyLoop, AsyncioLoop
from poise.apps.asyncio_probe import AsyncioProbe
from poise.loop.probe import Probe
from poise.loop.reactor import Reactor
from poise.seeing.control import Control
from poise.seeing.server import LOOPBACK, PageServer
from poise.seeing.session import program
from poise.seeing.shared import Shared
from poise.seeing.watch import Watch, offered
from poise.seeing.watching import Watching


def watch_asyncio(
    loop: AnyLoop | None = None,
    address: tuple[str, int] = (LOOPBACK, 0),
    *,
    anywhere: bool = False,
    names: Iterable[str] = (),
    control: bool = True,
) -> Watch:
    """Show what ``loop``, or the running one, does on a page of its own, until that is closed or the loop is.

    The program need not know of Poise: descriptors and masks come from the loop's selector, and every call that it makes is
    seen, tasks under the name of their coroutine. Nothing is swapped until somebody opens the page. The rest is as with
    :func:`poise.watch`.

    Raises ProgramFault for a loop whose inside cannot be seen (uvloop, and Windows' proactor), RuntimeError when no loop is
    running, and what ``watch`` raises.
    """
    seen = seen_of(loop)
    try:
        server = PageServer(seen.shared, address, anywhere=anywhere, names=names)
    except BaseException:
        seen.leave()
        raise
    return AsyncioWatch(seen, server, offered(lambda: seen.shared) if control else None)


class Seen:
    """One loop, however many watch it: two probes would write everything down twice."""

    def __init__(self, side: AsyncioLoop) -> None:
        self.side = side
        self.reactor = cast("Reactor", side)  # all of a reactor that those who look ask for
        probe = cast("Probe", AsyncioProbe(side))
        self.shared = Shared(Watching(self.reactor, program=program(), probe=probe, loop="asyncio"))
        self.watches = 0
        side.hold()

    def leave(self) -> None:
        """One less; with the last one the loop is let go of."""
        self.watches -= 1
        if self.watches <= 0:
            self.side.release()
            _seen.pop(self.side.loop, None)


_seen: dict[AnyLoop, Seen] = {}


def seen_of(loop: AnyLoop | None) -> Seen:
    """What is known of ``loop``, or the running one, which has one watch more now."""
    side = AsyncioLoop(loop)
    side.check_open()
    found = _seen.get(side.loop)
    if found is None:
        found = _seen[side.loop] = Seen(side)
    found.watches += 1
    return found


class AsyncioWatch(Watch):
    """An asyncio loop that can be looked at."""

    def __init__(self, seen: Seen, server: PageServer, control: Control | None) -> None:
        super().__init__(seen.reactor, server, control)
        self._seen: Seen | None = seen

    def close(self) -> None:
        """Close the page; nothing of it is left in the loop once that has come to its next turn. Twice is no error."""
        super().close()
        seen, self._seen = self._seen, None
        if seen is not None:
            seen.leave()
