"""An HTTPServer whose answers are the files of a folder."""

from __future__ import annotations

from typing import Any

from poise.files.site import Site
from poise.http.message import Reply, Request
from poise.http.server import HTTPServer
from poise.loop.reactor import Reactor

READING = frozenset(("GET", "HEAD", "OPTIONS"))


class FileServer(HTTPServer):
    """Serves ``site``; the other arguments are HTTPServer's."""

    def __init__(self, reactor: Reactor, site: Site, **options: Any) -> None:
        super().__init__(reactor, memo_limits=site.limits, **options)
        self.site = site

    def respond(self, request: Request) -> Reply | None:
        return self.site.reply(request)

    def refuse_body(self, request: Request) -> Reply | None:
        # What would be refused anyway is refused before its body is sent for nothing.
        return None if request.method in READING else self.site.reply(request)
