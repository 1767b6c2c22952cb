"""Whatever changes below a folder is noticed within the limit that is documented, however it is asked for.

Every change is made to something whose reply is remembered, and all of them in one run, since each has to be at rest for a second
first. What was asked for later than the limit after the change must be as the change has left it. That it was really remembered is shown
by a server whose limit is out of reach.
"""

from __future__ import annotations

import gzip
import os
import select
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from poise.limits import FileLimits
from tests.files.support import put
from tests.live.replacing import Once
from tests.support.client import connected, read_answer
from tests.support.program import PATIENCE, Served, serve_command, serving
from tests.support.told import AT_ONCE, need_to_be_told, told_of

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="how to take root's powers away is Linux's own way"),
]

OLD, NEW = b"as it was", b"as it is."  # of one length
GZIP = "Accept-Encoding: gzip\r\n"
AFTERWARDS = 3  # answers in each way when the limit is over
OUT_OF_REACH = 1000.0  # seconds


class Answered(NamedTuple):
    """Status and, where that matters, content."""

    status: int
    body: bytes | None = None

    def fits(self, status: int, body: bytes) -> bool:
        return self.status == status and self.body in (None, body)


WAS, IS = Answered(200, OLD), Answered(200, NEW)
GONE, REFUSED = Answered(404), Answered(403)


class Change(NamedTuple):
    """Something that is done to a folder of its own, of which ``path`` is asked for."""

    prepare: Callable[[Path], object]
    do: Callable[[Path], object]
    after: Answered
    path: str = "/page.txt"
    before: Answered = WAS
    fields: str = ""
    kept: bool = True
    """Whether it is answered without a look while it is fresh."""

    @property
    def plain(self) -> bool:
        """Whether what is asked for is a file, and no link is on the way to it."""
        return self.prepare in (page, below)


def page(here: Path, name: str = "page.txt") -> Path:
    return put(here / name, OLD)


def below(here: Path) -> Path:
    return put(here / "d" / "page.txt", OLD)


def outside(here: Path) -> Path:
    """A place beside the root, for this folder alone."""
    return here.parents[1] / f"outside-{here.name}"


def replaced(here: Path) -> None:
    put(here / ".next", NEW).replace(here / "page.txt")


def written_and_put_back(here: Path) -> None:
    """The same length and the same time of modification, in the same file: only ctime tells."""
    file = here / "page.txt"
    before = file.stat()
    with file.open("r+b", buffering=0) as opened:
        opened.write(NEW)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (before.st_ino, before.st_size, before.st_mtime_ns) == (
        after.st_ino,
        after.st_size,
        after.st_mtime_ns,
    )


def moved_and_linked_back(here: Path) -> None:
    (here / "d").rename(outside(here))
    (here / "d").symlink_to(outside(here))


def moved_and_another_in_its_place(here: Path) -> None:
    (here / "d").rename(here / "other")
    put(here / "d" / "page.txt", NEW)


def two_releases(here: Path) -> None:
    put(here / "first" / "page.txt", OLD)
    put(here / "second" / "page.txt", NEW)
    (here / "d").symlink_to("first")


def led_elsewhere(here: Path) -> None:
    (here / ".next").symlink_to("second")
    (here / ".next").rename(here / "d")


def linked_page(here: Path) -> None:
    put(here / "first", OLD)
    put(here / "second", NEW)
    (here / "page.txt").symlink_to("first")


def other_page(here: Path) -> None:
    (here / ".next").symlink_to("second")
    (here / ".next").rename(here / "page.txt")


def linked_out(here: Path) -> None:
    put(outside(here), NEW)
    (here / ".next").symlink_to(outside(here))
    (here / ".next").rename(here / "page.txt")


CHANGES = {
    "replaced by rename": Change(page, replaced, IS),
    "written, its time put back": Change(page, written_and_put_back, IS),
    "removed": Change(page, lambda here: (here / "page.txt").unlink(), GONE),
    "its mode taken away": Change(page, lambda here: (here / "page.txt").chmod(0), REFUSED),
    "its folder's mode taken away": Change(below, lambda here: (here / "d").chmod(0), REFUSED, "/d/page.txt"),
    "its folder moved out and linked back": Change(below, moved_and_linked_back, GONE, "/d/page.txt"),
    "another folder in the place of its own": Change(below, moved_and_another_in_its_place, IS, "/d/page.txt"),
    "its folder's link led elsewhere": Change(two_releases, led_elsewhere, IS, "/d/page.txt"),
    "its link led elsewhere": Change(linked_page, other_page, IS),
    "a link to the outside in its place": Change(page, linked_out, GONE),
    "compressed beforehand by now": Change(
        page, lambda here: put(here / "page.txt.gz", gzip.compress(NEW)), IS, fields=GZIP
    ),
    "an index before that there was": Change(
        lambda here: page(here, "index.htm"), lambda here: put(here / "index.html", NEW), IS, "/"
    ),
    "what was not there": Change(
        lambda here: None, lambda here: put(here / "page.txt", NEW), IS, before=GONE, kept=False
    ),
}  # fmt: skip

CLEAN = {
    "a file of the clean name": Change(
        lambda here: page(here, "about.html"), lambda here: put(here / "about", NEW), IS, "/about"
    ),
    "its folder moved out and linked back": CHANGES["its folder moved out and linked back"],
    "its mode taken away": CHANGES["its mode taken away"],
}

LOST = b"<p>nothing is here</p>"


@contextmanager
def bound_by_modes(root: Path, *options: str) -> Iterator[Served]:
    """A server that permissions count for, even if root has started it."""
    command = serve_command(root, "--port", "0", "--no-access-log", *options)
    if not os.geteuid():
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv(1), of util-linux, is not installed")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    with serving(root, command=command) as served:
        yield served


class Case:
    """One change, and those who ask for what it changes."""

    def __init__(self, name: str, change: Change, here: Path, port: int, stack: ExitStack) -> None:
        self.name = name
        self.change = change
        self.here = here
        self.done = float("inf")
        self.wrong: list[str] = []
        self.left = AFTERWARDS
        self.was_old = False
        self._port = port
        self._path = f"/{here.name}{change.path}"
        self._kept = [stack.enter_context(connected(port)) for _ in range(2)]
        self._numbers = 0

    def make(self) -> None:
        self.change.do(self.here)
        self.done = time.monotonic()

    def ask(self, limit: float) -> None:
        """In each of the ways, and judge what comes."""
        self._numbers += 1
        same, numbered = self._kept
        late = [
            self._judge("kept", same, "", limit),
            self._judge("new", numbered, f"X: {self._numbers}\r\n", limit),
        ]
        with connected(self._port) as once:
            late.append(self._judge("once", once, "Connection: close\r\n", limit and limit + Once.slack))
        self.left -= all(late)

    def _judge(self, way: str, sock: socket.socket, fields: str, limit: float) -> bool:
        """Whether it was asked for after the limit."""
        change = self.change
        asked = time.monotonic()
        sock.sendall(f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\n{change.fields}{fields}\r\n".encode())
        answer = read_answer(sock)
        body = gzip.decompress(answer.body) if "content-encoding" in answer.fields else answer.body
        late = asked - self.done
        if not change.after.fits(answer.status, body):
            self.was_old |= late > 0
            if late > limit:
                self.wrong.append(f"{way}, {late:.4f} s after it: {answer.status} {body[:60]!r}")
            elif not change.before.fits(answer.status, body):
                self.wrong.append(f"{way}: {answer.status} {body[:60]!r}")
        return late > limit


def at_rest(cases: Iterable[Case]) -> bool:
    """Whether all files have been at rest for the second without which nothing is remembered."""
    newest = max(
        os.lstat(Path(folder) / name).st_ctime
        for case in cases
        for folder, folders, files in os.walk(case.here)
        for name in (*folders, *files, ".")
    )
    return time.time() > newest + 1.001


def give_back(root: Path) -> None:
    """The modes, so that whoever clears up can."""
    for path in root.glob("*/*"):
        path.chmod(0o755)


def run(
    root: Path,
    changes: dict[str, Change],
    limit: float,
    *options: str,
    allowed: float | None = None,
    told: bool = False,
) -> list[Case]:
    """Make all ``changes`` while they are asked for; ``allowed`` is how long what was there before may be answered.

    Not before the server is ``told`` of all files that it can be told of, where it is to be.
    """
    with ExitStack() as stack:
        for number, change in enumerate(changes.values()):
            (root / f"{number:02}").mkdir(parents=True)
            change.prepare(root / f"{number:02}")
        served = stack.enter_context(bound_by_modes(root, *options))
        cases = [
            Case(name, change, root / f"{number:02}", served.port, stack)
            for number, (name, change) in enumerate(changes.items())
        ]
        end = time.monotonic() + PATIENCE
        while not at_rest(cases):
            assert time.monotonic() < end
            select.select([], [], [], 0.01)
        for _ in range(
            4
        ):  # the first makes it known, the second is remembered, and the others come from memory
            for case in cases:
                case.ask(limit)
        files = {(case.here / case.change.path[1:]).stat().st_ino for case in cases if case.change.plain}
        end = time.monotonic() + PATIENCE
        while told and not files <= told_of(served.pid):
            assert time.monotonic() < end
            for case in cases:
                case.ask(limit)
        for case in cases:
            case.make()
            case.ask(limit)
        end = time.monotonic() + (PATIENCE if allowed is None else allowed)
        while any(case.left > 0 for case in cases) and time.monotonic() < end:
            for case in cases:
                case.ask(limit)
        give_back(root)
        return cases


def test_changes_of_which_the_kernel_tells_are_noticed_as_soon(tmp_path: Path) -> None:
    need_to_be_told(tmp_path)
    limit = 0.1
    cases = run(tmp_path / "root", CHANGES, limit, *AT_ONCE, told=True)
    assert {case.name: case.wrong[:3] for case in cases if case.wrong} == {}
    assert all(case.left <= 0 for case in cases), "each was asked for after the limit, in every way"


@pytest.mark.parametrize("freshness", [None, 0.0], ids=["as documented", "0"])
@pytest.mark.parametrize("clean", [False, True], ids=["", "clean-urls"])
def test_changes_are_noticed_within_the_limit(clean: bool, freshness: float | None, tmp_path: Path) -> None:
    options = ["--clean-urls"] if clean else []
    if freshness is not None:
        options += ["--freshness", f"{freshness:g}"]
    limit = FileLimits().freshness if freshness is None else freshness
    cases = run(tmp_path / "root", CLEAN if clean else CHANGES, limit, *options)
    assert {case.name: case.wrong[:3] for case in cases if case.wrong} == {}
    assert all(case.left <= 0 for case in cases), "each was asked for after the limit, in every way"


def test_a_limit_out_of_reach_shows_that_they_were_remembered(tmp_path: Path) -> None:
    """With one, nothing is noticed of most of them, so it is the limit that the others see."""
    cases = run(tmp_path / "root", CHANGES, OUT_OF_REACH, "--freshness", f"{OUT_OF_REACH:g}", allowed=0.0)
    assert {case.name: case.was_old for case in cases} == {name: one.kept for name, one in CHANGES.items()}
    assert not [case.wrong for case in cases if case.wrong]


def test_a_page_for_what_is_missing_is_noticed_too(tmp_path: Path) -> None:
    change = Change(
        lambda here: None, lambda here: put(here.parent / "404.html", LOST), Answered(404, LOST), before=GONE
    )
    (case,) = run(tmp_path / "root", {"a page for what is missing": change}, FileLimits().freshness)
    assert not case.wrong
    assert case.left <= 0
