"""What the application servers run: the files of a folder, held in memory, as an ASGI and as a WSGI application.

It is the least that an application can do for a request: one look into a dictionary. A framework, or reading the file
anew, would only add to it.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

SITE = "BENCH_SITE"  # the variable of the environment that names the folder
LOST = b"not found"


def held(folder: Path) -> dict[str, bytes]:
    """Each file's bytes under the path by which it is asked for."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {f"/{file.relative_to(folder).as_posix()}": file.read_bytes() for file in files}


FILES = held(Path(os.environ[SITE])) if SITE in os.environ else {}


def answer(path: str, files: Mapping[str, bytes]) -> tuple[int, str, bytes]:
    """Status, media type and body."""
    body = files.get(path)
    if body is None:
        return 404, "text/plain", LOST
    return 200, mimetypes.guess_type(path)[0] or "application/octet-stream", body


async def asgi(
    scope: Mapping[str, Any],
    receive: Callable[[], Awaitable[Any]],  # noqa: ARG001 - a GET brings no body
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    status, media, body = answer(scope["path"], FILES)
    fields = [(b"content-type", media.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def wsgi(
    environ: Mapping[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    status, media, body = answer(environ["PATH_INFO"], FILES)
    fields = [("Content-Type", media), ("Content-Length", str(len(body)))]
    start_response("200 OK" if status == 200 else "404 Not Found", fields)
    return [body]
