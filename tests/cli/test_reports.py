"""What a command was asked to report is written, or the command has failed and says so: nothing is lost in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from poise.cli.main import CANNOT_START, main
from poise.net import lan
from tests.support.discovery import free_port, loopback
from tests.support.full import no_reader, no_room

SAID = "poise: cannot write what there is to say: No space left on device\n"
REPORTS = [
    "check",
    "check --json",
    "lab list",
    "lab list --json",
    "lab run masks --predict 1",
    "man",
    "completions fish",
]


@pytest.fixture(autouse=True)
def in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("POISE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", REPORTS)
def test_a_report_for_which_there_is_no_room_has_failed(
    words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with no_room():
        assert main(words.split()) == CANNOT_START
    assert capfd.readouterr().err == SAID


@pytest.mark.slow
def test_a_run_is_not_lost_in_silence_and_what_can_be_kept_is(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with no_room():
        assert main(["lab", "run", "masks", "--json", "--out", str(tmp_path / "kept")]) == CANNOT_START
    kept, *said = capfd.readouterr().err.splitlines(keepends=True)
    assert kept.startswith("poise: kept: ")
    assert said == [SAID]
    assert (tmp_path / "kept" / "masks.json").exists()


def test_nor_is_an_exercise_that_was_checked(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with no_room():
        assert main(["lab", "exercises", str(tmp_path / "all")]) == CANNOT_START
        (tmp_path / "own.py").write_text("# poise-exercise: select\n")
        assert main(["lab", "check", str(tmp_path / "own.py")]) == CANNOT_START
    assert capfd.readouterr().err == SAID * 2


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_nor_is_who_was_found(
    words: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    link = loopback()
    monkeypatch.setattr(lan, "interfaces", lambda: [link])
    asked = ["find", "--discovery-port", str(free_port()), "--timeout", "0.1", *words]
    with no_room():
        code = main(asked)
    # Nobody is there. A table of nobody is empty, and that can be written anywhere.
    assert (code, capfd.readouterr().err == SAID) == ((CANNOT_START, True) if words else (0, False))


def test_a_reader_that_has_seen_enough_is_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with no_reader():
        assert main(["lab", "list"]) == 0
    assert capfd.readouterr().err == ""
