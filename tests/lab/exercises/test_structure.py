"""What is read from a learner's file."""

from __future__ import annotations

import pytest

from poise.lab.exercises.structure import Source, Use

FORBIDDEN = frozenset({"asyncio", "selectors", "http.server"})


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("import socket, selectors\n", [Use("selectors", 1)]),
        ("\nimport asyncio.streams as s\n", [Use("asyncio.streams", 2)]),
        ("from http import server\n", [Use("http.server", 1)]),
        ("from http.server import HTTPServer\n", [Use("http.server", 1)]),
        ("def f():\n    from asyncio import run\n", [Use("asyncio", 2)]),
        ("import http.client\nfrom . import asyncio_not\nimport selectorsx\n", []),
        ("not Python at all\n", []),
    ],
)
def test_imports_are_found_wherever_they_stand(text: str, uses: list[Use]) -> None:
    assert list(Source(text).imports(FORBIDDEN)) == uses


@pytest.mark.parametrize(
    ("text", "line", "call"),
    [
        ("a = s.recv(1)\n", 1, "recv"),
        ("answer(c, c.recv(1))\n", 1, "recv"),
        ("select.select(\n    rlist,\n    [],\n)\n", 2, "select"),
        ("for n, e in p.poll():\n    x = 1\n", 1, "poll"),
        ("for n, e in p.poll():\n    x = 1\n", 2, ""),
        ("input()\n", 1, "input"),
        ("(lambda: 1)()\n", 1, ""),
        ("not Python at all\n", 1, ""),
    ],
)
def test_the_call_in_a_line_is_named(text: str, line: int, call: str) -> None:
    assert Source(text).call(line) == call


def test_marks_and_lines() -> None:
    source = Source("# poise-exercise: select\n\n  x = 1  # TODO\n")
    assert source.exercise == "select"
    assert source.todo == [3]
    assert (source.line(3), source.line(0), source.line(99)) == ("x = 1  # TODO", "", "")
    assert Source("x = 1\n").exercise == ""


@pytest.mark.parametrize("text", ["'\\d'\n", "x = " + "(" * 5000, "x = 1\0", "x = " + "-" * 10_000 + "1\n"])
def test_odd_files_are_read_without_a_word(text: str) -> None:
    assert isinstance(Source(text).call(1), str)
