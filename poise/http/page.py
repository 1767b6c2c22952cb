"""A page of the server's own: one look, one policy, no script but one that is named.

The style stands in the page, so that a page is one reply and works wherever it is saved. The policy allows
exactly that style, by its hash, and nothing else: a name that found a way through the escaping would still
load and run nothing.
"""

from __future__ import annotations

from poise.http.style import BRIEF_HASH, BRIEF_STYLE, STYLE, STYLE_HASH

ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def page_fields(script: str = "", style: str = STYLE_HASH) -> tuple[tuple[str, str], ...]:
    """The header fields of a page whose style, and whose only script, if any, have these hashes."""
    # `img-src` lets the browser ask for the site's own icon; a page with a script has a form and may talk to its server.
    more = (
        f"; script-src '{script}'; connect-src 'self'; form-action 'self'"
        if script
        else "; form-action 'none'"
    )
    policy = (
        f"default-src 'none'; style-src '{style}'; img-src 'self'; media-src 'self'"
        f"{more}; base-uri 'none'; frame-ancestors 'none'"
    )
    return (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        # An error or a redirect is true now; without a tag, keeping it would be of no use either.
        ("Cache-Control", "no-cache" if script else "no-store"),
    )


PAGE_FIELDS = page_fields(style=BRIEF_HASH)
"""Those of a :func:`page`."""

HEAD = """\
<!doctype html>
<html lang="{language}">
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


def page_head(title: str, language: str = "en", style: str = STYLE) -> str:
    """The beginning of a page, up to where its content starts; ``title`` is plain text."""
    return HEAD.format(title=escape(title), style=style, language=language)


def page(title: str, content: str) -> bytes:
    """A whole page that says one thing; ``content`` is HTML, ``title`` is plain text."""
    # A lone surrogate cannot be written as UTF-8; whatever holds one came from outside.
    return f"{page_head(title, style=BRIEF_STYLE)}{content}{TAIL}".encode("utf-8", "replace")
