"""Patterns that are compiled when they are used do what compiled ones do."""

from __future__ import annotations

import re

import pytest

from poise.wire.pattern import METHODS, pattern


@pytest.mark.parametrize("name", METHODS)
def test_has_what_a_compiled_pattern_has(name: str) -> None:
    late, compiled = pattern(r"a(b*)", re.ASCII), re.compile(r"a(b*)", re.ASCII)
    assert getattr(late, name) == getattr(compiled, name)


def test_is_compiled_once_and_asked_for_nothing_more() -> None:
    late = pattern(r"a(b*)")
    found = late.fullmatch("abb")
    assert found is not None
    assert found[1] == "bb"
    assert late.fullmatch is late.fullmatch
    assert type(late.sub) is type(re.compile("").sub)


def test_has_nothing_else() -> None:
    with pytest.raises(AttributeError, match="scanner"):
        pattern("a").scanner  # type: ignore[attr-defined]  # noqa: B018 - asking is the point


def test_a_mistake_in_it_comes_at_its_first_use() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.match("")
