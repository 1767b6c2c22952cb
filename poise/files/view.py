"""What a query asks of a folder: in which order, which page of it, or in which form.

``?sort=size&order=desc&page=2``, ``?q=words``, ``?json``, ``?zip``, ``?tar.gz``. A query comes from anywhere: one that makes
no sense is no error, since the folder is there all the same; what is not understood is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from poise.files.names import OCTETS, quote

SORTS = ("name", "size", "date")
ARCHIVES = ("zip", "tar.gz")
FORMS = ("json", *ARCHIVES)
MOST_PARAMETERS = 32
MOST_WORDS = 256  # characters of a search
MOST_DIGITS = 9  # of a page's number


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at a folder."""

    sort: str = "name"
    """One of SORTS."""
    descending: bool = False
    page: int = 1
    """From 1 on."""
    words: str = ""
    """What is searched for; "" when nothing is."""
    form: str = ""
    """One of FORMS, or "" for a page."""

    @property
    def query(self) -> str:
        """The query that asks for this, ``?`` included; "" for what everybody sees first."""
        parts = []
        if self.words:
            parts.append(f"q={quote(self.words.encode())}")
        if self.sort != "name":
            parts.append(f"sort={self.sort}")
        if self.descending:
            parts.append("order=desc")
        if self.page != 1:
            parts.append(f"page={self.page}")
        if self.form:
            parts.append(self.form)
        return f"?{'&'.join(parts)}" if parts else ""

    def but(self, **changes: Any) -> View:
        """The same with some of it changed."""
        return replace(self, **changes)


PLAIN = View()


def view_of(query: str | None) -> View:
    """The view that ``query`` asks for; of a parameter that is given twice the first counts."""
    if not query:
        return PLAIN
    given: dict[str, str] = {}
    for part in query.split("&", MOST_PARAMETERS)[:MOST_PARAMETERS]:
        name, _, value = part.partition("=")
        given.setdefault(unescaped(name), unescaped(value))
    sort = given.get("sort", "")
    page = given.get("page", "")
    return View(
        sort=sort if sort in SORTS else "name",
        descending=given.get("order") == "desc",
        page=int(page)
        if page.isascii() and page.isdecimal() and len(page) <= MOST_DIGITS and int(page)
        else 1,
        words=given.get("q", "")[:MOST_WORDS].strip(),
        form=next((form for form in FORMS if form in given), ""),
    )


def unescaped(text: str) -> str:
    """One part of a form's query as it was typed: ``+`` is a space, escapes are UTF-8, once."""
    first, *rest = text.replace("+", " ").split("%")
    data = first.encode("utf-8", "surrogateescape")
    for part in rest:
        octet = OCTETS.get(part[:2].lower().encode("utf-8", "surrogateescape"))
        data += (b"%" if octet is None else octet) + (part if octet is None else part[2:]).encode(
            "utf-8", "surrogateescape"
        )
    return data.decode("utf-8", "replace").replace("\0", "")
