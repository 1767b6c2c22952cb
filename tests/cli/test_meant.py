"""What somebody meant who has typed what there is not: said, and never done on a guess."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from poise.cli import meant, options
from poise.cli.main import main, parser


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options.read_environment, "__defaults__", ({},))


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a usage error says."""
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(words)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1].partition("error: ")[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--prot", "80"], "unknown: --prot; did you mean --port?"),
        (["serve", "--cahce=x"], "unknown: --cahce=x; did you mean --cache?"),
        (["serve", "-b", "0.0.0.0"], "unknown: -b; did you mean --host?"),
        (["serve", ".", "there", "--qrcode"], "unknown: there --qrcode; did you mean --qr?"),
        (["serve", "-d", "there"], "unknown: -d; the folder stands by itself: poise serve DIR"),
        (["serve", ".", "8080"], "unknown: 8080; a port is given with --port 8080"),
        (["serve", ".", "there"], "unknown: there; poise serve --help-all lists what there is"),
        (["check", "--prot", "80"], "unknown: --prot 80; did you mean --port?"),
        (["find", "--quiet"], "unknown: --quiet; poise find --help lists what there is"),
        (["find", "8080"], "unknown: 8080; poise find --help lists what there is"),
        (["find", "--dir"], "unknown: --dir; poise find --help lists what there is"),
    ],
)
def test_options(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = refused(capsys, *words)
    assert given.replace(" 80;", ";") == said.replace(" 80;", ";")


def test_what_others_call_it_is_an_option_here(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["serve", "--help-all"])
    known = set(re.findall(r"--?[a-zA-Z][a-z-]*", capsys.readouterr().out))
    assert set(meant.HABITS.values()) <= known


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("sevre", "did you mean poise serve?"),
        ("help", "did you mean poise --help?"),
        ("version", "did you mean poise --version?"),
        ("site", "to serve that folder: poise serve site"),
        ("jump", "there are serve, find, check, top, trace, replay, watch, lab, completions, man"),
    ],
)
def test_commands(
    word: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("site").mkdir()
    assert refused(capsys, word) == f"there is no command {word!r}; {said}"


def test_a_folder_whose_name_is_a_number_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "8080", "--port", "0"]) == 3
    assert (
        capfd.readouterr().err == "poise: there is no folder '8080' here; a port is given with --port 8080\n"
    )
    Path("8080").mkdir()
    meant.folder("8080")


def test_the_short_form_of_the_port() -> None:
    assert parser().parse_args(["serve", "-p", "0"]).port == 0
