"""Real clients, which know nothing of us, against the real program on every poller."""

from __future__ import annotations

import http.client
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import get
from tests.support.clients import CHROMIUM, CHROMIUM_FLAGS, POLLERS, client, run
from tests.support.program import ROOT, Served, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]

SMALL = b"hello, world\n"
LARGE = bytes(range(256)) * (5 * 1024 * 1024 // 256)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("site")
    (found / "small.txt").write_bytes(SMALL)
    (found / "large.bin").write_bytes(LARGE)
    (found / "sub").mkdir()
    (found / "sub" / "inner.txt").write_bytes(b"inner")
    return found


@pytest.fixture(params=POLLERS)
def served(request: pytest.FixtureRequest, folder: Path) -> Iterator[Served]:
    with serving(folder, "--poller", request.param) as running:
        yield running


def test_curl(served: Served, tmp_path: Path) -> None:
    curl = [client("curl"), "--silent", "--show-error", "--noproxy", "*", "--max-time", "10"]
    status = ["--output", str(tmp_path / "out"), "--write-out", "%{http_code} %{num_connects}\n"]
    assert run(*curl, f"{served.url}small.txt") == SMALL
    assert run(*curl, f"{served.url}large.bin") == LARGE
    # Two on one command line: the second goes over the same connection.
    both = [f"{served.url}small.txt", "--output", str(tmp_path / "two"), f"{served.url}large.bin"]
    assert run(*curl, *status, *both) == b"200 1\n200 0\n"
    assert run(*curl, *status, f"{served.url}absent").startswith(b"404")
    assert b'/sub/"' in run(*curl, served.url)
    assert run(*curl, *status, "--location", f"{served.url}sub/../sub").startswith(b"200")
    head = run(*curl, "--head", f"{served.url}large.bin")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {len(LARGE)}".encode() in head.lower()
    saved = tmp_path / "etag"
    run(*curl, *status, "--etag-save", str(saved), f"{served.url}small.txt")
    again = run(*curl, *status, "--etag-compare", str(saved), f"{served.url}small.txt")
    assert again.startswith(b"304")


def test_wget(served: Served, tmp_path: Path) -> None:
    wget = [client("wget"), "--quiet", "--no-proxy", "--tries=1", "--timeout=10", "--no-config"]
    assert run(*wget, "-O", "-", f"{served.url}small.txt") == SMALL
    assert run(*wget, "-O", "-", f"{served.url}large.bin") == LARGE
    run(*wget, "--spider", f"{served.url}large.bin")
    run(*wget, "-O", "-", f"{served.url}absent", expected=8)
    # The listing is good enough to mirror the folder by, and a second run finds everything unchanged (304).
    for _ in range(2):
        run(
            *wget,
            "--mirror",
            "--no-parent",
            "--no-host-directories",
            f"--directory-prefix={tmp_path}",
            served.url,
        )
    assert (tmp_path / "small.txt").read_bytes() == SMALL
    assert (tmp_path / "large.bin").read_bytes() == LARGE
    assert (tmp_path / "sub" / "inner.txt").read_bytes() == b"inner"
    assert '"GET /large.bin HTTP/1.1" 304 0' in _log_after_stop(served)


def _log_after_stop(served: Served) -> str:
    """The access log, which is written at the end at the latest."""
    assert served.stop() == 0
    return served.stderr


def test_http_client(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    try:
        replies = {}
        for method, path in (
            ("GET", "/small.txt"),
            ("GET", "/large.bin"),
            ("HEAD", "/large.bin"),
            ("GET", "/no"),
            ("GET", "/"),
        ):
            connection.request(method, path)
            first_socket = connection.sock
            reply = connection.getresponse()
            replies[method, path] = (reply.status, reply.read(), reply.headers)
            assert connection.sock is first_socket, "the connection was kept"
        assert replies["GET", "/small.txt"][:2] == (200, SMALL)
        assert replies["GET", "/large.bin"][:2] == (200, LARGE)
        assert replies["HEAD", "/large.bin"][:2] == (200, b"")
        assert replies["HEAD", "/large.bin"][2]["Content-Length"] == str(len(LARGE))
        assert replies["GET", "/no"][0] == 404
        assert replies["GET", "/"][0] == 200
        assert b'/small.txt"' in replies["GET", "/"][1]
        headers = replies["GET", "/small.txt"][2]
        for condition, value in (
            ("If-None-Match", headers["ETag"]),
            ("If-Modified-Since", headers["Last-Modified"]),
        ):
            connection.request("GET", "/small.txt", headers={condition: value})
            reply = connection.getresponse()
            assert (reply.status, reply.read()) == (304, b""), condition
    finally:
        connection.close()


@pytest.mark.parametrize("served", POLLERS[-1:], indirect=True)
def test_chromium(served: Served, tmp_path: Path) -> None:
    browser = [client(*CHROMIUM), *CHROMIUM_FLAGS, f"--user-data-dir={tmp_path}"]
    # The DOM as the browser has built it from what it got.
    page = run(*browser, "--dump-dom", served.url, patience=45)
    assert b'/small.txt"' in page
    assert b'/sub/"' in page
    assert '"GET / HTTP/1.1" 200 ' in _log_after_stop(served)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """What a clone has to serve with: the package and nothing else."""
    shutil.copytree(
        ROOT / "poise", tmp_path / "clone" / "poise", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path / "clone"


@pytest.mark.parametrize("poller", POLLERS)
def test_a_bare_clone_serves(bare: Path, folder: Path, poller: str) -> None:
    """No virtual environment, no site-packages, no variable of the environment that Python reads."""
    python = getattr(sys, "_base_executable", sys.executable)
    command = [
        python,
        "-E",
        "-s",
        "-S",
        "-B",
        "-m",
        "poise",
        "serve",
        str(folder),
        "--port",
        "0",
        "--poller",
        poller,
    ]
    with serving(folder, command=command, cwd=bare) as running:
        small = get(running.port, "/small.txt")
        assert (small.status, small.body) == (200, SMALL)
        assert (
            get(running.port, "/small.txt", fields=f"If-None-Match: {small.fields['etag']}\r\n").status == 304
        )
        assert get(running.port, "/large.bin").body == LARGE
        assert get(running.port, "/absent").status == 404
        assert b'/sub/"' in get(running.port, "/").body
        head = get(running.port, "/large.bin", method="HEAD")
        assert (head.status, head.body, head.fields["content-length"]) == (200, b"", str(len(LARGE)))
