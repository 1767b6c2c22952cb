"""What a file says about itself: its validators (RFC 9110, 8.8) and whether it has come to rest.

The entity tag is made of the modification time in nanoseconds and the size, never of the content: a file is
not read to learn that it has not changed. A file that is written twice within one tick of the kernel's clock
could keep its time, so the tag is weak until the file is a second old.

A time at or near the epoch says nothing: archives and package managers write 0 or 1 on purpose so that
builds come out the same, and then two different files of one size would look alike. Such a file has no
validators, and neither has one whose time no HTTP date can express.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from poise.wire.http.dates import http_date

SECOND_NS = 1_000_000_000

SETTLED_NS = SECOND_NS
"""A second: far coarser than the clock of any file system in use (FAT's two seconds aside)."""

EARLIEST_NS = 2 * SECOND_NS
"""Modification times before this are conventions, not times."""

LATEST_NS = 253_402_300_800 * SECOND_NS
"""The beginning of the year 10000."""

ACCEPT_RANGES = ("Accept-Ranges", "bytes")
"""On every reply with a file, and on 416."""


class Entity(NamedTuple):
    """The validators of one state of a file; None where it has none."""

    etag: str | None
    modified: int | None
    """Seconds since the epoch."""

    @property
    def last_modified(self) -> str | None:
        """The Last-Modified field's value."""
        return None if self.modified is None else http_date(self.modified)

    def in_coding(self, coding: str, *, weak: bool = False) -> Entity:
        """The same for the content in ``coding``, another representation: size and time may be those of the plain one."""
        if self.etag is None:
            return self
        tag = f'{self.etag[:-1]}-{coding}"'
        return Entity(f"W/{tag}" if weak and not tag.startswith("W/") else tag, self.modified)


def entity_of(found: os.stat_result, now: float) -> Entity:
    """The validators of the file whose state is ``found``, at the wall-clock time ``now`` (seconds).

    Last-Modified is left out while it would be later than the reply's Date (RFC 9110, 8.8.2.1).
    """
    modified = found.st_mtime_ns
    if not EARLIEST_NS <= modified < LATEST_NS:
        return Entity(None, None)
    tag = f'"{modified:x}-{found.st_size:x}"'
    if now * SECOND_NS - modified < SETTLED_NS:
        tag = f"W/{tag}"
    seconds = modified // SECOND_NS
    return Entity(tag, seconds if seconds <= now else None)


def file_fields(
    media_type: str, entity: Entity, fields: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """The fields of a 200 or 206 with a file's content: its type, its validators, and ``fields``."""
    own = [("Content-Type", media_type), ACCEPT_RANGES]
    last_modified = entity.last_modified
    if last_modified is not None:
        own.append(("Last-Modified", last_modified))
    if entity.etag is not None:
        own.append(("ETag", entity.etag))
    return [*own, *fields]


def settled(found: os.stat_result, now: float) -> bool:
    """Has this file neither been written nor renamed, linked or re-permitted for a second?

    Only then can its fingerprint be trusted to change with its content.
    """
    return now * SECOND_NS - max(found.st_mtime_ns, found.st_ctime_ns) >= SETTLED_NS


def same_state(before: os.stat_result, after: os.stat_result) -> bool:
    """Was nothing written between these two looks at one open file?"""
    return (
        before.st_size == after.st_size
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_ctime_ns == after.st_ctime_ns
    )
