"""An HTTPServer whose answers are the files of a folder."""

from __future__ import annotations

from typing import Any

from poise.files.site import Site
from poise.http.message import Reply, Request
from poise.http.server import HTTPServer
from poise.loop.reactor import Reactor

PRECONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range")
NEGOTIATION = ("accept", "accept-encoding", "accept-language", "origin", "sec-fetch-mode")
LOOKED_AT = frozenset((*PRECONDITIONS, *NEGOTIATION))
"""The request fields that a Site asks for where it gives a reply a validator."""

READING = frozenset(("GET", "HEAD", "OPTIONS"))


class FileServer(HTTPServer):
    """Serves ``site``; the other arguments are HTTPServer's."""

    looked_at = LOOKED_AT

    def __init__(self, reactor: Reactor, site: Site, **options: Any) -> None:
        super().__init__(reactor, memo_limits=site.limits, **options)
        self.site = site

    def respond(self, request: Request) -> Reply | None:
        return self.site.reply(request)

    def refuse_body(self, request: Request) -> Reply | None:
        # What would be refused anyway is refused before its body is sent for nothing.
        return None if request.method in READING else self.site.reply(request)
