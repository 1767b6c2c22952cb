"""Validators and preconditions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.files.conditional import Verdict, evaluate, matches
from poise.files.entity import Entity, entity_of, settled
from poise.wire.http.dates import http_date
from poise.wire.http.head import Fields
from tests.files.support import put

NOW = 1_800_000_000.0
MODIFIED = 1_700_000_000
ENTITY = Entity('"t"', MODIFIED)
PROCEED, NOT_MODIFIED, FAILED = Verdict

AT, BEFORE, AFTER = http_date(MODIFIED), http_date(MODIFIED - 1), http_date(MODIFIED + 1)
FUTURE = http_date(NOW + 10)


@pytest.mark.attack(37)
@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, PROCEED),
        ({"If-None-Match": '"t"'}, NOT_MODIFIED),
        ({"If-None-Match": 'W/"t"'}, NOT_MODIFIED),
        ({"If-None-Match": '"a", W/"t" ,"b"'}, NOT_MODIFIED),
        ({"If-None-Match": ', ,"t",,'}, NOT_MODIFIED),
        ({"If-None-Match": '"a,b","t"'}, NOT_MODIFIED),
        ({"If-None-Match": "*"}, NOT_MODIFIED),
        ({"If-None-Match": '"T"'}, PROCEED),
        ({"If-None-Match": '"a,"t""'}, PROCEED),
        ({"If-None-Match": '"t" "t"'}, PROCEED),
        ({"If-None-Match": 'w/"t"'}, PROCEED),
        ({"If-None-Match": "t"}, PROCEED),
        ({"If-None-Match": ""}, PROCEED),
        ({"If-None-Match": '"t", *'}, PROCEED),
        ({"If-None-Match": '"other"', "If-Modified-Since": AT}, PROCEED),
        ({"If-None-Match": "junk", "If-Modified-Since": AT}, PROCEED),
        ({"If-None-Match": '"t"', "If-Modified-Since": BEFORE}, NOT_MODIFIED),
        ({"If-Modified-Since": AT}, NOT_MODIFIED),
        ({"If-Modified-Since": AFTER}, NOT_MODIFIED),
        ({"If-Modified-Since": BEFORE}, PROCEED),
        ({"If-Modified-Since": FUTURE}, PROCEED),
        ({"If-Modified-Since": "Tuesday"}, PROCEED),
        ({"If-Modified-Since": "Mon, 01 Jan 0001 00:00:00 GMT"}, PROCEED),
        ({"If-Modified-Since": f"{AT}, {AT}"}, PROCEED),
        ({"If-Match": '"t"'}, PROCEED),
        ({"If-Match": "*"}, PROCEED),
        ({"If-Match": 'W/"t"'}, FAILED),
        ({"If-Match": '"a"'}, FAILED),
        ({"If-Match": '"t"', "If-Unmodified-Since": BEFORE}, PROCEED),
        ({"If-Match": '"a"', "If-None-Match": '"t"'}, FAILED),
        ({"If-Match": '"t"', "If-None-Match": '"t"'}, NOT_MODIFIED),
        ({"If-Unmodified-Since": AT}, PROCEED),
        ({"If-Unmodified-Since": BEFORE}, FAILED),
        ({"If-Unmodified-Since": "junk"}, PROCEED),
        ({"If-Unmodified-Since": AT, "If-Modified-Since": AT}, NOT_MODIFIED),
    ],
)
def test_preconditions_are_asked_in_order(fields: dict[str, str], verdict: Verdict) -> None:
    assert evaluate(Fields(fields.items()), ENTITY, NOW) is verdict


@pytest.mark.attack(37)
def test_an_entity_without_validators_is_never_unchanged() -> None:
    nothing = Entity(None, None)
    assert evaluate(Fields({"If-None-Match": '"t"'}.items()), nothing, NOW) is PROCEED
    assert evaluate(Fields({"If-None-Match": "*"}.items()), nothing, NOW) is NOT_MODIFIED
    assert evaluate(Fields({"If-Modified-Since": AT}.items()), nothing, NOW) is PROCEED
    assert evaluate(Fields({"If-Unmodified-Since": BEFORE}.items()), nothing, NOW) is PROCEED
    assert evaluate(Fields({"If-Match": '"t"'}.items()), nothing, NOW) is FAILED


def test_a_weak_tag_never_matches_strongly() -> None:
    assert not matches('W/"t"', 'W/"t"', strong=True)
    assert not matches('"t"', 'W/"t"', strong=True)
    assert matches('"t"', 'W/"t"')


@given(st.text(alphabet='W/"t, \t*', max_size=40))
def test_a_list_of_tags_is_read_as_a_slow_reader_reads_it(value: str) -> None:
    assert matches(value, '"t"') is ('"t"' in slow_tags(value) or value.strip(" \t") == "*")


def slow_tags(value: str) -> list[str]:
    """The opaque parts of a well-formed list, cut by hand; empty when it is not one."""
    tags, rest = [], value
    while True:
        rest = rest.lstrip(" \t")
        if rest and not rest.startswith(","):
            opaque = rest.removeprefix("W/")
            end = opaque.find('"', 1)
            if not opaque.startswith('"') or end < 0 or {" ", "\t"} & set(opaque[:end]):
                return []
            tags.append(opaque[: end + 1])
            rest = opaque[end + 1 :].lstrip(" \t")
        if not rest:
            return tags
        if not rest.startswith(","):
            return []
        rest = rest[1:]


@pytest.mark.attack(37)
def test_a_long_list_takes_linear_time() -> None:
    for hostile in ('"a",' * 8000 + '"', "," * 32000, " " * 32000 + "x", '"a" ' * 8000, 'W/"' * 8000):
        assert not matches(hostile, '"t"')


def stat_of(path: Path, seconds: float) -> os.stat_result:
    os.utime(path, ns=(0, int(seconds * 1e9)))
    return path.stat()


def test_a_tag_is_weak_while_the_file_is_young(tmp_path: Path) -> None:
    found = stat_of(put(tmp_path / "a", b"12345"), MODIFIED)
    tag = f'"{found.st_mtime_ns:x}-5"'
    assert entity_of(found, MODIFIED + 0.999) == Entity(f"W/{tag}", MODIFIED)
    assert entity_of(found, MODIFIED + 1) == Entity(tag, MODIFIED)


def test_last_modified_is_never_later_than_date(tmp_path: Path) -> None:
    found = stat_of(put(tmp_path / "a"), MODIFIED)
    assert entity_of(found, MODIFIED - 1).modified is None
    assert entity_of(found, MODIFIED - 1).last_modified is None
    assert str(entity_of(found, MODIFIED - 1).etag).startswith("W/")
    assert entity_of(found, MODIFIED).last_modified == http_date(MODIFIED)


@pytest.mark.attack(37)
@pytest.mark.parametrize("seconds", [0, 1, -1, -1e9, 253_402_300_800, 9e9 * 30])
def test_an_absurd_time_gives_no_validator(tmp_path: Path, seconds: float) -> None:
    found = os.stat_result((0o100644, 1, 1, 1, 0, 0, 5, 0, seconds, 0), {"st_mtime_ns": int(seconds * 1e9)})
    assert entity_of(found, NOW) == Entity(None, None)


def test_a_file_has_settled_a_second_after_its_last_change(tmp_path: Path) -> None:
    found = stat_of(put(tmp_path / "a"), MODIFIED)
    changed = found.st_ctime_ns / 1e9
    assert not settled(found, changed + 0.5)
    assert settled(found, changed + 1.5)
    future = stat_of(tmp_path / "a", changed + 100)
    assert not settled(future, changed + 50), "its time says nothing about a change yet"
