"""All of a small file, which is answered from memory from then on: read at once, or by a thread when a disk has to be waited for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, overload

from poise.errors import MachineFault, RequestError
from poise.files.entity import Entity, file_fields, same_state
from poise.files.located import Located, refusal
from poise.http.message import Reply
from poise.net.readahead import read_now

Answer = Callable[[Reply | RequestError], None]
Content = tuple[bytes, bool]
"""What the file holds, and whether it stayed as it was while it was read."""


def once_read(
    found: Located, reply_with: Callable[[Content], Reply], answer: Answer, offload: Callable[..., Any] | None
) -> Reply | None:
    """The reply for what ``found`` holds; None when ``answer`` gets it later, from a thread of ``offload``.

    Raises :class:`RequestError` when the reading fails.
    """
    content = read_whole(found, wait=offload is None)
    if content is not None or offload is None:
        return reply_with(content or read_whole(found))
    kept = Located(found.detach(), found.stat, is_folder=False, names=found.names)
    try:
        reading = offload(read_whole, kept)
    except MachineFault:  # too much is under way already, and the loop waits for this one itself
        with kept:
            return reply_with(read_whole(kept))

    def done(content: Content | None, error: Exception | None) -> None:
        kept.close()
        if content is not None:
            answer(reply_with(content))
        else:
            answer(error if isinstance(error, RequestError) else RequestError(503, "Please try again."))

    reading.on_done(done)
    return None


@overload
def read_whole(found: Located) -> Content: ...
@overload
def read_whole(found: Located, *, wait: bool) -> Content | None: ...
def read_whole(found: Located, *, wait: bool = True) -> Content | None:
    """The content of a small file, and whether it stayed as it was while it was read.

    Unless it is to ``wait`` for a disk: then None when some of it is not in memory. One byte more than expected is asked
    for, so that a file that grows is noticed; what is returned is never longer than the size that was found.
    Raises :class:`RequestError` when the reading fails.
    """
    size = found.stat.st_size
    try:
        data = os.pread(found.fd, size + 1, 0) if wait else read_now(found.fd, size + 1)
        after = os.fstat(found.fd)
    except OSError as error:
        raise refusal(error) from error
    if len(data) < size and not wait and after.st_size >= size:
        return None
    return data[:size], len(data) == size and same_state(found.stat, after)


def whole_reply(
    content: Content,
    *,
    kind: str,
    entity: Entity,
    fields: Sequence[tuple[str, str]],
    validator: Callable[[], bool] | None,
) -> Reply:
    """200 with all of a small file; nothing that a cache could go by when it was not at rest meanwhile."""
    data, whole = content
    if not whole:
        return Reply(200, file_fields(kind, Entity(None, None), fields), data)
    return Reply(200, file_fields(kind, entity, fields), data, validator=validator)
