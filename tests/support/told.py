"""Of which files the kernel tells a server, by what the kernel says of that itself (proc(5), fdinfo)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from poise.files.absent import file_system
from poise.files.telling import BELIEVED

WATCHED = re.compile(r"^inotify wd:\S+ ino:([0-9a-f]+) ", re.MULTILINE)

AT_ONCE = ("--told-from", "0", "--freshness", "0.1")
"""Options of a server that asks to be told however little there is to look at, and has looked often enough soon."""


def told_of(pid: int) -> set[int]:
    """The inodes of what the process is told of."""
    found: set[int] = set()
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            found.update(int(number, 16) for number in WATCHED.findall(entry.read_text()))
        except OSError:
            continue  # closed meanwhile
    return found


def need_to_be_told(folder: Path) -> None:
    """Skip where a server looks, whatever it is told."""
    kind = file_system(os.stat(folder).st_dev)
    if kind not in BELIEVED:
        pytest.skip(f"a server does not go by what it is told of files on {kind or 'such a file system'}")
