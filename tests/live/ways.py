"""Every way into a folder, and a folder with every way out of it: the material of the tests that try each through each."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import brotli
import zstandard

from tests.files.support import put
from tests.support.client import Answer

MARKER = b"seen-from-outside-5f1c9a"
"""In every file that nobody may see, and in the names beside them."""

HUSH = b"seen-although-hidden-77e0d1"
"""The same for what only HIDE hides."""

SPA = b"<!doctype html>\n<title>The app</title>\n"
LOST = b"<!doctype html>\n<title>Lost</title>\n"
TEXT = b"all work and no play makes a dull page\n" * 100


@dataclass(frozen=True)
class Way:
    """One way to ask for a path. ``form`` is a query that folders understand and files ignore."""

    name: str
    form: bytes = b""
    fields: bytes = b""
    method: bytes = b"GET"

    def request(self, target: bytes) -> bytes:
        """The bytes that ask for ``target`` and for an end of the connection; ``target`` may break any rule."""
        head = self.method + b" " + target + self.form + b" HTTP/1.1\r\nHost: localhost\r\n"
        return head + self.fields + b"Connection: close\r\n\r\n"


WAYS = (
    Way("plain"),
    Way("head", method=b"HEAD"),
    Way("sorted", b"?sort=size&order=desc&page=2"),
    Way("json", b"?json"),
    Way("json by Accept", fields=b"Accept: application/json\r\n"),
    Way("zip", b"?zip"),
    Way("tar", b"?tar.gz"),
    Way("head of a zip", b"?zip", method=b"HEAD"),
    Way("search", b"?q=seen"),
    Way("search for everything", b"?q=*&json"),
    Way("coded", fields=b"Accept-Encoding: zstd, br, gzip\r\n"),
    Way("coded, nothing else", fields=b"Accept-Encoding: gzip, *;q=0\r\n"),
    Way("range", fields=b"Range: bytes=0-3\r\n"),
    Way("ranges of a coding", fields=b"Range: bytes=0-1,3-4\r\nAccept-Encoding: gzip\r\n"),
    Way("unless it is there", fields=b"If-None-Match: *\r\n"),
    Way("if it is there", fields=b"If-Match: *\r\n"),
    Way("navigating", fields=b"Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n"),
    Way("from another site", fields=b"Origin: https://evil.example\r\nSec-Fetch-Mode: cors\r\n"),
)

SEEN = (
    "page.html",
    "about.html",
    "app.js",
    "public/page.html",
    "public/deep/er/note.txt",
    "with-index/readme.txt",
    "dir/index.html/inner.txt",
    "a\nb.txt",
    "<img src=x onerror=alert(1)>.txt",
    '"><script>alert(1)<',
    "javascript:alert(1)",
    "x\r\nSet-Cookie: a=b/inner.txt",
    "sub%2f/x",
    "evil.com/index/x",
    "public../odd",
)
"""Files that may be seen, most of them with their own names as content."""

UNSEEN = (
    "../secret.txt",
    "../outside/secret.txt",
    "../outside/sub/index.html",
    "../outside/about-outside.html",
    "../root_private/x",
    "../x",
    "private\\secret.txt",
    ".hidden/secret",
    ".git/config",
    "public/.env",
)
"""Files with the marker: outside, dot-files, names that no address can have."""

HUSHED = (
    "hidden/secret.txt",
    "hidden/sub/secret.txt",
    "hidden/about.htm",
    "public/old.bak",
    "hushed.html",
    "about.html.br",
    "app.js.gz.secret",
)
"""What HIDE matches."""

HIDE = ("/hidden", "*.bak", "hushed.*", "/about.html.br", "*.secret")

LINKS = (
    ("link-to-file", "../outside/secret.txt"),
    ("link-to-folder", "../outside"),
    ("link-to-absolute", "{base}/outside/secret.txt"),
    ("link-through-root", "../root/page.html"),
    ("link-to-proc", "/proc/self/root"),
    ("link-to-nothing", "../outside/no-such-thing"),
    ("link-to-fifo", "../outside/fifo"),
    ("link-inside", "public/page.html"),
    ("link-in-a-circle", "link-in-a-circle"),
    ("public/link-up", ".."),
    ("public/link-out", "../../outside"),
    ("with-index/index.html", "../../outside/secret.txt"),
    ("outside.html", "../outside/secret.txt"),
    ("looped.html", "looped.html"),
    ("app.js.br", "../outside/secret.txt"),
    ("page.html.gz", "../outside/secret.txt"),
    ("502.html", "../outside/secret.txt"),
    ("README.md", "../outside/secret.txt"),
    ("public/README.md", "../../outside/secret.txt"),
)

SPECIAL = (
    "fifo",
    "fifo.html",
    "app.js.gz",
    "page.html.zst",
    "stuck/index.htm",
    "public/README.txt",
    "README",
    "../outside/fifo",
)
"""FIFOs: opening one to read it waits for a writer, and tells one that waits."""

SOCKETS = ("socket", "app.js.zst")


def build(base: Path) -> Path:
    """The folder ``root`` below ``base``, with secrets around it."""
    root = base / "root"
    for name in SEEN:
        put(root / name, name.encode())
    for name in ("app.js", "twin.js"):
        put(root / name, TEXT)
    for name in ("page.html", "twin.html"):
        put(root / name, b"a page")
    put(root / "sbout.html", b"about.html")
    (root / "stuck").mkdir()
    for name in UNSEEN:
        put(Path(os.path.normpath(root / name)), MARKER)
    put(root / "index.html" / "x", b"a folder is no index")
    put(root / "shell.html", SPA)
    put(root / "lost.html", LOST)
    for name in HUSHED:
        put(root / name, HUSH)
    put(base / "outside" / MARKER.decode())
    put(root / ".hidden" / MARKER.decode())
    put(root / "hidden" / HUSH.decode())
    for name, target in LINKS:
        link = root / name
        link.unlink(missing_ok=True)
        link.symlink_to(target.replace("{base}", str(base)))
    for name in SPECIAL:
        os.mkfifo(os.path.normpath(root / name))
    for name in SOCKETS:
        bind(root / name)
    return root


def bind(path: Path) -> None:
    """A socket in the file system; nobody listens at it. By a relative name: addresses are short (unix(7))."""
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.bind(path.name)
    finally:
        os.chdir(here)


def content(answer: Answer) -> bytes:
    """The body, unpacked: what hides in a coding or in an archive is hidden from no client."""
    body = answer.body
    if not answer.whole or not body:
        return body
    coding = answer.fields.get("content-encoding")
    if coding is not None and answer.status == 200:
        body = DECODE[coding](body)
    kind = answer.fields.get("content-type")
    if answer.status == 200 and kind == "application/zip":
        return b"\0".join(name.encode() + b"\0" + data for name, data in unzipped(body).items())
    if answer.status == 200 and kind == "application/gzip" and "content-disposition" in answer.fields:
        return b"\0".join(
            name.encode("utf-8", "surrogateescape") + b"\0" + data for name, data in untarred(body).items()
        )
    return body


DECODE = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


def unzipped(data: bytes) -> dict[str, bytes]:
    """Name → content of each member; a folder's name ends with a slash."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def untarred(data: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            assert member.isreg() or member.isdir(), f"{member.name} is neither a file nor a folder"
            file = archive.extractfile(member)
            found[member.name + ("/" if member.isdir() else "")] = file.read() if file else b""
    return found


def without(answer: Answer, *names: str) -> dict[str, str]:
    """The fields of an answer but Date and ``names``."""
    return {name: value for name, value in answer.fields.items() if name not in ("date", *names)}
