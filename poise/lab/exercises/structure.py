"""What can be read from a learner's file without running it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import NamedTuple

MARK = re.compile(r"#\s*poise-exercise:\s*([\w-]+)")
TELLING = frozenset(
    {
        "accept", "recv", "recvfrom", "recv_into", "send", "sendall", "sendto", "connect", "select", "poll", "input", "sleep",
        "read", "readline", "join", "wait", "register", "modify", "unregister", "decode", "remove", "getpeername", "bind",
        "index", "pop", "close",
    }
)  # fmt: skip
"""Calls that a learner knows, and that a program may hang in or fail in."""
WAITS = frozenset(
    {"accept", "recv", "recvfrom", "recv_into", "send", "sendall", "sendto", "connect", "input", "sleep"}
)


class Use(NamedTuple):
    """A module that is imported, and where."""

    module: str
    line: int


class Source:
    """A learner's file, as it was read. A file that does not compile has no tree, and running it will tell why."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.splitlines()
        self.tree: ast.Module | None = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the learner hears of them when the program runs
            try:
                self.tree = ast.parse(text)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                pass

    @property
    def exercise(self) -> str:
        """What its mark says; empty without one."""
        found = MARK.search(self.text)
        return found[1] if found else ""

    @property
    def todo(self) -> list[int]:
        """The lines that say TODO."""
        return [number for number, line in enumerate(self.lines, 1) if "TODO" in line]

    def line(self, number: int) -> str:
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def imports(self, modules: frozenset[str]) -> Iterator[Use]:
        """Those of ``modules`` that it imports."""
        for node in ast.walk(self.tree) if self.tree is not None else ():
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            for name in names:
                if name in modules or name.partition(".")[0] in modules:
                    yield Use(name, node.lineno)
                    break

    def call(self, number: int) -> str:
        """The call in a line that a program can hang in or fail in, by its last name: ``recv``; empty for none."""
        for node in ast.walk(self.tree) if self.tree is not None else ():
            if isinstance(node, ast.Call) and node.lineno <= number <= (node.end_lineno or node.lineno):
                name = last_name(node.func)
                if name in TELLING:
                    return name
        return ""


def last_name(node: ast.expr) -> str:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""
