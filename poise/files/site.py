"""A folder as a web site: a request in, a reply out, and nothing else.

What is remembered by others is justified here. A reply carries a validator only when the same request would
still be answered with the same bytes as long as everything that was looked at on the way (:mod:`locate`'s
``consulted``, absent index files included) looks the same: small files and 304s, once the file has been at
rest for a second. Listings, redirects and errors carry none; they are rarer, and a flood of made-up addresses
must not push the files out.

HEAD is answered with the same reply as GET, body and all, so that the two can never differ in a field; the
connection does not send the body (RFC 9110, 9.3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

from poise.errors import RequestError
from poise.files.content import Contents
from poise.files.entity import settled
from poise.files.locate import Root
from poise.files.located import Consulted, Located, not_found, refusal
from poise.files.looks import Looks
from poise.files.names import Names, clean_query, names_of, path_of
from poise.files.rules import FALLBACK_VARY, SiteRules
from poise.http.errorpage import error_reply
from poise.http.message import Reply, Request
from poise.limits import FileLimits
from poise.loop.reactor import Reactor

if TYPE_CHECKING:
    from poise.files.absent import Absence
    from poise.files.compress import Compressor
    from poise.files.fieldrules import Field
    from poise.files.folder import Folders
    from poise.files.live import Live

Offload = Callable[..., Any]
ALLOW = ("Allow", "GET, HEAD, OPTIONS")
KEPT_BY_AN_ERROR_PAGE = frozenset({"allow", "retry-after"})


class Site:
    """Answers requests from the folder ``root``. It never raises for what a client or a file system did."""

    def __init__(
        self,
        root: Root,
        *,
        wall: Callable[[], float],
        rules: SiteRules | None = None,
        limits: FileLimits | None = None,
        reactor: Reactor | None = None,
        offload: Offload | None = None,
        live: Live | None = None,
        compress: bool = True,
        siblings: bool = True,
        name: str = "files",
    ) -> None:
        """``wall`` gives the seconds since the epoch, ``rules`` say what the site is like.

        With a ``reactor``, what is slow is done beside it, and folders can be searched and downloaded; ``offload(function,
        *args)`` stands in for its threads. ``compress`` while serving, or look for ``siblings`` that were compressed
        beforehand. ``name`` is what the whole of it is called when it is downloaded.
        """
        if offload is None and reactor is not None:
            offload = partial(beside, reactor)
        self.root = root
        self.limits = limits or root.limits
        if live is not None:  # who is told of a change must not be given what was there before it
            self.limits = self.limits.but(freshness=0)
        self.rules = rules or SiteRules()
        self._dressed = bool(self.rules.headers or self.rules.cache or self.rules.cors)
        self._live = live
        self._wall = wall
        self._refuses_alike = not (
            self._dressed or live is not None or self.rules.clean_urls or self.rules.spa is not None
        )
        """Whether all that is missing is answered the same, whatever it is called."""
        self._offload = offload
        self._reactor = reactor
        self._name = name
        self._looks = Looks(root, self.limits, reactor)
        self._contents = Contents(
            root,
            self._looks,
            wall,
            self.limits,
            compressor=cache(partial(compressor, self.limits, offload)) if compress else None,
            offload=offload,
            siblings=siblings,
            live=live is not None,
            kind_for=self.rules.content_type,
        )

    @cached_property
    def _absence(self) -> Absence:
        from poise.files.absent import Absence

        return Absence(self.root, self._wall)

    def _covers(self) -> Callable[[bytes], bool] | None:
        """What tells that an address leads to nothing; it is loaded when the first one does."""
        try:
            return self._absence.covers
        except OSError:  # out of descriptors
            return None

    @cached_property
    def _folders(self) -> Folders:
        """What few sites are asked for is loaded when they are first, if there are descriptors for it."""
        try:
            from poise.files.folder import Folders
        except OSError as error:
            raise refusal(error) from error
        return Folders(
            self.root,
            self.limits,
            offload=self._offload,
            reactor=self._reactor,
            hider=self.rules.hider if self.rules.hide else None,
            live=self._live is not None,
            name=self._name,
        )

    def reply(self, request: Request) -> Reply | None:
        """The answer to ``request``, which the caller owns and closes; None when it will be given to ``request.answer``."""
        method = request.method
        if method in ("GET", "HEAD"):
            try:
                return self._get(request)
            except RequestError as error:
                return self._refuse(request, error)
        if method == "OPTIONS":
            return Reply(204, (ALLOW, *(self.rules.preflight(request.fields) or ())))
        return self._refuse(request, RequestError(405, "Files here can only be read."), ALLOW)

    def _get(self, request: Request) -> Reply | None:
        if self._live is not None and request.path == self._live.path:
            return self._live.reply()
        try:
            found = self._find(request.path)
        except RequestError as error:
            if error.status == 404 and (fallback := self._fallback(request)) is not None:
                return fallback
            raise
        with found:
            names = found.names
            if not found.is_folder:
                clean = self._cleaner(request, found)
                if clean is not None:
                    return self._dress(request, names, moved(clean, request.query, 308), own=True)
                unchanged = self._unchanged(request.path, found.consulted)
                answer = partial(self._answer, request, names, folder=False)
                reply = self._contents.reply(found, request, unchanged, answer)
                return reply and self._dress(request, names, reply)
            if not found.slash:
                return self._dress(
                    request, names, moved(path_of(names, folder=True), request.query), own=True, folder=True
                )
            if not self.rules.listing:
                raise not_found()
            answer = partial(self._answer, request, names, folder=True)
            reply = self._folders.reply(found, request, answer)
            return reply and self._dress(request, names, reply, own=True, folder=True)

    # -- what is there ---------------------------------------------------------------------------

    def _find(self, path: str) -> Located:
        """What ``path`` is answered with: a file, the page that its clean address means, a folder's index, or a folder."""
        try:
            found = self.root.locate(path)
        except RequestError as error:
            if error.status == 404 and self.rules.clean_urls:
                names, slash = names_of(path, dotfiles=self.root.dotfiles)
                if (longer := self._file(self.rules.longer(names, slash=slash))) is not None:
                    return longer
            raise
        if not found.is_folder:
            return found
        consulted: Consulted = ()
        try:
            if not found.slash:
                longer = self._file(self.rules.longer(found.names, slash=False))
                if longer is not None:
                    found.close()
                return longer or found
            for name in self.rules.index_names:
                index = self._index_file(found, name)
                if index is not None:
                    index.consulted = (*consulted, *index.consulted)
                    found.close()
                    return index
                consulted = (*consulted, ((*found.names, name), None))
        except RequestError:
            found.close()
            raise
        return found

    def _index_file(self, folder: Located, name: bytes) -> Located | None:
        """The file ``name`` in ``folder``; None when there is none, or when it is a folder."""
        try:
            index = self.root.child(folder, name)
        except RequestError as error:
            if error.status == 404:
                return None
            raise
        if index.is_folder:
            index.close()
            return None
        return index

    def _file(self, names: Names | None, *, hidden: bool = False) -> Located | None:
        """The file that ``names`` lead to; None when there is none that can be read. RequestError when the machine fails."""
        if names is None:
            return None
        try:
            found = self.root.open(names, hidden=hidden)
        except RequestError as error:
            if error.status >= 500:
                raise
            return None
        if found.is_folder:
            found.close()
            return None
        return found

    def _cleaner(self, request: Request, found: Located) -> str | None:
        """The clean address of a file that was asked for by its long one, where the rules want to have only one."""
        shorter = self.rules.shorter(found.names)
        if shorter is None or names_of(request.path, dotfiles=self.root.dotfiles)[0] != found.names:
            return None
        for names in shorter.unless:
            other = self._file(names)
            if other is not None:
                other.close()
                return None
        return path_of(shorter.names, folder=shorter.folder)

    def _unchanged(self, path: str, consulted: Consulted) -> Callable[[], bool]:
        """What says whether ``path`` would still be answered from the same, unchanged file."""
        anew = partial(self._leads_to, path, consulted)
        if self.rules.clean_urls:
            return anew
        # What an address leads to hangs on nothing but what was looked at for it.
        return self._looks.at(consulted, anew)

    def _leads_to(self, path: str, consulted: Consulted) -> bool:
        try:
            with self._find(path) as found:
                return found.consulted == consulted
        except RequestError:
            return False

    # -- what stands for something else ----------------------------------------------------------

    def _fallback(self, request: Request) -> Reply | None:
        """The page of an app that has addresses of its own, where nothing else is."""
        names, _ = names_of(request.path, dotfiles=self.root.dotfiles)
        if not self.rules.falls_back(names, request.fields):
            return None
        found = self._file(self.rules.spa_names, hidden=True)
        if found is None:
            return None
        with found:
            answer = partial(self._answer, request, found.names, folder=False)
            reply = self._contents.reply(found, request, None, answer)
            return reply and self._dress(request, found.names, reply)

    def _is_for_scripts(self, request: Request) -> bool:
        """Whether an error is read by something that has not asked for pages, as curl and ``fetch()`` do."""
        accepted = request.fields.get("accept")
        if accepted is None:
            return False
        from poise.wire.http.accept import prefers

        return not prefers(accepted, "text/html", "text/plain", self.limits.choices)

    def _refuse(self, request: Request, error: RequestError, *fields: Field) -> Reply:
        """What ``error`` is answered with: the site's own page for such errors, or one of the server's own."""
        status = error.status
        reply = error_reply(status, error.detail, fields, plain=self._is_for_scripts(request))
        covers = self._covers() if status == 404 and self._refuses_alike else None
        try:
            names, _ = names_of(request.path, dotfiles=True)
        except RequestError:
            names = ()
        kept = [field for field in reply.fields if field[0].lower() in KEPT_BY_AN_ERROR_PAGE]
        page_names = self.rules.error_page(status)
        consulted: Consulted = () if page_names is None else ((page_names, None),)
        try:
            found = self._file(page_names, hidden=True)
            if found is not None:
                consulted = found.consulted
                if not settled(found.stat, self._wall()):
                    covers = None
                with found:
                    reply = self._contents.page(found, status)
                reply.fields = (*reply.fields, *kept)
        except RequestError:
            return self._dress(request, names, reply, own=True)
        reply = self._dress(request, names, reply, own=found is None)
        if covers is not None:
            reply.validator, reply.covers = self._looks.at(consulted), covers
        return reply

    # -- fields ----------------------------------------------------------------------------------

    def _answer(self, request: Request, names: Names, reply: Reply | RequestError, *, folder: bool) -> None:
        """Give a reply that could not be had at once."""
        if isinstance(reply, RequestError):
            request.answer(self._refuse(request, reply))
        else:
            request.answer(self._dress(request, names, reply, own=folder, folder=folder))

    def _dress(
        self, request: Request, names: Names, reply: Reply, *, own: bool = False, folder: bool = False
    ) -> Reply:
        """``reply`` with the fields that the rules give it."""
        if self.rules.spa is not None and (not names or names == self.rules.spa_names or reply.status == 404):
            from poise.files.fieldrules import varying

            reply.fields = tuple(varying(reply.fields, FALLBACK_VARY[1]))
        if self._dressed:
            origin = request.fields.get("origin") if self.rules.asks_who else None
            reply.fields = tuple(
                self.rules.fields_for(
                    reply.fields, names, folder=folder, status=reply.status, own=own, origin=origin
                )
            )
        return reply


def compressor(limits: FileLimits, offload: Offload | None) -> Compressor:
    """Made for the first client that takes what is compressed."""
    from poise.files.compress import Compressor

    return Compressor(limits, offload)


def beside(reactor: Reactor, function: Callable[..., Any], *args: Any) -> Any:
    """:func:`poise.loop.offload.offload`, loaded with the first thing that is slow."""
    from poise.loop.offload import offload

    return offload(reactor, function, *args)


def moved(target: str, query: str | None, status: int = 301) -> Reply:
    """A redirect to the path ``target``, which was made anew from names and is never a copy of what was asked for."""
    from poise.http.page import PAGE_FIELDS, escape, page

    if query is not None:
        target = f"{target}?{clean_query(query)}"
    reason = "Moved Permanently" if status == 301 else "Permanent Redirect"
    content = f'<main>\n<h1>What you look for is at <a href="{escape(target)}">{escape(target)}</a>.</h1>\n</main>\n'
    return Reply(status, (("Location", target), *PAGE_FIELDS), page(f"{status} {reason}", content))
