"""A page of the server's own: one look, one policy, no script.

The style stands in the page, so that a page is one reply and works wherever it is saved. The policy allows
exactly that style, by its hash, and nothing else: a name that found a way through the escaping would still
load and run nothing.
"""

from __future__ import annotations

from poise.http.style import STYLE, STYLE_HASH

ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})

POLICY = (
    f"default-src 'none'; style-src '{STYLE_HASH}'; img-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""``img-src`` lets the browser ask for the site's own icon."""

PAGE_FIELDS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-cache"),
)
"""The header fields that every page has."""

HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
"""

TAIL = """\
</body>
</html>
"""


def escape(text: str) -> str:
    """``text`` as it may stand in HTML, between tags and in a quoted attribute alike."""
    return text if text.isalnum() else text.translate(ESCAPED)


def page_head(title: str) -> str:
    """The beginning of a page, up to where its content starts; ``title`` is plain text."""
    return HEAD.format(title=escape(title), style=STYLE)


def page(title: str, content: str) -> bytes:
    """A whole page; ``content`` is HTML, ``title`` is plain text."""
    # A lone surrogate cannot be written as UTF-8; whatever holds one came from outside.
    return f"{page_head(title)}{content}{TAIL}".encode("utf-8", "replace")
