"""A folder as a page: what is in it, in a table that needs no script.

Shown is what :mod:`poise.files.locate` would serve: regular files, folders, and links that lead to one of
them inside the root. Dot-files, special files and names that no URL can spell are left out, silently, as they
are when asked for.

Names come from strangers. Each is shown escaped and isolated from the reading direction around it, with a
picture in the place of control characters, and linked as ``./`` and an escaped segment, so that a file called
``javascript:…`` is a file.

The work is bounded by the number of entries that are looked at, hidden ones included: a folder with a million
of them is read no further than one with ten thousand. They are read and sorted at once, since the first
sentence counts them; the rows of a long page are made while it is sent.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from poise.errors import RequestError
from poise.files.locate import FILE_FLAGS, Located, Root, refusal
from poise.files.names import Names, hidden, nameable, path_of, quote, visible
from poise.http.page import TAIL, escape, page_head

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

DIGITS = re.compile(r"[0-9]+")

FOLDER_READ_FLAGS = FILE_FLAGS | getattr(os, "O_DIRECTORY", 0)


class Entry(NamedTuple):
    """One row: a name on disk and what is told about it."""

    name: bytes
    is_folder: bool
    size: int
    """Bytes; 0 for a folder, whose own size tells a person nothing."""
    modified: float
    """Seconds since the epoch."""

    def order(self) -> tuple[bool, str, bytes]:
        """Folders first, then as a person counts: ``2.txt`` before ``10.txt``, capitals as small letters."""
        text = self.name.decode("utf-8", "replace").casefold()
        return not self.is_folder, DIGITS.sub(as_number, text), self.name


def as_number(digits: re.Match[str]) -> str:
    """The digits with their count before them: sorted as text, a longer number comes later."""
    number = digits[0].lstrip("0")
    return f"{len(number):03}{number}"


def read(root: Root, folder: Located) -> tuple[list[Entry], bool]:
    """The entries of ``folder`` that may be shown, in order, and whether some were left unread.

    Raises :class:`RequestError` when the folder may not be read.
    """
    limit = root.limits.entries
    try:
        fd = os.open(b".", FOLDER_READ_FLAGS, dir_fd=folder.fd)
        try:
            with os.scandir(fd) as found:
                entries = list(shown(root, folder, islice(found, limit)))
                cut = next(found, None) is not None
        finally:
            os.close(fd)
    except OSError as error:
        raise refusal(error) from error
    entries.sort(key=Entry.order)
    return entries, cut


def shown(root: Root, folder: Located, found: Iterable[os.DirEntry[str]]) -> Iterator[Entry]:
    """Those of ``found`` that a URL below ``folder`` would be answered with."""
    for item in found:
        name = os.fsencode(item.name)
        if not nameable(name) or (hidden(name) and not root.dotfiles):
            continue
        try:
            state = item.stat(follow_symlinks=False)
            if stat.S_ISLNK(state.st_mode):
                with root.child(folder, name) as target:
                    state = target.stat
        except (OSError, RequestError):
            continue  # gone since it was listed, or not to be had
        if stat.S_ISDIR(state.st_mode):
            yield Entry(name, True, 0, state.st_mtime)
        elif stat.S_ISREG(state.st_mode):
            yield Entry(name, False, state.st_size, state.st_mtime)


def listing(root: Root, folder: Located) -> bytes | Iterator[bytes]:
    """The page for ``folder``: whole when it is short, else piece by piece, each of at most ``rows`` rows.

    Raises :class:`RequestError` when the folder may not be read, now and not while the pieces are made.
    """
    entries, cut = read(root, folder)
    made = pieces(folder.names, entries, root.limits.entries if cut else None, root.limits.rows)
    return b"".join(made) if len(entries) <= root.limits.rows else made


def pieces(names: Names, entries: list[Entry], limit: int | None, rows: int) -> Iterator[bytes]:
    """The page, ``rows`` entries at a time. ``limit`` is how many were looked at when not all were."""
    beginning = f"""\
{page_head(visible(names[-1]) if names else TEXTS["top"])}\
<a class="skip" href="#list">{TEXTS["skip"]}</a>
<header>
{crumbs(names)}<h1>{sentence(names, entries, limit)}</h1>
</header>
<main id="list">
"""
    yield f"{beginning}{TABLE_HEAD if entries else ''}".encode()
    for start in range(0, len(entries), rows):
        yield "".join([row(entry) for entry in entries[start : start + rows]]).encode()
    yield f"{TABLE_TAIL if entries else ''}{up(names) if names else ''}</main>\n{TAIL}".encode()


def sentence(names: Names, entries: list[Entry], limit: int | None) -> str:
    """What the reader came to know, first. ``limit`` is how many were looked at when not all were."""
    name = TEXTS["folder"].format(name=f"<b>{isolated(names[-1])}</b>") if names else TEXTS["top"]
    folders = sum(entry.is_folder for entry in entries)
    files = len(entries) - folders
    parts = []
    if folders:
        parts.append(TEXTS["subfolder" if folders == 1 else "subfolders"].format(count=f"{folders:,}"))
    if files:
        parts.append(TEXTS["file" if files == 1 else "files"].format(count=f"{files:,}"))
        parts.append(human_size(sum(entry.size for entry in entries)))
    counts = ", ".join(parts)
    if limit is not None:
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
