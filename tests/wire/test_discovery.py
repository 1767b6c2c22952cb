"""The datagrams of discovery: whole, cut, changed, and made of anything."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poise.limits import DiscoveryLimits
from poise.wire.discovery import (
    GROUP_IPV4,
    GROUP_IPV6,
    LONGEST_NAME,
    NUMBER_SIZE,
    OLDEST,
    PORT,
    SIZE,
    UNFIT,
    Answer,
    Question,
    check_name,
    fit_name,
    parse,
    write,
)
from tests.architecture import markdown_table

# Under ``python -bb`` hypothesis itself compares bytes with numbers, in the keys of its cache.
pytestmark = pytest.mark.filterwarnings(r"ignore::BytesWarning:hypothesis\.internal")

PAGE = Path(__file__).parents[2] / "docs" / "discovery.md"
QUERY, INSTANCE = b"\x01\x02\x03\x04\x05\x06\x07\x08", b"instance"
ANSWER = Answer(QUERY, INSTANCE, "https", 8000, 61, "photos")
QUESTION_BYTES = b"Pois\x01\x01" + QUERY + bytes(114)
ANSWER_BYTES = (
    b"Pois\x01\x02" + QUERY + INSTANCE + b"\x02\x1f\x40\x00\x00\x00\x3d\x06photos".ljust(106, b"\0")
)

numbers = st.binary(min_size=8, max_size=8)
names = st.text(max_size=40).map(fit_name).filter(bool)
answers = st.builds(
    Answer,
    query=numbers,
    instance=numbers,
    scheme=st.sampled_from(["http", "https"]),
    port=st.integers(1, 0xFFFF),
    age=st.integers(0, OLDEST),
    name=names,
)


def test_byte_by_byte_as_the_page_says() -> None:
    """docs/discovery.md shows these offsets."""
    assert write(Question(QUERY)) == QUESTION_BYTES
    assert write(ANSWER) == ANSWER_BYTES
    assert parse(QUESTION_BYTES) == Question(QUERY)
    assert parse(ANSWER_BYTES) == ANSWER


def test_the_page_describes_every_byte() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = markdown_table(text, "## The datagrams")
    places = [(int(row[0]), int(row[1])) for row in rows]
    assert places[0][0] == 0
    for (offset, size), (following, _) in zip(places, [*places[1:], (SIZE, 0)], strict=True):
        assert offset + size == following
    assert [size for _, size in places] == [4, 1, 1, NUMBER_SIZE, NUMBER_SIZE, 1, 2, 4, 1, LONGEST_NAME]
    limits = DiscoveryLimits()
    for value in (PORT, GROUP_IPV4, GROUP_IPV6, OLDEST, f"{limits.found:,}", limits.answers):
        assert f"{value}" in text
    assert f"at most {limits.answers_per_source} questions a second" in text


@given(st.builds(Question, query=numbers) | answers)
def test_what_is_written_is_read(message: Question | Answer) -> None:
    data = write(message)
    assert len(data) == SIZE
    assert parse(data) == message


def test_an_answer_is_never_larger_than_its_question() -> None:
    assert len(write(ANSWER._replace(name="x" * LONGEST_NAME))) == len(write(Question(QUERY)))


@pytest.mark.parametrize("whole", [QUESTION_BYTES, ANSWER_BYTES])
def test_every_cut_and_every_byte_more_is_ignored(whole: bytes) -> None:
    for length in range(SIZE):
        assert parse(whole[:length]) is None
    assert parse(whole + b"\0") is None
    assert parse(whole * 2) is None


@pytest.mark.parametrize(
    ("offset", "byte", "why"),
    [
        (0, 0x70, "another magic"),
        (3, 0x00, "another magic"),
        (4, 0, "a version that never was"),
        (4, 2, "a later version"),
        (5, 0, "no kind"),
        (5, 3, "another kind"),
        (22, 0, "no scheme"),
        (22, 3, "another scheme"),
        (29, 0, "no name"),
        (29, LONGEST_NAME + 1, "a name beyond the end"),
        (29, 255, "a name beyond the end"),
        (29, 7, "a NUL in the name"),
        (30, 0x1B, "an escape in the name"),
        (30, 0x20, "a name that begins with a space"),
        (30, 0xFF, "no UTF-8"),
    ],
)
def test_one_wrong_byte(offset: int, byte: int, why: str) -> None:
    changed = bytearray(ANSWER_BYTES)
    changed[offset] = byte
    assert parse(bytes(changed)) is None, why


def test_port_0_is_nowhere() -> None:
    assert parse(ANSWER_BYTES[:23] + b"\0\0" + ANSWER_BYTES[25:]) is None


def test_the_rest_of_a_datagram_is_not_looked_at() -> None:
    """A later minor addition may stand there."""
    assert parse(QUESTION_BYTES[:14] + b"\xff" * 114) == Question(QUERY)
    assert parse(ANSWER_BYTES[:36] + b"\xff" * 92) == ANSWER


@given(st.sampled_from([QUESTION_BYTES, ANSWER_BYTES]), st.integers(0, SIZE - 1), st.integers(0, 255))
def test_any_byte_changed_is_read_or_ignored(whole: bytes, offset: int, byte: int) -> None:
    changed = bytearray(whole)
    changed[offset] = byte
    check(parse(bytes(changed)))


@given(st.binary(min_size=SIZE - 6, max_size=SIZE - 6), st.sampled_from([1, 2]))
def test_anything_behind_the_head_is_read_or_ignored(rest: bytes, kind: int) -> None:
    check(parse(b"Pois\x01" + bytes([kind]) + rest))


@given(st.binary(max_size=2 * SIZE))
def test_anything_at_all_is_read_or_ignored(data: bytes) -> None:
    check(parse(data))


def check(message: Question | Answer | None) -> None:
    """What was understood can be said again, and shown to people."""
    if message is not None:
        assert parse(write(message)) == message
    if isinstance(message, Answer):
        assert not any(unicodedata.category(letter) in UNFIT for letter in message.name)
        assert 1 <= len(message.name.encode()) <= LONGEST_NAME


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"query": b"short"}, "a query is 8 bytes"),
        ({"instance": b""}, "an instance is 8 bytes"),
        ({"scheme": "gopher"}, "one of http, https, not 'gopher'"),
        ({"port": 0}, "from 1 to 65535"),
        ({"port": 65_536}, "from 1 to 65535"),
        ({"age": -1}, "not negative"),
        ({"name": ""}, "not empty"),
        ({"name": " x"}, "no space at its ends"),
        ({"name": "x\n"}, "no space at its ends"),
        ({"name": "a\nb"}, r"without '\\n'"),
        ({"name": "a\x1b[31m"}, r"without '\\x1b'"),
        ({"name": "a\u202egpj.exe"}, r"without '\\u202e'"),
        ({"name": "a\u2028b"}, r"without '\\u2028'"),
        ({"name": "a\udcff"}, r"without '\\udcff'"),
        ({"name": "x" * 99}, "at most 98 bytes in UTF-8, this has 99"),
        ({"name": "就" * 33}, "this has 99"),
    ],
)
def test_what_cannot_be_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        write(ANSWER._replace(**changes))


def test_an_age_beyond_the_field_is_the_greatest() -> None:
    read = parse(write(ANSWER._replace(age=OLDEST + 1)))
    assert isinstance(read, Answer)
    assert read.age == OLDEST


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("photos on desk", "photos on desk"),
        ("就绪 🦆", "就绪 🦆"),
        (" a\tb\n", "a\ufffdb\ufffd"),
        ("a\udcff\u202e", "a\ufffd\ufffd"),
        ("  ", ""),
        ("", ""),
        ("x" * 97 + " x", "x" * 97),
        ("x" * 97 + "é", "x" * 97),
    ],
)
def test_names_from_elsewhere_are_made_fit(text: str, name: str) -> None:
    assert fit_name(text) == name


@given(st.text(alphabet=st.characters(), max_size=120))
@example("\ud800" * 99)
def test_what_was_made_fit_is_a_name_or_empty(text: str) -> None:
    fit = fit_name(text)
    assert not fit or check_name(fit)
    assert fit_name(fit) == fit
