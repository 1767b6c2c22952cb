"""Real clients that want parts of a file: downloads that go on, in many pieces at once, and a video that is sought in."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import POLLERS, client, run
from tests.support.program import Served, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]

SIZE = 12 * 1024 * 1024
HERE_ALREADY = 1_000_003  # bytes of a download that was broken off
LOGGED = re.compile(r'"([A-Z]+) (\S+) HTTP/1\.[01]" (\d{3}) (\d+|-)')


@pytest.fixture(scope="module")
def content() -> bytes:
    return random.Random(4).randbytes(SIZE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> Path:
    found = tmp_path_factory.mktemp("site")
    (found / "large.iso").write_bytes(content)
    return found


@pytest.fixture(params=POLLERS)
def served(request: pytest.FixtureRequest, folder: Path) -> Iterator[Served]:
    with serving(folder, "--poller", request.param) as running:
        yield running


def replies(served: Served, path: str) -> list[tuple[int, int]]:
    """Status and bytes of every reply to GET ``path``, from the access log of a server that is stopped for it."""
    assert served.stop() == 0
    found = LOGGED.findall(served.stderr)
    return [
        (int(status), int(size.replace("-", "0")))
        for method, target, status, size in found
        if (method, target) == ("GET", path)
    ]


def broken_off(path: Path, content: bytes) -> Path:
    path.write_bytes(content[:HERE_ALREADY])
    return path


def same(path: Path, content: bytes) -> bool:
    """By their checksums, as a person would compare them."""
    return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(content).digest()


def test_curl_resumes(served: Served, content: bytes, tmp_path: Path) -> None:
    curl = [client("curl"), "--silent", "--show-error", "--noproxy", "*", "--max-time", "15"]
    out = broken_off(tmp_path / "large.iso", content)
    for _ in range(2):  # the second time nothing is missing
        run(*curl, "--continue-at", "-", "--output", str(out), f"{served.url}large.iso")
        assert same(out, content)
    assert replies(served, "/large.iso") == [(206, SIZE - HERE_ALREADY), (416, 0)]


def test_curl_takes_several_ranges(served: Served, content: bytes) -> None:
    curl = [client("curl"), "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "15"]
    assert run(*curl, "--range", "100-199", f"{served.url}large.iso") == content[100:200]
    assert run(*curl, "--range", "-7", f"{served.url}large.iso") == content[-7:]
    parts = run(*curl, "--range", "0-9,5000-5999", f"{served.url}large.iso")
    assert content[:10] in parts
    assert content[5000:6000] in parts
    assert f"content-range: bytes 5000-5999/{SIZE}".encode() in parts.lower()


def test_wget_resumes(served: Served, content: bytes, tmp_path: Path) -> None:
    wget = [client("wget"), "--quiet", "--no-proxy", "--tries=1", "--timeout=15", "--no-config"]
    out = broken_off(tmp_path / "large.iso", content)
    for _ in range(2):
        run(*wget, "--continue", f"--directory-prefix={tmp_path}", f"{served.url}large.iso")
        assert same(out, content)
    assert replies(served, "/large.iso") == [(206, SIZE - HERE_ALREADY), (416, 0)]


def test_aria2_takes_it_in_pieces(served: Served, content: bytes, tmp_path: Path) -> None:
    checksum = hashlib.sha256(content).hexdigest()
    options = ["-x8", "-s8", "-k1M", "--no-conf", "--allow-overwrite=true", "--summary-interval=0"]
    aria2 = [client("aria2c"), *options, "--quiet=true", "--max-tries=1", "--timeout=15"]
    run(*aria2, f"--dir={tmp_path}", f"--checksum=sha-256={checksum}", f"{served.url}large.iso")
    assert same(tmp_path / "large.iso", content)
    found = replies(served, "/large.iso")
    assert sum(status == 206 for status, _ in found) >= 7, found
    assert sum(size for _, size in found) >= SIZE


# -- a video -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes that a player has to seek in: the index of an MP4 file is at its end."""
    made = tmp_path_factory.mktemp("films") / "film.mp4"
    picture = "testsrc2=size=640x360:rate=5:duration=120"
    run(
        client("ffmpeg"),
        *("-v", "error", "-f", "lavfi", "-i", picture),
        *("-c:v", "mpeg4", "-q:v", "1", "-g", "25", "-threads", "2", str(made)),
    )
    return made


@pytest.mark.parametrize("poller", POLLERS)
def test_ffmpeg_seeks(video: Path, poller: str) -> None:
    ffmpeg = client("ffmpeg")

    def frame(source: str) -> bytes:
        """The checksum of the picture at 100 seconds."""
        return run(
            ffmpeg, "-v", "error", "-ss", "100", "-i", source, "-frames:v", "1", "-f", "framemd5", "-"
        ).splitlines()[-1]

    wanted = frame(str(video))
    with serving(video.parent, "--poller", poller) as served:
        assert frame(f"{served.url}film.mp4") == wanted
        found = replies(served, "/film.mp4")
    assert {status for status, _ in found} == {206}, found
    assert len(found) >= 3, "the beginning, the index at the end, the place sought"
    assert sum(size for _, size in found) < video.stat().st_size, "not all of it was taken"
