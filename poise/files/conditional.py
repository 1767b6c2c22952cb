"""Preconditions of a GET or HEAD, in the order of RFC 9110, 13.2.2.

1. If-Match, by strong comparison: false is 412.
2. Without If-Match: If-Unmodified-Since, false is 412.
3. If-None-Match, by weak comparison: false is 304.
4. Without If-None-Match: If-Modified-Since, false is 304.
5. If-Range decides whether Range counts. It is asked last, by whoever makes ranges, after PROCEED.

A date that is none, or that lies in the future, is as if the field were not there; so is an entity-tag list
that breaks the grammar, except that it still keeps the date beside it from being asked.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from poise.files.entity import Entity
from poise.wire.http.dates import parse_http_date
from poise.wire.pattern import pattern

if TYPE_CHECKING:
    from poise.wire.http.head import Fields

ENTITY_TAG = r'(?:W/)?"[!\x23-\x7E\x80-\xFF]*+"'
"""RFC 9110, 8.8.3: entity-tag = [ weak ] opaque-tag."""

ENTITY_TAG_LIST = pattern(rf"[ \t]*+(?:,[ \t]*+)*+{ENTITY_TAG}(?:[ \t]*+,[ \t]*+(?:{ENTITY_TAG})?+)*+[ \t]*+")
"""RFC 9110, 5.6.1.2: a recipient takes empty elements."""

EACH_TAG = pattern(ENTITY_TAG)


class Verdict(Enum):
    """What the preconditions of a request come to."""

    PROCEED = auto()
    NOT_MODIFIED = auto()
    PRECONDITION_FAILED = auto()


def evaluate(fields: Fields, entity: Entity, now: float) -> Verdict:
    """What a GET or HEAD with ``fields`` is answered for ``entity`` at the time ``now`` (seconds)."""
    if_match = fields.get("if-match")
    if if_match is not None:
        if not matches(if_match, entity.etag, strong=True):
            return Verdict.PRECONDITION_FAILED
    elif modified_since(fields.get("if-unmodified-since"), entity, now) is True:
        return Verdict.PRECONDITION_FAILED
    if_none_match = fields.get("if-none-match")
    if if_none_match is not None:
        if matches(if_none_match, entity.etag):
            return Verdict.NOT_MODIFIED
    elif modified_since(fields.get("if-modified-since"), entity, now) is False:
        return Verdict.NOT_MODIFIED
    return Verdict.PROCEED


def matches(value: str, etag: str | None, *, strong: bool = False) -> bool:
    """Is ``etag`` one of those that ``value``, a list of entity tags or ``*``, names?

    ``*`` is any that exists. Weak comparison (RFC 9110, 8.8.3.2) ignores ``W/`` on both sides; strong
    comparison never holds with it on either.
    """
    if value.strip(" \t") == "*":
        return True
    if etag is None or not ENTITY_TAG_LIST.fullmatch(value):
        return False
    tags = EACH_TAG.findall(value)
    if strong:
        return not etag.startswith("W/") and etag in tags
    return etag.removeprefix("W/") in [tag.removeprefix("W/") for tag in tags]


def modified_since(value: str | None, entity: Entity, now: float) -> bool | None:
    """Has ``entity`` changed after the date that ``value`` names?

    None, which is neither, when there is nothing to compare: no field, no date, one in the future, or an
    entity without a time.
    """
    since = None if value is None else parse_http_date(value, now=now)
    if since is None or since > now or entity.modified is None:
        return None
    return entity.modified > since
