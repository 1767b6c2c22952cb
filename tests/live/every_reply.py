"""One of each reply that a folder can be asked for, by name: what is true of every reply is tried on these."""

from __future__ import annotations

import gzip
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import brotli
import zstandard

from poise.files.entity import settled
from tests.files.support import put
from tests.support.client import Answer, read_head_and_answer

TEXT = b"all work and no play makes a dull page\n" * 200
LARGE = bytes(range(256)) * 20_000
STYLE = b"a { color: #123456; }\n" * 100
PAGE = b"<!doctype html>\n<title>A page</title>\n<p>It says something.</p>\n"
MANY = 300
"""Entries of a folder that is listed while it is read."""

Field = tuple[str, str]


@dataclass(frozen=True)
class Ask:
    """A request, and the status it gets. ``{etag}`` and ``{modified}`` in a field stand for those of a plain GET."""

    name: str
    path: str
    status: int = 200
    fields: tuple[Field, ...] = ()


def coded(coding: str) -> tuple[Field, ...]:
    return (("Accept-Encoding", coding),)


TAG = (("If-None-Match", "{etag}"),)
DATE = (("If-Modified-Since", "{modified}"),)
OTHER = (("If-Match", '"another"'),)
CHINESE = (("Accept-Language", "zh"),)
AS_JSON = (("Accept", "application/json"),)

ASKS = (
    Ask("file", "/small.txt"),
    Ask("empty file", "/empty.txt"),
    Ask("large file", "/large.bin"),
    Ask("page", "/page.html"),
    Ask("folder's page", "/site/"),
    Ask("file of no time", "/ancient.txt"),
    Ask("unchanged by tag", "/small.txt", 304, TAG),
    Ask("unchanged by date", "/small.txt", 304, DATE),
    Ask("large, unchanged", "/large.bin", 304, TAG),
    Ask("another state", "/small.txt", 412, OTHER),
    *(Ask(f"compressed now, {coding}", "/text.txt", 200, coded(coding)) for coding in ("gzip", "br", "zstd")),
    *(
        Ask(f"compressed before, {coding}", "/style.css", 200, coded(coding))
        for coding in ("gzip", "br", "zstd")
    ),
    Ask("compressed now, unchanged", "/text.txt", 304, (*coded("gzip"), *TAG)),
    Ask("compressed before, unchanged", "/style.css", 304, (*coded("gzip"), *TAG)),
    Ask("not compressed", "/text.txt", 200, coded("identity")),
    Ask("folder", "/folder/"),
    Ask("folder, unchanged", "/folder/", 304, TAG),
    Ask("folder, in Chinese", "/folder/", 200, CHINESE),
    Ask("folder, sorted", "/folder/?sort=size&order=desc"),
    Ask("folder, empty", "/folder/void/"),
    Ask("folder, long", "/many/"),
    Ask("folder with a README", "/told/"),
    Ask("top folder", "/"),
    Ask("JSON", "/folder/?json"),
    Ask("JSON by Accept", "/folder/", 200, AS_JSON),
    Ask("JSON, unchanged", "/folder/?json", 304, TAG),
    Ask("JSON, long", "/many/?json"),
    Ask("search", "/?q=inner"),
    Ask("search, nothing found", "/?q=nothing-has-this-name"),
    Ask("search as JSON", "/?q=inner&json"),
    Ask("search, unchanged", "/?q=inner", 304, TAG),
    Ask("zip", "/folder/?zip"),
    Ask("tar.gz", "/folder/?tar.gz"),
    Ask("moved", "/folder", 301),
    Ask("moved, with a query", "/folder?sort=size", 301),
    Ask("not found", "/absent", 404),
    Ask("not found in a folder", "/folder/absent/", 404),
    Ask("bad escape", "/%zz", 400),
)
"""Those that HEAD has as well as GET."""

PARTS = (
    Ask("range", "/large.bin", 206, (("Range", "bytes=10-19"),)),
    Ask("range of a text", "/text.txt", 206, (("Range", "bytes=0-99"), *coded("gzip"))),
    Ask("range of a sibling", "/style.css", 206, (("Range", "bytes=0-9"), *coded("gzip"))),
    Ask("resumed", "/large.bin", 206, (("Range", "bytes=500-"), ("If-Range", "{etag}"))),
    Ask("resumed, but changed", "/large.bin", 200, (("Range", "bytes=500-"), ("If-Range", '"another"'))),
    Ask("ranges", "/large.bin", 206, (("Range", "bytes=10-19,400-499,-1"),)),
    Ask("range beyond the end", "/large.bin", 416, (("Range", f"bytes={len(LARGE)}-"),)),
    Ask("range of an unchanged file", "/large.bin", 304, (("Range", "bytes=10-19"), *TAG)),
)
"""Only GET has ranges (RFC 9110, 14.2)."""


SITE = (
    *("--clean-urls", "redirect", "--spa", "app.html", "--error-page", "404=lost.html", "--cors", "*"),
    *(
        "--cache",
        "*.css=forever",
        "--header",
        "X-Frame-Options: DENY",
        "--header",
        "*.bin: Content-Type: application/vnd.example",
    ),
)
"""The options of a site that has rules of its own."""

ORIGIN = (("Origin", "https://elsewhere.example"),)
VISIT = (("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate"))

SITE_ASKS = (
    Ask("clean address", "/page"),
    Ask("clean address, unchanged", "/page", 304, TAG),
    Ask("long address", "/page.html", 308),
    Ask("app", "/an/address/of/its/own", 200, VISIT),
    Ask("app, unchanged", "/an/address/of/its/own", 304, (*VISIT, *TAG)),
    Ask("error page", "/absent.js", 404),
    Ask("asked from elsewhere", "/small.txt", 200, ORIGIN),
    Ask("folder, asked from elsewhere", "/folder/", 200, ORIGIN),
    Ask("kept for ever", "/style.css", 200, coded("br")),
    Ask("kept for ever, unchanged", "/style.css", 304, (*coded("br"), *TAG)),
    Ask("another type", "/large.bin"),
    Ask("folder of a site", "/folder/"),
    Ask("search in a site", "/?q=inner"),
    Ask("archive of a site", "/folder/?zip"),
)
"""Those that only such a site has."""


def make_tree(root: Path) -> Path:
    """What ASKS and SITE_ASKS ask for."""
    put(root / "app.html", PAGE)
    put(root / "lost.html", PAGE)
    put(root / "small.txt", b"hello, world\n")
    put(root / "empty.txt")
    put(root / "large.bin", LARGE)
    put(root / "text.txt", TEXT)
    put(root / "ancient.txt", b"from a reproducible archive\n", modified=0)
    put(root / "page.html", PAGE)
    put(root / "site" / "index.html", PAGE)
    put(root / "style.css", STYLE)
    put(root / "style.css.gz", gzip.compress(STYLE, mtime=0))
    put(root / "style.css.br", brotli.compress(STYLE))
    put(root / "style.css.zst", zstandard.compress(STYLE))
    for size, name in enumerate(("a.txt", "b c.txt", "图片.jpg")):
        put(root / "folder" / name, b"x" * size)
    put(root / "folder" / "deeper" / "inner.txt", b"inner")
    (root / "folder" / "void").mkdir()
    for number in range(MANY):
        put(root / "many" / f"{number}.txt", b"x")
    put(root / "told" / "README.md", b"# Read me\n\nThis is *what* it is about.\n")
    os.utime(root / "folder" / "deeper", (1, 1))
    last = root / "told" / "README.md"
    while not settled(last.stat(), time.time()):  # what was written a moment ago is answered with more care
        time.sleep(0.05)
    return root


@dataclass
class Heard:
    """A reply as it came: its first line, its fields in order, and what it is."""

    line: str
    fields: list[Field]
    answer: Answer


def ask(sock: socket.socket, method: str, path: str, fields: Iterable[Field] = ()) -> Heard:
    """One request on a connection that is kept."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode("latin-1"))
    head, answer = read_head_and_answer(sock, method)
    line, *rest = head.decode("latin-1").split("\r\n")
    split = [each.partition(": ") for each in rest]
    return Heard(line, [(name, value) for name, _, value in split], answer)


def filled(sock: socket.socket, asked: Ask) -> tuple[Field, ...]:
    """The fields of ``asked``, with the validators of what is there now."""
    if not any("{" in value for _, value in asked.fields):
        return asked.fields
    plain = [field for field in asked.fields if field[0].startswith(("Accept", "Sec-"))]
    found = ask(sock, "GET", asked.path, plain).answer.fields
    return tuple(
        (name, value.format(etag=found.get("etag", ""), modified=found.get("last-modified", "")))
        for name, value in asked.fields
    )
