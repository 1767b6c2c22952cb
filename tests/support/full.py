"""An output that takes nothing: a disk without room, or a reader that has gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

FULL = "/dev/full"
STDOUT = 1


@contextmanager
def no_room() -> Iterator[None]:
    """Whatever is written to stdout, by whomever, meets a disk without room."""
    if not os.path.exists(FULL):
        pytest.skip(f"this system has no {FULL}")
    with instead(os.open(FULL, os.O_WRONLY)):
        yield


@contextmanager
def no_reader() -> Iterator[None]:
    """Stdout is a pipe from which nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with instead(writer):
        yield


@contextmanager
def instead(number: int) -> Iterator[None]:
    """This descriptor, which is closed afterwards, is stdout."""
    kept = os.dup(STDOUT)
    try:
        os.dup2(number, STDOUT)
        yield
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)
        os.close(number)
