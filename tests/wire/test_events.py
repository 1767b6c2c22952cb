"""Server-sent events as bytes, read back by the rules of the HTML standard (9.2.6, "Interpreting an event stream")."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.wire.http.events import comment, event

pytestmark = pytest.mark.filterwarnings(r"ignore::BytesWarning:hypothesis\.internal")


def read(stream: bytes) -> list[tuple[str, str, str]]:
    """``(type, data, last event id)`` of each event that a browser would dispatch."""
    found = []
    kind, data, last = "", "", ""
    for line in re.split(r"\r\n|\r|\n", stream.decode())[:-1]:
        if not line:
            if data:
                found.append((kind or "message", data.removesuffix("\n"), last))
            kind, data = "", ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data += f"{value}\n"
        elif name == "id" and "\0" not in value:
            last = value
    return found


def test_the_bytes_of_an_event() -> None:
    assert event("hello") == b"data: hello\n\n"
    assert event("") == b"data: \n\n"
    assert event("one\r\ntwo\rthree\n") == b"data: one\ndata: two\ndata: three\ndata: \n\n"
    assert event("x", name="add", ident="7", retry=0) == b"event: add\nid: 7\nretry: 0\ndata: x\n\n"
    assert event("x", ident="") == b"id: \ndata: x\n\n"
    assert event("就绪", name="é") == "event: é\ndata: 就绪\n\n".encode()


def test_a_comment_is_no_event() -> None:
    assert comment() == b": \n\n"
    assert comment("a\rb\n\ndata: c") == b": a\n: b\n: \n: data: c\n\n"
    assert read(comment("data: x\n\ndata: y\n\n")) == []


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.attack(24)
def test_nothing_that_is_said_begins_a_line_of_its_own(end: str) -> None:
    for bad in (f"a{end}data: b", end, f"a{end}"):
        with pytest.raises(ValueError, match="one line"):
            event("x", name=bad)
        with pytest.raises(ValueError, match="one line"):
            event("x", ident=bad)
    forged = f"x{end}{end}event: forged{end}data: y{end}{end}"
    assert [kind for kind, _, _ in read(event(forged))] == ["message"]


def test_what_readers_would_ignore_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        event("x", ident="a\0b")
    with pytest.raises(ValueError, match="not -1"):
        event("x", retry=-1)
    with pytest.raises(ValueError, match="surrogates"):
        event("\ud800")


LINES = st.text(
    st.one_of(st.sampled_from("\r\n: \0a就"), st.characters(exclude_categories=["Cs"])), max_size=12
)
ONE_LINE = LINES.map(lambda text: re.sub(r"[\r\n\0]", "", text))


@given(st.lists(st.tuples(ONE_LINE, LINES, ONE_LINE), max_size=4), st.lists(LINES, max_size=2))
def test_what_is_written_is_what_is_read(events: list[tuple[str, str, str]], comments: list[str]) -> None:
    stream = b"".join(event(data, name=name, ident=ident) for name, data, ident in events)
    stream += b"".join(map(comment, comments))
    assert read(stream) == [
        (name or "message", re.sub(r"\r\n|\r", "\n", data), ident) for name, data, ident in events
    ]
