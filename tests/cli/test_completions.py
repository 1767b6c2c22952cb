"""The completions, in the shells themselves: what Tab offers and what it fills in."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poise.cli.completions import completions
from poise.cli.main import main, parser
from poise.cli.outline import BRIEF, Argument, outline
from tests.support.terminal import Terminal, terminal

pytestmark = pytest.mark.slow
PROMPT = "ready> "


def shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder to complete names in, and a program called poise, which is never started."""
    for name in ("photos of us", "pho.d"):
        (tmp_path / name).mkdir()
    (tmp_path / "phone.pem").write_text("")
    (tmp_path / "poise").write_text("#!/bin/sh\n")
    (tmp_path / "poise").chmod(0o755)
    return tmp_path


def script(name: str, place: Path) -> Path:
    path = place / f".completions.{name}"
    path.write_text(completions(name, parser()))
    return path


# -- bash and zsh, at a prompt ------------------------------------------------------------------------------


@contextmanager
def bash(place: Path) -> Iterator[Terminal]:
    rc = place / ".bashrc"
    rc.write_text(
        f"PS1='{PROMPT}'; PATH={place}:$PATH; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'\n"
        f"source {script('bash', place)}\n"
    )
    command = [shell("bash"), "--noprofile", "--rcfile", str(rc), "-i"]
    with terminal(command, cwd=place, size=(200, 50)) as screen:
        screen.until(PROMPT)
        yield screen


@contextmanager
def zsh(place: Path) -> Iterator[Terminal]:
    (place / ".zshrc").write_text(
        f"PS1='{PROMPT}'; PATH={place}:$PATH; unsetopt beep promptsp zle_bracketed_paste; unset zle_bracketed_paste\n"
        f"autoload -U compinit && compinit -D -u\n. {script('zsh', place)}\n"
    )
    environment = {"ZDOTDIR": str(place), "TERM": "dumb"}
    with terminal([shell("zsh"), "-i"], cwd=place, size=(200, 50), environment=environment) as screen:
        screen.until(PROMPT)
        yield screen


SHELLS = {"bash": bash, "zsh": zsh}


@pytest.fixture(params=SHELLS)
def prompt(request: pytest.FixtureRequest, place: Path) -> Iterator[Terminal]:
    with SHELLS[request.param](place) as screen:
        yield screen


@pytest.mark.parametrize(
    ("typed", "filled"),
    [
        ("poise ser", "poise serve "),
        ("poise comp", "poise completions "),
        ("poise --vers", "poise --version "),
        ("poise serve --dotf", "poise serve --dotfiles "),
        ("poise serve --lan --no-lis", "poise serve --lan --no-listing "),
        ("poise serve --poller ep", "poise serve --poller epoll "),
        ("poise serve --poller=kq", "poise serve --poller=kqueue "),
        ("poise serve --log-format j", "poise serve --log-format json "),
        ("poise serve --tls-cert phon", "poise serve --tls-cert phone.pem "),
        ("poise serve --tls-cert=phon", "poise serve --tls-cert=phone.pem "),
        ("poise serve --log photos", "poise serve --log photos\\ of\\ us/"),
        ("poise serve photos", "poise serve photos\\ of\\ us/"),
        ("poise serve pho.", "poise serve pho.d/"),
        ("poise completions z", "poise completions zsh "),
        ("poise find --js", "poise find --json "),
    ],
)
def test_tab_fills_in(prompt: Terminal, typed: str, filled: str) -> None:
    prompt.type(f"{typed}\t")
    if "=" in filled:
        filled = filled.rstrip()  # whether a blank follows differs
    prompt.until(filled)


def test_tab_offers_only_what_fits(place: Path) -> None:
    with bash(place) as screen:
        screen.type("poise serve pho\t\t")
        assert "phone.pem" not in screen.until("photos of us/").split("pho", 2)[2]
        screen.type("\x15")
        screen.forget()
        screen.type("poise serve --log-format \t\t")
        screen.until("json")
        assert re.search(r"combined +common +json", screen.seen)
        screen.type("\x15")
        screen.forget()
        screen.type("poise find --\t\t")
        screen.until("--timeout")
        assert "--lan" not in screen.seen


def test_a_number_is_not_completed_with_files(place: Path) -> None:
    with bash(place) as screen:
        screen.type("poise serve --port phon\t--dotf\t")
        screen.until("poise serve --port phon--dotf")


def test_zsh_says_what_each_is(place: Path) -> None:
    with zsh(place) as screen:
        screen.type("poise serve --p\t\t")
        screen.until("the system call to wait with")
        assert "--port" in screen.until("-- the port")
        screen.type("\x15")
        screen.forget()
        screen.type("poise \t\t")
        screen.until("serve a folder over HTTP")


def test_zsh_takes_it_from_its_path_of_functions_too(place: Path) -> None:
    functions = place / "functions"
    functions.mkdir()
    (functions / "_poise").write_text(completions("zsh", parser()))
    (place / ".zshrc").write_text(
        f"PS1='{PROMPT}'; PATH={place}:$PATH; unsetopt beep promptsp; fpath=({functions} $fpath)\n"
        "autoload -U compinit && compinit -D -u\n"
    )
    environment = {"ZDOTDIR": str(place), "TERM": "dumb"}
    with terminal([shell("zsh"), "-i"], cwd=place, environment=environment) as screen:
        screen.until(PROMPT)
        for _ in range(2):  # the first call loads the file
            screen.type("poise serve --dotf\t")
            screen.until("poise serve --dotfiles ")
            screen.type("\x15")
            screen.forget()


# -- fish, which can be asked -------------------------------------------------------------------------------


def fish(place: Path, typed: str) -> dict[str, str]:
    """What fish offers for ``typed``, with the description of each."""
    done = subprocess.run(
        [
            shell("fish"),
            "--no-config",
            "-c",
            'source $argv[1]; complete -C"$argv[2]"',
            str(script("fish", place)),
            typed,
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=place,
        env={"HOME": str(place), "PATH": f"{place}:/usr/bin:/bin", "LANG": "C.UTF-8"},
        timeout=20,
    )
    assert done.stderr == ""
    return {word: about for word, _, about in (line.partition("\t") for line in done.stdout.splitlines())}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("poise ", {"serve", "find", "completions", "man"}),
        ("poise serve --dotf", {"--dotfiles"}),
        ("poise serve --poller ", {"epoll", "kqueue", "poll", "select"}),
        ("poise serve --poller=e", {"--poller=epoll"}),
        ("poise serve --tls-key phon", {"phone.pem"}),
        ("poise serve ph", {"photos of us/", "pho.d/"}),
        ("poise completions ", {"bash", "zsh", "fish"}),
        ("poise serve --port ph", set()),
        ("poise find ph", set()),
        ("poise man --h", {"--help"}),
        ("poise check --poller k", {"kqueue"}),
    ],
)
def test_fish_offers(typed: str, offered: set[str], place: Path) -> None:
    found = {*fish(place, typed)}
    if typed == "poise ":
        assert offered <= found  # there may be more commands
    else:
        assert found == offered


def test_fish_says_what_each_is(place: Path) -> None:
    found = fish(place, "poise serve --")
    every = {
        name
        for command in outline(parser()).commands
        if command.name == "serve"
        for argument in command.arguments
        for name in argument.names
        if name.startswith("--")
    }
    assert {*found} == every
    assert all(found.values())
    assert found["--port"] == "the port"
    assert found["--tls-handshake-timeout"].startswith("from a connection's start")


# -- the scripts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_program_prints_them_and_the_shell_can_read_them(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["completions", name]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.isascii() or name != "bash"
    subprocess.run([shell(name), "-n"], input=out, text=True, check=True, timeout=20)


def test_bash_warns_of_nothing(place: Path) -> None:
    """Under the strictest options that a person may have set."""
    code = (
        f"set -u; shopt -s failglob; source {script('bash', place)}; COMP_WORDS=(poise serve --log-f)\n"
        "COMP_CWORD=2; _poise; echo ${COMPREPLY[@]}\n"
    )
    done = subprocess.run([shell("bash"), "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert (done.stdout, done.stderr) == ("--log-format\n", "")


@pytest.mark.parametrize(
    ("text", "brief"),
    [
        ("the port; 0 takes any free one (default: 8000)", "the port"),
        ("a name (default: x)", "a name"),
        ("what it is (as in a; b)", "what it is"),
        ("a. b", "a"),
        ("word " * 40, ("word " * 14).strip() + "…"),
    ],
)
def test_the_first_clause_is_brief(text: str, brief: str) -> None:
    assert Argument(("--x",), text.strip()).brief == brief
    assert len(brief) <= BRIEF + 1


def test_arguments_with_several_values_and_with_letters_that_shells_act_on(place: Path) -> None:
    odd = argparse.ArgumentParser(prog="poise", add_help=False)
    commands = odd.add_subparsers()
    serve = commands.add_parser("serve", add_help=False)
    about = "it's [a:b] \\ $HOME `x` 100%%"
    serve.add_argument("--header", nargs=3, metavar=("GLOB", "NAME", "VALUE"), action="append", help=about)
    serve.add_argument("--pair", nargs=2, help=about)
    serve.add_argument("--secret", help=argparse.SUPPRESS)
    for name in ("bash", "zsh", "fish"):
        text = completions(name, odd)
        assert "secret" not in text
        subprocess.run([shell(name), "-n"], input=text, text=True, check=True, timeout=20)
    (place / ".completions.fish").write_text(completions("fish", odd))
    [header, pair] = outline(odd).commands[0].arguments
    assert (header.metavar, header.again) == ("GLOB NAME VALUE", True)
    assert (pair.metavar, pair.again) == ("PAIR PAIR", False)
    assert header.help == "it's [a:b] \\ $HOME `x` 100%"
    assert ":GLOB: :NAME: :VALUE: " in completions("zsh", odd)
