"""Zip archives as streams: what other programs read in them."""

from __future__ import annotations

import io
import os
import random
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from poise.files import zipping
from poise.files.members import CHUNK, Member
from poise.files.walk import Why
from poise.files.zipping import FULL_16, FULL_32, Zip, zipped
from tests.files.support import LONG_AGO

NOISE = random.Random(5).randbytes(3 * CHUNK + 1000)
TEXT = b"".join(b"line %d of a long text\n" % number for number in range(3 * CHUNK // 20))


def file(path: str | bytes, content: bytes, *, size: int | None = None, mode: int = 0o644) -> Member:
    """A file that has ``content``, and had ``size`` when it was opened."""
    name = path.encode() if isinstance(path, str) else path
    size = len(content) if size is None else size
    return Member(name, mode, LONG_AGO, size, io.BytesIO(content).read)


def folder(path: str, mode: int = 0o755, modified: int = LONG_AGO) -> Member:
    return Member(path.encode(), mode, modified)


def archive_of(members: Iterable[Member | None]) -> bytes:
    return b"".join(zipped(members))


def opened(archive: bytes) -> zipfile.ZipFile:
    made = zipfile.ZipFile(io.BytesIO(archive))
    assert made.testzip() is None
    return made


def check(tool: list[str], archive: bytes, tmp_path: Path) -> str:
    """What ``tool`` says of the archive, which it must find in order."""
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    path = tmp_path / "archive.zip"
    path.write_bytes(archive)
    done = subprocess.run([*tool, path], capture_output=True, check=False)
    assert done.returncode == 0, done
    assert done.stderr == b""
    return done.stdout.decode()


MIXTURE = {
    "t/empty.txt": b"",
    "t/small.txt": b"hello " * 100,
    "t/noise.bin": NOISE[:1000],
    "t/small.jpg": b"hello " * 100,
    "t/exactly.txt": TEXT[:CHUNK],
    "t/one more.txt": TEXT[: CHUNK + 1],
    "t/large.txt": TEXT,
    "t/large noise": NOISE,
    "t/large.mp4": NOISE,
    "t/名字.txt": b"name",
}


def mixture() -> list[Member | None]:
    return [folder("t"), None, *(file(path, content) for path, content in MIXTURE.items()), folder("t/empty")]


def test_others_read_what_was_put_in() -> None:
    with opened(archive_of(mixture())) as archive:
        assert archive.namelist() == ["t/", *MIXTURE, "t/empty/"]
        for path, content in MIXTURE.items():
            assert archive.read(path) == content
            info = archive.getinfo(path)
            assert (info.file_size, stat.S_IMODE(info.external_attr >> 16)) == (len(content), 0o644)
            assert stat.S_ISREG(info.external_attr >> 16)
            assert info.create_system == 3
        assert archive.getinfo("t/").is_dir()
        assert archive.getinfo("t/empty/").external_attr == (stat.S_IFDIR | 0o755) << 16 | 0x10


@pytest.mark.live
@pytest.mark.parametrize(
    "tool", [["unzip", "-tqq"], ["zip", "-T"], ["bsdtar", "-tf"], ["7z", "t"]], ids=" ".join
)
@pytest.mark.parametrize("large", [False, True])
def test_real_programs_find_it_in_order(
    tool: list[str], large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(zipping, "LARGE", CHUNK + 2)
    check(tool, archive_of(mixture()), tmp_path)


@pytest.mark.live
@pytest.mark.parametrize("large", [False, True])
def test_it_can_be_read_as_a_stream(large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the directory at its end: every member says where it stops."""
    if shutil.which("bsdtar") is None:
        pytest.skip("bsdtar is not installed")
    if large:
        monkeypatch.setattr(zipping, "LARGE", CHUNK + 2)
    archive = archive_of(mixture())
    subprocess.run(["bsdtar", "-xf", "-", "-C", tmp_path], input=archive, check=True)
    assert {path: (tmp_path / path).read_bytes() for path in MIXTURE} == MIXTURE
    assert (tmp_path / "t" / "empty").is_dir()


def test_what_is_compressed_already_is_left_as_it_is() -> None:
    with opened(archive_of(mixture())) as archive:
        info = {path: archive.getinfo(path) for path in MIXTURE}
    assert info["t/small.txt"].compress_size < 50
    assert info["t/large.txt"].compress_size < len(TEXT) // 4
    for path in ("t/small.jpg", "t/noise.bin"):
        assert info[path].compress_type == zipfile.ZIP_STORED
        assert info[path].compress_size == len(MIXTURE[path])
    assert info["t/large.mp4"].compress_type == zipfile.ZIP_DEFLATED  # in stored blocks
    assert info["t/large.mp4"].compress_size < len(NOISE) * 1.001


def test_the_same_files_make_the_same_archive() -> None:
    assert archive_of(mixture()) == archive_of(mixture())


def test_an_archive_of_nothing() -> None:
    with opened(archive_of([])) as archive:
        assert archive.namelist() == []


# -- times and names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modified", "old", "exact"),
    [
        (LONG_AGO, (2023, 11, 14, 22, 13, 20), True),
        (0, (1980, 1, 1, 0, 0, 0), True),
        (-1, (1980, 1, 1, 0, 0, 0), True),
        (-(2**40), (1980, 1, 1, 0, 0, 0), False),
        (2**31 - 1, (2038, 1, 19, 3, 14, 6), True),
        (2**31, (2038, 1, 19, 3, 14, 8), False),
        (2**40, (2107, 12, 31, 23, 59, 58), False),
    ],
)
def test_times(modified: int, old: tuple[int, ...], exact: bool) -> None:
    with opened(archive_of([folder("t", modified=modified)])) as archive:
        info = archive.getinfo("t/")
    assert info.date_time == old
    kept = b"UT\5\0\1" + modified.to_bytes(4, "little", signed=True) if exact else b""
    assert info.extra == kept


@pytest.mark.live
def test_unzip_restores_the_time(tmp_path: Path) -> None:
    if shutil.which("unzip") is None:
        pytest.skip("unzip is not installed")
    (tmp_path / "a.zip").write_bytes(archive_of([file("t/odd", b"x", mode=0o750)]))
    subprocess.run(["unzip", "-qq", "a.zip"], cwd=tmp_path, check=True)
    state = (tmp_path / "t" / "odd").stat()
    assert state.st_mtime == LONG_AGO
    assert stat.S_IMODE(state.st_mode) == 0o750


@pytest.mark.parametrize(
    ("path", "name", "flag"),
    [
        (b"t/plain", "t/plain", 0),
        ("t/für 日本".encode(), "t/für 日本", 0x800),
        (b"t/\xff\xe9", "t/%FF%E9", 0),
        (b"t/new\nline", "t/new\nline", 0),
        (b"t/a\xed\xb3\xbf", "t/a%ED%B3%BF", 0),
    ],
)
def test_names(path: bytes, name: str, flag: int) -> None:
    with opened(archive_of([file(path, b"x")])) as archive:
        [info] = archive.infolist()
    assert info.filename == name
    assert info.flag_bits == flag


def test_a_path_that_is_too_long_is_left_out() -> None:
    fits, too_long = file("t/" + "x" * (FULL_16 - 2), b"x"), file("t/" + "x" * (FULL_16 - 1), b"x")
    with opened(archive_of([fits, too_long])) as archive:
        assert len(archive.namelist()) == 1
    assert (fits.missing, too_long.missing) == (None, Why.LONG)


# -- what changes while it is read ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [100, CHUNK, CHUNK + 1, 4 * CHUNK])
def test_a_file_that_has_become_shorter_is_as_long_as_it_is(size: int) -> None:
    member = file("t/a", TEXT[: size // 2], size=size)
    with opened(archive_of([member, file("t/b", b"after")])) as archive:
        assert archive.read("t/a") == TEXT[: size // 2]
        assert archive.read("t/b") == b"after"
    assert member.missing is Why.CHANGED


@pytest.mark.parametrize("size", [0, 100, CHUNK + 1])
def test_of_a_file_that_has_grown_the_rest_is_left_out(size: int) -> None:
    member = file("t/a", TEXT, size=size)
    with opened(archive_of([member])) as archive:
        assert archive.read("t/a") == TEXT[:size]
    assert member.missing is None


def test_a_file_that_cannot_be_read_on_leaves_no_archive() -> None:
    def read(count: int) -> bytes:
        raise OSError(5, "a bad block")

    pieces = zipped([file("t/b", b"before"), Member(b"t/a", 0o644, 0, 2 * CHUNK, read)])
    with pytest.raises(OSError, match="a bad block"):
        list(pieces)


# -- large ----------------------------------------------------------------------------------------------------


def test_a_large_file_has_large_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipping, "LARGE", len(TEXT))
    pieces = archive_of([file("t/large", TEXT), file("t/small", b"x")])
    with opened(pieces) as archive:
        assert archive.read("t/large") == TEXT
    assert pieces.count(b"\1\0\x10\0" + bytes(16) + b"UT\5\0") == 1


@pytest.mark.parametrize("offset", [FULL_32 - 1, FULL_32, 5 << 30])
def test_what_lies_beyond_four_gigabytes(offset: int, tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    archive = Zip()
    with path.open("wb") as out:
        for member in mixture():
            if member is not None:
                for piece in archive.add(member):
                    out.write(piece)
            if out.tell() < offset:  # the first is at the beginning, the others beyond a hole
                out.seek(offset)
                archive._offset = offset
        for piece in archive.end():
            out.write(piece)
    with zipfile.ZipFile(path) as made:
        assert made.testzip() is None
        assert made.read("t/large.txt") == TEXT
        assert made.infolist()[0].header_offset == 0
    if shutil.which("unzip") is not None:
        subprocess.run(["unzip", "-tqq", path], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("count", [FULL_16 - 1, FULL_16])
def test_more_members_than_sixteen_bits_can_count(count: int, tmp_path: Path) -> None:
    archive = archive_of(folder(f"t/{number}") for number in range(count))
    with zipfile.ZipFile(io.BytesIO(archive)) as made:
        assert len(made.namelist()) == count
    assert (b"PK\6\6" in archive) is (count >= FULL_16)
    if shutil.which("unzip") is not None:
        check(["unzip", "-tqq"], archive, tmp_path)


class Zeros:
    """A file that holds nothing else, and is never on a disk."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, count: int) -> bytes:
        count = min(count, self.left)
        self.left -= count
        return bytes(count)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["t/a.txt", "t/a.mp4"])
def test_a_file_of_more_than_four_gigabytes(name: str, tmp_path: Path) -> None:
    size = (4 << 30) + 12345
    path = tmp_path / "archive.zip"
    with path.open("wb") as out:
        large = Member(name.encode(), 0o644, LONG_AGO, size, Zeros(size).read)
        for piece in zipped([large, file("t/b", b"after")]):
            if piece.count(0) == len(piece):
                out.seek(len(piece), os.SEEK_CUR)  # a hole
            else:
                out.write(piece)
    with zipfile.ZipFile(path) as made:
        assert made.getinfo(name).file_size == size
        assert made.read("t/b") == b"after"
    for tool in (["unzip", "-tqq"], ["7z", "t"]):
        if shutil.which(tool[0]) is not None:
            subprocess.run([*tool, path], check=True, capture_output=True)


def test_the_date_is_what_the_calendar_says() -> None:
    assert datetime.fromtimestamp(zipping.EARLIEST, UTC) == datetime(1980, 1, 1, tzinfo=UTC)
    assert datetime.fromtimestamp(zipping.LATEST, UTC) == datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
