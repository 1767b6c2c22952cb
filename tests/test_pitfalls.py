"""Each of the sixty pitfalls is a test that carries its number, or says why not."""

from __future__ import annotations

import re

import pytest

from tests import docs_pitfalls


def test_every_pitfall_has_a_test_or_a_reason() -> None:
    tested = {number for number, _ in docs_pitfalls.marked()}
    assert tested <= set(docs_pitfalls.NUMBERS)
    missing = set(docs_pitfalls.NUMBERS) - tested - set(docs_pitfalls.WITHOUT)
    assert not missing, f"neither a test nor a reason: {sorted(missing)}"
    assert not tested & set(docs_pitfalls.WITHOUT), "a reason that is needed no more"


def test_the_page_lists_all_of_them_and_where_they_are_tested() -> None:
    page = docs_pitfalls.PAGE.read_text(encoding="utf-8")
    assert [int(number) for number in re.findall(r"^(\d+)\. ", page, re.MULTILINE)] == list(
        docs_pitfalls.NUMBERS
    )
    assert docs_pitfalls.renewed(page) == page, "run `make docs`"


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="has no"):
        docs_pitfalls.renewed("# A page\n")
