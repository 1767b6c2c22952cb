"""A folder as JSON, for programs: the same entries in the same order as the page, with exact numbers.

``name`` is for people and ``href`` for programs: a name that is not UTF-8 has no text, but every name has an address. An
``href`` is relative to the folder's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from poise.files.measures import moment
from poise.files.names import Names, path_of, quote
from poise.files.scan import Entry, Scan
from poise.limits import FileLimits

JSON_FIELDS = (
    ("Content-Type", "application/json"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-cache"),
)


class FolderOutline:
    """Makes the JSON of one folder: an instance is what ``listing`` calls when the folder has been read."""

    def __init__(self, names: Names, limits: FileLimits) -> None:
        self._names = names
        self._limits = limits

    def __call__(self, scan: Scan) -> Iterator[bytes]:
        """The text, ``limits.rows`` entries at a time."""
        about = {
            "path": path_of(self._names, folder=True),
            "folders": scan.folders,
            "files": scan.files,
            "bytes": scan.bytes,
            "complete": not scan.cut,
            "page": scan.page,
            "pages": scan.pages,
        }
        yield f'{json.dumps(about)[:-1]}, "entries": ['.encode()
        entries = scan.entries()
        first = "\n"
        while some := [json.dumps(described(entry)) for entry in islice(entries, self._limits.rows)]:
            yield f"{first}{f',{chr(10)}'.join(some)}".encode()
            first = ",\n"
        yield b"\n]}\n"


def described(entry: Entry, folder: Names = ()) -> dict[str, Any]:
    """One entry; ``folder`` are the names between here and it."""
    ending = "/" if entry.is_folder else ""
    way = [*folder, entry.name]
    found: dict[str, Any] = {
        "name": entry.name.decode("utf-8", "replace"),
        "href": f"./{'/'.join(map(quote, way))}{ending}",
        "type": "folder" if entry.is_folder else "file",
        "modified": moment(entry.modified),
    }
    if not entry.is_folder:
        found["size"] = entry.size
    return found
