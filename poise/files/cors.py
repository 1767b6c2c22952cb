"""CORS: which pages of other origins may read what this site answers (the Fetch standard, 3.2; RFC 6454).

No answer ever allows credentials, so a page learns nothing with it that a stranger without a cookie would not. It is
the browser that enforces this, for its user; whoever asks without a browser reads everything anyway. But a server on
loopback can be reached by the browser of the person who runs it and by no stranger: there, ``*`` shows the folder to
every site that the person visits.
"""

from __future__ import annotations

from collections.abc import Collection

from poise.files.fieldrules import Field
from poise.wire.http import grammar
from poise.wire.http.head import Fields
from poise.wire.pattern import pattern

ANYBODY = "*"

REMEMBERED = (
    "600"  # seconds: a browser need not ask again for so long, nor does a change take longer to be noticed
)

ORIGIN = pattern(rf"([a-z][a-z0-9+.\-]*+)://({grammar.uri_host})(?::([0-9]{{1,5}}+))?+")

PORTS = {"http": "80", "https": "443"}

VARY = ("Vary", "Origin")


def origin(text: str) -> str:
    """An origin as browsers write it, or ``*``. Raises ValueError with a sentence that says what to write instead."""
    if text == ANYBODY:
        return text
    match = ORIGIN.fullmatch(text.lower())
    if match is None or ANYBODY in text:
        raise ValueError(
            f"{text!r} is no origin; one is like https://app.example or http://localhost:3000, without a path, and * is "
            "everybody"
        )
    scheme, host, port = match.groups()
    return f"{scheme}://{host}" if port in (None, PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def cors_fields(allowed: Collection[str], asking: str | None) -> list[Field]:
    """The fields of every answer, errors included, to a request whose Origin is ``asking``; ``allowed`` is not empty."""
    fields = []
    if ANYBODY not in allowed:
        if asking not in allowed:
            return [VARY]
        fields = [VARY]
    # Scripts may see all fields: a player needs Content-Range, and none of them is a secret.
    given = ANYBODY if ANYBODY in allowed else str(asking)
    return [*fields, ("Access-Control-Allow-Origin", given), ("Access-Control-Expose-Headers", "*")]


def preflight_fields(allowed: Collection[str], fields: Fields) -> list[Field] | None:
    """The fields of the answer to an OPTIONS request by which a browser asks for leave; None for any other one.

    The answer hangs neither on the address nor on what is there.
    """
    asking = fields.get("origin")
    if asking is None or "access-control-request-method" not in fields:
        return None
    given = cors_fields(allowed, asking)
    if given == [VARY]:
        return given
    return [
        *(field for field in given if field[0] != "Access-Control-Expose-Headers"),
        ("Access-Control-Allow-Methods", "GET, HEAD"),
        ("Access-Control-Allow-Headers", "*"),
        ("Access-Control-Max-Age", REMEMBERED),
    ]
