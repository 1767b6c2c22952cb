"""A reply's body whose pieces are made beside the loop, as fast as the client takes them.

    Reply(200, fields, threaded(reactor, pieces, most=256 * 1024, time=0.05))

At any time either a thread makes a slice of it, or a slice waits for the client, or a little of one and the next is being
made: memory is bounded by ``limits.feed`` and one slice, and a client that takes nothing keeps no thread. The first slice is
made when the reply is under way, so a HEAD makes none. When the client leaves, ``pieces`` are closed, in the thread that is
at work on them, if one is. When they raise, the connection is cut: half an archive must not look like a whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from poise.http.feed import Feed
from poise.limits import HttpLimits
from poise.loop.reactor import Reactor
from poise.loop.slices import Slices


def threaded(
    reactor: Reactor,
    pieces: Iterator[bytes],
    *,
    most: int,
    time: float,
    on_close: Callable[[], object] | None = None,
    limits: HttpLimits | None = None,
) -> Feed:
    """The body that ``pieces`` are, made in slices of ``most`` bytes or ``time`` seconds.

    ``pieces`` belong to it from now on, and are closed with it; where they have nothing to give for a while they give b"".
    ``on_close()`` is called when the reply is over, whatever became of it.
    """

    def write(made: list[bytes]) -> None:
        feed.write(b"".join(made))
        if not feed.is_full:
            slices.draw()

    def ended(error: Exception | None) -> None:
        if error is None:
            feed.end()
        else:
            feed.abort(error)

    def closed() -> None:
        slices.close()
        if on_close is not None:
            on_close()

    slices = Slices(reactor, pieces, on_slice=write, on_end=ended, most=most, time=time, weigh=len)
    feed = Feed(on_room=slices.draw, on_close=closed, limits=limits)
    reactor.call_soon(slices.draw)  # not yet: nothing is to be made for a HEAD
    return feed
