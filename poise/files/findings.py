"""What a search has found, as a page and as JSON: the rows of a listing, each with the way to it."""

from __future__ import annotations

import json

from poise.files.listing import (
    TABLE_TAIL,
    crumbs,
    folder_name,
    isolated,
    plain_head,
    row,
    tools,
)
from poise.files.marks import SHEET_OF_MARKS
from poise.files.names import Names, path_of, visible
from poise.files.outline import described
from poise.files.scan import Entry
from poise.files.script import SCRIPT
from poise.files.search import Hit, Hits
from poise.files.texts import TAGS, Texts
from poise.files.view import View
from poise.http.page import TAIL, escape, page_head


def findings_page(
    hits: Hits, names: Names, view: View, texts: Texts, language: str, extra: str = ""
) -> bytes:
    """The page for a search below the folder ``names``."""
    title = visible(names[-1]) if names else texts["top"]
    words = visible(view.words.encode("utf-8", "replace"))
    rows = "".join(row(entry_of(hit), texts, hit.names[:-1]) for hit in hits.best)
    here = isolated(names[-1]) if names else texts["start"]
    back = (
        f'<p><a rel="up" href="{path_of(names, folder=True)}">← {texts["back"].format(name=here)}</a></p>\n'
    )
    table = f"{plain_head(texts)}{rows}{TABLE_TAIL}" if rows else ""
    return (
        f"{page_head(f'{words} – {title}', TAGS[language])}{SHEET_OF_MARKS}"
        f'<a class="skip" href="#list">{texts["skip"]}</a>\n<header>\n{crumbs(names, texts)}'
        f"<h1>{sentence(hits, names, words, texts)}</h1>\n"
        f"{tools(texts, some=False, words=words, filters=len(hits.best) > 1)}</header>\n"
        f'<main id="list">\n{table}{back}</main>\n{SCRIPT}{extra}{TAIL}'
    ).encode("utf-8", "replace")


def sentence(hits: Hits, names: Names, words: str, texts: Texts) -> str:
    """What the reader came to know, first."""
    key = "found_cut" if hits.cut else {0: "found_none", 1: "found_one"}.get(hits.total, "found")
    return texts[key].format(
        count=f"{hits.total:,}",
        words=f"<b><bdi>{escape(words)}</bdi></b>",
        folder=folder_name(names, texts, inside=True),
    )


def findings_json(hits: Hits, names: Names, view: View) -> bytes:
    """The same for programs; ``href`` is relative to the folder that was searched."""
    found = {
        "path": path_of(names, folder=True),
        "query": view.words,
        "found": hits.total,
        "complete": not hits.cut,
        "entries": [described(entry_of(hit), hit.names[:-1]) for hit in hits.best],
    }
    return f"{json.dumps(found, indent=1)}\n".encode()


def entry_of(hit: Hit) -> Entry:
    return Entry(hit.names[-1], hit.is_folder, hit.size, hit.modified)
