"""An open file as a reply: which representation of it, whether it is needed at all, and which part.

1. What the client accepts decides between the file, one that was compressed beforehand, and compressing it now
   (:mod:`poise.files.codings`, :mod:`poise.files.compress`). Each has its own tag and length, and ``Vary`` says so.
2. The preconditions are asked about the representation that was chosen, in the order of RFC 9110, 13.2.2.
3. Then come the ranges. What is compressed while serving has none: a request for a part gets a part of the file.

What is remembered by others is justified here: a reply carries a validator only when it would be answered with the same bytes for as
long as everything that was looked at on the way looks the same, absent files included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from poise.errors import RequestError
from poise.files.entity import ACCEPT_RANGES, Entity, entity_of, file_fields, settled
from poise.files.locate import Root
from poise.files.located import Consulted, Located
from poise.files.looks import Looks
from poise.files.media import compressible, media_type
from poise.files.names import Names
from poise.files.whole import Answer, once_read, read_whole, whole_reply
from poise.http.message import FileBody, Reply, Request
from poise.limits import FileLimits

if TYPE_CHECKING:
    from poise.files.compress import Compressor, Offload, Packed, Pieces

Fields = Sequence[tuple[str, str]]
Validator = Callable[[], bool]

REVALIDATE = ("Cache-Control", "no-cache")
"""Keep it, but ask each time whether it has changed: what was saved a moment ago is what is seen."""

NOSNIFF = ("X-Content-Type-Options", "nosniff")
VARY = ("Vary", "Accept-Encoding")

PLAIN_FIELDS = (REVALIDATE, NOSNIFF)


class Contents:
    """Answers for the files below ``root``.

    ``compressor`` gives what compresses while serving, and is None where nothing does, ``offload`` where the disk is waited for. ``siblings``
    says whether files that were compressed beforehand are looked for, ``live`` whether pages get the script that loads them
    again, and ``kind_for(names)`` the media type of a file whose name does not decide.
    """

    def __init__(
        self,
        root: Root,
        looks: Looks,
        wall: Callable[[], float],
        limits: FileLimits,
        *,
        compressor: Callable[[], Compressor] | None = None,
        offload: Offload | None = None,
        siblings: bool = True,
        live: bool = False,
        kind_for: Callable[[Names], str | None] = lambda _names: None,
    ) -> None:
        self._offload = offload
        self._root = root
        self._looks = looks
        self._wall = wall
        self._limits = limits
        self._compressor = compressor
        self._siblings = siblings
        self._live = live
        self._kind_for = kind_for

    def page(self, found: Located, status: int) -> Reply:
        """The open file ``found`` as the page for ``status``: whole, and for nobody to keep. Raises RequestError."""
        kind = self._kind_for(found.names) or media_type(found.names[-1])
        if self._live and kind.startswith("text/html"):
            return self._live_page(found, kind, PLAIN_FIELDS, status)
        fields = (("Content-Type", kind), *PLAIN_FIELDS)
        size = found.stat.st_size
        if size > self._limits.memo_entry:
            return Reply(status, fields, FileBody(found.detach(), 0, size))
        return Reply(status, fields, read_whole(found)[0])

    def reply(
        self, found: Located, request: Request, unchanged: Validator | None, answer: Answer
    ) -> Reply | None:
        """The answer for the open file ``found``, which is closed or handed on; None when ``answer`` gets it later.

        ``unchanged()`` says whether the same address would still lead to the same file; None that it is not worth asking.
        Raises RequestError.
        """
        kind = self._kind_for(found.names) or media_type(found.names[-1])
        fields = list(PLAIN_FIELDS)
        if self._live and kind.startswith("text/html"):
            return self._live_page(found, kind, fields, 200)
        if not compressible(kind):
            return self._plain(found, request, kind, fields, unchanged, answer)
        fields.append(VARY)
        accepted = request.fields.get("accept-encoding")
        if accepted is None:
            return self._plain(found, request, kind, fields, unchanged, answer)
        from poise.files.codings import sibling, state_of  # asked for by who takes what is compressed
        from poise.wire.http.accept import IDENTITY

        consulted: Consulted = ()
        if self._siblings:
            coding, beside, consulted = sibling(self._root, found, accepted, self._limits.choices)
            if beside is not None:
                still = both(unchanged, self._looks.at(consulted, partial(state_of, self._root, consulted)))
                found.close()
                with beside:
                    coded = [("Content-Encoding", coding), *fields]
                    return self._plain(beside, request, kind, coded, still, answer, coding=coding)
        still = (
            both(unchanged, self._looks.at(consulted, partial(state_of, self._root, consulted)))
            if consulted
            else unchanged
        )
        partly = request.method == "GET" and "range" in request.fields
        if self._compressor is not None and not partly and settled(found.stat, self._wall()):
            compressor = self._compressor()
            coding = compressor.coding(accepted, found.stat.st_size)
            if coding != IDENTITY:
                return self._coded(compressor, found, request, kind, coding, fields, still, answer)
        return self._plain(found, request, kind, fields, still, answer)

    def _plain(
        self,
        found: Located,
        request: Request,
        kind: str,
        fields: list[tuple[str, str]],
        unchanged: Validator | None,
        answer: Answer,
        *,
        coding: str = "",
    ) -> Reply | None:
        """The file as it is, whole or in parts; what it holds may be another one in some ``coding``."""
        now = self._wall()
        entity = entity_of(found.stat, now)
        if coding:
            entity = entity.in_coding(coding)
        size = found.stat.st_size
        validator = unchanged if settled(found.stat, now) else None
        refused = precondition(request, entity, now, fields, validator)
        if refused is not None:
            return refused
        if request.fields.get("range") is not None:
            from poise.files.partial import asked_ranges, partial_reply  # for who goes on with a download

            spans = asked_ranges(request, size=size, entity=entity, now=now, limits=self._limits)
            if spans is not None:
                return partial_reply(
                    found.detach(),
                    spans,
                    size=size,
                    media_type=kind,
                    entity=entity,
                    fields=fields,
                    limits=self._limits,
                )
        if size > self._limits.memo_entry:
            return Reply(200, file_fields(kind, entity, fields), FileBody(found.detach(), 0, size))
        whole = partial(whole_reply, kind=kind, entity=entity, fields=fields, validator=validator)
        return once_read(found, whole, answer, self._offload)

    def _coded(
        self,
        compressor: Compressor,
        found: Located,
        request: Request,
        kind: str,
        coding: str,
        fields: list[tuple[str, str]],
        unchanged: Validator | None,
        then: Answer,
    ) -> Reply | None:
        """The file, which is at rest, compressed now; as it is when nobody has the time, or when that is no smaller."""
        now = self._wall()
        # Weak: another version of the same library may make other bytes of the same content.
        entity = entity_of(found.stat, now).in_coding(coding, weak=True)
        refused = precondition(request, entity, now, fields, unchanged)
        if refused is not None:
            return refused
        made: list[Packed | None] = []
        later: list[Located] = []

        def reply_with(packed: Packed | None, file: Located) -> Reply | None:
            if packed is None:
                return self._plain(file, request, kind, fields, unchanged, then)
            return coded_reply(
                compressor.body(packed), len(packed.data), kind, coding, entity, fields, unchanged
            )

        def done(packed: Packed | None) -> None:
            if not later:
                made.append(packed)  # at once: whoever asked is still listening
                return
            with later[0] as kept:
                try:
                    reply: Reply | RequestError | None = reply_with(packed, kept)
                except RequestError as error:
                    reply = error
            if reply is not None:
                then(reply)

        if not compressor.compressed(found, coding, done):
            return self._plain(found, request, kind, fields, unchanged, then)
        if made:
            return reply_with(made[0], found)
        later.append(Located(found.detach(), found.stat, is_folder=False, names=found.names))
        return None

    def _live_page(self, found: Located, kind: str, fields: Fields, status: int) -> Reply:
        """A page with the script that loads it again at its end. It is never kept: it is about to change."""
        from poise.files.live import SCRIPT  # those who write pages pay for it

        size = found.stat.st_size
        if size > self._limits.live_page:
            return Reply(
                status, file_fields(kind, Entity(None, None), fields), FileBody(found.detach(), 0, size)
            )
        data, _ = read_whole(found)
        own = [("Content-Type", kind), ("Cache-Control", "no-store")]
        return Reply(
            status,
            [*own, *(field for field in fields if field[0].lower() != "cache-control")],
            data + SCRIPT.encode(),
        )


def precondition(
    request: Request, entity: Entity, now: float, fields: Fields, validator: Validator | None
) -> Reply | None:
    """304, when the preconditions ask for it. Raises :class:`RequestError`: 412, when they do."""
    if not request.fields.has_any(CONDITIONS):
        return None
    from poise.files.conditional import Verdict, evaluate  # for who has been here before

    verdict = evaluate(request.fields, entity, now)
    if verdict is Verdict.PRECONDITION_FAILED:
        raise RequestError(412, "The file is not in the state that the request asks for.")
    if verdict is Verdict.NOT_MODIFIED:
        return Reply(304, not_modified_fields(entity, fields), validator=validator)
    return None


def coded_reply(
    body: bytes | Pieces,
    length: int,
    kind: str,
    coding: str,
    entity: Entity,
    fields: Fields,
    validator: Validator | None,
) -> Reply:
    """200 with what was compressed. It has no Accept-Ranges: its parts cannot be had."""
    own = [field for field in file_fields(kind, entity, fields) if field != ACCEPT_RANGES]
    own.insert(1, ("Content-Encoding", coding))
    return Reply(200, own, body, length=length, validator=validator)


def both(first: Validator | None, second: Validator) -> Validator | None:
    """True while both are; None when nobody asks the first."""
    return None if first is None else lambda: first() and second()


CONDITIONS = frozenset({"if-match", "if-unmodified-since", "if-none-match", "if-modified-since"})
"""The fields that ask whether to answer at all (RFC 9110, 13.1)."""

NOT_MODIFIED = frozenset({"cache-control", "content-location", "expires", "vary"})
"""What a 304 has of the 200's fields, besides the tag (RFC 9110, 15.4.5)."""


def not_modified_fields(entity: Entity, fields: Fields) -> list[tuple[str, str]]:
    """The fields of a 304: those that a cache needs to find and renew what it has, and those that are not the file's."""
    own = [("ETag", entity.etag)] if entity.etag is not None else []
    return [*own, *(field for field in fields if field[0].lower() in NOT_MODIFIED)]
