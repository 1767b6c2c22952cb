"""The README in both languages: the same content, and its programs run."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poise.cli.main import parser

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
PROGRAMS = re.findall(r"^```python\n(.*?)^```", ENGLISH, re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^((?:python3 -m )?poise [^#\n]*[^#\s]|make \w+)", re.MULTILINE)
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PICTURE_BYTES = 100_000  # what a reader waits for on a slow line


def code_of(page: str) -> list[str]:
    """What a page calls by its name: options, files, packages. Each language has its own order."""
    return sorted(re.findall(r"`([^`\n]+)`", BLOCK.sub("", page)))


@contextmanager
def running(program: str) -> Iterator[str]:
    """Run a program from the README; gives the line that it prints when it listens."""
    started = subprocess.Popen(
        [sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with started:
        assert started.stdout is not None
        try:
            yield started.stdout.readline().strip()
        finally:
            started.kill()


def test_both_languages_show_the_same() -> None:
    for pattern in (
        re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL),
        COMMANDS,
        re.compile(r"^!\[[^]]+\]\(([^)]+)\)", re.MULTILINE),
        re.compile(r"\]\((docs/[^)]+|(?!README)[A-Z]+\.md)\)"),
        re.compile(r"`(--[a-z-]+)`"),
        re.compile(r"^## ", re.MULTILINE),
        re.compile(r"^- \*\*", re.MULTILINE),
        re.compile(r"^\|", re.MULTILINE),
    ):
        assert pattern.findall(ENGLISH), pattern
        in_english = [
            each.replace(".zh-CN.md", ".md") for each in pattern.findall(CHINESE)
        ]  # where there are both
        assert pattern.findall(ENGLISH) == in_english
    assert code_of(ENGLISH) == code_of(CHINESE)


def test_what_it_shows_can_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [words.split() for words in COMMANDS.findall(ENGLISH) if not words.startswith("make ")]
    assert len(commands) > 3
    for words in commands:
        parser().parse_args(words[words.index("poise") + 1 :])
    with pytest.raises(SystemExit):
        parser().parse_args(["serve", "--help-all"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    named = set(re.findall(r"--[a-z-]+", " ".join(code_of(ENGLISH))))
    assert named
    assert named <= known


def test_the_picture_is_a_small_one() -> None:
    data = (ROOT / "docs" / "listing.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) < PICTURE_BYTES


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https://)([^)#]+)\)", page):
        assert (ROOT / target).exists(), target


def test_the_two_commands_are_there() -> None:
    assert "python3 -m poise serve ." in ENGLISH
    assert "make test" in ENGLISH
    assert "test:" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.live
def test_the_http_program_answers() -> None:
    with running(PROGRAMS[0]) as url, urllib.request.urlopen(url, timeout=20) as reply:
        assert (reply.status, reply.read()) == (200, b"hello\n")


@pytest.mark.live
def test_the_echo_program_echoes() -> None:
    with running(PROGRAMS[1]) as address:
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(b"is anybody there?")
            assert client.recv(100) == b"is anybody there?"
