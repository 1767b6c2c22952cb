"""What changes between two looks: first at exactly chosen moments, then by brute force."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poise.errors import RequestError
from poise.files.locate import Root
from poise.limits import FileLimits
from tests.files.support import SECRET, put

SWAPS = 100_000


def before(monkeypatch: pytest.MonkeyPatch, call: str, act: Callable[[], None], *, times: int = 1) -> None:
    """Run ``act`` just before each of the first ``times`` calls of ``os.call``."""
    real = getattr(os, call)
    left = [times]

    def interposed(*args: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            act()
        return real(*args, **options)

    monkeypatch.setattr(os, call, interposed)


def replace_by_link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def replace_by_file(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def answer(root: Root, path: str) -> int | bytes:
    """The content, the status of the refusal, or 0 for a folder."""
    try:
        with root.locate(path) as found:
            return 0 if found.is_folder else os.pread(found.fd, 100, 0)
    except RequestError as error:
        return error.status


@pytest.mark.attack(17)
def test_a_file_that_becomes_a_link_to_the_outside(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = put(folder / "a", b"inside")
    before(monkeypatch, "open", lambda: replace_by_link(victim, "../outside/secret.txt"))
    assert answer(root, "/a") == 404


@pytest.mark.attack(17)
def test_a_file_that_becomes_a_link_to_the_inside(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = put(folder / "a", b"inside")
    put(folder / "b", b"other")
    before(monkeypatch, "open", lambda: replace_by_link(victim, "b"))
    assert answer(root, "/a") == b"other"


@pytest.mark.attack(17)
@pytest.mark.attack(43)
def test_a_file_that_becomes_a_fifo_does_not_block(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = put(folder / "a", b"inside")
    before(monkeypatch, "open", lambda: replace_by_fifo(victim))
    assert answer(root, "/a") == 403


def test_a_file_that_becomes_a_folder(root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = put(folder / "a", b"inside")
    before(monkeypatch, "open", lambda: replace_by_folder(victim))
    assert answer(root, "/a") == 0


def test_a_link_that_becomes_a_file(root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a").symlink_to("b")
    before(monkeypatch, "readlink", lambda: replace_by_file(folder / "a", b"new"))
    assert answer(root, "/a") == b"new"


def test_a_link_that_goes_away(root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a").symlink_to("b")
    before(monkeypatch, "readlink", (folder / "a").unlink)
    assert answer(root, "/a") == 404


@pytest.mark.attack(17)
def test_a_folder_that_becomes_a_link_to_the_outside(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "d" / "secret.txt", b"inside")

    def swap() -> None:
        (folder / "d").rename(folder / "parked")
        (folder / "d").symlink_to("../outside")

    before(monkeypatch, "open", swap)
    assert answer(root, "/d/secret.txt") == 404


@pytest.mark.attack(17)
def test_a_folder_that_is_swapped_after_it_was_entered(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "d" / "secret.txt", b"inside")

    def swap() -> None:
        (folder / "d").rename(folder / "parked")
        (folder / "d").symlink_to("../outside")

    before(monkeypatch, "stat", swap)
    assert answer(root, "/d/secret.txt") == b"inside"


@pytest.mark.attack(17)
def test_a_path_that_never_rests_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = put(folder / "a", b"inside")
    fifo = folder / "fifo"
    looks: list[None] = []

    def swap() -> None:
        looks.append(None)
        os.mkfifo(fifo)
        fifo.replace(victim)

    real = os.fstat

    def restore(fd: int) -> os.stat_result:
        put(folder / "fresh", b"inside").replace(victim)
        return real(fd)

    monkeypatch.setattr(os, "fstat", restore)
    with Root(folder, limits=FileLimits(links=5)) as root:
        before(monkeypatch, "open", swap, times=100)
        # write_bytes opens by another name, so only the gate's own openings are counted
        assert answer(root, "/a") == 404
    assert len(looks) == 6


def contend(root: Root, path: str, swap: Callable[[], None], times: int) -> tuple[int, int]:
    """Ask for ``path`` while another thread swaps ``times`` times; how often it was served and refused.

    Every descriptor that comes out is held against the one inode that may: nothing else was ever inside.
    """
    done = threading.Event()
    failure: list[BaseException] = []

    def run() -> None:
        try:
            for _ in range(times):
                swap()
        except BaseException as error:
            failure.append(error)
        finally:
            done.set()

    served = not_served = 0
    thread = threading.Thread(target=run)
    thread.start()
    try:
        while not done.is_set():
            got = answer(root, path)
            assert got in (b"inside", 404), got
            if got == 404:
                not_served += 1
            else:
                served += 1
    finally:
        thread.join()
    assert not failure
    return served, not_served


@pytest.mark.attack(17)
@pytest.mark.slow
def test_a_thread_that_swaps_a_file_for_a_link_never_wins(root: Root, folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    put(folder / "kept", b"inside")
    state = [False]

    def swap() -> None:
        state[0] = not state[0]
        if state[0]:
            os.symlink("../outside/secret.txt", "next", dir_fd=here)
        else:
            os.link("kept", "next", src_dir_fd=here, dst_dir_fd=here)
        os.rename("next", "victim", src_dir_fd=here, dst_dir_fd=here)

    swap()
    swap()
    try:
        served, not_served = contend(root, "/victim", swap, SWAPS)
    finally:
        os.close(here)
    assert served > 100
    assert not_served > 100
    assert (folder.parent / "outside" / "secret.txt").read_bytes() == SECRET


@pytest.mark.attack(17)
@pytest.mark.slow
def test_a_thread_that_swaps_a_folder_for_a_link_never_wins(root: Root, folder: Path) -> None:
    put(folder / "d" / "e" / "secret.txt", b"inside")
    put(folder.parent / "outside" / "e" / "secret.txt", SECRET)
    (folder / "link").symlink_to("../outside")
    here = os.open(folder, os.O_RDONLY)
    state = [False]

    def swap() -> None:
        state[0] = not state[0]
        away, back = ("parked", "link") if state[0] else ("link", "parked")
        os.rename("d", away, src_dir_fd=here, dst_dir_fd=here)
        os.rename(back, "d", src_dir_fd=here, dst_dir_fd=here)

    try:
        served, not_served = contend(root, "/d/e/secret.txt", swap, SWAPS)
    finally:
        os.close(here)
    assert served > 100
    assert not_served > 100
