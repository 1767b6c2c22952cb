"""The attack cases 1-17 and 21-33 of SECURITY.md, by raw sockets against the real program.

For each: nothing of what lies outside comes back, every reply is HTTP with a status that fits, the connection ends or
serves on, nothing hangs, and the program's stderr holds no traceback (``serving`` looks for one at the end).
The cases for Windows must merely name no file here, or the file that is really called so.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise.files.script import SCRIPT, SCRIPT_HASH
from tests.live.attack_table import BAD_REQUESTS, PATHS, PIPELINED, Shape
from tests.support.client import (
    Answer,
    NotHttp,
    Outcome,
    answers,
    connected,
    exchange,
    exchange_all,
    get,
)
from tests.support.program import Served, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]

MARKER = b"seen-from-outside-5f1c9a"
"""In every file outside the root and in the names there."""

LONGEST = 8.0  # seconds that any of these may take


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with something to find, something hidden, every kind of way out, and secrets around it."""
    base = tmp_path_factory.mktemp("attacked")
    folder = base / "root"
    for path, content in (
        ("../secret.txt", MARKER),
        ("../outside/secret.txt", MARKER),
        ("../outside/sub/index.html", MARKER),
        ("../root_private/x", MARKER),
        ("../x", MARKER),
        ("page.html", b"a page"),
        ("public/page.html", b"a page"),
        ("public../odd", b"an odd name"),
        ("private\\secret.txt", MARKER),
        (".hidden/secret", MARKER),
        ("dir/index.html/inner.txt", b"inner"),
        ("a\nb.txt", b"newline"),
        ("evil.com/index/x", b"x"),
        ("with-index/readme.txt", b"x"),
        ("<img src=x onerror=alert(1)>.txt", b"x"),
        ('"><script>alert(1)<', b"x"),
        ("javascript:alert(1)", b"x"),
        ("x\r\nSet-Cookie: a=b/inner.txt", b"x"),
        ("sub%2f/x", b"x"),
    ):
        target = Path(os.path.normpath(folder / path))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (folder / ("seen-" + "\x1b[31m")).mkdir()
    for name, leads_to in (
        ("link-to-file", "../outside/secret.txt"),
        ("link-to-folder", "../outside"),
        ("link-to-absolute", str(base / "outside" / "secret.txt")),
        ("link-through-root", "../root/public/page.html"),
        ("link-to-proc", "/proc/self/root"),
        ("link-to-nothing", "../outside/no-such-thing"),
        ("link-inside", "public/page.html"),
        ("with-index/index.html", "../../outside/secret.txt"),
    ):
        (folder / name).symlink_to(leads_to)
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    short = ("--head-timeout", "1", "--body-timeout", "1", "--keep-alive-timeout", "1")
    with serving(folder, *short) as running:
        yield running
        after = get(running.port, "/page.html")
        assert (after.status, after.body) == (200, b"a page"), "it serves on"


def judged(outcome: Outcome) -> list[Answer]:
    """The final replies of an attack, after what every attack must show."""
    assert MARKER not in outcome.data
    assert b"root:x:" not in outcome.data, "/etc/passwd"
    assert outcome.ended, "it hangs"
    assert outcome.seconds < LONGEST
    return [answer for answer in outcome.answers if answer.status >= 200]


def request(target: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "shape", [pytest.param(shape, marks=pytest.mark.attack(shape.case), id=shape.name) for shape in PATHS]
)
def test_a_path_leads_nowhere_else(served: Served, shape: Shape) -> None:
    for method in (b"GET", b"HEAD", b"OPTIONS", b"PUT"):
        found = judged(exchange(served.port, request(shape.raw, method)))
        assert len(found) == 1
        if method in (b"GET", b"HEAD"):
            assert found[0].status in shape.status, found[0].status


@pytest.mark.parametrize(
    "shape",
    [pytest.param(shape, marks=pytest.mark.attack(shape.case), id=shape.name) for shape in BAD_REQUESTS],
)
def test_a_request_that_breaks_the_rules(served: Served, shape: Shape) -> None:
    found = judged(exchange(served.port, shape.raw))
    assert len(found) == 1, found
    assert found[0].status in shape.status, found[0].status
    assert found[0].fields.get("connection") == "close"


@pytest.mark.parametrize(
    "shape", [pytest.param(shape, marks=pytest.mark.attack(shape.case), id=shape.name) for shape in PIPELINED]
)
def test_what_follows_is_read_as_what_it_is(served: Served, shape: Shape) -> None:
    """``status`` here are the statuses of all replies, in order."""
    found = judged(exchange(served.port, shape.raw, finish=True))
    assert tuple(answer.status for answer in found) == shape.status


@pytest.mark.attack(12)
def test_names_with_odd_bytes_work(served: Served) -> None:
    assert get(served.port, "/a%0Ab.txt").body == b"newline"


@pytest.mark.attack(7)
def test_a_folder_that_really_has_dots_in_its_name(served: Served) -> None:
    assert get(served.port, "/public../odd").body == b"an odd name"


@pytest.mark.attack(13)
@pytest.mark.attack(23)
@pytest.mark.parametrize(
    "path", ["/", "/?x=%bb", "/?%22%3E%3Cscript%3E", "/evil.com/", "/nothing-%22%3E%3Cscript%3E"]
)
def test_a_page_tells_no_path_and_runs_no_name(served: Served, folder: Path, path: str) -> None:
    answer = get(served.port, path)
    page = answer.body.decode()
    assert str(folder.parent) not in page
    assert "\\" not in path
    page = page.replace(SCRIPT, "")  # the one that the policy names
    for dangerous in ("<img", "<script", 'href="javascript:', "\x1b", "\r\nSet-Cookie"):
        assert dangerous not in page
    assert answer.fields["x-content-type-options"] == "nosniff"
    policy = answer.fields["content-security-policy"]
    assert re.findall(r"script-src ([^;]*)", policy) in ([], [f"'{SCRIPT_HASH}'"])
    for address in re.findall(r'(?:href|src)="([^"]*)"', page):
        assert re.match(r"(\./|\.\./|/(?!/)|#|\?)", address), address


@pytest.mark.attack(14)
def test_no_answer_tells_whether_a_thing_outside_exists(served: Served) -> None:
    def told(path: str) -> tuple[object, ...]:
        answer = get(served.port, path)
        fields = {name: value for name, value in answer.fields.items() if name != "date"}
        return answer.status, fields, answer.body

    assert told("/link-to-file") == told("/link-to-nothing") == told("/link-to-absolute")
    assert told("/link-to-folder/secret.txt") == told("/link-to-folder/no-such-thing")
    assert told("/..%2foutside/secret.txt") == told("/..%2foutside/no-such-thing")


@pytest.mark.attack(16)
def test_a_link_inside_is_followed(served: Served) -> None:
    assert get(served.port, "/link-inside").body == b"a page"
    assert b"index.html" not in get(served.port, "/with-index/").body


@pytest.mark.attack(21)
@pytest.mark.parametrize(
    "target",
    ["//evil.com", "///evil.com", "//evil.com/..%2f", "///evil.com/..", "//evil.com/index", "/%2fevil.com", "/./evil.com",
     "/\\evil.com/%2e%2e", "/%5cevil.com", "//evil.com/%2e%2e/evil.com", "/.//evil.com", "/public?//evil.com", "/public?\\x"],
)  # fmt: skip
def test_no_redirect_leads_elsewhere(served: Served, target: str) -> None:
    (answer,) = judged(exchange(served.port, request(target.encode())))
    location = answer.fields.get("location")
    assert (answer.status in (301, 302, 307, 308)) is (location is not None)
    if location is not None:
        assert re.match(r"/(?![/\\])", location), location
        assert "\\" not in location


@pytest.mark.attack(22)
@pytest.mark.parametrize(
    "path",
    [
        "/%0d%0aSet-Cookie:x/dir",
        "/x%0D%0ASet-Cookie:%20a=b",
        "/%0c",
        "/public?%0d%0aSet-Cookie:x",
        "/public?\u0085",
    ],
)
def test_no_field_is_injected(served: Served, path: str) -> None:
    (answer,) = judged(exchange(served.port, request(path.encode("latin-1"))))
    assert "set-cookie" not in answer.fields
    assert answer.status in (301, 400, 404)


@pytest.mark.attack(24)
def test_no_line_is_forged_in_the_log(folder: Path) -> None:
    wicked = [
        b"/\x1b[31m",
        b"/%0d%0a127.0.0.1 - - forged",
        b"/\x7f",
        b"/%1b]0;title%07",
        b'/" 200 0',
        b"/\xc2\x9b31m",
    ]
    with serving(folder) as running:
        for target in wicked:
            judged(exchange(running.port, request(target)))
        raw = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \x1b[31m\r\nConnection: close\r\n\r\n"
        judged(exchange(running.port, raw))
        assert running.stop() == 0
        lines = running.stderr.split("\n")
    assert len(lines) == len(wicked) + 2, lines
    for line in lines[:-1]:
        assert line.isprintable()
        assert re.fullmatch(r'127\.0\.0\.1 - - \[[^]]*\] "(?:[^"\\]|\\.)*" [0-9]{3} [0-9]+', line), line


@pytest.mark.attack(25)
def test_a_forwarded_address_changes_nothing(served: Served) -> None:
    plain = get(served.port, "/page.html")
    said = "X-Forwarded-For: 127.0.0.1\r\nX_Forwarded_Proto: https\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-Host: evil.com\r\n"
    forwarded = get(served.port, "/page.html", fields=said)
    assert plain.fields | {"date": ""} == forwarded.fields | {"date": ""}
    assert "evil" not in get(served.port, "/public", fields=said).fields["location"]


@pytest.mark.attack(32)
def test_a_repeated_field_costs_no_quadratic_time(served: Served) -> None:
    raw = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 10_000 + b"\r\n"
    begun = time.process_time()
    outcomes = exchange_all(served.port, [raw] * 10)
    assert {outcome.status for outcome in outcomes} == {431}
    assert time.process_time() - begun < LONGEST


@pytest.mark.attack(33)
def test_a_thousand_requests_without_reading_a_reply(served: Served) -> None:
    """What was asked for is answered in order when the client reads at last; meanwhile it costs a bounded memory."""
    paths = [f"/nothing-{number}" for number in range(1000)]
    raw = b"".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths)
    before = private(served.pid)
    with connected(served.port) as sock:
        sock.sendall(raw)
        # Others are served meanwhile, and the output that waits for this client stays bounded.
        for _ in range(20):
            assert get(served.port, "/page.html").status == 200
        assert private(served.pid) - before < 4096
        data = b""
        while len(found := answers(data, strict=False)) < len(paths) or not found[-1].whole:
            more = sock.recv(1 << 18)
            assert more, "it ended before all was answered"
            data += more
    assert [answer.status for answer in found] == [404] * len(paths)


def private(pid: int) -> int:
    """KiB of memory that the process shares with nobody and has written to."""
    rollup = Path(f"/proc/{pid}/smaps_rollup")
    if not rollup.exists():
        pytest.skip("this system has no smaps_rollup")
    return int(re.findall(r"Private_Dirty: +([0-9]+) kB", rollup.read_text())[0])


class Swapper(threading.Thread):
    """Swaps a file for a link to the outside and back, ``swaps`` times or until ``limit`` seconds are over."""

    def __init__(self, folder: Path, swaps: int, limit: float) -> None:
        super().__init__()
        self.done = 0
        self.failure: BaseException | None = None
        self._folder = folder
        self._swaps = swaps
        self._end = time.monotonic() + limit

    def run(self) -> None:
        here = os.open(self._folder, os.O_RDONLY)
        try:
            while self.done < self._swaps and time.monotonic() < self._end:
                if self.done % 2:
                    os.link("kept", "next", src_dir_fd=here, dst_dir_fd=here)
                else:
                    os.symlink("../outside/secret.txt", "next", dir_fd=here)
                os.rename("next", "victim", src_dir_fd=here, dst_dir_fd=here)
                self.done += 1
        except BaseException as error:
            self.failure = error
        finally:
            os.close(here)


def contend(port: int, swapper: Swapper) -> dict[int, int]:
    """Ask for the victim while it is swapped; how often each status came."""
    counts: dict[int, int] = {}
    raw = b"GET /victim HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20
    swapper.start()
    try:
        with connected(port) as sock:
            while swapper.is_alive():
                sock.sendall(raw)
                data = b""
                while len(found := answers(data, strict=False)) < 20 or not found[-1].whole:
                    data += sock.recv(1 << 18)
                assert MARKER not in data, "it won"
                for answer in found:
                    counts[answer.status] = counts.get(answer.status, 0) + 1
                    assert answer.status != 200 or answer.body == b"inside"
    finally:
        swapper.join()
    assert swapper.failure is None
    return counts


@pytest.mark.attack(17)
@pytest.mark.parametrize(
    ("swaps", "limit"),
    [(100_000, 45.0), pytest.param(1_000_000, 300.0, marks=[pytest.mark.long, pytest.mark.timeout(400)])],
)
def test_a_file_that_is_swapped_for_a_link_never_leaks(tmp_path: Path, swaps: int, limit: float) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_bytes(MARKER)
    (root / "kept").write_bytes(b"inside")
    (root / "victim").write_bytes(b"inside")
    swapper = Swapper(root, swaps, limit)
    with serving(root, "--no-access-log", "--freshness", "0") as running:
        counts = contend(running.port, swapper)
    assert swapper.done == swaps, f"{swapper.done} swaps in {limit} s; {counts}"
    assert counts.keys() <= {200, 404}
    assert counts[200] > 20
    assert counts[404] > 20


def test_the_reader_of_these_tests_is_strict() -> None:
    wrong = (
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"x\r\n\r\n",
    )
    for data in wrong:
        with pytest.raises(NotHttp):
            answers(data)
