"""The files of the lab's page keep the rules that the live view's live under, and its texts are there in both languages."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from poise.lab import calls
from poise.lab.experiments import EXPERIMENTS
from poise.lab.page_texts import CHINESE, ENGLISH, TEXTS
from poise.lab.server import FOLDER, files
from tests.architecture import LONGEST_ROOM
from tests.lab import languages
from tests.seeing.page.test_page_files import OPTIONS, TYPESCRIPT
from tests.support.npm import package

PAGE = Path(FOLDER)
OURS = sorted(file for file in PAGE.iterdir() if file.is_file())
SCRIPTS = [file for file in OURS if file.suffix == ".js"]
ASSEMBLED = (
    "lab.refused.",
    "lab.done.",
    "lab.state.",
    "lab.film.",
    "lab.step.",
    "lab.object.",
    "lab.operand.",
    "lab.rule.",
)
"""Ids whose end comes from what is shown."""
TITLES = ("lab.predict", "lab.run", "lab.see", "lab.motion", "lab.change", "lab.learn", "lab.keep")


def source() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in (*SCRIPTS, PAGE / "index.html"))


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_a_file_is_not_too_long(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST_ROOM


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_a_module_opens_with_what_it_is_about_and_makes_no_markup(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("/**")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    links = re.findall(r'(?:src|href)="([^"#][^"]*)"', page)
    assert links
    assert set(links) <= files().keys()
    for style in PAGE.glob("*.css"):
        assert "url(" not in style.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_what_a_module_imports_is_served(file: Path) -> None:
    served = files()
    for path in re.findall(r'^import .*?from "([^"]+)";', file.read_text(encoding="utf-8"), re.MULTILINE):
        found = (PAGE / path).resolve()
        room = "/lab/page/" if found.parent == PAGE.resolve() else "/seeing/page/"
        assert room + found.name in served, path


@pytest.mark.slow
def test_the_types_are_right(tmp_path: Path) -> None:
    compiler = package("typescript", TYPESCRIPT) / "bin" / "tsc"
    about = {"compilerOptions": OPTIONS, "files": [str(file) for file in SCRIPTS]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(about))
    done = subprocess.run(
        ["node", compiler, "-p", tmp_path], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0


# -- texts --------------------------------------------------------------------------------------------------


def test_both_languages_have_the_same_ids() -> None:
    assert ENGLISH.keys() == CHINESE.keys()
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()


@pytest.mark.parametrize("text_id", ENGLISH)
def test_both_languages_have_the_same_gaps(text_id: str) -> None:
    gaps = [sorted(set(re.findall(r"\{(\w+)\}", texts[text_id]))) for texts in (ENGLISH, CHINESE)]
    assert gaps[0] == gaps[1]


def test_each_text_is_in_its_own_language() -> None:
    own = [{"en": ENGLISH[name], "zh": CHINESE[name]} for name in ENGLISH]
    words = [text._asdict() for texts in (calls.DOES, calls.WHY, calls.WHO) for text in texts.values()]
    assert languages.faults([own, words]) == []


def test_one_word_for_one_thing() -> None:
    """A server is 服务器, except where the notes are quoted; what a program waits for is 关注, as in the notes."""
    said = "\n".join(CHINESE.values())
    assert not re.search("服务端|关心|标记", said)
    assert "关注" in CHINESE["lab.step.mark"]


def test_every_text_that_the_page_asks_for_is_there() -> None:
    asked = set(re.findall(r"""["'`](lab\.[\w.]+?)["'`]""", source())) - {"lab.json"}
    assert len(asked) > 60
    assert sorted(asked - TEXTS["en"].keys()) == []


def test_every_text_is_asked_for() -> None:
    text = source()
    assembled = (*ASSEMBLED, *TITLES)
    unused = [name for name in ENGLISH if f'"{name}"' not in text and not name.startswith(assembled)]
    assert unused == []


def test_every_state_of_a_span_has_a_word(run: object) -> None:
    figure = getattr(run, "result")["figure"]  # noqa: B009 - the fixture's type is of another folder
    states = {span["state"] for row in (figure["rows"] if figure else []) for span in row["spans"]}
    assert {f"lab.state.{state}" for state in states} <= ENGLISH.keys()


def test_every_call_and_every_name_of_a_run_has_a_word(run: object) -> None:
    result = getattr(run, "result")  # noqa: B009
    assert {each["call"] for each in result["events"]} <= calls.DOES.keys()
    names = {part for each in result["events"] for part in each["who"].split(", ")}
    sources = {
        model for experiment in EXPERIMENTS.values() for model in (*experiment.models, *experiment.sources)
    }
    variants = {
        variant.who.split(", ")[1] for experiment in EXPERIMENTS.values() for variant in experiment.variants
    }
    said = calls.WHO.keys() | sources | variants
    assert {name for name in names - said if not re.match(r"[\d.]+ |pause |recv\(|UDP", name)} == set()


def test_every_error_of_a_run_is_explained(run: object) -> None:
    result = getattr(run, "result")  # noqa: B009
    errors = {each["error"].partition(":")[0] for each in result["events"]} - {""}
    assert errors <= calls.WHY.keys()
