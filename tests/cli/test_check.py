"""``poise check``: every mistake at once, or what counts and where it comes from."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from poise.cli.check import as_words
from poise.cli.checking import EXAMPLES
from poise.cli.main import main
from poise.files.fieldrules import FieldRule


@pytest.fixture(autouse=True)
def in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("POISE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def check(capfd: pytest.CaptureFixture[str]) -> Any:
    """Run it; the lines that it prints, the last of which is followed by the exit code."""

    def run(*words: str, code: int = 0) -> list[str]:
        assert main(["check", *words]) == code
        said = capfd.readouterr()
        assert said.err == ""
        return said.out.splitlines()

    return run


def write(text: str, name: str = "poise.toml") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_without_a_file_and_a_word_all_is_default(check: Any) -> None:
    assert check() == ["no file of settings; every setting has its default"]


def test_mistakes_are_told_all_at_once_and_nothing_else(check: Any) -> None:
    write('prot = 1\n[site]\nhide = ["a", "b["]\n')
    assert check(code=1) == [
        "poise.toml:1:1: there is no setting prot; did you mean port?",
        "poise.toml:3:14: 'b[': '[' without its ']' (character 2); for the character itself write \\[",
        "2 mistakes; nothing would be started",
    ]
    write("x = ")
    assert check(".", code=1)[-1] == "one mistake; nothing would be started"
    assert check("--no-config")[0].startswith("no file")


def test_where_each_setting_comes_from(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        'port = 1\nlan = true\nmax-head = "64K"\n[site]\nhide = ["a"]\nlisting = false\nspa = "x.html"\n',
        "a.toml",
    )
    write("", "x.html")
    monkeypatch.setenv("POISE_MAX_HEAD", "32K")
    monkeypatch.setenv("POISE_HIDE", "b\nc")
    monkeypatch.setenv("POISE_OPEN", "1")
    monkeypatch.setenv("POISE_DOTFILES", "no")
    lines = check("--config", "a.toml", "--hide", "d", "--port", "2", "--cors", ".")
    assert lines[0] == "a.toml has no mistakes; what counts:"
    assert [re.split(r" {2,}", line.strip()) for line in lines[1:]] == [
        ["--no-listing", "yes", "a.toml:6:1"],
        ["--host", "(all interfaces)", "a.toml:2:1"],
        ["--port", "2", "typed"],
        ["--spa", "x.html", "a.toml:7:1"],
        ["--cors", "*", "typed"],
        ["--hide", "a", "a.toml:5:1 + POISE_HIDE + typed"],
        ["b"],
        ["c"],
        ["d"],
        ["--open", "yes", "POISE_OPEN"],
        ["--max-head", "32768", "POISE_MAX_HEAD"],
    ]


def test_what_a_found_file_cannot_say_is_told_and_is_no_mistake(check: Any) -> None:
    write("port = 1\n[site]\nhide = 'x'\n", "site/poise.toml")
    for words in (("site",), ("site/poise.toml",)):
        first, second, *rows = check(*words)
        assert first == (
            "site/poise.toml:1:1: port has no effect in a file that was only found; it counts in one that is named: "
            "--config site/poise.toml"
        )
        assert second == "site/poise.toml has no mistakes; what counts:"
        assert [row.split() for row in rows if "DIR" not in row] == [["--hide", "x", "site/poise.toml:3:1"]]
    assert "  --port  1     site/poise.toml:1:1" in check("--config", "site/poise.toml", "site")


def test_a_file_of_another_name_is_taken_for_one_that_is_named(check: Any) -> None:
    write("port = 1\ndir = 'public'\n", "conf/a.toml")
    assert check("conf/a.toml", code=1)[0].startswith(
        "conf/a.toml:2:1: cannot serve the folder 'conf/public'"
    )
    Path("conf/public").mkdir()
    assert check("conf/a.toml")[1:] == [
        "  DIR     conf/public  conf/a.toml:2:1",
        "  --port  1            conf/a.toml:1:1",
    ]
    write("port = 1\n", "b.toml")
    assert check("b.toml")[1:] == ["  --port  1  b.toml:1:1"]


def test_it_looks_whether_what_is_named_is_there(check: Any) -> None:
    write(
        '[site]\nspa = "app.html"\n[site.error-pages]\n404 = "lost.html"\n5xx = "sub"\n410 = ""\n',
        "site/poise.toml",
    )
    write("", "site/sub/x")
    assert check("site", code=1) == [
        "site/poise.toml:2:1: there is no file 'app.html' in the folder that is served",
        "site/poise.toml:4:1: there is no file 'lost.html' in the folder that is served",
        "site/poise.toml:5:1: there is no file 'sub' in the folder that is served",
        "3 mistakes; poise serve says so, and starts",
    ]
    Path("site/app.html").symlink_to("../outside.html")
    write("", "outside.html")
    write("", "site/lost.html")
    write('[site]\nspa = "app.html"\nhide = "lost.*"\nerror-pages.404 = "lost.html"\n', "site/poise.toml")
    assert check("site", code=1)[:-1] == [
        "site/poise.toml:2:1: there is no file 'app.html' in the folder that is served"
    ]
    assert (
        check("site", "--spa=other.html", code=1)[0]
        == "site: there is no file 'other.html' in the folder that is served"
    )
    assert check("away", code=1)[0].startswith("away: cannot serve the folder 'away'")


def test_it_looks_whether_keys_can_be_read(check: Any) -> None:
    assert (
        check("--tls-cert", "none.pem", code=1)[0] == ".: the file 'none.pem' is not there, or cannot be read"
    )
    write("tls-cert = 'cert.pem'\ntls-key = 'none.pem'\n", "conf/a.toml")
    write("", "conf/cert.pem")
    assert check("--config", "conf/a.toml", code=1)[0] == (
        "conf/a.toml:2:1: the file 'conf/none.pem' is not there, or cannot be read"
    )
    write("", "conf/none.pem")
    assert check("--config", "conf/a.toml")[0] == "conf/a.toml has no mistakes; what counts:"


def test_it_finds_what_serve_would_refuse(check: Any) -> None:
    write("", "a.pem")
    write("", "b.pem")
    both = "--tls self makes a certificate, --tls-cert names one: give one of them"
    alone = "--tls-key needs --tls-cert, the certificate that the key belongs to"
    assert check("--tls", "self", "--tls-cert", "a.pem", code=1)[0] == f".: {both}"
    assert check("--tls-key", "b.pem", code=1)[0] == f".: {alone}"
    assert check("--tls", "self", "--tls-key", "b.pem", code=1)[0] == f".: {alone}"
    write('tls = "self"\ntls-cert = "a.pem"\nlog = "no/log"\n', "a.toml")
    assert check("--config", "a.toml", code=1)[:2] == [
        f"a.toml:2:1: {both}",
        "a.toml:3:1: the log 'no/log' cannot be written",
    ]
    assert check("--log", "new.log")[0] == "no file of settings; what counts:"


def test_a_page_that_a_found_file_may_not_show(check: Any) -> None:
    write('[site]\nindex = ".env"\nerror-pages.404 = ".ssh/key"\n', "site/poise.toml")
    assert check("site", code=1) == [
        "site/poise.toml:2:1: '.env' is hidden, and a file of settings that was only found cannot show it",
        "site/poise.toml:3:13: '.ssh/key' is hidden, and a file of settings that was only found cannot show it",
        "2 mistakes; poise serve says so, and starts",
    ]


def test_patterns_that_only_together_are_too_many(check: Any) -> None:
    write("[site]\nhide = [" + ", ".join(f'"{number:05}"' for number in range(2000)) + "]")
    assert "more than 8192 characters together" in check(code=1)[0]


def test_all_shows_the_defaults_too(check: Any) -> None:
    lines = check("--all", "--port", "1")
    assert len(lines) > 50
    assert any(re.fullmatch(r"  --port +1 +typed", line) for line in lines)
    assert any(re.fullmatch(r"  --max-head +32768 +default", line) for line in lines)
    assert any(re.fullmatch(r"  --no-access-log +no +default", line) for line in lines)
    assert any(re.fullmatch(r"  DIR +\. +default", line) for line in lines)
    assert not any("--json" in line or "--config" in line or "--help" in line for line in lines)


def test_json_is_for_scripts(check: Any) -> None:
    write('port = 1\n[[headers]]\nfor = "*.js"\nvalues.X-A = "1"\n[site.error-pages]\n404 = ""\n')
    said = json.loads("\n".join(check("--json", "--hide", "a")))
    assert said["file"] == "poise.toml"
    assert said["mistakes"] == []
    [left_out] = said["left_out"]
    assert (left_out["file"], left_out["line"], left_out["column"]) == ("poise.toml", 1, 1)
    settings = {each["option"]: each for each in said["settings"]}
    assert settings["--port"] == {
        "option": "--port",
        "value": None,
        "sources": [{"kind": "default", "where": None}],
    }
    assert settings["--header"]["value"] == [{"for": "*.js", "name": "X-A", "value": "1"}]
    assert settings["--header"]["sources"] == [{"kind": "file", "where": "poise.toml:2:1"}]
    assert settings["--error-page"]["value"] == [["404", ""]]
    assert settings["--hide"]["sources"] == [{"kind": "typed", "where": None}]
    write("port = \n")
    said = json.loads("\n".join(check("--json", code=1)))
    [mistake] = said["mistakes"]
    assert (mistake["line"], mistake["file"]) == (1, "poise.toml")
    Path("poise.toml").unlink()
    said = json.loads("\n".join(check("--json", "--tls-cert", "none", code=1)))
    assert (said["file"], said["left_out"]) == (None, [])
    assert said["mistakes"][0]["line"] is None


def test_it_starts_nothing_and_says_what_serve_would_say(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", "--port", "x"])
    assert ended.value.code == 2
    assert "not 'x'" in capfd.readouterr().err


@pytest.mark.attack(24)
def test_no_value_reaches_the_terminal_raw(check: Any) -> None:
    write('site.hide = ["\\u001b(2J\\u202e"]\n[[headers]]\nfor = "\\u001b*"\nvalues.X-A = "1"\n')
    for line in check():
        assert line.isprintable()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "yes"),
        (False, "no"),
        (None, "–"),
        ([], "–"),
        ("", "(all interfaces)"),
        (1.5, "1.5"),
        (60.0, "60"),
        (65536, "65536"),
        (("404", "a"), "404=a"),
        (FieldRule("*", "X-A", ""), "*: X-A: "),
        ("\x1b", "'\\x1b'"),
    ],
)
def test_values_in_words(value: object, words: str) -> None:
    assert as_words(value) == words


def test_the_examples_of_its_help_are_right(check: Any) -> None:
    """What stands there as a file is a file; comments are what follows two blanks."""
    found = [line[2:] for line in EXAMPLES.splitlines() if re.match(r"  (\[|[\w\"-]+ = )", line)]
    text = "\n".join(re.sub(r" {2,}\S.*", "", line) for line in found)
    site, top = text[: text.index("dir =")], text[text.index("dir =") :]
    write(site, "found/poise.toml")
    for name in ("app.html", "lost.html", "public/x"):
        write("", f"found/{name}")
    assert check("found")[0] == "found/poise.toml has no mistakes; what counts:"
    assert len(check("found")) == 10
    write(top + "\n" + site, "found/named.toml")
    write("", "found/public/app.html")
    write("", "found/public/lost.html")
    assert len(check("--config", "found/named.toml")) == 13
