"""The manual page: everything that can be typed is in it, and the formatters have nothing to say against it."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import poise
from poise.cli.main import main, parser
from poise.cli.man import man_page
from poise.cli.options import variable
from poise.cli.outline import outline


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "poise.1"
    path.write_text(man_page(parser()))
    return path


def formatted(*command: str) -> str:
    """What a formatter makes of the page, as plain text in single spaces; it must not complain."""
    path = shutil.which(command[0])
    if path is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([path, *command[1:]], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    plain = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    return re.sub(r"\s+", " ", re.sub(r"[-‐]\n\s*", "", plain.replace("‐", "-")))


def test_the_program_prints_it(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1768478400")
    assert main(["man"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out == man_page(parser())
    assert f'.TH POISE 1 "2026-01-15" "poise {poise.__version__}"' in out


def test_it_is_of_today_when_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert re.search(r'^\.TH POISE 1 "20\d\d-\d\d-\d\d" ', man_page(parser()), re.MULTILINE)


def test_everything_that_can_be_typed_is_in_it() -> None:
    text = re.sub(r"\s+", " ", re.sub(r"\\f[BIR]|\\&", "", man_page(parser())))
    text = text.replace("\\-", "-").replace("\\(aq", "'").replace("\\(ti", "~").replace("\\e", "\\")
    program = outline(parser())
    assert {"serve", "find", "completions", "man"} <= {command.name for command in program.commands}
    for command in (program, *program.commands):
        for argument in command.arguments:
            assert all(name in text for name in argument.names)
            assert " ".join(argument.help.split()) in text
    for heading in (
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "ENVIRONMENT",
        "FILES",
        "SIGNALS",
        "EXIT STATUS",
        "EXAMPLES",
    ):
        assert f".SH {heading}" in text
    for word in ("SIGUSR1", "SIGHUP", "POISE_MAX_HEAD", "NO_COLOR", "BROWSER", "logrotate"):
        assert word in text
    assert variable("--max-head") == "POISE_MAX_HEAD"


def test_groff_has_nothing_to_say_against_it(source: Path) -> None:
    text = formatted("groff", "-man", "-ww", "-Tutf8", "-P-c", str(source))
    assert "--log-format common|combined|json" in text
    assert 'eval "$(poise completions bash)"' in text
    assert "poise serve ~/Photos --lan" in text


def test_mandoc_has_nothing_to_say_against_it(source: Path) -> None:
    assert formatted("mandoc", "-T", "lint", "-W", "warning", str(source)).strip() == ""
    assert "--announce 'Our Photos'" in formatted("mandoc", "-T", "ascii", str(source))


def test_man_shows_it(source: Path) -> None:
    text = formatted("man", "-P", "cat", "-l", str(source))
    assert "poise - put a folder on the web" in text
    assert "--max-head" in text


def test_letters_that_roff_acts_on() -> None:
    odd = argparse.ArgumentParser(
        prog="poise", add_help=False, description="\n.SH a \\fB dot\n\n  'x' ~^`-\n"
    )
    commands = odd.add_subparsers()
    commands.add_parser("serve", add_help=False, epilog="examples:\n  .x\n\nmore")
    page = man_page(odd)
    assert "\n\\&.SH a \\efB dot\n" in page
    assert "\n  \\(aqx\\(aq \\(ti\\(ha\\(ga\\-\n" in page
    assert "\n  .x\n" in page
