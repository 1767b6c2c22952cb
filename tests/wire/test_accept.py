"""What clients say they would rather have, and what they get for it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poise.wire.http.accept import choose_coding, choose_language, prefers

MOST = 64
OFFERED = ("br", "zstd", "gzip")


@pytest.mark.attack(38)
@pytest.mark.parametrize(
    ("value", "chosen"),
    [
        (None, "identity"),
        ("", "identity"),
        (" , ,", "identity"),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, br", "br"),  # equals: the server's order
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("gzip ;\tQ=1.000 , br; q=0.999", "gzip"),
        ("br;q=0.001", "br"),
        ("gzip;q=0.5, br;q=0.499", "gzip"),
        ("gzip;q=0.50, br;q=0.6, zstd;q=0.600", "br"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0.000", "identity"),
        ("gzip;q=0, *", "br"),
        ("gzip, gzip;q=0", "gzip"),  # the first counts
        ("gzip;q=0, gzip", "identity"),
        ("x-gzip;q=0, gzip", "identity"),
        ("deflate", "identity"),
        ("identity", "identity"),
        ("*", "br"),
        ("*;q=0.5", "br"),
        ("*;q=0", None),
        ("*;q=0, identity", "identity"),
        ("*;q=0, identity;q=0.001", "identity"),
        ("*;q=0, gzip", "gzip"),
        ("identity;q=0", None),
        ("identity;q=0, deflate", None),
        ("identity;q=0, gzip", "gzip"),
        ("identity;q=0, *", "br"),
        ("identity;q=0, gzip;q=0, *;q=0", None),
        ("identity;q=0.5, gzip;q=0.4", "identity"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0.4, gzip;q=0.5", "gzip"),
        ("gzip;q=0.5, br;q=0, zstd;q=0, *", "identity"),  # "*" is everything that is not named, identity too
        ("compress;q=0.5, gzip;q=1.0", "gzip"),
        ("gzip;q=1.0, identity; q=0.5, *;q=0", "gzip"),
        # members that break the grammar are as if they were not there
        ("gzip;q=2", "identity"),
        ("gzip;q=1.001", "identity"),
        ("gzip;q=0.1234", "identity"),
        ("gzip;q=.5", "identity"),
        ("gzip;q=-1", "identity"),
        ("gzip;q=", "identity"),
        ("gzip;q", "identity"),
        ("gzip;q =1", "identity"),
        ("gzip;q=1;x=y", "identity"),
        ('gzip;q="1"', "identity"),
        ("gzip;level=9", "identity"),
        ("gzip br", "identity"),
        ("g\u00e9zip, br", "br"),
        ("gzip;q=0x, br", "br"),
        ('"a, br', "identity"),
        ('"a" x, br', "br"),
        ('"a, br", gzip', "gzip"),
        ('"\\", br", gzip', "gzip"),
        ("identity;q=0x", "identity"),
        ("*;q=none", "identity"),
    ],
)
def test_a_coding_is_chosen(value: str | None, chosen: str | None) -> None:
    assert choose_coding(value, OFFERED, MOST) == chosen


def test_without_an_offer_there_is_the_plain_thing_or_nothing() -> None:
    assert choose_coding("gzip", (), MOST) == "identity"
    assert choose_coding("*", (), MOST) == "identity"
    assert choose_coding("*;q=0", (), MOST) is None


LANGUAGES = ("en", "zh")


@pytest.mark.parametrize(
    ("value", "chosen"),
    [
        (None, "en"),
        ("", "en"),
        ("*", "en"),
        ("zh", "zh"),
        ("ZH", "zh"),
        ("zh-CN", "zh"),
        ("zh-Hant-TW", "zh"),
        ("zh-Hans-CN-x-private", "zh"),
        ("en-GB", "en"),
        ("zhx", "en"),
        ("z", "en"),
        ("zh_CN", "en"),  # no language tag
        ("fr", "en"),
        ("fr, zh;q=0.1", "zh"),
        ("de-AT, de;q=0.9, zh-TW;q=0.8, en;q=0.7", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
        ("en;q=0.8, zh;q=0.9", "zh"),
        ("zh, en", "zh"),  # equals: the client's order
        ("en, zh", "en"),
        ("en;q=0.5, *;q=0.8", "en"),  # lookup passes over "*"
        ("en;q=0", "zh"),
        ("en;q=0, *", "zh"),
        ("en-GB;q=0", "en"),  # only that one is refused
        ("zh-CN;q=0", "en"),
        ("en;q=0, zh;q=0", "en"),
        ("*;q=0", "en"),
        ("en-GB, en;q=0, zh;q=0.1", "zh"),
        ("zh;q=0.0", "en"),
        ("zh;q=9", "en"),
        ("zh;q=9, zh-TW;q=0.2", "zh"),
        ("abcdefghi, zh-abcdefghi, zh-1;q=0.1", "zh"),
        ("zh-, -zh, zh--TW", "en"),
    ],
)
def test_a_language_is_chosen(value: str | None, chosen: str) -> None:
    assert choose_language(value, LANGUAGES, MOST) == chosen


def test_the_most_exact_language_is_chosen() -> None:
    offered = ("en", "zh", "zh-hant")
    assert choose_language("zh-Hant-TW", offered, MOST) == "zh-hant"
    assert choose_language("zh-Hans-CN", offered, MOST) == "zh"
    assert choose_language("zh-Hantx", offered, MOST) == "zh"


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/json", True),
        ("Application/JSON", True),
        ("application/json;charset=utf-8", True),
        ('application/json;a="x, y;q=0";q=0.5', True),
        ("application/*", True),
        ("application/json, */*", True),
        ("application/json, text/plain, */*", True),
        ("application/json, text/javascript, */*; q=0.01", True),
        ("application/json, text/html", False),  # equals: people come first
        ("text/html, application/json", False),
        ("application/*, text/*", False),
        ("application/json, text/*", True),
        ("application/json;q=0.9, */*", False),
        ("application/json;q=0.9, text/html;q=0.8", True),
        ("application/json;q=0.8, text/html;q=0.9", False),
        ("application/json;q=0", False),
        ("application/json;q=0, text/html;q=0", False),
        ("application/json;q=0, */*;q=0", False),
        ("text/html;q=0, */*", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", False),
        ("application/json;q=.9", False),
        ("application/json;q=2, application/json", True),
        ('application/json;q="1"', False),
        ("application/json;", True),
        ("application/json; ;q=1", True),
        ("application/json;q=0.5;ext=1, text/html;q=0.4", True),
        ("application/json;q=0;q=1", False),
        ("application / json", False),
        ("application", False),
        ("application/", False),
        ("application/json;a", False),
        ('application/json;a="', False),
        ("text/plain", False),
    ],
)
def test_json_is_preferred_to_html(value: str | None, json: bool) -> None:
    assert prefers(value, "application/json", "text/html", MOST) is json


@pytest.mark.parametrize("most", [1, 2, 3])
def test_only_so_many_members_are_read(most: int) -> None:
    value = "," * (most - 1)
    assert choose_coding(f"{value}gzip", OFFERED, most) == "gzip"
    assert choose_coding(f"{value},gzip", OFFERED, most) == "identity"
    assert choose_language(f"{value}zh", LANGUAGES, most) == "zh"
    assert choose_language(f"{value},zh", LANGUAGES, most) == "en"
    assert prefers(f"{value}application/json", "application/json", "text/html", most)
    assert not prefers(f"{value},application/json", "application/json", "text/html", most)


LONG = 100_000

HOSTILE = [
    "gzip," * (LONG // 5),
    "," * LONG,
    '"' * (LONG + 1),
    '"' + "\\" * (LONG + 1),
    '"' + '\\"' * (LONG // 2),
    '"a",' * (LONG // 4) + '"',
    "a" * LONG,
    "a/" * (LONG // 2),
    "a/b" + ";" * LONG,
    "a/b" + " ;" * (LONG // 2) + "x",
    "a/b" + ";a=b" * (LONG // 4) + ";",
    "a/b" + ';a="' * (LONG // 4),
    "a" + " " * LONG + ";q=1",
    "a;" + " " * LONG + "x",
    "a" + "-a" * (LONG // 2),
    "a" + "-a" * (LONG // 2) + "-",
    "a;q=0." + "0" * LONG,
    " " * LONG + "x",
]


@pytest.mark.attack(47)
@pytest.mark.parametrize("hostile", HOSTILE, ids=[each[:12] for each in HOSTILE])
@pytest.mark.parametrize("most", [MOST, pytest.param(10**6, marks=pytest.mark.slow)])
def test_long_fields_take_linear_time(hostile: str, most: int) -> None:
    """A pattern that goes back, or a loop in a loop, would be at it for hours."""
    choose_coding(hostile, OFFERED, most)
    choose_language(hostile, LANGUAGES, most)
    prefers(hostile, "application/json", "text/html", most)


# --- the same, by plainer means: one letter at a time, and no pattern --------------------------------------

TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def slow_split(text: str, mark: str) -> list[str]:
    """Cut at each ``mark`` outside quotes."""
    parts, quoted, escaped = [""], False, False
    for letter in text:
        if not quoted and letter == mark:
            parts.append("")
            continue
        parts[-1] += letter
        if escaped:
            escaped = False
        elif quoted and letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
    return [part.strip(" \t") for part in parts]


def slow_q(text: str) -> float | None:
    whole, _, digits = text.partition(".")
    if whole not in ("0", "1") or len(digits) > 3 or not set(digits) <= set("0123456789"):
        return None
    return float(text) if float(text) <= 1 else None


def slow_token(text: str) -> bool:
    return text != "" and set(text) <= TOKEN


def slow_simple(value: str) -> list[tuple[str, float]]:
    """The members ``thing`` and ``thing;q=0.5`` of a list."""
    found = []
    for member in slow_split(value, ","):
        thing, semicolon, rest = member.partition(";")
        weight = slow_q(rest.strip(" \t")[2:]) if rest.strip(" \t")[:2].lower() == "q=" else None
        if not semicolon:
            weight = 1.0
        if weight is not None:
            found.append((thing.strip(" \t").lower() if semicolon else thing.lower(), weight))
    return found


def slow_coding(value: str) -> str | None:
    weights: dict[str, float] = {}
    for name, weight in slow_simple(value):
        if slow_token(name) and {"x-gzip": "gzip"}.get(name, name) not in weights:
            weights[{"x-gzip": "gzip"}.get(name, name)] = weight
    ranked = []
    for order, coding in enumerate((*OFFERED, "identity")):
        weight = weights.get(coding, weights.get("*", 0.0005 if coding == "identity" else 0.0))
        if weight > 0:
            ranked.append((-weight, order, coding))
    return min(ranked)[2] if ranked else None


def slow_language(value: str) -> str:
    ranges: list[tuple[str, float]] = []
    for name, weight in slow_simple(value):
        subtags = name.split("-")
        sound = all(0 < len(tag) <= 8 and tag.isascii() and tag.isalnum() for tag in subtags)
        if (name == "*" or (sound and set(subtags[0]) <= LETTERS)) and name not in dict(ranges):
            ranges.append((name, weight))
    refused = {name for name, weight in ranges if weight == 0}
    for name, weight in sorted(ranges, key=lambda each: -each[1]):
        subtags = name.split("-") if weight else []
        while subtags:
            tag = "-".join(subtags)
            if tag in LANGUAGES and tag not in refused:
                return tag
            subtags.pop()
            if subtags and len(subtags[-1]) == 1:
                subtags.pop()
    return next((tag for tag in LANGUAGES if tag not in refused), LANGUAGES[0])


def slow_quoted(text: str) -> bool:
    """Is this one whole quoted string?"""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return False
    inner, escaped = text[1:-1], False
    for letter in inner:
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            return False
    return not escaped


def slow_json(value: str) -> bool:
    weights: dict[str, float] = {}
    for member in slow_split(value, ","):
        media_range, *parameters = slow_split(member, ";")
        sides = media_range.split("/")
        if len(sides) != 2 or not all(slow_token(side) for side in sides):
            continue
        weight: float | None = 1.0
        seen = False
        for parameter in parameters:
            name, equals, text = parameter.partition("=")
            if parameter == "":
                continue
            if not equals or not slow_token(name) or not (slow_token(text) or slow_quoted(text)):
                weight = None
                break
            if name.lower() == "q" and not seen:
                seen = True
                weight = slow_q(text)
                if weight is None:
                    break
        if weight is not None and media_range.lower() not in weights:
            weights[media_range.lower()] = weight

    def preference(kind: str) -> tuple[float, int]:
        for plainness, key in ((2, kind), (1, kind.partition("/")[0] + "/*"), (0, "*/*")):
            if key in weights:
                return weights[key], plainness
        return 0.0, 0

    mine, theirs = preference("application/json"), preference("text/html")
    return mine[0] > 0 and (mine[0] > theirs[0] or (mine[0] == theirs[0] and mine[1] > theirs[1]))


space = st.sampled_from(["", "", "", " ", "\t "])
qvalue = st.one_of(
    st.sampled_from(["0", "0.0", "0.001", "0.3", "0.5", "0.999", "1", "1.0", '"1"', ""]),
    st.text(alphabet="00015.x-", max_size=6),
)
weight = st.one_of(
    st.just(""),
    st.builds("{};{}{}={}".format, space, space, st.sampled_from(["q", "q", "q", "Q", "x", "q "]), qvalue),
)


def lists(things: list[str]) -> st.SearchStrategy[str]:
    """Fields about ``things``, most of them sound."""
    member = st.builds(
        "{}{}{}{}".format, space, st.sampled_from(things), st.lists(weight, max_size=2).map("".join), space
    )
    noise = st.text(alphabet='ab*/-;=q01., "\\', max_size=8)
    return st.lists(st.one_of(member, member, member, member, noise), max_size=6).map(",".join)


@given(lists(["gzip", "br", "zstd", "x-gzip", "GZIP", "deflate", "identity", "*", "", "g zip"]))
@example("a;;q=1")
def test_codings_as_a_slow_reader_chooses_them(value: str) -> None:
    assert choose_coding(value, OFFERED, MOST) == slow_coding(value)


@given(
    lists(["en", "zh", "en-GB", "zh-CN", "zh-Hant-TW", "zh-x-y", "fr", "*", "zh_CN", "123456789", "zh-", ""])
)
def test_languages_as_a_slow_reader_chooses_them(value: str) -> None:
    assert choose_language(value, LANGUAGES, MOST) == slow_language(value)


JSON = ["application/json", "application/json;a", 'application/json;a="x,y;z"', "application/*"]
HTML = ["text/html", "text/html;", 'text/html;a="', "text/HTML", "text/*"]


@given(lists([*JSON, *HTML, "*/*", "*", "a/b/c", "json", ""]))
def test_media_types_as_a_slow_reader_chooses_them(value: str) -> None:
    assert prefers(value, "application/json", "text/html", MOST) is slow_json(value)
