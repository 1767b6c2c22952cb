"""docs/seeing.md and its Chinese sister: the programs run, the excerpts are of the examples, the pictures are there and small."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from poise.cli.main import parser
from tests.seeing.test_watch import Viewer
from tests.support.program import program

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = (
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("seeing.md", "seeing.zh-CN.md")
)
BLOCK = re.compile(r"^```python\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = {name: code for name, code in BLOCK.findall(ENGLISH) if "/" not in name}
EXCERPTS = [(name, code) for name, code in BLOCK.findall(ENGLISH) if "/" in name]
COMMAND = re.compile(r"^poise (.*?)(?:\s+#.*)?$", re.MULTILINE)
PICTURE = re.compile(r"!\[[^]]+\]\(([^)]+)\)")
PICTURE_BYTES = 110_000  # what a reader waits for on a slow line


def test_every_block_of_python_is_a_program_or_a_part_of_an_example() -> None:
    assert ENGLISH.count("```python\n") == len(PROGRAMS) + len(EXCERPTS)
    assert {*PROGRAMS} == {"watched.py", "watched_asyncio.py"}
    for name, code in EXCERPTS:
        assert f"\n{code}" in (ROOT / name).read_text(encoding="utf-8"), code


def test_the_chinese_page_has_the_same_cases() -> None:
    assert BLOCK.findall(CHINESE) == EXCERPTS
    cases = re.compile(r"^(?:python3 -m examples|curl|nc|printf).*", re.MULTILINE)
    assert cases.findall(CHINESE) == cases.findall(ENGLISH)


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_what_it_shows_can_be_typed(page: str) -> None:
    commands = COMMAND.findall(page)
    assert len(commands) >= 3
    for words in commands:
        parser().parse_args(words.split())


def test_the_pictures_are_there_and_small_and_all_are_shown() -> None:
    shown = {*PICTURE.findall(ENGLISH), *PICTURE.findall(CHINESE)}
    assert shown == {f"seeing/{file.name}" for file in (ROOT / "docs" / "seeing").iterdir()}
    for name in shown:
        data = (ROOT / "docs" / name).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < PICTURE_BYTES, name


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_links_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", page)
    assert targets
    for target in targets:
        assert (ROOT / "docs" / target).exists(), target


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize(("name", "loop"), [("watched.py", "poise"), ("watched_asyncio.py", "asyncio")])
def test_its_programs_can_be_watched(name: str, loop: str) -> None:
    with program([sys.executable, "-c", PROGRAMS[name]]) as running:
        viewer = Viewer(running.line())
        assert viewer.told("hello")["loop"] == loop
        assert viewer.told("state")["level"] in ("off", "recorder")
        viewer.close()
