"""What the page is made of: its texts, and all files that are in its folder, read once, each under one address and no other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from poise.seeing import page_texts
from poise.seeing import texts as said

FOLDER = os.path.join(os.path.dirname(__file__), "page")
INDEX = "index.html"
BELOW = "/page/"
UTF_8 = "; charset=utf-8"
TYPES = {
    ".css": "text/css" + UTF_8,
    ".html": "text/html" + UTF_8,
    ".js": "text/javascript" + UTF_8,
    ".json": "application/json",
    ".mjs": "text/javascript" + UTF_8,
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain" + UTF_8,
    ".woff2": "font/woff2",
}
"""A file of another kind is none of the page's."""


class Asset(NamedTuple):
    """What is sent."""

    kind: str
    data: bytes


def texts() -> Mapping[str, Mapping[str, str]]:
    """Every text that the page says, by language and id."""
    return {language: {**said.TEXTS[language], **page_texts.TEXTS[language]} for language in said.TEXTS}


def read(folder: str = FOLDER, below: str = BELOW) -> dict[str, Asset]:
    """Path in a URL, which begins with ``below`` → what is there; the index is at ``/``. Without a folder there is nothing."""
    found: dict[str, Asset] = {}
    for above, _, names in os.walk(folder):
        for name in names:
            kind = TYPES.get(os.path.splitext(name)[1])
            if kind is None:
                continue
            path = os.path.join(above, name)
            with open(path, "rb") as file:
                asset = Asset(kind, file.read())
            found[below + os.path.relpath(path, folder).replace(os.sep, "/")] = asset
    if below + INDEX in found:
        found["/"] = found[below + INDEX]
    return found
