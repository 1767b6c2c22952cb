"""From a URL's path to the names on disk, and back.

The rules, in the order in which they are applied:

1. The path is visible ASCII and every ``%`` begins an escape of two hexadecimal digits (RFC 3986, 2.1);
   anything else is 400.
2. It is split at ``/`` *before* it is decoded, and each segment is decoded exactly once. A segment that
   then holds a slash can name nothing on disk: 404. NUL and backslash are refused with 400 in either
   spelling: one ends a name in the kernel, the other is a separator to other systems and to browsers.
3. Empty segments collapse; ``.`` and ``..`` (RFC 3986, 5.2.4) are resolved here, by text, and a path that
   climbs above the root is 400. Decoding comes first, so ``%2e%2e`` is no other spelling.
4. A component that begins with a dot is 404 unless dot-files are served, before anything on disk is looked
   at. ``/.well-known`` is always allowed (RFC 8615, 3).

Names are bytes, as the kernel has them: a URL may name a file whose name is not UTF-8, and one with a
newline in it. :func:`path_of` is the inverse of :func:`names_of` and escapes everything that could mean
something to a header, to HTML or to a browser's idea of a URL.
"""

from __future__ import annotations

from collections.abc import Iterable

from poise.errors import RequestError
from poise.wire.pattern import pattern

Names = tuple[bytes, ...]

NOT_FOUND = "There is nothing at this address."
"""The one sentence of every 404, so that two of them can never be told apart."""

PATH = pattern(r"/[!-$&-\[\]-~]*+(?:%[0-9A-Fa-f]{2}[!-$&-\[\]-~]*+)*+")
"""Visible ASCII without ``\\``, and whole escapes. More than RFC 3986's pchar: browsers send ``[`` and ``|``."""

WELL_KNOWN = b".well-known"

UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
"""RFC 3986, 2.3."""

ESCAPES = tuple(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in range(256))

OCTETS = {f"{byte:02x}".encode(): bytes((byte,)) for byte in range(256)}

QUERY_STRAY = pattern(r"[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]")
"""What may not stand in a query (RFC 3986, 3.4)."""

CONTROLS = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), 0x61C, 0x200E, 0x200F], 0xFFFD),
    **dict.fromkeys([0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF], 0xFFFD),
}
"""Control characters become their pictures; what would turn the reading direction becomes U+FFFD."""


def names_of(path: str, *, dotfiles: bool = False) -> tuple[Names, bool]:
    """The components that ``path`` names below the root, and whether it asks for a folder.

    Raises :class:`RequestError` with 400 for a path that breaks a rule and 404 for one that can name nothing.
    """
    if not PATH.fullmatch(path):
        raise RequestError(400, "The path of this address is not well-formed.")
    segments = path.encode("ascii").split(b"/")
    names: list[bytes] = []
    segment = b""
    for segment in segments:
        if b"%" in segment:
            segment = decode(segment)
        if segment == b"..":
            if not names:
                raise RequestError(400, "The path of this address leads out of the site.")
            names.pop()
        elif segment not in (b"", b"."):
            names.append(segment)
    if not dotfiles:
        for depth, name in enumerate(names):
            if hidden(name) and (depth or name != WELL_KNOWN):
                raise RequestError(404, NOT_FOUND)
    return tuple(names), segment in (b"", b".", b"..")


def decode(segment: bytes) -> bytes:
    """One segment of a path with its escapes undone, once."""
    first, *rest = segment.split(b"%")
    name = first + b"".join([OCTETS[part[:2].lower()] + part[2:] for part in rest])
    if b"\0" in name or b"\\" in name:
        raise RequestError(400, "The path of this address holds a character that no name here can have.")
    if b"/" in name:
        raise RequestError(404, NOT_FOUND)
    return name


def hidden(name: bytes) -> bool:
    """Is this a dot-file, by the custom of Unix?"""
    return name.startswith(b".")


def nameable(name: bytes) -> bool:
    """Can a URL name this file? Rule 2 leaves out names with a backslash."""
    return b"\\" not in name


def quote(name: bytes) -> str:
    """One name as a segment of a URL: everything but the unreserved characters is escaped."""
    if not name.translate(None, UNRESERVED):
        return name.decode("ascii")
    return "".join([ESCAPES[byte] for byte in name])


def path_of(names: Iterable[bytes], *, folder: bool = False) -> str:
    """The path of a URL that names ``names``: one leading slash, nothing unescaped, no dot segment."""
    path = "".join([f"/{quote(name)}" for name in names])
    return f"{path}/" if folder or not path else path


def clean_query(query: str) -> str:
    """``query`` with everything escaped that may not stand in one; whole escapes stay as they are."""
    return QUERY_STRAY.sub(lambda stray: quote(stray[0].encode("utf-8", "surrogateescape")), query)


def visible(name: bytes) -> str:
    """``name`` for people: what is not UTF-8 and what cannot be seen is shown by a sign. Not yet escaped."""
    text = name.decode("utf-8", "replace")
    # isprintable() is quick and leaves out every character that CONTROLS knows.
    return text if text.isprintable() else text.translate(CONTROLS)
