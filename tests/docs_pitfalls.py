"""Writes the table *Where each is tested* of docs/pitfalls.md from the markers in the tests: ``python3 -m tests.docs_pitfalls``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "pitfalls.md"
BEGIN, END = "<!-- where: begin -->", "<!-- where: end -->"
NUMBERS = range(1, 61)

# What has no test of its own number, and why.
WITHOUT: dict[int, str] = {
    57: "of Windows; this machine cannot show it",
}


def marked(marker: str = "pitfall") -> Iterator[tuple[int, Path]]:
    """``(number, file)`` for each ``@pytest.mark.pitfall(number)`` in the tests, on functions, classes and parameters."""
    for file in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == marker
            ):
                for argument in node.args:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, int):
                        yield argument.value, file.relative_to(ROOT)


def table() -> str:
    files: dict[int, list[Path]] = {}
    for number, file in marked():
        if file not in files.setdefault(number, []):
            files[number].append(file)
    lines = ["| pitfall | tests |", "|---|---|"]
    for number in NUMBERS:
        where = ", ".join(f"[{file.as_posix()}](../{file.as_posix()})" for file in files.get(number, ()))
        lines.append(f"| {number} | {where or WITHOUT.get(number, '')} |")
    return "\n".join(lines)


def renewed(page: str) -> str:
    """The page with the table as it should be. Raises ValueError when the page has lost its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
