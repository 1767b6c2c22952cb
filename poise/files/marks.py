"""The small sign before a name: what kind of file it is, told by shape and not by colour.

The shapes stand once at the beginning of a page, and each row refers to its own.
"""

from __future__ import annotations

from poise.files.media import UNKNOWN, media_type

FOLDER = "folder"

# 16 by 16, drawn with a line of one pixel.
SHEET = "M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3"
SHAPES = {
    FOLDER: "M1.5 3.5h5l1.5 2h6.5v8h-13z",
    "file": SHEET,
    "text": SHEET + "M5.5 7.5h5M5.5 9.5h5M5.5 11.5h3",
    "code": "M5.5 4.5l-4 3.5 4 3.5M10.5 4.5l4 3.5-4 3.5",
    "image": "M1.5 2.5h13v11h-13zM1.5 11.5l4-4 3 3 2-2 4 4M10.5 6a1 1 0 1 0 0-.01",
    "audio": "M5.5 12.5v-9l7-1.5v9M5.5 12.5a2 1.5 0 1 1-.01-.5M12.5 11a2 1.5 0 1 1-.01-.5",
    "video": "M1.5 3.5h13v9h-13zM6.5 6l4 2-4 2z",
    "archive": "M2.5 2.5h11v3h-11zM3.5 5.5h9v8h-9zM6.5 8.5h3",
}

CODE = frozenset(
    b"bat c cc cpp cs css diff go h hpp htm html java js json jsx kt lua mjs patch php pl ps1 py r rb rs sh sql swift toml"
    b" ts tsx vue xml yaml yml zig".split()
)
"""By their endings: as media, most of them are plain text."""

TEXT = frozenset({"application/pdf", "application/rtf", "application/epub+zip", "application/msword"})
ARCHIVES = frozenset(
    {
        "application/gzip",
        "application/java-archive",
        "application/vnd.android.package-archive",
        "application/vnd.debian.binary-package",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/x-bzip2",
        "application/x-rpm",
        "application/x-tar",
        "application/x-xz",
        "application/zip",
        "application/zstd",
    }
)

SYMBOLS = "".join(
    f'<symbol id="{kind}" viewBox="0 0 16 16"><path d="{path}"/></symbol>' for kind, path in SHAPES.items()
)
SHEET_OF_MARKS = f'<svg class="marks" aria-hidden="true">{SYMBOLS}</svg>\n'


def kind_of(name: bytes) -> str:
    """What kind of file ``name`` says it is: a key of SHAPES."""
    media = media_type(name).partition(";")[0]
    family = media.partition("/")[0]
    if media == UNKNOWN:
        return "file"
    if family in ("image", "audio", "video"):
        return family
    if media in ARCHIVES:
        return "archive"
    if name.rpartition(b".")[2].lower() in CODE:
        return "code"
    if family == "text" or media in TEXT or media.startswith("application/vnd.o"):
        return "text"
    return "file"


def mark(kind: str) -> str:
    """The sign of one kind, as HTML."""
    return f'<svg aria-hidden="true"><use href="#{kind}"/></svg>'
