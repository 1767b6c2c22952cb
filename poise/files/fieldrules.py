"""Header fields that somebody wants on what a site answers: which they may be, and how they meet those that are there.

A rule is a pattern (:mod:`poise.files.globs`), the name of a field and its value. Of several rules for one field the
last one that matches counts; an empty value takes the field away. Not everything can be given out of hand:

* what frames a message or belongs to one connection is made by whoever sends it, and a wrong one would let a client
  read something else than what was sent (RFC 9112, 6);
* what says which part of which state of a file was sent, and in which coding, is true or it is a lie;
* ``ETag``, ``Last-Modified`` and ``Accept-Ranges`` can be taken away, and not made up;
* ``Vary`` can be added to, because a cache that does not know what an answer hangs on hands out the wrong one;
* the server's own pages keep their policy, without which a name in a listing might run as a script.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from poise.wire.http import grammar
from poise.wire.pattern import pattern

EVERYTHING = "**"

CONNECTION = pattern(
    "connection|content-length|date|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade"
)
MADE = frozenset(("allow", "content-encoding", "content-range", "location"))
ONLY_REMOVED = frozenset(("accept-ranges", "etag", "last-modified"))
ONLY_SET = frozenset(("content-type", "vary"))

OWN_PAGE = frozenset(("cache-control", "content-security-policy"))
"""What the server's own pages say of themselves."""

CORS = "access-control-"
"""How the names of the fields begin that let other sites read this one."""

VALUE = pattern(r"[\x21-\x7e](?:[\t \x21-\x7e]*+(?<=[\x21-\x7e]))?+")
"""RFC 9110, 5.5: field-value, without the octets beyond ASCII that nobody agrees about."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}

LIFETIME = pattern(r"([0-9]{1,6})([smhdwy])")

FOREVER = "max-age=31536000, immutable"
"""For what never changes under its name (RFC 8246)."""

WITH_SECONDS = frozenset(("max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"))

WITHOUT = pattern(
    "immutable|must-revalidate|must-understand|no-cache|no-store|no-transform|private|proxy-revalidate|public"
)
"""Directives of RFC 9111, 5.2.2, RFC 5861 and RFC 8246."""

DIRECTIVE = pattern(rf"({grammar.token})(?:=({grammar.token}))?+")

Field = tuple[str, str]


class FieldRule(NamedTuple):
    """On whatever ``glob`` matches the field ``name`` is ``value``, or is not there when that is empty."""

    glob: str
    name: str
    value: str


def field_rule(name: str, value: str, glob: str = EVERYTHING) -> FieldRule:
    """A rule whose field may be set by one. Raises ValueError with a sentence that says why it may not."""
    value = value.strip(" \t")
    lowered = name.lower()
    if not grammar.TOKEN.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of a header field: letters, digits and hyphens, as in X-Frame-Options"
        )
    if value and not VALUE.fullmatch(value):
        raise ValueError(f"the value of {name} has to be one line of ASCII characters, not {value!r}")
    if CONNECTION.fullmatch(lowered):
        raise ValueError(f"{name} belongs to the connection and is always the server's own")
    if lowered in MADE:
        raise ValueError(f"{name} is made by the server for each answer, and cannot be set")
    if lowered in ONLY_REMOVED and value:
        raise ValueError(f"{name} is made from the file; a rule can only take it away, with an empty value")
    if lowered in ONLY_SET and not value:
        raise ValueError(f"{name} cannot be taken away")
    return FieldRule(glob, name, value)


def cache_rule(text: str, glob: str = EVERYTHING) -> FieldRule:
    """A rule for Cache-Control: a lifetime such as ``1h``, ``forever``, or directives as RFC 9111 has them.

    Raises ValueError with a sentence that says what to write instead.
    """
    text = text.strip()
    lifetime = LIFETIME.fullmatch(text)
    if lifetime:
        return FieldRule(glob, "Cache-Control", f"max-age={int(lifetime[1]) * UNITS[lifetime[2]]}")
    if text == "forever":
        return FieldRule(glob, "Cache-Control", FOREVER)
    for directive in text.split(","):
        match = DIRECTIVE.fullmatch(directive.strip(" \t"))
        name = match[1].lower() if match else ""
        if name in WITH_SECONDS and match is not None:
            if not (match[2] or "").isdigit():
                raise ValueError(f"{name} needs its seconds: {name}=3600")
        elif not WITHOUT.fullmatch(name):
            raise ValueError(
                f"{directive.strip()!r} is no lifetime and no directive of Cache-Control; "
                "1h, 30d, forever, no-store and max-age=3600 are some"
            )
    return FieldRule(glob, "Cache-Control", text)


def changed(fields: Iterable[Field], rules: Iterable[FieldRule], *, status: int, own: bool) -> list[Field]:
    """``fields`` of an answer with ``status`` after ``rules``, which all match; ``own`` for a page of the server's own.

    ``Content-Type`` is not among them: whoever chooses it asks for the rule then, because in an answer of several parts
    it stands elsewhere.
    """
    kept = list(fields)
    for name, value in {rule.name.lower(): (rule.name, rule.value) for rule in rules}.values():
        lowered = name.lower()
        if lowered == "vary":
            kept = varying(kept, value)
        elif allowed(lowered, status, own=own):
            kept = [each for each in kept if each[0].lower() != lowered]
            if value:
                kept.append((name, value))
    return kept


def allowed(name: str, status: int, *, own: bool) -> bool:
    """Whether a rule for ``name``, in lower case, applies to an answer with ``status``."""
    if name == "content-type" or (own and name in OWN_PAGE):
        return False
    if name == "cache-control":
        return status < 400  # how long a page is fresh says nothing about its absence
    # RFC 9110, 15.4.5: a 304 does not describe the content again.
    return status != 304 or not name.startswith("content-") or name.startswith("content-security-policy")


def varying(fields: Iterable[Field], names: str) -> list[Field]:
    """``fields`` with ``names``, separated by commas, in their one Vary besides what is there."""
    said: dict[str, str] = {}
    kept = []
    for field in (*fields, ("Vary", names)):
        if field[0].lower() == "vary":
            for name in filter(None, map(str.strip, field[1].split(","))):
                said.setdefault(name.lower(), name)
        else:
            kept.append(field)
    return [*kept, ("Vary", "*" if "*" in said else ", ".join(said.values()))]
