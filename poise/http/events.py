"""Server-sent events: a reply that goes on for as long as a page listens (HTML Living Standard, 9.2).

The page says ``new EventSource("/events")``. When its connection breaks it comes again by itself, and says in
``Last-Event-ID`` what it has heard last.
"""

from __future__ import annotations

from collections.abc import Callable

from poise.http.feed import Feed
from poise.limits import HttpLimits
from poise.wire.http import events


class EventStream(Feed):
    """A Feed of events, endless: ``Reply(200, EventStream.FIELDS, stream)``. ``write`` is as for every Feed, the rest too.

    A reader that does not keep up fills it. Then leave events out, or ``abort()``: the reader comes again.
    """

    FIELDS = (
        ("Content-Type", events.MEDIA_TYPE),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    )
    """The header fields that belong to such a reply."""

    __slots__ = ()

    def __init__(
        self,
        *,
        on_room: Callable[[], object] | None = None,
        on_close: Callable[[], object] | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        super().__init__(on_room=on_room, on_close=on_close, endless=True, limits=limits)

    def send(self, data: str, *, name: str = "", ident: str | None = None, retry: int | None = None) -> None:
        """Send one event with the text ``data``, of any number of lines.

        ``name`` is its type (without one it is a ``message``), ``ident`` what the reader sends as ``Last-Event-ID`` when it
        comes again, ``retry`` after how many milliseconds it does. Raises ValueError for a name or ident that is not one
        line, an ident with a NUL, a negative retry and text that is no Unicode, and what ``write`` raises.
        """
        self.write(events.event(data, name=name, ident=ident, retry=retry))

    def comment(self, text: str = "") -> None:
        """Send what every reader ignores: now and then, so that no proxy between closes a connection for its silence."""
        self.write(events.comment(text))
