"""The table of media types."""

from __future__ import annotations

import mimetypes
import re

import pytest

from poise.files.media import BY_EXTENSION, TYPES, media_type


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"a.html", "text/html; charset=utf-8"),
        (b"A.HTM", "text/html; charset=utf-8"),
        (b"a.js", "text/javascript; charset=utf-8"),
        (b"a.mjs", "text/javascript; charset=utf-8"),
        (b"a.css", "text/css; charset=utf-8"),
        (b"a.md", "text/markdown; charset=utf-8"),
        (b"a.py", "text/plain; charset=utf-8"),
        (b"README", "text/plain; charset=utf-8"),
        (b"a.json", "application/json"),
        (b"a.svg", "image/svg+xml"),
        (b"a.xml", "application/xml"),
        (b"a.wasm", "application/wasm"),
        (b"a.woff2", "font/woff2"),
        (b"a.tar.gz", "application/gzip"),
        (b"a.b.PNG", "image/png"),
        (b"a.", "application/octet-stream"),
        (b"a.unheard-of", "application/octet-stream"),
        (b".html", "application/octet-stream"),
        (b"html", "application/octet-stream"),
        (b"a.\xff\n", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_a_name_stands_for_a_type(name: bytes, kind: str) -> None:
    assert media_type(name) == kind


def test_the_registry_of_the_machine_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mimetypes, "types_map", {".js": "text/plain"})
    assert media_type(b"a.js") == "text/javascript; charset=utf-8"


def test_the_table_is_well_formed() -> None:
    assert len(BY_EXTENSION) == sum(len(extensions.split()) for extensions in TYPES.values()), (
        "one extension, two types"
    )
    for kind in TYPES:
        assert re.fullmatch(r"(application|audio|font|image|message|model|text|video)/[a-z0-9.+-]+", kind)
    for extension in BY_EXTENSION:
        assert re.fullmatch(rb"[a-z0-9]+", extension)
