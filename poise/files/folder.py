"""How a folder is answered: as a page, as JSON, as an archive, or with what was found below it.

An answer that is whole in memory has an entity tag made of its bytes, so that who comes back to an unchanged folder gets
nothing twice. A long folder is sent while it is read, and has none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from poise.errors import MachineFault, RequestError
from poise.files import live as reloading
from poise.files.content import precondition
from poise.files.entity import Entity
from poise.files.listing import FolderPage, Listing, Listings
from poise.files.locate import Root
from poise.files.located import Located, refusal
from poise.files.names import Names
from poise.files.outline import JSON_FIELDS, FolderOutline
from poise.files.readme import Key, Readmes
from poise.files.script import SCRIPT_HASH
from poise.files.texts import LANGUAGES, TAGS, TEXTS
from poise.files.view import ARCHIVES, View, view_of
from poise.files.walk import Hider
from poise.http.message import Reply, Request
from poise.http.page import page_fields
from poise.limits import FileLimits
from poise.loop.reactor import Reactor
from poise.wire.http.accept import choose_language, prefers

if TYPE_CHECKING:
    from poise.files.archive import Archives
    from poise.files.search import Hits, Searches

VARY = ("Vary", "Accept, Accept-Language")
TAG_BYTES = 16

Offload = Callable[..., Any]
Answer = Callable[[Reply | RequestError], None]


class Folders:
    """Answers for the folders below ``root`` that have no index file.

    ``offload(function, *args)`` has something done beside the loop and gives what ``on_done`` can be asked of;
    without it everything is done on the spot. Searches and archives need the ``reactor``.
    """

    def __init__(
        self,
        root: Root,
        limits: FileLimits,
        *,
        offload: Offload | None = None,
        reactor: Reactor | None = None,
        hider: Hider | None = None,
        live: bool = False,
        name: str = "files",
    ) -> None:
        self._root = root
        self._limits = limits
        self._offload = offload
        self._hider = hider
        self._name = name
        self._listings = Listings(root, hider)
        self._readmes = Readmes(root, limits.readme)
        self._rendering: dict[Key, Any] = {}
        self._reactor = reactor
        scripts = f"{SCRIPT_HASH}' '{reloading.SCRIPT_HASH}" if live else SCRIPT_HASH
        self._fields = page_fields(scripts)
        self._extra = reloading.SCRIPT if live else ""

    # What few folders are asked for is loaded when the first one is, if there are descriptors for it.

    @cached_property
    def _archives(self) -> Archives | None:
        try:
            from poise.files.archive import Archives
        except OSError as error:
            raise refusal(error) from error
        return None if self._reactor is None else Archives(self._reactor)

    @cached_property
    def _searches(self) -> Searches | None:
        try:
            from poise.files.search import Searches
        except OSError as error:
            raise refusal(error) from error
        return None if self._reactor is None else Searches(self._reactor)

    def reply(self, found: Located, request: Request, answer: Answer) -> Reply | None:
        """The answer for an open folder, which stays the caller's; None when ``answer`` gets it. Raises RequestError."""
        view = view_of(request.query)
        if view.form in ARCHIVES and self._archives is not None:
            return self._archives.reply(self._root, found, view.form, name=self._name, hides=self._hider)
        most = self._limits.choices
        accepted = request.fields.get("accept")
        if view.form != "json" and prefers(accepted, "application/json", "text/html", most):
            view = view.but(form="json")
        language = choose_language(request.fields.get("accept-language"), LANGUAGES, most)
        if view.words and self._searches is not None:
            told = partial(self._searched, request, found.names, view, language, answer)
            searching = self._searches.begin(self._root, found, view.words, told, hides=self._hider)
            request.on_gone = searching.cancel
            return None
        if view.form == "json":
            outline = FolderOutline(found.names, self._limits)
            return tagged(request, (*JSON_FIELDS, VARY), self._listings.of(found, view, outline))
        return self._page_or_later(request, found, view, language, answer)

    def _page_or_later(
        self, request: Request, found: Located, view: View, language: str, answer: Answer
    ) -> Reply | None:
        readme = self._readmes.html(found)
        if isinstance(readme, str):
            return self._page(request, found, view, language, readme)
        if self._offload is None:
            html = self._readmes.keep(readme.key, readme.render())
            return self._page(request, found, view, language, html)
        kept = Located(found.detach(), None, is_folder=True, names=found.names, slash=True)
        rendering = self._rendering.get(readme.key)
        if rendering is None:
            try:
                rendering = self._offload(readme.render)
            except MachineFault:
                with kept:
                    return self._page(request, kept, view, language, "")
            self._rendering[readme.key] = rendering
            rendering.on_done(partial(self._rendered, readme.key))
        rendering.on_done(partial(self._page_later, request, kept, answer, view, language))
        return None

    def _rendered(self, key: Key, html: str | None, error: Exception | None) -> None:
        """One that cannot be rendered is left out, and not tried again, unless it is the machine that cannot."""
        del self._rendering[key]
        if not isinstance(error, (OSError, ImportError)):
            self._readmes.keep(key, html or "")

    def _page(self, request: Request, found: Located, view: View, language: str, readme: str) -> Reply:
        page = FolderPage(
            found.names, self._limits, view, TEXTS[language], language, readme=readme, extra=self._extra
        )
        return tagged(request, self._page_fields(language), self._listings.of(found, view, page))

    def _page_fields(self, language: str) -> tuple[tuple[str, str], ...]:
        return (*self._fields, ("Content-Language", TAGS[language]), VARY)

    def _page_later(
        self,
        request: Request,
        found: Located,
        answer: Answer,
        view: View,
        language: str,
        readme: str | None,
        _error: Exception | None,
    ) -> None:
        with found:
            try:
                reply: Reply | RequestError = self._page(request, found, view, language, readme or "")
            except RequestError as refused:
                reply = refused
        answer(reply)

    def _searched(
        self,
        request: Request,
        names: Names,
        view: View,
        language: str,
        answer: Answer,
        hits: Hits | None,
        error: Exception | None,
    ) -> None:
        """A search is over. A page of hundreds of rows takes longer than a turn should, so it is made beside the loop, too."""
        if hits is None:
            failed = RequestError(500, "The search could not be made.")
            if isinstance(error, MachineFault):
                failed = RequestError(503, "The server is too busy to search now. Please try again soon.")
            answer(error if isinstance(error, RequestError) else failed)
            return

        def found(body: bytes | None, error: Exception | None) -> None:
            fields = (*JSON_FIELDS, VARY) if view.form == "json" else self._page_fields(language)
            reply: Reply | RequestError = RequestError(500, "The search could not be shown.")
            if isinstance(error, OSError):
                reply = refusal(error)
            elif body is not None:
                try:
                    reply = tagged(request, fields, body)
                except RequestError as failed:
                    reply = failed
            answer(reply)

        make = partial(self._findings, hits, names, view, language)
        try:
            if self._offload is not None:
                self._offload(make).on_done(found)
                return
        except MachineFault:
            pass
        found(make(), None)

    def _findings(self, hits: Hits, names: Names, view: View, language: str) -> bytes:
        from poise.files.findings import findings_json, findings_page

        if view.form == "json":
            return findings_json(hits, names, view)
        return findings_page(hits, names, view, TEXTS[language], language, self._extra)


def tagged(request: Request, fields: Iterable[tuple[str, str]], body: bytes | Listing) -> Reply:
    """200 with ``body`` and a tag of its own, or the 304 that the preconditions ask for. Raises RequestError: 412."""
    if not isinstance(body, bytes):
        return Reply(200, fields, body)
    tag = f'"{hashlib.blake2b(body, digest_size=TAG_BYTES).hexdigest()}"'
    own = [*fields, ("ETag", tag)]
    # Without a time of its own nothing is compared with the date of now.
    return precondition(request, Entity(tag, None), 0.0, own, None) or Reply(200, own, body)
