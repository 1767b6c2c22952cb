"""What the tests of this folder share: trees on disk, and requests that need no connection."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from poise.files.locate import Root
from poise.files.rules import SiteRules
from poise.files.site import Site
from poise.http.message import FileBody, Reply, Request
from poise.wire.http.head import Fields, RequestHead

LONG_AGO = 1_700_000_000
"""A modification time, in seconds, that every clock of these tests has left behind."""

LATER = 4_000_000_000.0
"""A wall-clock time at which every file made by a test has come to rest."""

SECRET = b"the outside is not to be seen"


def put(path: Path, content: bytes = b"", *, modified: float = LONG_AGO) -> Path:
    """A file with ``content``, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(int(modified * 1e9), int(modified * 1e9)))
    return path


def request(path: str, method: str = "GET", fields: Mapping[str, str] | None = None) -> Request:
    """A request for ``path``, which no parser has judged, so that anything may stand in it."""
    target, mark, query = path.partition("?")
    head = RequestHead(
        method=method,
        target=path,
        path=target,
        query=query if mark else None,
        minor=1,
        host="localhost",
        fields=Fields((fields or {}).items()),
        length=0,
        chunked=False,
        keep_alive=True,
        expect_continue=False,
    )
    return Request(head, b"", ("127.0.0.1", 50000), "http")


def site_of(
    root: Root, now: float = LATER, *, listing: bool = True, index: tuple[str, ...] = ("index.html",)
) -> Site:
    return Site(root, wall=lambda: now, rules=SiteRules(listing=listing, index=index))


def answered(site: Site, asked: Request) -> Reply:
    """The reply of a site that does everything on the spot."""
    reply = site.reply(asked)
    assert reply is not None
    return reply


def body_of(reply: Reply) -> bytes:
    """The whole body, however it is held; the reply is closed."""
    body = reply.body
    if isinstance(body, FileBody):
        content = os.pread(body.fd, body.count, body.offset)
    elif isinstance(body, bytes):
        content = body
    else:
        content = b"".join(body)
    reply.close()
    return content


def fields_of(reply: Reply) -> dict[str, str]:
    return {name.lower(): value for name, value in reply.fields}


class Beside:
    """Stands in for the threads: what is to be done waits until the test does it."""

    def __init__(self) -> None:
        self.work: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.told: list[Callable[[Any, Any], object]] = []

    def __call__(self, function: Callable[..., Any], *args: Any) -> Beside:
        self.work.append((function, args))
        return self

    def on_done(self, callback: Callable[[Any, Any], object]) -> None:
        self.told.append(callback)

    def do(self) -> None:
        """The first of it, and tell whoever has waited for that."""
        function, args = self.work.pop(0)
        told = self.told.pop(0)
        try:
            result = function(*args)
        except Exception as error:
            told(None, error)
        else:
            told(result, None)


def later(site: Site, asked: Request) -> list[Reply]:
    """The replies that come after ``site`` has said that they will."""
    answers: list[Reply] = []
    asked.deliver = lambda _request, reply: answers.append(reply)
    assert site.reply(asked) is None
    return answers
