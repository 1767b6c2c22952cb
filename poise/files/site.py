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

import os
from collections.abc import Callable, Sequence
from functools import partial

from poise.errors import RequestError
from poise.files.conditional import Verdict, evaluate
from poise.files.entity import Entity, entity_of, same_state, settled
from poise.files.listing import listing
from poise.files.locate import Consulted, Located, Root, not_found, refusal
from poise.files.media import media_type
from poise.files.names import clean_query, path_of
from poise.http.errorpage import error_reply
from poise.http.message import FileBody, Reply, Request
from poise.http.page import PAGE_FIELDS, escape, page
from poise.limits import FileLimits

ALLOW = ("Allow", "GET, HEAD, OPTIONS")

REVALIDATE = ("Cache-Control", "no-cache")
"""Keep it, but ask each time whether it has changed: what was saved a moment ago is what is seen."""

NOSNIFF = ("X-Content-Type-Options", "nosniff")


class Site:
    """Answers requests from the folder ``root``. It never raises for what a client or a file system did."""

    def __init__(
        self,
        root: Root,
        *,
        wall: Callable[[], float],
        limits: FileLimits | None = None,
        listing: bool = True,
        index: Sequence[str] = ("index.html",),
    ) -> None:
        """``wall`` gives the seconds since the epoch; ``index`` are the names tried in a folder, in order."""
        self.root = root
        self.limits = limits or root.limits
        self._wall = wall
        self._listing = listing
        self._index = tuple(os.fsencode(name) for name in index)

    def reply(self, request: Request) -> Reply:
        """The answer to ``request``. The caller owns it and closes it."""
        method = request.method
        try:
            if method in ("GET", "HEAD"):
                return self._get(request)
        except RequestError as error:
            return error_reply(error.status, error.detail)
        if method == "OPTIONS":
            return Reply(204, (ALLOW,))
        return error_reply(405, "Files here can only be read.", (ALLOW,))

    def _get(self, request: Request) -> Reply:
        with self._find(request.path) as found:
            if not found.is_folder:
                return self._file(found, request)
            if not found.slash:
                return moved(found, request.query)
            if not self._listing:
                raise not_found()
            return Reply(200, PAGE_FIELDS, listing(self.root, found))

    def _find(self, path: str) -> Located:
        """What ``path`` is answered with: a file, a folder's index file, or a folder."""
        found = self.root.locate(path)
        if not (found.is_folder and found.slash):
            return found
        consulted: Consulted = ()
        try:
            for name in self._index:
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

    def _file(self, found: Located, request: Request) -> Reply:
        """200, 304 or 412 for an open file, which is closed or handed on to the reply's body."""
        now = self._wall()
        entity = entity_of(found.stat, now)
        verdict = evaluate(request.fields, entity, now)
        if verdict is Verdict.PRECONDITION_FAILED:
            return error_reply(412, "The file is not in the state that the request asks for.")
        validator = None
        if settled(found.stat, now):
            validator = partial(self._unchanged, request.path, found.consulted)
        if verdict is Verdict.NOT_MODIFIED:
            return Reply(304, not_modified_fields(entity), validator=validator)
        kind = media_type(found.names[-1])
        size = found.stat.st_size
        if size > self.limits.memo_entry:
            return Reply(200, file_fields(kind, entity), FileBody(found.detach(), 0, size))
        data, whole = read_whole(found)
        if not whole:
            return Reply(200, file_fields(kind, Entity(None, None)), data)
        return Reply(200, file_fields(kind, entity), data, validator=validator)

    def _unchanged(self, path: str, consulted: Consulted) -> bool:
        """Would ``path`` still be answered from the same, unchanged file?"""
        try:
            with self._find(path) as found:
                return found.consulted == consulted
        except RequestError:
            return False


def read_whole(found: Located) -> tuple[bytes, bool]:
    """The content of a small file, and whether it stayed as it was while it was read.

    One byte more than expected is asked for, so that a file that grows is noticed; what is returned is never
    longer than the size that was found. Raises :class:`RequestError` when the reading fails.
    """
    size = found.stat.st_size
    try:
        data = os.pread(found.fd, size + 1, 0)
        after = os.fstat(found.fd)
    except OSError as error:
        raise refusal(error) from error
    return data[:size], len(data) == size and same_state(found.stat, after)


def file_fields(kind: str, entity: Entity) -> list[tuple[str, str]]:
    """The fields of a 200 with a file's content."""
    fields = [("Content-Type", kind)]
    last_modified = entity.last_modified
    if last_modified is not None:
        fields.append(("Last-Modified", last_modified))
    if entity.etag is not None:
        fields.append(("ETag", entity.etag))
    fields += [REVALIDATE, NOSNIFF]
    return fields


def not_modified_fields(entity: Entity) -> list[tuple[str, str]]:
    """The fields of a 304: those that a cache needs to find and renew what it has (RFC 9110, 15.4.5)."""
    return [("ETag", entity.etag), REVALIDATE] if entity.etag is not None else [REVALIDATE]


def moved(found: Located, query: str | None) -> Reply:
    """301 to the same folder with its slash. The address is made anew from its names, never copied."""
    target = path_of(found.names, folder=True)
    if query is not None:
        target = f"{target}?{clean_query(query)}"
    content = (
        f'<main>\n<h1>This folder is at <a href="{escape(target)}">{escape(target)}</a>.</h1>\n</main>\n'
    )
    return Reply(301, (("Location", target), *PAGE_FIELDS), page("301 Moved Permanently", content))
