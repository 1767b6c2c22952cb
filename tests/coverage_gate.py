"""Holds the measured coverage against the two gates: `python3 -m tests.coverage_gate`, after the tests.

Lines and branches count together. Rooms that decide what happens to somebody's bytes are measured whole; the rest of
the package has a little air for what only another platform runs. What is excluded is listed in pyproject.toml, and
an exclusion in the code carries its reason on the line.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from coverage import Coverage
from coverage.exceptions import NoDataError

GATES: tuple[tuple[str, float], ...] = (
    ("poise", 95.0),
    ("poise/readiness", 100.0),
    ("poise/loop", 100.0),
    ("poise/wire", 100.0),
)


def shortfalls(coverage: Coverage, gates: tuple[tuple[str, float], ...] = GATES) -> list[str]:
    """One line for each gate that is not reached, with the report of its files beneath."""
    short = []
    for folder, wanted in gates:
        report = io.StringIO()
        try:
            reached = coverage.report(include=[f"{folder}/*"], file=report)
        except NoDataError:
            short.append(f"{folder}: nothing measured, {wanted:g} % wanted")
            continue
        print(f"coverage of {folder}: {reached:.2f} % of lines and branches, {wanted:g} % wanted")
        if reached < wanted:
            short.append(f"{folder}: {reached:.2f} %, {wanted:g} % wanted\n{report.getvalue()}")
    return short


def main() -> int:
    coverage = Coverage(config_file=str(Path(__file__).parents[1] / "pyproject.toml"))
    # The plug-in has combined what the workers wrote; servers that outlived it left files of their own.
    coverage.load()
    if any(Path().glob(".coverage.*")):
        coverage.combine(keep=False)
        coverage.save()
    short = shortfalls(coverage)
    print("\n".join(short), file=sys.stderr, end="\n" if short else "")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
