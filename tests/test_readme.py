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

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
PROGRAMS = re.findall(r"^```python\n(.*?)^```", ENGLISH, re.MULTILINE | re.DOTALL)


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
    shell = re.compile(r"^(python3 -m poise \S+ \S+|make \w+)", re.MULTILINE)
    for pattern in (
        re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL),
        shell,
        re.compile(r"\]\((docs/[^)]+|(?!README)[A-Z]+\.md)\)"),
        re.compile(r"`(--[a-z-]+)`"),
        re.compile(r"^## ", re.MULTILINE),
        re.compile(r"^- \*\*", re.MULTILINE),
        re.compile(r"^\|", re.MULTILINE),
    ):
        assert pattern.findall(ENGLISH), pattern
        assert pattern.findall(ENGLISH) == pattern.findall(CHINESE)


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page):
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
