"""What every test gets: no descriptor may outlive its test, and property tests that do not depend on a quiet machine."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "poise",
    deadline=None,  # a shared machine is slow now and then, which says nothing about the code
    derandomize="CI" in os.environ,  # a build that failed once fails again
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("poise")

# What the tests start is found by `poise top` of those who run them, and finds theirs: so they have a folder of their own.
os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="poise-test-")
atexit.register(shutil.rmtree, os.environ["XDG_RUNTIME_DIR"], ignore_errors=True)

DESCRIPTORS = Path("/proc/self/fd")


def open_descriptors() -> dict[str, str]:
    """Number and kind of every open descriptor; the one that lists the folder has gone when it is looked up."""
    found = {}
    for number in os.listdir(DESCRIPTORS):
        try:
            found[number] = os.readlink(DESCRIPTORS / number)
        except FileNotFoundError:
            continue
    return found


@pytest.fixture(autouse=True)
def no_descriptor_left() -> Iterator[None]:
    """Fail the test that leaves a descriptor open.

    Sockets and files warn when they are collected while open, and warnings are errors here; a bare number from
    ``os.open``, ``epoll`` or a pipe warns nobody, which is why they are counted.
    """
    if not DESCRIPTORS.is_dir():
        yield
        return
    before = open_descriptors()
    yield
    left = open_descriptors().items() - before.items()
    if left:
        gc.collect()  # what a reference cycle holds is closed, or warns, now
        left = open_descriptors().items() - before.items()
    if left:
        pytest.fail(f"left open: {', '.join(f'{number} → {kind}' for number, kind in sorted(left))}")
