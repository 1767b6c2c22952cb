"""docs/sites.md says what is so: its files are read, its messages appear, its table is complete."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from poise.cli.command import Command
from poise.cli.config import keys
from poise.cli.main import add_serve, main
from poise.cli.settings import Settings
from poise.cli.site_table import DESTS, SiteTable
from poise.files.globs import Globs
from tests.support.program import ROOT

PAGE = (ROOT / "docs" / "sites.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("POISE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_its_first_file_can_be_found(capfd: pytest.CaptureFixture[str]) -> None:
    Path("poise.toml").write_text(FILES[0])
    Path("lost.html").touch()
    assert main(["check"]) == 0
    assert f"$ poise check\n{capfd.readouterr().out}" in PAGE


def test_its_mistakes_are_told_like_this(capfd: pytest.CaptureFixture[str]) -> None:
    text = FILES[0].replace("clean-urls", "clean-url").replace('"1h"', '"soon"')
    Path("poise.toml").write_text(text)
    assert main(["check"]) == 1
    assert f"$ poise check\n{capfd.readouterr().out}" in PAGE


def test_its_second_file_can_be_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert len(FILES) == 2
    Path("site.toml").write_text(FILES[1])
    Path("public").mkdir()
    Path("public/index.html").touch()
    assert main(["check", "--config", "site.toml"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 8


def test_its_table_has_every_setting_with_its_option_and_variable() -> None:
    command = Command(prog="poise serve")
    add_serve(command)
    for key in SiteTable(Settings("", "", named=True), ()).keys:
        assert f"`{key}`" in PAGE or f"`[site.{key}]`" in PAGE, key
    for action in command._actions:
        if action.dest in DESTS and action.option_strings != ["--listing"]:
            assert f"`{action.option_strings[0]}`" in PAGE
    for option in re.findall(r"`(--[a-z-]+)[ =`]", PAGE):
        assert option in command._option_string_actions
    for variable in re.findall(r"`POISE_([A-Z_]+)`", PAGE):
        assert "--" + variable.lower().replace("_", "-") in command._option_string_actions
    assert "port" in dict(keys(command))


def test_its_patterns_are_some() -> None:
    table = PAGE[PAGE.index("| pattern | is |") :].partition("\n\n")[0]
    found = [
        pattern for row in table.splitlines()[2:] for pattern in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]
    assert len(found) == 13
    Globs(found)
