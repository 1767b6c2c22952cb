"""The README at the foot of a listing: Markdown where the extra is there, else the text as it is.

A README comes from strangers, like every file here. Raw HTML in it is shown and not obeyed, links with other schemes than
a browser's own are not made (markdown-it-py refuses ``javascript:``, ``vbscript:``, ``file:`` and most of ``data:``), and the
page's policy loads pictures from this server alone, so that a README cannot tell another one who has read it.

Rendering costs milliseconds, and seconds where somebody has made an effort, so it is done beside the loop, once for all who
ask meanwhile, and what came out is kept for as long as the file stays the same.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from poise.errors import RequestError
from poise.files.locate import Root
from poise.files.located import Fingerprint, Located, fingerprint
from poise.http.page import escape

NAMES = (b"README.md", b"readme.md", b"README.markdown", b"README.txt", b"README", b"readme.txt")
"""In the order in which they are looked for."""

MARKDOWN = frozenset({b".md", b".markdown"})
REMEMBERED = 16  # pages rendered and kept
NOTHING = ""

Key = tuple[bytes, Fingerprint]


class Unrendered(NamedTuple):
    """A README whose HTML is not known yet: ``render``, in a thread if need be, and ``Readmes.keep`` what comes of it."""

    key: Key
    render: Callable[[], str]


class Readmes:
    """Finds and renders; ``size`` is the most bytes of a README that are shown."""

    def __init__(self, root: Root, size: int) -> None:
        self._root = root
        self._size = size
        self._kept: OrderedDict[Key, str] = OrderedDict()

    def html(self, folder: Located) -> str | Unrendered:
        """The README of ``folder`` as HTML; "" without one."""
        for name in NAMES if self._size else ():
            try:
                found = self._root.child(folder, name)
            except RequestError:
                continue
            with found:
                if found.is_folder:
                    continue
                key = name, fingerprint(found.stat)
                html = self._kept.get(key)
                if html is not None:
                    self._kept.move_to_end(key)
                    return html
                try:
                    data = os.pread(found.fd, self._size + 1, 0)
                except OSError:
                    continue
            return Unrendered(key, partial(section, name, data, self._size))
        return NOTHING

    def keep(self, key: Key, html: str) -> str:
        """``html``, remembered; for the loop's own thread."""
        self._kept[key] = html
        while len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return html


def section(name: bytes, data: bytes, size: int) -> str:
    """The foot of the page, from the first ``size`` bytes of a README; "" for one that is no text."""
    text = data[:size].decode("utf-8", "replace")
    if "\0" in text or not text.strip():
        return NOTHING
    rest = "\n…" if len(data) > size else ""
    content = rendered(text + rest) if os.path.splitext(name)[1].lower() in MARKDOWN else None
    if content is None:
        content = f"<pre>{escape(text + rest)}</pre>\n"
    return f'<section class="readme" aria-label="{escape(name.decode())}">\n{content}</section>\n'


def rendered(text: str) -> str | None:
    """Markdown as HTML; None without the extra ``poise[markdown]``. ImportError and OSError when it cannot be loaded now."""
    try:
        from markdown_it import MarkdownIt
    except ModuleNotFoundError:
        return None
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    tokens: list[Any] = parser.parse(text)
    for token in tokens:
        if token.tag in ("h1", "h2", "h3", "h4", "h5"):
            token.tag = f"h{int(token.tag[1]) + 1}"  # the page has its first heading already
        elif token.type == "table_open":
            token.attrSet("class", "table")
    html: str = parser.renderer.render(tokens, parser.options, {})
    return html
