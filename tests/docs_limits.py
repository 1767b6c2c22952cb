"""Writes the chapter *Limits* of docs/design.md from poise/limits/: ``python3 -m tests.docs_limits``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from poise import limits
from poise.cli.options import variable
from poise.limits import KIB, MIB, Checked, Limit, exercises, lab, seeing

PAGE = Path(__file__).parents[1] / "docs" / "design.md"
BEGIN, END = "<!-- limits: begin -->", "<!-- limits: end -->"


def families() -> list[type[Checked]]:
    """The limits of each room, in the order in which they stand in their modules."""
    found = {
        member
        for room in (limits, seeing, lab, exercises)  # a server starts without the latter
        for member in vars(room).values()
        if inspect.isclass(member) and issubclass(member, Checked) and member is not Checked
    }
    return sorted(found, key=lambda family: (family.__module__, inspect.getsourcelines(family)[1]))


def chapter() -> str:
    parts = []
    for family in families():
        subject, _, rest = (inspect.getdoc(family) or "").partition("\n")
        parts += [f"### {subject.rstrip('.')}", ""]
        parts += [rest.strip(), ""] if rest.strip() else []
        parts += ["| limit | default | option and variable | why |", "|---|---|---|---|"]
        parts += [row(spec) for spec in family.LIMITS.values()]
        parts.append("")
    return "\n".join(parts)


def row(spec: Limit) -> str:
    option = spec.option
    value: Any = spec.default
    default = shown(value, spec.unit)
    public = f"`--{option}` `{variable(option)}`" if option else ""
    reason = spec.reason.replace("|", "\\|")
    return f"| {spec.name.replace('_', ' ')} | {default} | {public} | {reason} |"


def shown(value: float, unit: str) -> str:
    """``65536, "bytes"`` is ``64 KiB``."""
    if unit == "bytes":
        for name, size in (("MiB", MIB), ("KiB", KIB)):
            if value and value % size == 0:
                return f"{value // size:,} {name}"
    return f"{value:,g} {unit}" if isinstance(value, float) else f"{value:,} {unit}"


def renewed(page: str) -> str:
    """The page with the chapter as it should be. Raises ValueError when the page has lost its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{chapter()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
