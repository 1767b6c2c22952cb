"""What a site may be told: everything that somebody can want otherwise, as plain values, and what follows from them.

Nothing here looks at a file or a socket. Paths are names below the root (:data:`poise.files.names.Names`), decoded, and
it is always the names of what is *opened* that count: a rule sees the same path as the kernel does, whatever the address
looked like that led there.

**Hidden** is what ``hide`` matches, a folder with everything below it. It is answered like what does not exist, and is
in no listing, search or archive. A link to something hidden is its owner's word, as one to a dot-file is; but what is
hidden below the folder that a link leads to stays so, by whichever way one comes. A page that is named here (``spa``,
``error_pages``) may itself be hidden.

**Clean URLs**: ``/about`` is a file of that name, else ``about.html``, else the folder ``about``. Both spellings work;
with ``"redirect"`` the long one, and that of an index file, leads to the short one, so that there is one address for one page.

**The fallback** of an app that makes its pages in the browser is for people who go somewhere: a GET or HEAD that asks for
HTML rather than for data, as browsers do when they navigate and scripts and pictures do not, of a path whose last
name has no dot. A missing picture stays missing, and so does what ``fetch`` asks for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from poise.files.globs import Globs
from poise.files.names import Names, nameable
from poise.limits import FileLimits
from poise.limits.record import Record, derived

if TYPE_CHECKING:
    from poise.files.fieldrules import Field, FieldRule
    from poise.wire.http.head import Fields

CleanURLs = bool | Literal["redirect"]

Symlinks = Literal["inside", "all", "none"]

SYMLINKS: tuple[Symlinks, ...] = ("inside", "all", "none")

INDEX = ("index.html", "index.htm")

ERROR_PAGES: Mapping[str, str] = {"404": "404.html"}
"""What many a generator of sites writes, and many a server looks for."""

HTML = b".html"

DEFAULT_LIMITS = FileLimits()

FALLBACK_VARY: Field = ("Vary", "Accept, Sec-Fetch-Mode")
"""What the fallback, and its absence, hangs on."""


class Shorter(Record):
    """The clean address of a file, and which files must not be there for it to lead back to that file."""

    names: Names
    folder: bool
    unless: tuple[Names, ...]


class SiteRules(Record):
    """Everything that a site may be told. Raises ValueError, with a sentence for people, for what makes no sense."""

    index: tuple[str, ...] = INDEX
    """The files shown for a folder: the first that is there."""
    listing: bool = True
    """Whether a folder without one of these is listed; else it is 404."""
    clean_urls: CleanURLs = False
    spa: str | None = None
    """The fallback's file, a path below the root; None for none."""
    error_pages: Mapping[str, str] = ERROR_PAGES
    """Status, or ``4xx`` and ``5xx`` for those that have no page of their own → a file below the root. The status stays
    what it is; a file that is not there has no effect, nor has an empty text."""
    headers: tuple[FieldRule, ...] = ()
    """As :func:`poise.files.fieldrules.field_rule` makes them."""
    cache: tuple[FieldRule, ...] = ()
    """As :func:`poise.files.fieldrules.cache_rule` makes them; ``headers`` come after them."""
    cors: tuple[str, ...] = ()
    """Origins that may read, as :func:`poise.files.cors.origin` makes them; empty for none."""
    hide: tuple[str, ...] = ()
    """Patterns (:mod:`poise.files.globs`)."""
    dotfiles: bool = False
    """Whether names that begin with a dot are there for clients."""
    symlinks: Symlinks = "inside"
    """Which links are followed: those that stay below the root, all, or none."""
    limits: FileLimits = DEFAULT_LIMITS

    index_names: Names = derived(init=False)
    spa_names: Names | None = derived(init=False)
    _pages: Mapping[str, Names] = derived(init=False)
    _hidden: Globs = derived(init=False)
    _cached: Globs = derived(init=False)
    _headed: Globs = derived(init=False)

    def _begin(self) -> None:
        if self.symlinks not in SYMLINKS:
            raise ValueError(f"symlinks are followed {', '.join(SYMLINKS)}; not {self.symlinks!r}")
        pages = {check_status(status): file for status, file in self.error_pages.items()}
        self._derive(
            index_names=tuple(index_name(name) for name in self.index),
            spa_names=None if self.spa is None else names_below(self.spa),
            _pages={status: names_below(file) for status, file in pages.items() if file},
            _hidden=Globs(self.hide, self.limits),
            _cached=Globs([rule.glob for rule in self.cache], self.limits),
            _headed=Globs([rule.glob for rule in self.headers], self.limits),
            headers=_checked(self.headers),
            cache=_checked(self.cache),
            cors=_origins(self.cors),
        )

    # -- what is there ------------------------------------------------------------------------------------------

    def hides(self, names: Names, *, folder: bool = True, itself: bool = False) -> bool:
        """Whether what ``names`` lead to is to be answered as if it were not there.

        ``folder`` says whether it is one; whoever does not know it yet leaves it out, and rather hides too much. With
        ``itself`` the folders on the way do not count.
        """
        if not self._hidden:
            return False
        if itself and names:
            return self._hidden.covering(names[:-1], granted=True)(names[-1], folder)
        return self._hidden.cover(names, folder=folder)

    def hider(self, names: Names, *, granted: bool = False) -> Callable[[bytes, bool], bool] | None:
        """:meth:`hides` for the entries of the folder ``names``, one call each: a name, and whether it is a folder.

        ``granted`` is for a folder that a link has led to, which is its owner's word: it counts as not hidden. None when no
        entry of any folder is hidden.
        """
        return self._hidden.covering(names, granted=granted) if self._hidden else None

    # -- other addresses ----------------------------------------------------------------------------------------

    def longer(self, names: Names, *, slash: bool) -> Names | None:
        """The file that the clean address ``names`` may stand for; it comes after a file ``names`` and before a folder."""
        if not self.clean_urls or slash or not names or names[-1].lower().endswith(HTML):
            return None
        return *names[:-1], names[-1] + HTML

    def shorter(self, names: Names) -> Shorter | None:
        """Where a client that has asked for the file ``names`` is sent (308); None when it is answered at once."""
        if self.clean_urls != "redirect" or not names:
            return None
        *above, name = names
        if name in self.index_names:
            first = self.index_names[: self.index_names.index(name)]
            return Shorter(names=tuple(above), folder=True, unless=tuple((*above, each) for each in first))
        short = name.removesuffix(HTML)
        # Where the short name would not lead back, as those of `a.html.html` and `...html` do not, there is none.
        if short != name and short not in (b"", b".", b"..") and not short.lower().endswith(HTML):
            clean = (*above, short)
            return Shorter(names=clean, folder=False, unless=(clean,))
        return None

    def falls_back(self, names: Names, fields: Fields) -> bool:
        """Whether a GET or HEAD for ``names``, where nothing is, is answered with the fallback."""
        if self.spa is None or (names and b"." in names[-1]):
            return False
        if fields.get("sec-fetch-mode", "navigate") != "navigate":
            return False
        from poise.wire.http.accept import prefers

        return prefers(fields.get("accept"), "text/html", "application/json", self.limits.choices)

    def error_page(self, status: int) -> Names | None:
        """The file for errors with ``status``, as names below the root; it need not be there."""
        text = str(status)
        return self._pages.get(text) or self._pages.get(f"{text[0]}xx")

    # -- header fields ------------------------------------------------------------------------------------------

    @property
    def asks_who(self) -> bool:
        """Whether an answer hangs on the Origin of its request."""
        if not self.cors:
            return False
        from poise.files.cors import ANYBODY

        return ANYBODY not in self.cors

    def content_type(self, names: Names) -> str | None:
        """The media type that a rule gives the file ``names``; None when the name decides."""
        chosen = [rule.value for rule in self._matching(names) if rule.name.lower() == "content-type"]
        return chosen[-1] if chosen else None

    def fields_for(
        self,
        fields: Iterable[Field],
        names: Names,
        *,
        folder: bool = False,
        status: int = 200,
        own: bool = False,
        origin: str | None = None,
    ) -> list[Field]:
        """``fields`` of an answer as the rules want them.

        ``names`` are those of the file or folder that is answered with, or of what was asked for when nothing is. ``own``
        is a page of the server's own: a listing, a redirect, an error without a file. ``origin`` is the request's Origin.
        """
        from poise.files.fieldrules import changed, varying

        kept = list(fields)
        if self.cors:
            from poise.files import cors

            for name, value in cors.cors_fields(self.cors, origin):
                kept = varying(kept, value) if name == "Vary" else [*kept, (name, value)]
        if self.cache:
            rules = [self.cache[number] for number in self._cached.matching(names, folder=folder)]
            kept = changed(kept, rules, status=status, own=own)
        return changed(kept, self._matching(names, folder=folder), status=status, own=own)

    def preflight(self, fields: Fields) -> list[Field] | None:
        """What is added to the answer to an OPTIONS request by which a browser asks for leave (CORS); else None."""
        if not self.cors:
            return None
        from poise.files import cors

        return cors.preflight_fields(self.cors, fields)

    def _matching(self, names: Names, *, folder: bool = False) -> list[FieldRule]:
        if not self.headers:
            return []
        return [self.headers[number] for number in self._headed.matching(names, folder=folder)]


def _checked(rules: tuple[FieldRule, ...]) -> tuple[FieldRule, ...]:
    """Each as :mod:`poise.files.fieldrules` makes it, which is loaded where there are any. Raises ValueError."""
    if not rules:
        return ()
    from poise.files.fieldrules import field_rule

    return tuple(field_rule(rule.name, rule.value, rule.glob) for rule in rules)


def _origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Each as :mod:`poise.files.cors` makes it. Raises ValueError."""
    if not texts:
        return ()
    from poise.files import cors

    return tuple(cors.origin(text) for text in texts)


# -- what can be written ---------------------------------------------------------------------------------------


def index_name(text: str) -> bytes:
    """The name of an index file. Raises ValueError when it is no plain name."""
    if "/" in text:
        raise ValueError(
            f"an index file is a name without a slash, not {text!r}: it is looked for in each folder"
        )
    return names_below(text)[0]


def names_below(text: str) -> Names:
    """The names that lead to a file below the root, whose path may begin with a slash. Raises ValueError."""
    names = tuple(os.fsencode(name) for name in text.split("/") if name not in ("", "."))
    if not names or text.endswith("/"):
        raise ValueError(f"{text!r} is no path of a file below the folder that is served")
    if b".." in names:
        raise ValueError(f"{text!r} leads out of the folder that is served; the file has to be inside")
    if not all(nameable(name) and b"\0" not in name for name in names):
        raise ValueError(f"{text!r} holds a character that no name here can have")
    return names


def check_status(status: object) -> str:
    """A status that can have a page: ``404``, ``5xx``. Raises ValueError for others."""
    text = str(status).lower()
    if text in ("4xx", "5xx") or (text.isascii() and text.isdigit() and 400 <= int(text) <= 599):
        return text
    raise ValueError(
        f"{text!r} is no status of an error: 400 to 599, or 4xx and 5xx for all that have no other page"
    )
