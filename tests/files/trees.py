"""What the tests of walks, archives and searches share: odd trees, and a process that may not read everything."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from poise.files.locate import Root
from poise.files.names import Names, path_of
from poise.files.walk import Found, Walk

NOBODY = 65534


def walk_of(root: Root, path: str = "/", **options: Any) -> Walk:
    with root.locate(path) as folder:
        return Walk(root, folder, **options)


def everything(walk: Walk) -> list[Found]:
    """What a walk finds, in order."""
    return [found for found in walk if found is not None]


def paths(found: list[Found]) -> list[str]:
    """As text, folders with a slash behind them."""
    return [path_of(each.names, folder=each.is_folder)[1:] for each in found]


def text_of(names: Names) -> str:
    return b"/".join(names).decode()


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions count in here, even for root."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def descriptors(room: int) -> Iterator[None]:
    """In here no more than ``room`` further descriptors can be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + room, hard))
    held = []
    try:
        while True:
            held.append(os.dup(0))
    except OSError:
        pass
    for _ in range(room):
        os.close(held.pop())
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in held:
            os.close(fd)


def before(
    monkeypatch: pytest.MonkeyPatch, call: str, act: Callable[[], None], *, name: bytes | None = None
) -> None:
    """Run ``act`` once, just before ``os.call`` is called (with ``name``, when that is given)."""
    real = getattr(os, call)
    left = [True]

    def interposed(target: Any, *args: Any, **options: Any) -> Any:
        if left and name in (None, target):
            left.clear()
            act()
        return real(target, *args, **options)

    monkeypatch.setattr(os, call, interposed)


def swap_for_link(path: Path, target: str) -> None:
    """What is at ``path`` moves aside, and a link takes its place."""
    path.rename(path.with_name(f".{path.name}"))
    path.symlink_to(target)


def join_threads() -> None:
    """Wait for what threads still do when their reactor has closed."""
    for thread in threading.enumerate():
        if thread.name == "poise-offload":
            thread.join(20)
