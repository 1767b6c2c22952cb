"""A Chinese reader reads the same program: no word of English is left in it, and no line of code differs."""

from __future__ import annotations

import ast
import io
import tokenize

import pytest

from poise.lab.chinese import COMMENTS, DOCSTRINGS, in_chinese
from poise.lab.describe import describe
from poise.lab.experiments import EXPERIMENTS
from poise.lab.models import MODELS
from tests.lab.languages import CHINESE

SOURCES = {name: model.source() for name, model in MODELS.items()}
VARIANTS = {
    variant["who"]: variant for each in EXPERIMENTS.values() for variant in describe(each)["variants"]
}
LAYOUT = (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)


def code(source: str) -> list[tuple[str, tuple[int, int]]]:
    """Every token of the program itself, with its line and column."""
    return [
        (token.string, token.start)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in LAYOUT and not token.string.startswith('"""')
    ]


def said(source: str) -> list[str]:
    """Its comments and docstrings."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return comments + [token.string for token in tokens if token.string.startswith('"""')]


@pytest.mark.parametrize("name", SOURCES)
def test_the_code_is_the_same_line_by_line(name: str) -> None:
    told = in_chinese(SOURCES[name])
    assert code(told) == code(SOURCES[name])
    assert told.count("\n") == SOURCES[name].count("\n")
    assert told != SOURCES[name]


@pytest.mark.parametrize("name", SOURCES)
def test_nothing_is_left_in_english(name: str) -> None:
    assert [each for each in said(in_chinese(SOURCES[name])) if not CHINESE.search(each)] == []


@pytest.mark.parametrize("who", VARIANTS)
def test_the_line_that_was_changed_keeps_its_number(who: str) -> None:
    variant = VARIANTS[who]
    changed = variant["chinese"].splitlines()[variant["line"] - 1]
    assert variant["after"].partition("  #")[0] in changed
    assert variant["chinese_before"].partition("  #")[0] == variant["before"].partition("  #")[0]
    assert "#" not in variant["before"] or CHINESE.search(variant["chinese_before"])
    assert code(variant["chinese"]) == code(variant["source"])


def test_every_translation_is_of_something() -> None:
    comments = {each.lstrip("# ") for source in SOURCES.values() for each in said(source)}
    assert sorted(COMMENTS.keys() - comments) == []
    endings = {
        (ast.get_docstring(node) or "").rpartition("\n")[2].strip()
        for source in SOURCES.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
    }
    assert sorted(DOCSTRINGS.keys() - endings) == []
