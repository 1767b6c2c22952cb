"""Content codings: which can be made here, and which a file already lies there in.

A file that was compressed beforehand lies beside the plain one, with the coding's ending: ``app.js.br`` beside ``app.js``. It is a
representation of its own, with its own size, times and tag. One that is older than the plain file by more than
two seconds (the tick of the coarsest file system in use) is what somebody forgot to make anew, and is not used.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from poise.errors import RequestError
from poise.files.locate import Root
from poise.files.located import Consulted, Located
from poise.wire.http.accept import IDENTITY, choose_coding

ENDINGS = {"br": b".br", "zstd": b".zst", "gzip": b".gz"}
"""In the order of our preference: among codings that the client likes as much, the first is taken."""

OLDER = 2_000_000_000  # nanoseconds


def sibling(
    root: Root, found: Located, accepted: str | None, most: int
) -> tuple[str, Located | None, Consulted]:
    """The best file that lies beside ``found`` in a coding that ``accepted``, an Accept-Encoding, takes.

    Its coding, the open file, and what was looked at, those that are not there included; ``identity`` and None when
    there is none. Raises :class:`RequestError` when the system fails.
    """
    offered = list(ENDINGS)
    consulted: Consulted = ()
    while offered:
        coding = choose_coding(accepted, offered, most)
        if coding is None or coding == IDENTITY:
            break
        offered.remove(coding)
        names = (*found.names[:-1], found.names[-1] + ENDINGS[coding])
        try:
            beside = root.open(names)
        except RequestError as error:
            if error.status not in (403, 404):
                raise
            consulted = (*consulted, (names, None))
            continue
        if beside.is_folder:
            beside.close()
            consulted = (*consulted, (names, None))
            continue
        consulted = (*consulted, *beside.consulted)
        if beside.stat.st_mtime_ns + OLDER < found.stat.st_mtime_ns:
            beside.close()
            continue
        return coding, beside, consulted
    return IDENTITY, None, consulted


def state_of(root: Root, consulted: Consulted) -> bool:
    """Is each file that was looked at still as it was, and each that was not there still not there?"""
    for names, before in consulted:
        try:
            with root.open(names) as found:
                after = None if found.is_folder else found.consulted[0][1]
        except RequestError:
            after = None
        if after != before:
            return False
    return True


Encode = Callable[[bytes], bytes]


def encoders() -> dict[str, Encode]:
    """What can be made here, in the order of our preference: gzip always, the others with their extras.

    Each is set to be quick rather than thorough: who wants the last per cent compresses beforehand. Raises ImportError
    and OSError when one that is there cannot be loaded now.
    """
    found: dict[str, Encode] = {}
    try:
        import brotli

        found["br"] = lambda data: brotli.compress(data, quality=5)
    except ModuleNotFoundError:
        pass
    try:
        import zstandard

        # A compressor must not be used by two threads at once, so each call has its own.
        found["zstd"] = lambda data: zstandard.ZstdCompressor(level=5).compress(data)
    except ModuleNotFoundError:
        pass
    found["gzip"] = lambda data: zlib.compress(data, 6, wbits=31)
    return found
