"""A folder as a page: what is in it, in a table that needs no script.

Shown is what :mod:`poise.files.locate` would serve: regular files, folders, and links that lead to one of
them inside the root. Dot-files, special files and names that no URL can spell are left out, silently, as they
are when asked for.

Names come from strangers. Each is shown escaped and isolated from the reading direction around it, with a
picture in the place of control characters, and linked as ``./`` and an escaped segment, so that a file called
``javascript:…`` is a file.

The work is bounded by the number of entries that are looked at, hidden ones included. A long folder is read a slice at a
time, with turns for others between, shown a page at a time, and the rows are made while the page is sent.

Sorting, paging and searching are links and a form; a script only adds the filter and the arrow keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from poise.errors import RequestError
from poise.files.locate import Root
from poise.files.located import Located
from poise.files.marks import FOLDER, SHEET_OF_MARKS, kind_of, mark
from poise.files.measures import changed, exact_size, human_size
from poise.files.names import Names, path_of, quote, visible
from poise.files.scan import Entry, Scan
from poise.files.script import SCRIPT
from poise.files.texts import ENGLISH, TAGS, Texts
from poise.files.view import PLAIN, View
from poise.files.walk import Hider, hiding
from poise.http.page import TAIL, escape, page_head
from poise.limits import FileLimits

COLUMNS = (("name", "name"), ("size", "size"), ("date", "changed"))
"""How a column is asked for, and the id of its title."""

Pieces = Callable[[Scan], Iterator[bytes]]


class Listing:
    """The page of a long folder, piece by piece: nothing while the folder is read, then its rows.

    An iterator that lets go of the folder when it is closed, begun or not. ``on_read()`` is called once, when the folder was
    read or nobody wants it any more.
    """

    def __init__(self, scan: Scan, make: Pieces, on_read: Callable[[], object]) -> None:
        self._scan = scan
        self._make = make
        self._on_read = on_read
        self._reading = True
        self._pieces: Iterator[bytes] | None = None

    def __iter__(self) -> Listing:
        return self

    def __next__(self) -> bytes:
        if self._pieces is None:
            if not self._scan.done:
                self._scan.step()
                return b""  # whoever sends this gives others a turn
            self._read()
            self._pieces = self._make(self._scan)
        return next(self._pieces)

    def close(self) -> None:
        self._scan.close()
        self._read()

    def _read(self) -> None:
        if self._reading:
            self._reading = False
            self._on_read()


class Listings:
    """Makes what folders are answered with. Of long ones no more than ``limits.listings`` are read at a time."""

    def __init__(self, root: Root, hider: Hider | None = None) -> None:
        """``hider(names)`` gives what tells the hidden entries of a folder."""
        self._root = root
        self._hider = hider
        self.under_way = 0

    def of(self, folder: Located, view: View, make: Pieces) -> bytes | Listing:
        """What ``make`` makes of ``folder``: whole when it is short, else piece by piece.

        Raises :class:`RequestError` now and not while the pieces are made: 503 when too many are under way, and what the
        gate says when the folder may not be read.
        """
        scan = Scan(self._root, folder, view, hiding(self._hider, folder.names, folder.real))
        scan.step()
        if scan.done:
            return b"".join(make(scan))
        if self.under_way >= self._root.limits.listings:
            scan.close()
            raise RequestError(
                503, "Too many long folders are being read at the moment. Please try again soon."
            )
        self.under_way += 1
        return Listing(scan, make, self._was_read)

    def _was_read(self) -> None:
        self.under_way -= 1


class FolderPage:
    """Makes the HTML of one folder: an instance is what ``listing`` calls when the folder has been read."""

    def __init__(
        self,
        names: Names,
        limits: FileLimits,
        view: View = PLAIN,
        texts: Texts = ENGLISH,
        language: str = "en",
        *,
        readme: str = "",
        extra: str = "",
    ) -> None:
        """``readme`` is HTML for the foot of the page, ``extra`` for its end: a script, say."""
        self._names = names
        self._limits = limits
        self._view = view
        self._texts = texts
        self._language = language
        self._readme = readme
        self._extra = extra

    def __call__(self, scan: Scan) -> Iterator[bytes]:
        """The page, ``limits.rows`` entries at a time."""
        texts = self._texts
        view = self._view.but(page=scan.page)
        title = visible(self._names[-1]) if self._names else texts["top"]
        yield (
            f"{page_head(title, TAGS[self._language])}{SHEET_OF_MARKS}"
            f'<a class="skip" href="#list">{texts["skip"]}</a>\n<header>\n{crumbs(self._names, texts)}'
            f"<h1>{self._sentence(scan)}</h1>\n{tools(texts, some=scan.count > 0, paged=scan.pages > 1)}</header>\n"
            f'<main id="list">\n{table_head(view, texts) if scan.count else ""}'
        ).encode()
        entries = scan.entries()
        while rows := [row(entry, texts) for entry in islice(entries, self._limits.rows)]:
            yield "".join(rows).encode()
        yield (
            f"{TABLE_TAIL if scan.count else ''}{pager(view, scan.pages, texts)}"
            f"{up(self._names, texts) if self._names else ''}</main>\n{self._readme}{SCRIPT}{self._extra}{TAIL}"
        ).encode()

    def _sentence(self, scan: Scan) -> str:
        """What the reader came to know, first."""
        texts = self._texts
        folder = folder_name(self._names, texts)
        counts = counted(scan.folders, scan.files, scan.bytes, texts)
        if scan.cut:
            return texts["cut"].format(
                folder=folder, limit=f"{self._limits.entries:,}", counts=counts or texts["none"]
            )
        return texts["holds" if counts else "empty"].format(folder=folder, counts=counts)


TABLE_TAIL = "</tbody>\n</table>\n"


def folder_name(names: Names, texts: Texts, *, inside: bool = False) -> str:
    """How a sentence calls the folder, as HTML: at its beginning, or ``inside`` of it."""
    if not names:
        return texts["in_top" if inside else "top"]
    return texts["in_folder" if inside else "folder"].format(name=f"<b>{isolated(names[-1])}</b>")


def counted(folders: int, files: int, size: int, texts: Texts) -> str:
    """How much there is; "" for nothing."""
    parts = []
    if folders:
        parts.append(texts["subfolder" if folders == 1 else "subfolders"].format(count=f"{folders:,}"))
    if files:
        parts += [texts["file" if files == 1 else "files"].format(count=f"{files:,}"), human_size(size)]
    return texts["and"].join(parts)


def table_head(view: View, texts: Texts) -> str:
    """The titles of the columns, each a link that sorts by it; once more, and it is turned round."""
    cells = []
    for sort, title in COLUMNS:
        active = view.sort == sort
        # Who asks for size or date wants to see the largest or the latest.
        descending = not view.descending if active else sort != "name"
        link = escape(view.but(sort=sort, descending=descending, page=1, form="").query or "?")
        state = f' aria-sort="{"descending" if view.descending else "ascending"}"' if active else ""
        sign = f'<span aria-hidden="true"> {"↓" if view.descending else "↑"}</span>' if active else ""
        zone = f'<span class="wide"> {texts["zone"]}</span>' if sort == "date" else ""
        cells.append(f'<th scope="col"{state}><a href="{link}">{texts[title]}{zone}{sign}</a></th>')
    return f"<table>\n<thead><tr>{''.join(cells)}</tr></thead>\n<tbody>\n"


def plain_head(texts: Texts) -> str:
    """The titles of the columns where nothing can be sorted."""
    zone = f'<span class="wide"> {texts["zone"]}</span>'
    cells = f'<th scope="col">{texts["name"]}</th><th scope="col">{texts["size"]}</th>'
    return f'<table>\n<thead><tr>{cells}<th scope="col">{texts["changed"]}{zone}</th></tr></thead>\n<tbody>\n'


def tools(texts: Texts, *, some: bool, words: str = "", filters: bool = False, paged: bool = False) -> str:
    """Search, filter and download. The filter needs the script, which brings it to light."""
    search = (
        f'<form role="search"><input type="search" name="q" maxlength="256" required value="{escape(words)}"'
        f' aria-label="{texts["search_here"]}" placeholder="{texts["search_here"]}">'
        f"<button>{texts['search']}</button></form>"
    )
    label = texts["filter_page" if paged else "filter"]
    narrow = (
        f'<input type="text" id="filter" hidden autocomplete="off" aria-label="{label}" placeholder="{label} …"'
        f' data-none="{texts["unmatched"]}">'
        if some or filters
        else ""
    )
    whole = (
        f'<p>{texts["download"]} <a href="?zip" download>.zip</a> <a href="?tar.gz" download>.tar.gz</a></p>'
        if some
        else ""
    )
    return f'<div class="tools">{search}{narrow}{whole}</div>\n'


def crumbs(names: Names, texts: Texts) -> str:
    """The way from the top to here, each folder of it a link."""
    if not names:
        return ""
    steps = [f'<li><a href="/">{texts["start"]}</a></li>']
    for depth, name in enumerate(names[:-1], 1):
        steps.append(f'<li><a href="{path_of(names[:depth], folder=True)}">{isolated(name)}</a></li>')
    steps.append(f'<li aria-current="page">{isolated(names[-1])}</li>')
    return f'<nav aria-label="{texts["path"]}"><ol>{"".join(steps)}</ol></nav>\n'


def pager(view: View, pages: int, texts: Texts) -> str:
    """Where the reader is in a long folder, and the ways on; nothing for a short one."""
    if pages == 1:
        return ""
    links = []
    for there, text, word in (
        (view.page - 1, "previous", "prev"),
        (view.page + 1, "next", "next"),
    ):
        if 1 <= there <= pages:
            query = escape(view.but(page=there).query or "?")
            links.append(f'<a rel="{word}" href="{query}">{texts[text]}</a>')
    where = texts["page"].format(page=f"{view.page:,}", pages=f"{pages:,}")
    return f'<nav class="pages" aria-label="{texts["pages"]}"><p>{where} {" ".join(links)}</p></nav>\n'


def up(names: Names, texts: Texts) -> str:
    """The link to the folder above."""
    above = isolated(names[-2]) if len(names) > 1 else texts["start"]
    link = path_of(names[:-1], folder=True)
    return f'<p><a rel="up" href="{link}">↑ {texts["up"].format(name=above)}</a></p>\n'


def row(entry: Entry, texts: Texts, folder: Names = ()) -> str:
    """One entry of the table; ``folder`` are the names between here and it, of one that lies deeper."""
    name, link = isolated(entry.name), f"./{''.join(f'{quote(each)}/' for each in folder)}{quote(entry.name)}"
    way = "".join(f"{isolated(each)}/" for each in folder)
    if way:
        name = f'<span class="way">{way}</span>{name}'
    if entry.is_folder:
        cells = f'<th scope="row"><a class="folder" href="{link}/">{mark(FOLDER)}{name}</a></th><td>{texts["none"]}</td>'
    else:
        size = f'<td title="{exact_size(entry.size, texts)}">{human_size(entry.size)}</td>'
        cells = f'<th scope="row"><a href="{link}">{mark(kind_of(entry.name))}{name}</a></th>{size}'
    return f"<tr>{cells}<td>{changed(entry.modified, texts)}</td></tr>\n"


def isolated(name: bytes) -> str:
    """A name as HTML, with a reading direction of its own."""
    return f"<bdi>{escape(visible(name))}</bdi>"
