"""``--live``: a page that is open in a browser loads itself again when a file changes.

Every HTML page that is served gets a script of a few lines at its end, which listens to server-sent events at an address
that no file can have as long as dot-files are not served.
"""

from __future__ import annotations

from poise.files.changes import Changes
from poise.http.errorpage import error_reply
from poise.http.events import EventStream
from poise.http.message import Reply
from poise.limits import FileLimits
from poise.loop.reactor import Reactor

PATH = "/.poise/changes"

SOURCE = f"""\
"use strict";
{{
  const changes = new EventSource("{PATH}");
  let lost = false;
  changes.onmessage = () => location.reload();
  changes.onerror = () => {{ lost = true; }};
  changes.onopen = () => {{ if (lost) location.reload(); }};
}}
"""

SCRIPT = f"<script>{SOURCE}</script>\n"

SCRIPT_HASH = "sha256-Q220OtN7jOpAmhFDxCRbSSY8Wc92/iVRKqlKAQfyAuc="
"""What a Content-Security-Policy calls SOURCE (CSP 3, 6.7.3.3)."""


class Live:
    """The pages that listen, and the folder whose changes they are told."""

    path = PATH
    """Where they listen."""

    def __init__(self, reactor: Reactor, folder: str, limits: FileLimits | None = None) -> None:
        """Raises MachineFault when ``folder`` cannot be watched."""
        self._limits = limits or FileLimits()
        self._listeners: set[EventStream] = set()
        self._changes = Changes(reactor, folder, self.tell, self._limits)

    @property
    def by(self) -> str:
        """How changes are found out: ``inotify`` or ``polling``."""
        return self._changes.by

    def reply(self) -> Reply:
        """The answer to a page that wants to be told."""
        if len(self._listeners) >= self._limits.listeners:
            return error_reply(503, "Too many pages wait for changes.")
        stream = EventStream(on_close=lambda: self._listeners.discard(stream))
        self._listeners.add(stream)
        stream.comment("listening")  # so that the browser knows at once that it is connected
        return Reply(200, EventStream.FIELDS, stream)

    def tell(self) -> None:
        """Have every page that listens load itself again."""
        for stream in tuple(self._listeners):
            if not stream.is_closing and not stream.is_full:
                stream.send("changed")

    def close(self) -> None:
        """Watch no longer, and let the listeners go."""
        self._changes.close()
        for stream in tuple(self._listeners):
            stream.end()
