"""The project's own papers: what they promise must be so."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests import docs_limits

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def python_files() -> list[Path]:
    return [file for folder in ("poise", "tests", "bench") for file in sorted((ROOT / folder).rglob("*.py"))]


def test_poise_needs_nothing_at_run_time() -> None:
    assert PROJECT["project"]["name"] == "poise"
    assert PROJECT["project"]["dependencies"] == []
    assert PROJECT["project"]["requires-python"] == ">=3.11"


def test_no_requirement_is_pinned() -> None:
    for extra in PROJECT["project"]["optional-dependencies"].values():
        assert [name for name in extra if not re.fullmatch(r"[a-z0-9-]+(; .+)?", name)] == []


def test_the_limits_in_the_design_page_are_those_of_the_code() -> None:
    page = docs_limits.PAGE.read_text(encoding="utf-8")
    assert docs_limits.renewed(page) == page, "run `make docs`"


def test_a_changed_limit_would_be_noticed() -> None:
    page = docs_limits.renewed(docs_limits.PAGE.read_text(encoding="utf-8"))
    stale = page.replace("| backlog | 1,024 connections |", "| backlog | 5 connections |")
    assert stale != page
    assert docs_limits.renewed(stale) == page


def test_a_design_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="has no"):
        docs_limits.renewed("# A page\n")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (65536, "bytes", "64 KiB"),
        (3 << 20, "bytes", "3 MiB"),
        (2048 << 20, "bytes", "2,048 MiB"),
        (1000, "bytes", "1,000 bytes"),
        (0, "bytes", "0 bytes"),
        (0.1, "seconds", "0.1 seconds"),
        (10_000, "entries", "10,000 entries"),
    ],
)
def test_limits_are_shown_in_units_for_people(value: float, unit: str, text: str) -> None:
    assert docs_limits.shown(value, unit) == text


def test_an_exclusion_from_coverage_has_its_reason_on_the_line() -> None:
    pragma = re.compile(r"#\s*pragma:\s*no (?:cover|branch)(?! - \S)")
    bare = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in python_files()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if pragma.search(line)
    ]
    assert bare == []


def test_numbered_tests_name_a_pitfall_or_an_attack_case_that_is_listed() -> None:
    listed = {
        "pitfall": numbers(r"^(\d+)\. ", "docs/pitfalls.md"),
        "attack": numbers(r"^\| (\d+)(?: ○)? \|", "SECURITY.md"),
    }
    assert listed["pitfall"] == set(range(1, 61))
    assert listed["attack"] == set(range(1, 48))
    for file in python_files():
        for kind, arguments in re.findall(
            r"mark\.(pitfall|attack)\(([\d, ]+)\)", file.read_text(encoding="utf-8")
        ):
            unknown = {int(number) for number in re.findall(r"\d+", arguments)} - listed[kind]
            assert not unknown, f"{file.name}: {kind} {unknown} is not in the list"


def numbers(pattern: str, page: str) -> set[int]:
    return {
        int(number) for number in re.findall(pattern, (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    }


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.name
)
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_every_target_of_the_makefile_is_described_at_its_top() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(re.findall(r"^#   make ([a-z-]+) ", text, re.MULTILINE))


def test_the_build_script_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_the_package_compiles_without_a_warning() -> None:
    """SyntaxWarnings appear only when a file is compiled, which a cached import hides."""
    for file in python_files():
        compile(file.read_text(encoding="utf-8"), file, "exec", dont_inherit=True)
    assert sys.version_info >= (3, 11)
