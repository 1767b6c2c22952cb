"""A folder as one file to download: a .zip or a .tar.gz, made while it is sent.

It is made beside the loop (:mod:`poise.http.threaded`), because a disk can be slow and deflating costs time; in memory that
does not grow with the files (:mod:`poise.files.zipping`, :mod:`poise.files.tarring`); and from what is served, nothing
else (:mod:`poise.files.walk`). Its length is not known beforehand, so it cannot be resumed and has no range. Each one that is
under way keeps a few folders open for as long as its client takes, which is why they are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import NamedTuple

from poise.errors import MachineFault, RequestError
from poise.files.locate import Root
from poise.files.located import Located
from poise.files.members import Member, members, safe_name
from poise.files.tarring import tarred
from poise.files.walk import Hider, Walk
from poise.files.zipping import zipped
from poise.http.message import Reply
from poise.http.threaded import threaded
from poise.limits import HttpLimits
from poise.loop.reactor import Reactor
from poise.wire.http.disposition import attachment


class Kind(NamedTuple):
    """One kind of archive."""

    media_type: str
    make: Callable[[Iterable[Member | None]], Generator[bytes, None, None]]


KINDS = {"zip": Kind("application/zip", zipped), "tar.gz": Kind("application/gzip", tarred)}
"""By what they end in, which is also what they are asked for by."""

FIELDS = (
    ("Accept-Ranges", "none"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)


class Archive:
    """The bytes of one archive, in pieces; b"" now and then, when there is nothing yet. Owns the walk."""

    def __init__(self, walk: Walk, kind: str, name: bytes) -> None:
        """``kind`` is a key of KINDS; everything in the archive is below a folder called ``name``."""
        self._walk = walk
        self._members = members(walk, name)
        self._pieces = KINDS[kind].make(self._members)

    def __iter__(self) -> Archive:
        return self

    def __next__(self) -> bytes:
        """Raises MachineFault, and then there is no rest: what has come is no whole archive, and cannot be taken for one."""
        try:
            return next(self._pieces)
        except (RequestError, OSError) as error:
            self.close()
            reason = error.detail if isinstance(error, RequestError) else error.strerror
            raise MachineFault(f"an archive could not be finished: {reason}") from error

    def close(self) -> None:
        """Let go of every file and folder. Twice is no error."""
        self._pieces.close()
        self._members.close()
        self._walk.close()


class Archives:
    """Those that are under way: no more than ``limits.archives`` at a time."""

    def __init__(self, reactor: Reactor, *, http_limits: HttpLimits | None = None) -> None:
        self._reactor = reactor
        self._http_limits = http_limits
        self.under_way = 0

    def reply(
        self, root: Root, folder: Located, kind: str, *, name: str = "files", hides: Hider | None = None
    ) -> Reply:
        """The answer with all of ``folder``, which stays the caller's, as ``kind``, a key of KINDS.

        ``name`` is what the root folder is called; others have their own name. Raises :class:`RequestError`: 503 when too
        many are under way, and what the gate says when the folder may not be read.
        """
        if self.under_way >= root.limits.archives:
            raise RequestError(503, "Too many archives are being made at the moment. Please try again soon.")
        top = safe_name(folder.names[-1] if folder.names else name.encode("utf-8", "surrogateescape"))
        archive = Archive(Walk(root, folder, hides=hides), kind, top)
        self.under_way += 1
        body = threaded(
            self._reactor,
            archive,
            most=root.limits.slice_bytes,
            time=root.limits.slice_time,
            on_close=self._over,
            limits=self._http_limits,
        )
        called = attachment(f"{top.decode('utf-8', 'replace')}.{kind}")
        return Reply(
            200, (("Content-Type", KINDS[kind].media_type), ("Content-Disposition", called), *FIELDS), body
        )

    def _over(self) -> None:
        self.under_way -= 1
