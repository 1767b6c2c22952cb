"""Tar archives as streams: what other programs read in them."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from poise.files.members import CHUNK, Member
from poise.files.tarring import BLOCK, Gzip, head_of, tarred
from poise.files.walk import Why
from tests.files.support import LONG_AGO
from tests.files.test_zipping import MIXTURE, NOISE, TEXT, file, folder, mixture


def archive_of(members: Iterable[Member | None]) -> bytes:
    return b"".join(tarred(members))


def opened(archive: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz", encoding="utf-8", errors="surrogateescape")


def content(archive: tarfile.TarFile, name: str) -> bytes:
    read = archive.extractfile(name)
    assert read is not None
    with read:
        return read.read()


def test_others_read_what_was_put_in() -> None:
    with opened(archive_of(mixture())) as archive:
        assert archive.getnames() == ["t", *MIXTURE, "t/empty"]
        for path, expected in MIXTURE.items():
            assert content(archive, path) == expected
            info = archive.getmember(path)
            assert (info.mode, info.mtime, info.uid, info.gid) == (0o644, LONG_AGO, 0, 0)
            assert (info.uname, info.gname) == ("", "")
            assert info.isreg()
        assert archive.getmember("t").isdir()
        assert archive.getmember("t/empty").mode == 0o755


@pytest.mark.live
@pytest.mark.parametrize("tool", ["tar", "bsdtar"])
def test_real_programs_unpack_it(tool: str, tmp_path: Path) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    archive = archive_of([*mixture(), file(b"t/\xff\nodd", b"odd"), file("t/" + "x" * 255, b"long")])
    done = subprocess.run(
        [tool, "-xzf", "-", "-C", tmp_path], input=archive, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr in (
        b"",
        b"tar: Ignoring unknown extended header keyword 'hdrcharset'\n",
    )  # GNU's, and no harm
    assert {path: (tmp_path / path).read_bytes() for path in MIXTURE} == MIXTURE
    assert (tmp_path / "t" / "empty").is_dir()
    assert (tmp_path / os.fsdecode(b"t/\xff\nodd")).read_bytes() == b"odd"
    assert (tmp_path / "t" / ("x" * 255)).read_bytes() == b"long"


@pytest.mark.live
def test_gzip_finds_it_in_order() -> None:
    if shutil.which("gzip") is None:
        pytest.skip("gzip is not installed")
    done = subprocess.run(["gzip", "-t"], input=archive_of(mixture()), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "path",
    [
        "t/plain",
        "t/für 日本",
        "t/new\nline",
        "t/" + "long" * 60,
        "t/" + "/".join(["deep"] * 60),
        os.fsdecode(b"t/\xff\xe9"),
        os.fsdecode(b"t/\xffand" + "für".encode()),
    ],
)
def test_names_are_the_bytes_that_they_are(path: str) -> None:
    with opened(archive_of([file(os.fsencode(path), b"x")])) as archive:
        assert archive.getnames() == [path]


@pytest.mark.parametrize("modified", [0, -1, -(2**40), 2**33, 2**40])
def test_times(modified: int) -> None:
    with opened(archive_of([folder("t", modified=modified)])) as archive:
        assert archive.getmember("t").mtime == modified


def test_a_size_of_any_length() -> None:
    head = head_of(file("t/a", b""), 9 << 30)
    info = tarfile.TarInfo.frombuf(head[-BLOCK:], "utf-8", "strict")
    assert info.size == 0  # too long for the old field
    assert b" size=%d\n" % (9 << 30) in head


def test_the_same_files_make_the_same_archive() -> None:
    assert archive_of(mixture()) == archive_of(mixture())


@pytest.mark.parametrize("name", ["t/a.txt", "t/a.mp4"])
@pytest.mark.parametrize("size", [100, CHUNK, CHUNK + 1, 4 * CHUNK])
def test_a_file_that_has_become_shorter_breaks_nothing(size: int, name: str) -> None:
    member = file(name, TEXT[: size // 2], size=size)
    with opened(archive_of([member, file("t/b", b"after")])) as archive:
        expected = TEXT[: size // 2]
        if size > CHUNK:  # its length had been told already
            expected += bytes(size - size // 2)
        assert content(archive, name) == expected
        assert content(archive, "t/b") == b"after"
    assert member.missing is Why.CHANGED


@pytest.mark.parametrize("size", [0, 100, CHUNK + 1])
def test_of_a_file_that_has_grown_the_rest_is_left_out(size: int) -> None:
    member = file("t/a", TEXT, size=size)
    with opened(archive_of([member, file("t/b", b"after")])) as archive:
        assert content(archive, "t/a") == TEXT[:size]
        assert content(archive, "t/b") == b"after"
    assert member.missing is None


def test_what_is_compressed_already_is_only_framed() -> None:
    packed = archive_of([file("t/a.mp4", TEXT)])
    assert len(TEXT) < len(packed) < len(TEXT) * 1.001 + 1000
    assert len(archive_of([file("t/a.txt", TEXT)])) < len(TEXT) // 4


def test_framed_and_deflated_parts_do_not_refer_to_each_other() -> None:
    parts = [TEXT, NOISE, TEXT, b"", NOISE[:10], TEXT[:5000], NOISE]
    made = Gzip()
    stream = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    for number, part in enumerate(parts):
        if number % 2:
            stream += made.stored(iter([part[:700], part[700:]]))
        else:
            stream.append(made.compress(part))
    stream.append(made.end())
    assert gzip.decompress(b"".join(stream)) == b"".join(parts)
