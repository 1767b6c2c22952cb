"""The reply to a request that cannot be honoured: what happened in one calm sentence, and no more.

The sentence is the error's own detail. It never holds a path of the machine, and where it quotes the client
it is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable

from poise.http.message import Reply
from poise.limits import HttpLimits
from poise.wire.http.statuses import REASONS

RETRY_AFTER = 503

START = '<p><a href="/">Go to the start</a></p>\n'
"""Offered where another address may help."""

ELSEWHERE = frozenset({403, 404})

PLAIN_FIELDS = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
)
"""For who asks from a shell or a script, and would see more style than sense."""


def error_reply(
    status: int,
    detail: str = "",
    fields: Iterable[tuple[str, str]] = (),
    *,
    limits: HttpLimits | None = None,
    plain: bool = False,
) -> Reply:
    """A page for ``status`` that says ``detail``, a sentence of plain text, with ``fields`` besides its own.

    With ``plain`` it is one line of text instead. A 503 tells the client when to come again (RFC 9110, 15.6.4).
    """
    reason = REASONS.get(status, "Error")
    sentence = as_sentence(detail or reason)
    further = list(fields)
    if status == RETRY_AFTER:
        further.insert(0, ("Retry-After", str((limits or HttpLimits()).retry_after)))
    if plain:
        text = f"{status} {reason}: {sentence}\n".encode("utf-8", "replace")
        return Reply(status, (*PLAIN_FIELDS, *further), text)
    from poise.http.page import PAGE_FIELDS, escape, page  # a large style, for a page that few look at

    content = (
        f'<main>\n<p class="quiet">{status} {escape(reason)}</p>\n<h1>{escape(sentence)}</h1>\n'
        f"{START if status in ELSEWHERE else ''}</main>\n"
    )
    return Reply(status, (*PAGE_FIELDS, *further), page(f"{status} {reason}", content))


def as_sentence(text: str) -> str:
    """``text`` with a capital at its beginning and a full stop at its end."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
