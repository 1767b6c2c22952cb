"""The page's files keep the rules that the page lives under."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture import LONGEST_ROOM
from tests.seeing.page.fake_feed import PAGE
from tests.support.npm import package

VENDOR = PAGE / "vendor"
OURS = sorted(file for file in PAGE.iterdir() if file.is_file())
TYPESCRIPT = "7.0.2"
UPLOT = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot-LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
"""Version 1.6.32, as it was published."""
OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "noImplicitReturns": True,
    "target": "es2022",
    "module": "es2022",
    "moduleResolution": "bundler",
    "lib": ["es2023", "dom", "dom.iterable"],
    "types": [],
}


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_a_file_is_not_too_long(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST_ROOM


@pytest.mark.parametrize("file", [file for file in OURS if file.suffix == ".js"], ids=lambda file: file.name)
def test_a_module_opens_with_what_it_is_about_and_makes_no_markup(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("/**")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    links = re.findall(r'(?:src|href)="([^"#][^"]*)"', page)
    assert links
    for link in links:
        assert (PAGE / link.removeprefix("/page/")).is_file(), link
    for style in PAGE.glob("*.css"):
        assert "url(" not in style.read_text(encoding="utf-8")


def test_every_id_that_a_module_looks_for_is_on_the_page() -> None:
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    there = re.findall(r'\sid="([^"]+)"', page)
    assert len(there) == len(set(there))
    asked = {
        name
        for file in PAGE.glob("*.js")
        for name in re.findall(r'byId\("([^"]+)"\)', file.read_text(encoding="utf-8"))
    }
    assert asked
    assert sorted(asked - set(there)) == []


@pytest.mark.parametrize("name", UPLOT)
def test_what_others_wrote_is_as_they_published_it(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == UPLOT[name]


@pytest.mark.slow
def test_the_types_are_right(tmp_path: Path) -> None:
    compiler = package("typescript", TYPESCRIPT) / "bin" / "tsc"
    about = {"compilerOptions": OPTIONS, "files": [str(file) for file in OURS if file.suffix == ".js"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(about))
    done = subprocess.run(
        ["node", compiler, "-p", tmp_path], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0
