"""A folder as a page: what is in it, in a table that needs no script.

Shown is what :mod:`poise.files.locate` would serve: regular files, folders, and links that lead to one of
them inside the root. Dot-files, special files and names that no URL can spell are left out, silently, as they
are when asked for.

Names come from strangers. Each is shown escaped and isolated from the reading direction around it, with a
picture in the place of control characters, and linked as ``./`` and an escaped segment, so that a file called
``javascript:…`` is a file.

The work is bounded by the number of entries that are looked at, hidden ones included: a folder with a million
of them is read no further than one with ten thousand. A long folder is read a slice at a time, with turns for
others between, and its rows are made while the page is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from poise.files.locate import Located, Root
from poise.files.names import Names, path_of, quote, visible
from poise.files.scan import Entry, Scan
from poise.http.page import TAIL, escape, page_head
from poise.limits import FileLimits

TEXTS = {
    "top": "The top folder",
    "folder": "Folder {name}",
    "empty": "{folder} is empty.",
    "holds": "{folder}: {counts}.",
    "cut": "{folder} holds more than {limit} entries; shown are {counts}.",
    "file": "1 file",
    "files": "{count} files",
    "subfolder": "1 folder",
    "subfolders": "{count} folders",
    "bytes": "{count} bytes",
    "byte": "1 byte",
    "start": "start",
    "path": "Path",
    "up": "Up to {name}",
    "skip": "Skip to the list",
    "name": "Name",
    "size": "Size",
    "changed": "Changed",
    "zone": "(UTC)",
    "none": "–",
}
"""Every text of the page, by its id."""

TABLE_HEAD = f"""\
<table>
<thead><tr><th scope="col">{TEXTS["name"]}</th><th scope="col">{TEXTS["size"]}</th>\
<th scope="col">{TEXTS["changed"]}<span class="wide"> {TEXTS["zone"]}</span></th></tr></thead>
<tbody>
"""

TABLE_TAIL = """\
</tbody>
</table>
"""

UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Listing:
    """The page of a long folder, piece by piece: nothing while the folder is read, then its rows.

    An iterator that lets go of the folder when it is closed, begun or not.
    """

    def __init__(self, root: Root, scan: Scan, names: Names) -> None:
        self._limits = root.limits
        self._scan = scan
        self._names = names
        self._pieces: Iterator[bytes] | None = None

    def __iter__(self) -> Listing:
        return self

    def __next__(self) -> bytes:
        if self._pieces is None:
            if not self._scan.done:
                self._scan.step(self._limits.looks)
                return b""  # whoever sends this gives others a turn
            self._pieces = pieces(self._names, self._scan, self._limits)
        return next(self._pieces)

    def close(self) -> None:
        self._scan.close()


def listing(root: Root, folder: Located) -> bytes | Listing:
    """The page for ``folder``: whole when it is short, else piece by piece.

    Raises :class:`RequestError` when the folder may not be read, now and not while the pieces are made.
    """
    scan = Scan(root, folder)
    scan.step(root.limits.looks)
    if not scan.done:
        return Listing(root, scan, folder.names)
    return b"".join(pieces(folder.names, scan, root.limits))


def pieces(names: Names, scan: Scan, limits: FileLimits) -> Iterator[bytes]:
    """The page, ``limits.rows`` entries at a time."""
    beginning = f"""\
{page_head(visible(names[-1]) if names else TEXTS["top"])}\
<a class="skip" href="#list">{TEXTS["skip"]}</a>
<header>
{crumbs(names)}<h1>{sentence(names, scan, limits.entries)}</h1>
</header>
<main id="list">
"""
    some = scan.folders or scan.files
    yield f"{beginning}{TABLE_HEAD if some else ''}".encode()
    entries = scan.entries()
    while rows := [row(entry) for entry in islice(entries, limits.rows)]:
        yield "".join(rows).encode()
    yield f"{TABLE_TAIL if some else ''}{up(names) if names else ''}</main>\n{TAIL}".encode()


def sentence(names: Names, scan: Scan, limit: int) -> str:
    """What the reader came to know, first. ``limit`` is how many entries are looked at at most."""
    name = TEXTS["folder"].format(name=f"<b>{isolated(names[-1])}</b>") if names else TEXTS["top"]
    parts = []
    if scan.folders:
        parts.append(
            TEXTS["subfolder" if scan.folders == 1 else "subfolders"].format(count=f"{scan.folders:,}")
        )
    if scan.files:
        parts.append(TEXTS["file" if scan.files == 1 else "files"].format(count=f"{scan.files:,}"))
        parts.append(human_size(scan.bytes))
    counts = ", ".join(parts)
    if scan.cut:
        return TEXTS["cut"].format(folder=name, limit=f"{limit:,}", counts=counts or TEXTS["none"])
    return TEXTS["holds" if parts else "empty"].format(folder=name, counts=counts)


def crumbs(names: Names) -> str:
    """The way from the top to here, each folder of it a link."""
    if not names:
        return ""
    steps = [f'<li><a href="/">{TEXTS["start"]}</a></li>']
    for depth, name in enumerate(names[:-1], 1):
        steps.append(f'<li><a href="{path_of(names[:depth], folder=True)}">{isolated(name)}</a></li>')
    steps.append(f'<li aria-current="page">{isolated(names[-1])}</li>')
    return f'<nav aria-label="{TEXTS["path"]}"><ol>{"".join(steps)}</ol></nav>\n'


def up(names: Names) -> str:
    """The link to the folder above."""
    above = isolated(names[-2]) if len(names) > 1 else TEXTS["start"]
    return f'<p><a href="{path_of(names[:-1], folder=True)}">↑ {TEXTS["up"].format(name=above)}</a></p>\n'


def row(entry: Entry) -> str:
    """One entry of the table."""
    name, link = isolated(entry.name), f"./{quote(entry.name)}"
    if entry.is_folder:
        cells = f'<th scope="row"><a class="folder" href="{link}/">{name}</a></th><td>{TEXTS["none"]}</td>'
    else:
        size = f'<td title="{exact_size(entry.size)}">{human_size(entry.size)}</td>'
        cells = f'<th scope="row"><a href="{link}">{name}</a></th>{size}'
    return f"<tr>{cells}<td>{changed(entry.modified)}</td></tr>\n"


def isolated(name: bytes) -> str:
    """A name as HTML, with a reading direction of its own."""
    return f"<bdi>{escape(visible(name))}</bdi>"


def human_size(size: int) -> str:
    """``size`` bytes in the unit that a person would take: two or three figures, powers of a thousand."""
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    power = 0
    while amount >= 999.5 and power < len(UNITS):
        amount /= 1000
        power += 1
    unit = UNITS[power - 1]
    return f"{amount:.1f} {unit}" if amount < 99.95 else f"{amount:.0f} {unit}"


def exact_size(size: int) -> str:
    return TEXTS["byte"] if size == 1 else TEXTS["bytes"].format(count=f"{size:,}")


def changed(modified: float) -> str:
    """The time of a change, in UTC since nobody knows where the reader is; a dash for one no calendar has."""
    try:
        moment = (EPOCH + timedelta(seconds=int(modified))).isoformat()
    except OverflowError:
        return TEXTS["none"]
    return f'<time datetime="{moment}">{moment[:10]}<span class="wide"> {moment[11:16]}</span></time>'
