"""The pictures for the documentation can be taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.seeing.page.screenshots import SECTIONS, take
from tests.support.clients import CHROMIUM, client

pytestmark = [pytest.mark.live, pytest.mark.slow]

PNG = b"\x89PNG"


def test_every_section_is_pictured_in_both_themes_and_languages(tmp_path: Path) -> None:
    client(*CHROMIUM)
    made = take(tmp_path, ["slow"], [1280])
    names = {file.stem for file in made}
    assert names == {
        f"slow-1280-{theme}-{language}{section}"
        for theme in ("light", "dark")
        for language in ("en", "zh")
        for section in ("", *(f"-{each}" for each in SECTIONS))
    }
    pictures = {file.read_bytes() for file in made}
    assert len(pictures) == len(made), "no two are alike"
    assert all(picture.startswith(PNG) for picture in pictures)
