"""Every text of the page is there in both languages, is used, and says the same with the same gaps."""

from __future__ import annotations

import re

import pytest

from poise.seeing.page_texts import TEXTS
from tests.seeing.page.fake_feed import PAGE

ASSEMBLED = (
    "page.flag.",
    "page.kind.",
    "page.calls.",
    "page.phase.",
    "page.level.",
    "page.plots.",
    "page.connection.",
    "page.turn.head.",
)
"""Ids whose end comes from what is shown."""


def source() -> str:
    return "\n".join(
        file.read_text(encoding="utf-8") for file in sorted(PAGE.glob("*.js")) + sorted(PAGE.glob("*.html"))
    )


def test_both_languages_have_the_same_ids() -> None:
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()


@pytest.mark.parametrize("text_id", TEXTS["en"])
def test_both_languages_have_the_same_gaps(text_id: str) -> None:
    gaps = [sorted(set(re.findall(r"\{(\w+)\}", TEXTS[language][text_id]))) for language in TEXTS]
    assert gaps[0] == gaps[1]


def test_every_text_that_the_page_asks_for_is_there() -> None:
    asked = set(re.findall(r"""["'`](page\.[\w.]+?)["'`]""", source()))
    assert len(asked) > 80
    assert sorted(asked - TEXTS["en"].keys()) == []


def test_every_text_is_asked_for() -> None:
    text = source()
    unused = [name for name in TEXTS["en"] if name not in text and not name.startswith(ASSEMBLED)]
    assert unused == []
