"""A folder as an archive: what is in it, that it can be unpacked safely, and what becomes of it when something fails."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.errors import MachineFault, RequestError
from poise.files.archive import KINDS, Archive, Archives
from poise.files.locate import Root
from poise.files.members import CHUNK, safe_name
from poise.http.errorpage import error_reply
from poise.http.message import Reply, Request
from poise.limits import FileLimits, HttpLimits
from poise.loop.offload import pools
from tests.files.support import SECRET, fields_of, put
from tests.files.trees import descriptors, join_threads, swap_for_link, unprivileged, walk_of
from tests.http.web import SMALL_QUEUE, Web, get, web
from tests.support.loops import turn_until

BOTH = pytest.mark.parametrize("kind", KINDS)
NOTE = "NOT IN THIS ARCHIVE.txt"


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    yield
    join_threads()


def packed(root: Root, kind: str, path: str = "/", name: bytes = b"t", **options: Any) -> bytes:
    return b"".join(Archive(walk_of(root, path, **options), kind, name))


def unpacked(archive: bytes, kind: str) -> dict[str, bytes | None]:
    """Paths and contents, None for a folder; by the standard library, which checks every sum."""
    found: dict[str, bytes | None] = {}
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(archive)) as made:
            assert made.testzip() is None
            for info in made.infolist():
                assert info.filename not in found
                found[info.filename.removesuffix("/")] = None if info.is_dir() else made.read(info)
    else:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz", encoding="utf-8") as tar:
            for member in tar:
                assert member.name not in found
                content = tar.extractfile(member)
                found[member.name] = None if content is None else content.read()
    return found


@BOTH
def test_everything_that_is_served_is_in_it_and_nothing_else(root: Root, folder: Path, kind: str) -> None:
    put(folder / "a.txt", b"a")
    put(folder / "sub" / "b.txt", b"b" * 5000)
    put(folder / "sub" / "large.txt", b"c" * (CHUNK + 1))
    (folder / "empty").mkdir()
    put(folder / ".hidden", SECRET)
    put(folder / "back\\slash", SECRET)
    os.mkfifo(folder / "fifo")
    (folder / "out").symlink_to("../outside")
    (folder / "out.txt").symlink_to("../outside/secret.txt")
    (folder / "in.txt").symlink_to("sub/b.txt")
    archive = packed(root, kind)
    assert unpacked(archive, kind) == {
        "t": None,
        "t/a.txt": b"a",
        "t/empty": None,
        "t/in.txt": b"b" * 5000,
        "t/sub": None,
        "t/sub/b.txt": b"b" * 5000,
        "t/sub/large.txt": b"c" * (CHUNK + 1),
    }
    assert SECRET not in archive
    assert packed(root, kind) == archive


@BOTH
def test_a_folder_below_the_root(root: Root, folder: Path, kind: str) -> None:
    put(folder / "a" / "b" / "c", b"c")
    put(folder / "other")
    assert unpacked(packed(root, kind, "/a/", b"a"), kind) == {"a": None, "a/b": None, "a/b/c": b"c"}


@BOTH
def test_permissions_are_kept_as_far_as_they_are_harmless(root: Root, folder: Path, kind: str) -> None:
    for name, mode in (("run", 0o755), ("own", 0o600), ("strange", 0o6711), ("none", 0)):
        put(folder / name).chmod(mode)
    (folder / "shared").mkdir()
    (folder / "shared").chmod(0o1777)
    (folder / "locked").mkdir()
    (folder / "locked").chmod(0o555)
    expected = {"run": 0o755, "own": 0o600, "strange": 0o711, "none": 0o400, "shared": 0o777, "locked": 0o755}
    archive = io.BytesIO(packed(root, kind))
    if kind == "zip":
        with zipfile.ZipFile(archive) as made:
            modes = {info.filename.strip("t/"): info.external_attr >> 16 & 0o7777 for info in made.infolist()}
    else:
        with tarfile.open(fileobj=archive) as tar:
            modes = {member.name.strip("t/"): member.mode for member in tar}
    assert {name: modes[name.strip("t")] for name in expected} == expected


# -- what is not in it ----------------------------------------------------------------------------------------


@BOTH
def test_what_is_left_out_is_said(root: Root, folder: Path, kind: str) -> None:
    put(folder / "a" / "file", b"x")
    put(folder / "secret", SECRET).chmod(0)
    (folder / "a" / "loop").symlink_to("..")
    with unprivileged():
        found = unpacked(packed(root, kind), kind)
    note = found.pop(f"t/{NOTE}")
    assert found == {"t": None, "t/a": None, "t/a/file": b"x", "t/a/loop": None}
    assert note is not None
    assert note.decode().splitlines() == [
        "2 not in this archive, or not as a whole:",
        "",
        "a/loop: a link to a folder that holds it, or that is in here by another link",
        "secret: may not be read",
    ]


@BOTH
@pytest.mark.attack(42)
def test_a_tree_without_end_is_cut_and_says_so(folder: Path, kind: str) -> None:
    for number in range(50):
        put(folder / f"d{number:02}" / "x\x1b[31m\u202ey" / "file", b"x")
    limits = FileLimits(walk_entries=75, walk_depth=1, left_out=2)
    with Root(folder, limits=limits) as root:
        found = unpacked(packed(root, kind), kind)
    note = found.pop(f"t/{NOTE}")
    assert len(found) == 1 + 50 + 25
    assert note is not None
    assert note.decode().splitlines() == [
        "50 not in this archive, or not as a whole:",
        "",
        "d00/x␛[31m\ufffdy: too many folders below one another: what is in this one",
        "d01/x␛[31m\ufffdy: too many folders below one another: what is in this one",
        "… and 48 more",
    ]


@BOTH
def test_the_folder_itself_can_be_too_long(folder: Path, kind: str) -> None:
    for number in range(5):
        put(folder / str(number))
    with Root(folder, limits=FileLimits(walk_entries=2)) as root:
        note = unpacked(packed(root, kind), kind)[f"t/{NOTE}"]
    assert note is not None
    assert b"(this folder): too many entries" in note


@BOTH
def test_the_note_takes_nobodys_name(folder: Path, kind: str) -> None:
    put(folder / NOTE, b"mine")
    put(folder / "NOT IN THIS ARCHIVE (1).txt", b"mine, too")
    (folder / "up").symlink_to(".")
    with Root(folder, limits=FileLimits(left_out=0)) as root:
        found = unpacked(packed(root, kind), kind)
    assert found[f"t/{NOTE}"] == b"mine"
    assert (
        found["t/NOT IN THIS ARCHIVE (2).txt"]
        == "1 not in this archive, or not as a whole:\n\n… and 1 more\n".encode()
    )


@BOTH
def test_a_file_that_becomes_shorter_is_said(root: Root, folder: Path, kind: str) -> None:
    path = put(folder / "large", os.urandom(8 * CHUNK))
    made = b""
    for piece in Archive(walk_of(root), kind, b"t"):
        made += piece
        if len(made) > CHUNK:
            os.truncate(path, CHUNK)
    found = unpacked(made, kind)
    note = found[f"t/{NOTE}"]
    assert note is not None
    assert b"large: became shorter while it was read" in note


def test_a_path_too_long_for_a_zip_is_said(root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poise.files.zipping.FULL_16", 20)
    put(folder / "short", b"x")
    put(folder / ("x" * 20) / "below", b"x")
    note = unpacked(packed(root, "zip"), "zip")
    assert list(note) == ["t", "t/short"]  # not even the note fits here
    monkeypatch.setattr("poise.files.zipping.FULL_16", 30)
    (folder / ("x" * 20) / "below").rename(folder / ("x" * 29))
    found = unpacked(packed(root, "zip"), "zip")
    assert list(found) == ["t", "t/short", f"t/{'x' * 20}", f"t/{NOTE}"]


# -- what changes, and what fails -----------------------------------------------------------------------------


@BOTH
@pytest.mark.attack(17)
def test_a_file_swapped_for_a_link_is_not_in_it(root: Root, folder: Path, kind: str) -> None:
    put(folder / "a", b"a")
    put(folder / "b", b"b")
    real = root.child

    def child(*args: Any) -> Any:
        if args[1] == b"b" and not (folder / "b").is_symlink():
            swap_for_link(folder / "b", "../outside/secret.txt")
        return real(*args)

    root.child = child  # type: ignore[method-assign,assignment]
    archive = packed(root, kind)
    assert unpacked(archive, kind) == {"t": None, "t/a": b"a"}
    assert SECRET not in archive


@BOTH
def test_a_file_that_has_become_a_folder_or_has_gone(root: Root, folder: Path, kind: str) -> None:
    put(folder / "a", b"a")
    put(folder / "b", b"b")
    real = root.child

    def child(*args: Any) -> Any:
        if (folder / "a").is_file():
            (folder / "a").unlink()
            (folder / "a").mkdir()
            (folder / "b").unlink()
        return real(*args)

    root.child = child  # type: ignore[method-assign,assignment]
    assert unpacked(packed(root, kind), kind) == {"t": None}


@BOTH
def test_a_disk_that_fails_leaves_an_archive_without_its_end(
    root: Root, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.read

    def read(fd: int, count: int) -> bytes:
        if os.lseek(fd, 0, os.SEEK_CUR) == 3 * CHUNK:
            raise OSError(errno.EIO, "a bad block")
        return real(fd, count)

    put(folder / "a", os.urandom(CHUNK))
    put(folder / "b", os.urandom(4 * CHUNK))
    monkeypatch.setattr(os, "read", read)
    archive = Archive(walk_of(root), kind, b"t")
    pieces: list[bytes] = []
    with pytest.raises(MachineFault, match="an archive could not be finished: a bad block"):
        pieces.extend(archive)
    assert len(b"".join(pieces)) > 3 * CHUNK
    assert list(archive) == []
    with pytest.raises((zipfile.BadZipFile, tarfile.ReadError, EOFError)):
        unpacked(b"".join(pieces), kind)


@BOTH
@pytest.mark.attack(41)
def test_without_descriptors_it_does_not_pretend_to_be_whole(root: Root, folder: Path, kind: str) -> None:
    put(folder / "a" / "b" / "c" / "file")
    for room in range(2, 5):
        with descriptors(room):
            archive = Archive(walk_of(root), kind, b"t")
            with pytest.raises(MachineFault, match="too many files open"):
                list(archive)


@BOTH
def test_an_archive_that_is_given_up_leaves_nothing_open(root: Root, folder: Path, kind: str) -> None:
    put(folder / "a" / "large", os.urandom(4 * CHUNK))
    open_before = len(os.listdir("/proc/self/fd"))
    for pieces in range(12):
        archive = Archive(walk_of(root), kind, b"t")
        for _ in range(pieces):
            next(archive)
        archive.close()
        archive.close()
        assert len(os.listdir("/proc/self/fd")) == open_before
        assert list(archive) == []


# -- safe to unpack -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        (b"photos", b"photos"),
        (b"", b"files"),
        (b".", b"files"),
        (b"..", b"files"),
        (b" .. ", b"files"),
        (b".well-known", b".well-known"),
        (b"C:", b"C_"),
        (b"a/../../b", b"a_.._.._b"),
        (b"\\\\host\\share", b"__host_share"),
        (b"a\nb\0", b"a_b_"),
        (b"\xff", b"\xff"),
    ],
)
def test_the_first_component_decides_where_everything_goes(name: bytes, safe: bytes) -> None:
    assert safe_name(name) == safe


@BOTH
def test_nothing_spills_whatever_the_folder_is_called(root: Root, folder: Path, kind: str) -> None:
    put(folder / "a", b"a")
    assert unpacked(packed(root, kind, name=b"/../C:"), kind) == {"_.._C_": None, "_.._C_/a": b"a"}


COMPONENT = st.binary(min_size=1, max_size=12).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
TREE = st.dictionaries(
    st.lists(COMPONENT, min_size=1, max_size=3).map(tuple),
    st.one_of(st.none(), st.binary(max_size=2000)),
    max_size=10,
)


@pytest.mark.slow
@settings(max_examples=60)
@given(TREE, st.sampled_from(sorted(KINDS)))
def test_any_tree_comes_back_as_it_was(tree: dict[tuple[bytes, ...], bytes | None], kind: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        base = os.fsencode(name)
        grown: dict[bytes, bytes | None] = {b"t": None}
        for names, content in tree.items():
            path = os.path.join(base, *names)
            try:
                if content is None:
                    os.makedirs(path, exist_ok=True)
                else:
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with open(path, "xb") as file:
                        file.write(content)
            except (FileExistsError, NotADirectoryError):
                continue
            for depth, part in enumerate(names, 1):
                if part.startswith(b".") or b"\\" in part:
                    break
                grown[b"/".join((b"t", *names[:depth]))] = content if depth == len(names) else None
        with Root(name) as root:
            archive = packed(root, kind)
        found = unpacked_by_names(archive, kind)
        assert found == {
            (escaped(path) if kind == "zip" else path): content for path, content in grown.items()
        }
        for path in found:
            parts = path.split(b"/")
            assert parts[0] == b"t"
            assert b"" not in parts
            assert b".." not in parts
            assert b"\\" not in path


def unpacked_by_names(archive: bytes, kind: str) -> dict[bytes, bytes | None]:
    return {
        path.encode("utf-8", "surrogateescape"): content for path, content in unpacked(archive, kind).items()
    }


def escaped(path: bytes) -> bytes:
    """As a zip has it: what is not UTF-8 by its number."""
    if path.isascii():
        return path
    text = path.decode("utf-8", "surrogateescape")
    return b"".join(
        b"%%%02X" % (ord(char) - 0xDC00) if "\udc80" <= char <= "\udcff" else char.encode() for char in text
    )


@pytest.mark.live
@pytest.mark.parametrize(
    ("kind", "tool"),
    [
        ("zip", ["unzip", "-qq"]),
        ("zip", ["bsdtar", "-xf"]),
        ("tar.gz", ["tar", "-xzf"]),
        ("tar.gz", ["bsdtar", "-xf"]),
    ],
)
def test_real_programs_unpack_it_inside_its_folder(
    root: Root, folder: Path, tmp_path: Path, kind: str, tool: list[str]
) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    for name in ("a:b", "-rf", "~", "c;d", "$HOME", "日本", "...", "%2e%2e", "CON"):
        put(folder / name / "file", name.encode())
    (folder / "...").rename(folder / "x...")
    into = tmp_path / "into"
    into.mkdir()
    (tmp_path / "made").write_bytes(packed(root, kind))
    subprocess.run([*tool, tmp_path / "made"], cwd=into, check=True)
    assert os.listdir(into) == ["t"]
    assert tree_of(into / "t") == tree_of(folder)


def tree_of(top: Path) -> dict[str, tuple[int, float, bytes]]:
    return {
        os.fspath(path.relative_to(top)): (
            stat.S_IMODE(path.stat().st_mode),
            0 if path.is_dir() else path.stat().st_mtime,
            b"" if path.is_dir() else path.read_bytes(),
        )
        for path in top.rglob("*")
    }


# -- over a connection ----------------------------------------------------------------------------------------


class Folders:
    """Answers every request with an archive, as a site would."""

    def __init__(self, root: Root, http_limits: HttpLimits | None = None) -> None:
        self.root = root
        self.http_limits = http_limits
        self.archives: Archives

    def __call__(self, request: Request) -> Reply:
        try:
            with self.root.locate(request.path) as folder:
                return self.archives.reply(self.root, folder, request.query or "zip", name="site")
        except RequestError as refused:
            return error_reply(refused.status, refused.detail)


@contextmanager
def serving(
    root: Root, http_limits: HttpLimits | None = None, **options: Any
) -> Iterator[tuple[Web, Archives]]:
    folders = Folders(root)
    with web(folders, **options) as site:
        folders.archives = Archives(site.reactor, http_limits=http_limits)
        yield site, folders.archives
        turn_until(site.reactor, lambda: pools(site.reactor).pending == 0)


@BOTH
def test_it_comes_over_a_connection(root: Root, folder: Path, kind: str) -> None:
    put(folder / "a" / "b", os.urandom(1_000_000))
    with serving(root) as (site, archives):
        client = site.client()
        answer = client.ask(get(f"/?{kind}"))
        assert answer.status == 200
        assert answer.body == packed(root, kind, name=b"site")
        assert archives.under_way == 0
        assert client.ask(get(f"/a/?{kind}")).body == packed(root, kind, "/a/", b"a")
        with root.locate("/a/") as found:
            reply = archives.reply(root, found, kind)
        assert fields_of(reply) == {
            "content-type": "application/zip" if kind == "zip" else "application/gzip",
            "content-disposition": f'attachment; filename="a.{kind}"',
            "accept-ranges": "none",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        reply.close()
        assert archives.under_way == 0


@BOTH
def test_head_has_the_fields_and_makes_nothing(root: Root, folder: Path, kind: str) -> None:
    put(folder / "a", b"a")
    with serving(root) as (site, archives):
        client = site.client()
        client.send(get(f"/?{kind}", method="HEAD"))
        head = client.answer("HEAD")
        whole = client.ask(get(f"/?{kind}"))
        assert whole.fields.pop("transfer-encoding") == "chunked"
        head.fields.pop("transfer-encoding", None)
        assert head.fields == whole.fields
        assert archives.under_way == 0


@pytest.mark.attack(22)
def test_a_folder_of_any_name_is_downloaded_under_a_plain_one(root: Root, folder: Path) -> None:
    (folder / '"\r\nSet-Cookie: x;für').mkdir()
    with (
        serving(root) as (_, archives),
        root.open(('"\r\nSet-Cookie: x;für'.encode(),), slash=True) as found,
    ):
        reply = archives.reply(root, found, "zip")
        value = fields_of(reply)["content-disposition"]
        reply.close()
    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 2
    assert value.endswith("Set-Cookie_%20x%3Bf%C3%BCr.zip")


def test_one_archive_too_many_is_told_to_come_again(folder: Path) -> None:
    put(folder / "large", os.urandom(1_000_000))
    with (
        Root(folder, limits=FileLimits(archives=2)) as root,
        serving(root, HttpLimits(feed=4096), stream_limits=SMALL_QUEUE) as (site, archives),
    ):
        clients = [site.client(receive_buffer=4096) for _ in range(3)]
        for client in clients:
            client.send(get("/?zip"))
        answer = clients[2].answer()
        assert answer.status == 503
        assert answer.fields["retry-after"] == "1"
        assert archives.under_way == 2
        whole = clients[0].answer()
        assert whole.body == packed(root, "zip", name=b"site")
        assert archives.under_way == 1
        assert clients[2].ask(get("/?zip")).status == 200
        clients[1].close()
        turn_until(site.reactor, lambda: archives.under_way == 0)


@pytest.mark.parametrize("received", [0, 50_000])
def test_a_client_that_leaves_ends_it(root: Root, folder: Path, received: int) -> None:
    put(folder / "a" / "b" / "large", os.urandom(8_000_000))
    with serving(root, HttpLimits(feed=4096), stream_limits=SMALL_QUEUE) as (site, archives):
        open_before = len(os.listdir("/proc/self/fd"))
        client = site.client(receive_buffer=4096)
        client.send(get("/?zip"))
        client._until(lambda: len(client.data) >= max(received, 1))
        client.close()
        site.gone()
        assert archives.under_way == 0
        turn_until(site.reactor, lambda: len(os.listdir("/proc/self/fd")) <= open_before)


def test_an_archive_that_cannot_be_finished_cuts_the_connection(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "a", os.urandom(3_000_000))
    put(folder / "b", b"b")

    def broken(self: Root, folder: Any, name: bytes) -> Any:
        if name == b"b":
            raise RequestError(500, "This could not be read.")
        return real(self, folder, name)

    real = Root.child
    monkeypatch.setattr(Root, "child", broken)
    with serving(root, faults=1) as (site, archives):
        client = site.client()
        client.send(get("/?zip"))
        data = client.end()
        assert client.reset
        assert not data.endswith(b"0\r\n\r\n")
        site.gone()
        assert archives.under_way == 0
        assert str(site.errors[0]) == "an archive could not be finished: This could not be read."


def test_a_folder_that_may_not_be_read_is_refused_before_anything_is_sent(root: Root, folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o100)
    with serving(root) as (site, archives), unprivileged():
        assert site.client().ask(get("/closed/?zip")).status == 403
        assert archives.under_way == 0


def test_others_are_served_while_it_is_made(root: Root, folder: Path) -> None:
    put(folder / "large", os.urandom(1000) * 20_000)
    put(folder / "small", b"x")
    folders = Folders(root)

    def answer(request: Request) -> Reply:
        return Reply(200, body=b"other") if request.path == "/other" else folders(request)

    with web(answer) as site:
        folders.archives = Archives(site.reactor)
        loading = site.client()
        loading.send(get("/?zip"))
        turn_until(site.reactor, lambda: folders.archives.under_way)
        assert site.client().ask(get("/other")).body == b"other"
        assert folders.archives.under_way == 1
        assert len(loading.answer().body) > 50_000


# -- memory ---------------------------------------------------------------------------------------------------

MEASURE = """
import gc, json, sys
from poise.files.archive import Archive
from poise.files.locate import Root
from poise.files.search import Query, Search
from poise.files.walk import Walk

def private() -> int:
    with open("/proc/self/smaps_rollup") as rollup:
        return 1024 * sum(int(line.split()[1]) for line in rollup if line.startswith("Private_Dirty"))

with Root(sys.argv[1]) as root, root.locate("/") as folder:
    for kind in ("zip", "tar.gz", "search"):
        gc.collect()
        before = highest = private()
        count = 0
        walk = Walk(root, folder)
        made = Search(walk, Query("file", 100), lambda: 0.0) if kind == "search" else Archive(walk, kind, b"t")
        for number, piece in enumerate(made):
            count += len(piece or b"")
            if number % 1000 == 0:
                highest = max(highest, private())
        highest = max(highest, private())
        if kind == "search":
            assert made.hits.total == int(sys.argv[2]), made.hits
        made.close()
        print(json.dumps([kind, count, highest - before]))
"""


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_hundred_thousand_files_need_little_memory(folder: Path) -> None:
    first = put(folder / "0" / "file", b"the same in every file\n" * 10)
    count = 100_000
    for number in range(1, count):
        if number % 30_000 == 0:  # as many links as file systems have places for
            first = put(folder / f"{number}" / "file", b"the same in every file\n" * 10)
        else:
            os.link(first, folder / f"file-{number:06}-with-a-name-of-the-usual-length.txt")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, folder, str(count)], capture_output=True, check=True, text=True
    )
    for line in done.stdout.splitlines():
        kind, size, grown = json.loads(line)
        assert grown < 32 << 20, (kind, grown)
        assert size > count or kind == "search"
