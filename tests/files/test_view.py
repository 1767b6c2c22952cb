"""What a query asks of a folder: every view says itself, and nothing that comes in can break it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.files.view import FORMS, PLAIN, SORTS, View, unescaped, view_of


@pytest.mark.parametrize(
    ("query", "view"),
    [
        (None, PLAIN),
        ("", PLAIN),
        ("sort=size", View(sort="size")),
        ("sort=date&order=desc&page=3", View(sort="date", descending=True, page=3)),
        ("page=0", PLAIN),
        ("page=-1&sort=colour&order=down", PLAIN),
        ("page=%31", PLAIN),
        ("page=1234567890", PLAIN),
        ("page=٣", PLAIN),
        ("sort=size&sort=date", View(sort="size")),
        ("q=+two%20words+", View(words="two words")),
        ("q=%E7%85%A7%E7%89%87", View(words="照片")),
        ("q=%zz%4", View(words="%zz%4")),
        ("q=a%00b", View(words="ab")),
        ("json", View(form="json")),
        ("json=1&x=%bb", View(form="json")),
        ("zip", View(form="zip")),
        ("tar.gz", View(form="tar.gz")),
        ("utm_source=x&fbclid=y", PLAIN),
        ("&".join(["a"] * 32) + "&json", PLAIN),
    ],
)
def test_a_query_is_understood(query: str | None, view: View) -> None:
    assert view_of(query) == (View(page=1) if query == "page=%31" else view)


def test_a_search_is_cut_where_it_is_too_long() -> None:
    assert view_of("q=" + "x" * 1000).words == "x" * 256


@given(
    st.builds(
        View,
        sort=st.sampled_from(SORTS),
        descending=st.booleans(),
        page=st.integers(1, 10**9 - 1),
        words=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40).map(
            str.strip
        ),
        form=st.sampled_from(("", *FORMS)),
    )
)
def test_every_view_says_itself(view: View) -> None:
    query = view.query
    assert view_of(query.removeprefix("?")) == view
    assert query.isascii()
    assert not set(query) & set("\"<>' \\")


@given(st.text(max_size=60))
def test_any_query_is_a_view(query: str) -> None:
    view = view_of(query)
    assert view.page >= 1
    assert view_of(view.query.removeprefix("?")) == view
    unescaped(query)
