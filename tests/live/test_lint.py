"""REDbot's own lint over every kind of reply: what it warns of is put right, or stands here with the reason why it is not."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from httplint import HttpRequestLinter, HttpResponseLinter
from httplint.note import Note, levels

from tests.live.every_reply import (
    ASKS,
    PARTS,
    SITE,
    SITE_ASKS,
    Ask,
    Field,
    Heard,
    ask,
    filled,
    make_tree,
)
from tests.support.client import connected
from tests.support.program import Served, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]

REFUSED = (Ask("refused method", "/small.txt", 405),)
OPTIONS = (Ask("options", "/small.txt", 204),)

PREFLIGHT = (
    ("Origin", "https://elsewhere.example"),
    ("Access-Control-Request-Method", "GET"),
    ("Access-Control-Request-Headers", "range"),
)

NO_CONTENT_RANGE = (
    "PARTIAL_WITHOUT_RANGE",
    "of several parts each has its own Content-Range, and the whole MUST NOT have one (RFC 9110, 15.3.7.2)",
)
NO_TAG = (
    "FRESHNESS_NO_CACHE_NO_VALIDATOR",
    "a long folder is sent while it is read: nothing is known of it beforehand that a tag could be made of",
)
ANCIENT = (
    "FRESHNESS_NO_CACHE_NO_VALIDATOR",
    "a file whose time is a convention has no validator: two of one size would look alike",
)

NOT_OURS = {
    "ranges": NO_CONTENT_RANGE,
    "folder, long": NO_TAG,
    "JSON, long": NO_TAG,
    "file of no time": ANCIENT,
    "bad escape": ("STATUS_BAD_REQUEST", "that is what it is told, and why"),
}
"""By the reply's name: a note that does not apply, and why."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serving(folder) as running:
        yield running


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Served]:
    with serving(folder, *SITE) as running:
        yield running


def with_children(notes: Iterable[Note]) -> Iterator[Note]:
    for note in notes:
        yield note
        yield from with_children(note.subnotes)


def notes_of(method: str, url: str, fields: Iterable[Field], heard: Heard) -> list[Note]:
    """What the lint says of a reply, the request that it answers known."""
    request = HttpRequestLinter()
    request.process_request_topline(method.encode(), url.encode(), b"HTTP/1.1")
    request.process_headers([(b"Host", b"localhost"), *encoded(fields)])
    request.finish_content(True)
    reply = HttpResponseLinter(start_time=time.time(), _related=request)
    version, status, reason = heard.line.encode().split(b" ", 2)
    reply.is_head_response = method == "HEAD"
    reply.process_response_topline(version, status, reason)
    reply.process_headers(encoded(heard.fields))
    if heard.answer.body:
        reply.feed_content(heard.answer.body)
    reply.transfer_length = len(heard.answer.body)
    reply.finish_content(heard.answer.whole)
    return list(with_children(reply.notes))


def encoded(fields: Iterable[Field]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in fields]


def warnings_of(notes: Iterable[Note]) -> dict[str, str]:
    return {type(note).__name__: note.summary for note in notes if note.level in (levels.WARN, levels.BAD)}


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        *(
            pytest.param(method, each, id=f"{method} {each.name}")
            for each in ASKS
            for method in ("GET", "HEAD")
        ),
        *(pytest.param("GET", each, id=f"GET {each.name}") for each in PARTS),
        *(pytest.param("POST", each, id=each.name) for each in REFUSED),
        *(pytest.param("OPTIONS", each, id=each.name) for each in OPTIONS),
    ],
)
def test_no_warning_that_is_ours(served: Served, method: str, asked: Ask) -> None:
    nothing_of_ours(served, method, asked)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("asked", SITE_ASKS, ids=lambda asked: asked.name)
def test_no_warning_with_rules(site: Served, method: str, asked: Ask) -> None:
    nothing_of_ours(site, method, asked)


def test_no_warning_for_a_preflight(site: Served) -> None:
    nothing_of_ours(site, "OPTIONS", Ask("preflight", "/small.txt", 204, PREFLIGHT))


def nothing_of_ours(served: Served, method: str, asked: Ask) -> None:
    with connected(served.port) as sock:
        fields = filled(sock, asked)
        heard = ask(sock, method, asked.path, fields)
    assert heard.answer.status == asked.status
    notes = notes_of(method, f"{served.url}{asked.path[1:]}", fields, heard)
    assert notes, "the lint has looked"
    warned = warnings_of(notes)
    expected = NOT_OURS.get(asked.name)
    assert set(warned) == ({expected[0]} if expected else set()), warned


def test_the_lint_sees_what_is_wrong(served: Served) -> None:
    """A reply that is spoiled on its way to it is warned of."""
    with connected(served.port) as sock:
        heard = ask(sock, "GET", "/small.txt")
    heard.fields = [
        (name, "1" if name == "Content-Length" else value)
        for name, value in heard.fields
        if name not in ("ETag", "Last-Modified")
    ]
    found = warnings_of(notes_of("GET", f"{served.url}small.txt", (), heard))
    assert set(found) == {"CL_INCORRECT", "FRESHNESS_NO_CACHE_NO_VALIDATOR"}
