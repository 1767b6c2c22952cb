"""Patterns: every rule by example, against the definition, and at a cost that no pattern can raise."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise.files import globs
from poise.files.globs import Globs, folded
from poise.files.names import Names
from poise.limits import FileLimits


def names(path: str) -> Names:
    return tuple(part.encode("utf-8", "surrogateescape") for part in path.split("/") if part)


def matches(pattern: str, path: str) -> bool:
    """A path that ends with a slash is a folder's."""
    return [*Globs([pattern]).matching(names(path), folder=path.endswith("/"))] == [0]


# -- the rules, one by one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "those", "not_those"),
    [
        ("*.txt", ["a.txt", "d/a.txt", ".txt", "d/e/a.TXT"], ["a.txt.gz", "atxt", "a.txt/b", "/"]),
        ("/*.txt", ["a.txt"], ["d/a.txt"]),
        ("d/*.txt", ["d/a.txt"], ["a.txt", "d/e/a.txt", "x/d/a.txt"]),
        ("a?c", ["abc", "a.c", "aéc", "x/a?c"], ["ac", "abbc", "a/c"]),
        ("[a-c0]x", ["ax", "Bx", "0x"], ["dx", "x", "-x"]),
        ("[!a-c]x", ["dx", "/x/-x"], ["ax", "CX", "x", "a/x"]),
        ("[^a]", ["b"], ["a", "A"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[\\]x]", ["]", "x"], ["\\"]),
        ("[É]t", ["ét", "Ét"], ["et"]),
        ("**", ["/", "a", "a/b/c", ".x"], []),
        ("*", ["/", "a", "a/b", ".x"], []),
        ("/*", ["a", "a/"], ["a/b"]),
        ("a/**", ["a/b", "a/b/c/"], ["a", "b/a/c", "ab"]),
        ("**/b", ["b", "a/b", "a/a/b"], ["ab", "b/a"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b", "a/b/b"], ["a/xb", "ab", "a/b/x", "x/a/b"]),
        ("a/**/**/b", ["a/b", "a/x/y/b"], ["ab"]),
        ("**/a/**", ["a/b", "x/a/b"], ["a", "x/a"]),
        ("a**b", ["ab", "axxb", "y/axb"], ["a/b"]),
        ("a//b", ["a/b"], ["a"]),
        ("docs/", ["docs/", "x/docs/"], ["docs", "docs/a"]),
        ("a/docs/", ["a/docs/"], ["x/a/docs/", "a/docs"]),
        ("**/", ["a/", "/"], ["a"]),
        ("/", ["/"], ["a", "a/"]),
        ("*.{js,css}", ["a.js", "d/b.css"], ["a.jss", "a.{js,css}"]),
        ("{a,b/c}", ["a", "x/a", "b/c"], ["c", "x/b/c"]),
        ("{,x}y{1,2}", ["y1", "xy2"], ["x1", "y"]),
        ("{a/,}**/z", ["z", "a/z", "b/z"], ["a/y"]),
        ("\\*", ["*"], ["a"]),
        ("\\{a\\}", ["{a}"], ["a"]),
        ("\\!a", ["!a"], ["a"]),
        ("[{]", ["{"], ["["]),
        ("#x", ["#x"], ["x"]),
    ],
)
def test_what_a_pattern_matches(pattern: str, those: list[str], not_those: list[str]) -> None:
    assert [path for path in those if not matches(pattern, path)] == []
    assert [path for path in not_those if matches(pattern, path)] == []


@pytest.mark.attack(5)
@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("secret.txt", "SECRET.TXT"),
        ("SECRET.TXT", "secret.txt"),
        ("caf\u00e9", "cafe\u0301"),
        ("cafe\u0301", "CAF\u00c9"),
        ("caf?", "cafe\u0301"),
        ("straße", "STRASSE"),
        ("se\u200bcret", "secret"),
        ("secret", "s\u00ade\u200dcret"),
        ("Σίσυφος", "σίσυφοσ"),
        ("\u212a", "k"),
        ("[K]", "\u212a"),
    ],
)
def test_a_file_system_that_takes_names_for_the_same_finds_no_gap(pattern: str, path: str) -> None:
    assert matches(pattern, path)


def test_a_name_that_is_no_utf_8_is_matched_byte_by_byte() -> None:
    assert [*Globs(["a?b", "a??b", "*b", "\udcffx"]).matching((b"a\xffb",))] == [0, 2]
    assert [*Globs(["a?b", "\udcffx"]).matching((b"\xffX",))] == [1]


def test_folding_a_folded_text_changes_nothing() -> None:
    for code in range(0x3000):
        once = folded(chr(code))
        assert folded(once) == once, hex(code)


def test_of_many_patterns_each_is_found() -> None:
    patterns = ["*.css", "a/*", "**", "a/b.css", "x"]
    assert [*Globs(patterns).matching(names("a/b.css"))] == [0, 1, 2, 3]
    assert [*Globs([]).matching(names("a"))] == []
    assert (bool(Globs([])), bool(Globs(["a"]))) == (False, True)


# -- what covers what -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "covered", "bare"),
    [
        ("private", ["private", "private/", "private/a", "x/private/y/z"], ["privates", "a"]),
        ("private/", ["private/", "private/a", "x/private/y"], ["private", "x/private"]),
        ("/a/b", ["a/b", "a/b/c/d"], ["a/", "b", "x/a/b"]),
        ("a/**", ["a/b", "a/b/c"], ["a/"]),
        ("**", ["a", "a/b"], ["/"]),
        ("*", ["a", "a/b"], ["/"]),
    ],
)
def test_a_folder_covers_what_is_in_it(pattern: str, covered: list[str], bare: list[str]) -> None:
    patterns = Globs([pattern])
    for path in (*covered, *bare):
        folder = path.endswith("/")
        assert patterns.cover(names(path), folder=folder) is (path in covered), path
        if names(path):
            *above, name = names(path)
            assert patterns.covering(tuple(above))(name, folder) is (path in covered), path


# -- what is no pattern ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "cannot be empty"),
        ("!a", r"for the character itself write \\!"),
        ("a[b", r"'\[' without its '\]' \(character 2\); for the character itself write \\\["),
        ("[]", r"'\[' without"),
        ("[!]", r"'\[' without"),
        ("a{b,c", r"'\{' without its '\}' \(character 2\)"),
        ("a{b}", r"'\{' begins a choice, as in \{a,b\}"),
        ("{}", r"'\{' begins a choice"),
        ("a}b", r"'\}' without its '\{' \(character 2\); for the character itself write \\\}"),
        ("{a,{b,c}}", "a choice within a choice"),
        ("a\\", "a backslash belongs before a character"),
        ("a\\/b", "a backslash belongs before a character"),
        ("[z-a]", "the range z-a runs backwards"),
        ("[[:alpha:]]", "only single characters and ranges"),
        ("[a/b]", "only single characters and ranges"),
    ],
)
def test_a_mistake_says_what_to_write_instead(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Globs([pattern])


# -- against the definition -----------------------------------------------------------------------------------


def by_definition(pattern: list[str], path: list[str]) -> bool:
    """Patterns without choices and classes, as the rules say it, with no thought of cost."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        if len(pattern) == 1:
            return bool(path)
        return any(by_definition(pattern[1:], path[count:]) for count in range(len(path) + 1))
    return bool(path) and one_name(pattern[0], path[0]) and by_definition(pattern[1:], path[1:])


def one_name(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(one_name(pattern[1:], name[count:]) for count in range(len(name) + 1))
    return bool(name) and pattern[0] in ("?", name[0]) and one_name(pattern[1:], name[1:])


patterns = st.lists(st.one_of(st.just("**"), st.text("ab?*", min_size=1, max_size=4)), min_size=2, max_size=5)
paths = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=5)


@given(patterns, paths)
def test_it_matches_what_the_rules_say(pattern: list[str], path: list[str]) -> None:
    written = "/".join("*" if part.strip("*") == "" and part != "**" else part for part in pattern)
    expected = by_definition(written.split("/"), path)
    assert [*Globs([f"/{written}"]).matching(names("/".join(path)))] == ([0] if expected else [])


@given(st.lists(st.text("ab*?/", min_size=1, max_size=6), max_size=5), paths)
def test_patterns_do_not_disturb_each_other(some: list[str], path: list[str]) -> None:
    alone = [number for number, each in enumerate(some) if [*Globs([each]).matching(names("/".join(path)))]]
    assert [*Globs(some).matching(names("/".join(path)))] == alone


@given(st.text(max_size=12), st.lists(st.binary(min_size=1, max_size=6), max_size=4), st.booleans())
def test_whatever_is_written_is_a_pattern_or_a_mistake(text: str, path: list[bytes], folder: bool) -> None:
    try:
        made = Globs([text])
    except ValueError as error:
        assert str(error)
        return
    assert [*made.matching(tuple(path), folder=folder)] in ([], [0])
    if path:
        covered = made.cover(tuple(path), folder=folder)
        assert made.covering(tuple(path[:-1]))(path[-1], folder) is covered


# -- what it costs --------------------------------------------------------------------------------------------


class Steps:
    """Counts the lines of the room that are run."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Steps:
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, _event: str, _what: object) -> Any:
        return self._line if frame.f_code.co_filename == globs.__file__ else None

    def _line(self, _frame: FrameType, event: str, _what: object) -> Any:
        self.count += event == "line"
        return self._line


def steps(patterns: list[str], path: Names) -> int:
    made = Globs(patterns)
    with Steps() as counted:
        made.cover(path, folder=False)
        all(True for _ in made.matching(path))
    return counted.count


HOSTILE = [
    "a*" * 100 + "b",
    "*a" * 100,
    "**/" * 50 + "b",
    "*/**/" * 40 + "b",
    "?*" * 100 + "b",
    "[ab]*" * 50 + "c",
    "{a,aa}*" * 5 + "c",
    "/".join(["*a*a*", "**"] * 20),
]


@pytest.mark.attack(47)
@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_pattern_makes_a_path_cost_more(pattern: str) -> None:
    """Each character of a path is one step, whatever the pattern is: twice the path is twice the steps."""
    path = (b"a" * 500, b"aa") * 4
    plain = steps(["x"], path)
    assert steps([pattern], path) <= plain + 100
    assert steps([pattern], path * 2) <= 2 * plain + 200
    assert plain <= 10 * 2 * sum(len(name) + 1 for name in path) + 100


@pytest.mark.attack(47)
def test_a_thousand_patterns_are_looked_at_at_once() -> None:
    path = (b"a" * 500,)
    assert steps([f"{number}*a*b" for number in range(1000)], path) <= steps(["x"], path) + 4 * 1000


@pytest.mark.attack(47)
@pytest.mark.parametrize(
    "pattern",
    ["{a,b}" * 40, "{,}" * 2000, "{" + "a," * 5000 + "b}" + "c" * 100, "a" * 9000, "{a,b}{c,d}" * 7],
)
def test_choices_that_are_too_many_are_not_even_begun(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(globs, "product", pytest.fail)
    with pytest.raises(ValueError, match="more than 8192 characters together"):
        Globs([pattern])


def test_all_patterns_together_are_bounded() -> None:
    limits = FileLimits(globs=100)
    Globs(["a" * 40, "b" * 40], limits)
    with pytest.raises(ValueError, match="more than 100 characters together"):
        Globs(["a" * 40, "b" * 40, "c" * 40], limits)
