"""No descriptors left, at any moment of answering anything (attack case 41).

Every request is asked again and again; the first time the first call that makes a descriptor fails, then the second, and
so on, until none of them does. Each answer is the right one, or 503, or cut where it had begun: nothing is left out
without a word, nothing is remembered that is wrong, and nothing stays open.
"""

from __future__ import annotations

import errno
import gzip
import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault
from poise.files.locate import Root
from poise.files.rules import SiteRules
from poise.files.site import Site
from poise.limits import FileLimits
from tests.files.support import LATER, put
from tests.http.web import Web, get, web
from tests.support.client import Answer, answers

MAKERS = ("open", "dup", "scandir")
TEXT = b"all work and no play makes a dull page\n" * 100
MOST = 200  # calls that make a descriptor, for one answer

ASKS = {
    "a file": get("/folder/a.txt"),
    "by a link": get("/linked/a.txt"),
    "a sibling": get("/app.js", "Accept-Encoding: gzip\r\n"),
    "compressed now": get("/text.txt", "Accept-Encoding: gzip\r\n"),
    "parts": get("/text.txt", "Range: bytes=0-3,10-13\r\n"),
    "an index": get("/site/"),
    "a clean address": get("/site/page"),
    "a folder": get("/folder/"),
    "a folder without its slash": get("/folder"),
    "a long folder": get("/long/"),
    "a folder with a README": get("/"),
    "as JSON": get("/folder/?json"),
    "a search": get("/?q=a"),
    "a zip": get("/folder/?zip"),
    "a tar.gz": get("/?tar.gz"),
    "the fallback": get("/nowhere", "Accept: text/html\r\n"),
    "nothing": get("/nothing.txt"),
    "hidden": get("/hidden/a.txt"),
}


class Exhausted:
    """Fails the call number ``number`` that makes a descriptor, and counts those that do not."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()
        self.calls = 0

    def wrap(self, real: Any) -> Any:
        def called(*args: Any, **options: Any) -> Any:
            with self._lock:
                number, self.calls = self.calls, self.calls + 1
            if number == self._number:
                raise OSError(errno.EMFILE, "Too many open files")
            return real(*args, **options)

        return called


@contextmanager
def exhausted(number: int) -> Iterator[Exhausted]:
    counting = Exhausted(number)
    with pytest.MonkeyPatch.context() as patch:
        for name in MAKERS:
            patch.setattr(os, name, counting.wrap(getattr(os, name)))
        yield counting


@contextmanager
def served(folder: Path) -> Iterator[Web]:
    rules = SiteRules(spa="shell.html", clean_urls=True, hide=("/hidden",))
    limits = FileLimits(looks=8)
    with Root(folder, hides=rules.hides, limits=limits) as root, web() as made:
        made.server.answer = Site(
            root, wall=lambda: LATER, rules=rules, limits=limits, reactor=made.reactor
        ).reply
        yield made


@pytest.fixture
def tree(folder: Path) -> Path:
    for name in (
        "folder/a.txt",
        "folder/b/a.txt",
        "folder/c.txt",
        "hidden/a.txt",
        "site/index.html",
        "site/page.html",
    ):
        put(folder / name, name.encode())
    for number in range(20):
        put(folder / "long" / str(number), b"x")
    (folder / "linked").symlink_to("folder")
    (folder / "long" / "link").symlink_to("../folder/c.txt")
    put(folder / "text.txt", TEXT)
    put(folder / "app.js", TEXT)
    put(folder / "app.js.gz", gzip.compress(TEXT))
    put(folder / "shell.html", b"<title>The app</title>")
    put(folder / "README.md", b"# Read me\n")
    return folder


def asked(made: Web, raw: bytes) -> Answer | None:
    """The answer; None when the connection was cut in the middle of it."""
    client = made.client()
    client.send(raw.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    client.end()
    found = [each for each in answers(bytes(client.data), strict=False, methods=["GET"]) if each.whole]
    client.close()
    return found[0] if found else None


def told(answer: Answer) -> tuple[object, ...]:
    fields = {name: value for name, value in answer.fields.items() if name not in ("date", "content-type")}
    body = answer.body if "boundary" not in answer.fields.get("content-type", "") else len(answer.body)
    return answer.status, fields, body


@pytest.mark.attack(41)
@pytest.mark.parametrize("name", ASKS)
def test_descriptors_run_out_at_any_moment(tree: Path, name: str) -> None:
    raw = ASKS[name]
    with served(tree) as made:
        loaded = asked(made, raw)  # and with it what was to be imported
        assert loaded is not None
    for number in itertools.count():
        assert number < MOST
        with served(tree) as made:
            with exhausted(number) as counting:
                answer = asked(made, raw)
            again = asked(made, raw)
            assert all(isinstance(error, MachineFault) for error in made.errors), made.errors
            cut = bool(made.errors)
            made.errors.clear()
        assert again is not None
        assert told(again) == told(loaded), "it is as if nothing had been"
        if answer is None:
            assert cut or "zip" in name or "tar" in name or name == "a long folder"
        elif answer.status != 503:
            assert told(answer) == told(loaded) or plainly(name, answer), (number, answer)
        if counting.calls <= number:
            break


def plainly(name: str, answer: Answer) -> bool:
    """What may be left out of an answer: it is as good without."""
    if name in ("compressed now", "a sibling"):
        return answer.body == TEXT
    if name == "a folder with a README":
        return answer.status == 200 and b"folder" in answer.body
    return False
