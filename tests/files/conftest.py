"""A folder to serve, with something beside it that must never be seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.files.locate import Root
from poise.files.site import Site
from tests.files.support import SECRET, put, site_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to serve; ``outside/secret.txt`` and ``root_private/x`` stand beside it."""
    put(tmp_path / "outside" / "secret.txt", SECRET)
    put(tmp_path / "root_private" / "x", SECRET)
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def root(folder: Path) -> Iterator[Root]:
    with Root(folder) as root:
        yield root


@pytest.fixture
def site(root: Root) -> Site:
    return site_of(root)
