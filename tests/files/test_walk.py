"""The walk below a folder: what it finds, what it leaves out, and what can be done to it meanwhile."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.errors import RequestError
from poise.files.locate import Root
from poise.files.names import Names, path_of
from poise.files.scan import Scan
from poise.files.walk import Walk, Why
from poise.limits import FileLimits
from tests.files.support import SECRET, put
from tests.files.trees import before, descriptors, everything, paths, swap_for_link, unprivileged, walk_of


def found(root: Root, path: str = "/") -> list[str]:
    return paths(everything(walk_of(root, path)))


def left_out(walk: Walk) -> list[tuple[str, Why]]:
    return [(b"/".join(names).decode(), why) for names, why in walk.left_out.first]


# -- what it finds --------------------------------------------------------------------------------------------


def test_folders_come_before_what_is_in_them_and_names_in_order(root: Root, folder: Path) -> None:
    for name in ("b.txt", "a/2", "a/10", "a/sub/x", "B", "c/y"):
        put(folder / name)
    (folder / "empty").mkdir()
    assert found(root) == ["B", "a/", "a/10", "a/2", "a/sub/", "a/sub/x", "b.txt", "c/", "c/y", "empty/"]
    assert found(root, "/a/") == ["10", "2", "sub/", "sub/x"]
    assert found(root, "/empty/") == []


def test_it_tells_what_a_file_is(root: Root, folder: Path) -> None:
    put(folder / "a" / "b", b"12345")
    walk = walk_of(root)
    a, b = everything(walk)
    assert walk.state.st_ino == folder.stat().st_ino
    assert (a.names, a.is_folder, a.state.st_ino) == ((b"a",), True, (folder / "a").stat().st_ino)
    assert (b.names, b.is_folder, b.state.st_size) == ((b"a", b"b"), False, 5)
    assert walk.done
    assert not walk.cut
    assert walk.left_out.count == 0
    assert walk.looked_at == 2


def test_what_no_address_is_answered_with_is_left_out(root: Root, folder: Path) -> None:
    put(folder / "seen")
    put(folder / ".hidden")
    put(folder / ".git" / "config")
    put(folder / "a\\b")
    (folder / "nowhere").symlink_to("nothing")
    (folder / "itself").symlink_to("itself")
    (folder / "out").symlink_to("../outside")
    (folder / "out.txt").symlink_to("../outside/secret.txt")
    (folder / "absolute").symlink_to("/etc")
    walk = walk_of(root)
    assert paths(everything(walk)) == ["seen"]
    assert walk.left_out.count == 0
    assert walk.looked_at == 9


@pytest.mark.attack(43)
def test_special_files_are_left_out_and_not_waited_for(root: Root, folder: Path) -> None:
    put(folder / "seen")
    os.mkfifo(folder / "fifo")
    (folder / "link-to-fifo").symlink_to("fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.fspath(folder / "socket"))
        assert found(root) == ["seen"]


def test_dot_files_are_found_where_they_are_served(folder: Path) -> None:
    put(folder / ".git" / "config")
    with Root(folder, dotfiles=True) as root:
        assert found(root) == [".git/", ".git/config"]


def test_a_folder_that_may_be_asked_for_is_walked_whatever_it_is_called(root: Root, folder: Path) -> None:
    put(folder / ".well-known" / "security.txt")
    assert found(root, "/.well-known/") == ["security.txt"]


def test_names_of_any_bytes(root: Root, folder: Path) -> None:
    put(folder / os.fsdecode(b"\xff") / "new\nline")
    assert found(root) == ["%FF/", "%FF/new%0Aline"]


def test_what_is_hidden_takes_all_below_it_along(root: Root, folder: Path) -> None:
    for name in ("keep/a", "secret/b", "keep/secret/c", "keep/secret.txt", "deep/secret"):
        put(folder / name)
    (folder / "link").symlink_to("keep")
    (folder / "link-to-secret").symlink_to("secret")
    asked: list[Names] = []

    def hider(names: Names) -> None:
        asked.append(names)

    everything(walk_of(root, "/keep/", hides=hider))
    assert asked == [(b"keep",), (b"keep", b"secret")]

    def hides(names: Names, name: bytes, folder: bool) -> bool:
        return name == b"link" or (name == b"secret" and folder)

    walk = walk_of(
        root,
        hides=lambda names, granted=False: lambda name, folder: not granted and hides(names, name, folder),
    )
    assert paths(everything(walk)) == [
        "deep/",
        "deep/secret",
        "keep/",
        "keep/a",
        "keep/secret.txt",
        "link-to-secret/",
        "link-to-secret/b",
    ]


# -- links ----------------------------------------------------------------------------------------------------


@pytest.mark.attack(16)
def test_links_are_what_they_lead_to(root: Root, folder: Path) -> None:
    put(folder / "docs" / "a", b"123")
    (folder / "a-link").symlink_to("docs/a")
    (folder / "z-link").symlink_to(folder / "docs")
    walk = walk_of(root)
    all_found = everything(walk)
    assert paths(all_found) == ["a-link", "docs/", "docs/a", "z-link/", "z-link/a"]
    assert all_found[0].state.st_size == 3
    with root.locate("/docs/a") as file, walk_of(root) as again:
        for each in again:
            if each is not None and not each.is_folder:
                with again.open(each) as opened:
                    assert opened.stat.st_ino == file.stat.st_ino


def test_a_link_into_the_hidden_is_its_owners_word(root: Root, folder: Path) -> None:
    put(folder / ".releases" / "5" / "index.html")
    (folder / "current").symlink_to(".releases/5")
    assert found(root) == ["current/", "current/index.html"]


@pytest.mark.attack(42)
@pytest.mark.parametrize("target", [".", "..", "../..", "../../a", "../../a/b/up", "{root}"])
def test_a_link_to_where_it_stands_ends(root: Root, folder: Path, target: str) -> None:
    put(folder / "a" / "b" / "file")
    (folder / "a" / "b" / "up").symlink_to(target.format(root=folder))
    walk = walk_of(root)
    expected = ["a/", "a/b/", "a/b/file", "a/b/up/"]
    assert paths(everything(walk)) == (expected[:3] if target.endswith("up") else expected)
    assert left_out(walk) == ([] if target.endswith("up") else [("a/b/up", Why.REPEATED)])
    walk = walk_of(root, "/a/b/")
    assert paths(everything(walk)) == (["file"] if target.endswith("up") else ["file", "up/"])


@pytest.mark.attack(42)
def test_a_link_to_a_folder_above_by_another_way(root: Root, folder: Path) -> None:
    """The walk begins behind a link, so the folders above it have other names than those it has come by."""
    put(folder / "real" / "deep" / "file")
    (folder / "real" / "deep" / "up").symlink_to("..")
    (folder / "short").symlink_to("real/deep")
    walk = walk_of(root, "/short/")
    assert paths(everything(walk)) == ["file", "up/", "up/deep/"]
    assert left_out(walk) == [("up/deep", Why.REPEATED)]


@pytest.mark.slow
@pytest.mark.attack(42)
def test_folders_full_of_links_to_each_other(root: Root, folder: Path) -> None:
    for number in range(40):
        put(folder / f"p{number:02}" / "file")
        for other in range(40):
            (folder / f"p{number:02}" / f"needs-{other:02}").symlink_to(f"../p{other:02}")
    walk = walk_of(root)
    count = sum(not each.is_folder for each in everything(walk))
    assert 40 <= count <= 2 * 40
    assert Why.REPEATED in walk.left_out.reasons


def test_a_folder_is_where_it_is_and_where_the_first_link_brings_it(root: Root, folder: Path) -> None:
    put(folder / "m" / "file")
    for name in ("a", "b", "z"):
        (folder / name).symlink_to("m")
    walk = walk_of(root)
    assert paths(everything(walk)) == ["a/", "a/file", "b/", "m/", "m/file", "z/"]
    assert left_out(walk) == [("b", Why.REPEATED), ("z", Why.REPEATED)]


def test_no_more_links_on_one_way_than_the_gate_allows(folder: Path) -> None:
    put(folder / "0" / "file")
    for number in range(1, 6):
        (folder / str(number)).mkdir()
        (folder / str(number) / "down").symlink_to(f"../{number - 1}")
    with Root(folder, limits=FileLimits(links=3)) as root:
        names = found(root, "/5/")
        assert names == ["down/", "down/down/", "down/down/down/"]
        for name in names:
            root.locate(f"/5/{name}").close()
        with pytest.raises(RequestError):
            root.locate("/5/down/down/down/down/")


# -- how much -------------------------------------------------------------------------------------------------


@pytest.mark.attack(42)
def test_no_more_is_looked_at_than_the_limit_says(folder: Path) -> None:
    for number in range(50):
        put(folder / "a" / f".hidden{number}")
        put(folder / "b" / f"{number:02}")
    with Root(folder, limits=FileLimits(walk_entries=70, looks=8)) as root:
        walk = walk_of(root)
        assert len(everything(walk)) == 2 + 18
        assert walk.looked_at == 70
        assert walk.cut
        assert left_out(walk) == [("b", Why.MANY)]
        walk = walk_of(root, "/b/", entries=50)
        assert len(everything(walk)) == 50
        assert not walk.cut


def test_a_folder_that_comes_after_the_last_entry_is_named_and_not_read(folder: Path) -> None:
    put(folder / "a" / "x")
    put(folder / "b" / "y")
    with Root(folder, limits=FileLimits(walk_entries=2)) as root:
        walk = walk_of(root)
        assert paths(everything(walk)) == ["a/", "b/"]
        assert left_out(walk) == [("a", Why.MANY), ("b", Why.MANY)]


@pytest.mark.attack(42)
def test_no_deeper_than_the_limit_says(folder: Path) -> None:
    put(folder / "1" / "2" / "3" / "4")
    (folder / "1" / "2" / "link").symlink_to("../../1/2/3")
    with Root(folder, limits=FileLimits(walk_depth=2)) as root:
        walk = walk_of(root)
        assert paths(everything(walk)) == ["1/", "1/2/", "1/2/3/", "1/2/link/"]
        assert walk.cut
        assert left_out(walk) == [("1/2/3", Why.DEEP), ("1/2/link", Why.DEEP)]
        assert not walk_of_everything(root, "/1/").cut
    with Root(folder, limits=FileLimits(components=2)) as root:
        assert paths(everything(walk_of(root))) == ["1/", "1/2/"]
        assert paths(everything(walk_of(root, "/1/2/"))) == []


def walk_of_everything(root: Root, path: str) -> Walk:
    walk = walk_of(root, path)
    everything(walk)
    return walk


def test_of_what_is_left_out_only_so_many_are_named(folder: Path) -> None:
    for number in range(10):
        (folder / f"up{number}").symlink_to(".")
    with Root(folder, limits=FileLimits(left_out=3)) as root:
        walk = walk_of_everything(root, "/")
        assert walk.left_out.count == 10
        assert left_out(walk) == [(f"up{number}", Why.REPEATED) for number in range(3)]


@pytest.mark.parametrize(("held", "looks"), [(1, 1), (4, 2), (5, 100), (1000, 7)])
def test_few_names_are_kept_and_none_is_lost(folder: Path, held: int, looks: int) -> None:
    expected = set()
    for number in range(30):
        put(folder / f"{number % 3}" / f"{number % 2}" / f"{number:02}")
        expected.add(f"{number % 3}/{number % 2}/{number:02}")
        put(folder / f"{number:02}.txt")
        expected.add(f"{number:02}.txt")
    with Root(folder, limits=FileLimits(walk_names=held, looks=looks)) as root:
        walk = walk_of(root)
        names = []
        most = 0
        for each in walk:
            if each is not None and not each.is_folder:
                names.append(path_of(each.names)[1:])
            most = max(most, walk._held)
        assert walk._held == 0
    assert sorted(names) == sorted(expected)
    assert most <= held + 4 * looks
    if held == 1000:
        assert [name for name in names if name.endswith(".txt")] == sorted(
            name for name in names if "." in name
        )


def test_a_step_is_small_and_descriptors_are_few(folder: Path) -> None:
    put(folder.joinpath(*map(str, range(30))) / "file")
    for number in range(300):
        put(folder / "0" / f"f{number}")
    with Root(folder, limits=FileLimits(looks=16)) as root:
        open_before = len(os.listdir("/proc/self/fd"))
        with walk_of(root) as walk:
            while not walk.done:
                looked_at = walk.looked_at
                walk.step()
                assert walk.looked_at - looked_at <= 16
                assert len(os.listdir("/proc/self/fd")) - open_before <= 2 * 31
        assert walk.step() is None
        assert len(os.listdir("/proc/self/fd")) == open_before


def test_a_walk_that_is_given_up_leaves_nothing_open(root: Root, folder: Path) -> None:
    put(folder / "a" / "b" / "c" / "file")
    walk = walk_of(root)
    while len(walk._levels) < 4:
        walk.step()
    walk.close()
    walk.close()
    assert walk.done
    assert everything(walk) == []


# -- what may not be read, and what fails ---------------------------------------------------------------------


def test_what_may_not_be_read_is_named(root: Root, folder: Path) -> None:
    put(folder / "closed" / "file")
    put(folder / "names-only" / "file")
    put(folder / "open" / "file")
    (folder / "z").symlink_to("closed")
    (folder / "closed").chmod(0o100)
    (folder / "names-only").chmod(0o444)
    try:
        with unprivileged():
            walk = walk_of(root)
            assert paths(everything(walk)) == ["closed/", "names-only/", "open/", "open/file"]
            assert left_out(walk) == [
                ("closed", Why.UNREADABLE),
                ("names-only/file", Why.UNREADABLE),
                ("z", Why.UNREADABLE),
            ]
            with pytest.raises(RequestError) as refused:
                walk_of(root, "/closed/")
            assert refused.value.status == 403
    finally:
        for name in ("closed", "names-only"):
            (folder / name).chmod(0o755)


@pytest.mark.attack(41)
@pytest.mark.parametrize("room", range(9))
def test_without_descriptors_a_walk_ends_and_says_so(root: Root, folder: Path, room: int) -> None:
    put(folder / "a" / "b" / "file")
    (folder / "a" / "b" / "link").symlink_to("file")
    with root.locate("/") as top, descriptors(room):
        if room < 2:
            with pytest.raises(RequestError) as refused:
                Walk(root, top)
        else:
            walk = Walk(root, top)
            if room > 5:
                assert len(everything(walk)) == 4
                return
            with pytest.raises(RequestError) as refused:
                everything(walk)
            assert walk.done
        assert refused.value.status == 503


def test_a_disk_that_fails_while_a_folder_is_read(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __iter__(self) -> Broken:
            return self

        def __next__(self) -> os.DirEntry[str]:
            raise OSError(errno.EIO, "a bad block")

        def close(self) -> None:
            pass

    monkeypatch.setattr(os, "scandir", lambda fd: Broken())
    walk = walk_of(root)
    with pytest.raises(RequestError) as refused:
        everything(walk)
    assert refused.value.status == 500
    assert walk.done


def test_a_disk_that_fails_for_one_entry(root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError(errno.EIO, "a bad block")

    put(folder / "a")
    put(folder / "b")
    walk = walk_of(root)
    before(monkeypatch, "stat", broken, name=b"a")
    assert paths(everything(walk)) == ["b"]
    assert left_out(walk) == [("a", Why.UNREADABLE)]


# -- what changes meanwhile -----------------------------------------------------------------------------------


@pytest.mark.attack(17)
def test_a_folder_that_becomes_a_link_is_not_followed(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "a" / "file")
    walk = walk_of(root)
    before(monkeypatch, "open", lambda: swap_for_link(folder / "a", "../outside"), name=b"a")
    assert everything(walk) == []


@pytest.mark.attack(17)
def test_a_folder_that_becomes_a_link_while_it_is_walked_stays_what_it_was(root: Root, folder: Path) -> None:
    put(folder / "a" / "file", b"inside")
    with walk_of(root) as walk:
        while (each := walk.step()) is None:
            pass
        assert each.is_folder
        swap_for_link(folder / "a", "../outside")
        while (each := walk.step()) is None:
            pass
        assert each.names == (b"a", b"file")
        with walk.open(each) as file:
            assert os.pread(file.fd, 10, 0) == b"inside"


@pytest.mark.attack(17)
def test_a_file_that_becomes_a_link_to_the_outside(root: Root, folder: Path) -> None:
    put(folder / "file", b"inside")
    with walk_of(root) as walk:
        while (each := walk.step()) is None:
            pass
        swap_for_link(folder / "file", "../outside/secret.txt")
        with pytest.raises(RequestError) as refused:
            walk.open(each)
        assert refused.value.status == 404


def test_what_is_gone_when_it_is_looked_at(root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "a")
    walk = walk_of(root)
    before(monkeypatch, "stat", (folder / "a").unlink, name=b"a")
    assert everything(walk) == []
    assert walk.left_out.count == 0


def test_the_folders_above_are_gone_when_a_link_is_met(root: Root, folder: Path) -> None:
    put(folder / "a" / "b" / "file")
    put(folder / "c" / "d")
    (folder / "a" / "b" / "link").symlink_to(folder / "c")
    walk = walk_of(root, "/a/b/")
    (folder / "a").rename(folder / "elsewhere")
    assert paths(everything(walk)) == [
        "file"
    ]  # whose address leads nowhere now: the links from it cannot be resolved


def test_a_folder_above_is_gone_when_it_is_asked_for(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "a" / "b" / "file")
    put(folder / "c" / "d")
    (folder / "a" / "b" / "link").symlink_to(folder / "c")
    walk = walk_of(root, "/a/b/")
    before(monkeypatch, "stat", lambda: os.rename(folder / "a", folder / "elsewhere"), name=b"a")
    assert paths(everything(walk)) == ["file", "link/", "link/d"]


@pytest.mark.attack(41)
def test_no_descriptor_to_ask_for_a_folder_above(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted() -> None:
        raise OSError(errno.EMFILE, "too many")

    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "link").symlink_to("..")
    walk = walk_of(root, "/a/b/")
    before(monkeypatch, "stat", exhausted, name=b"a")
    with pytest.raises(RequestError) as refused:
        everything(walk)
    assert refused.value.status == 503


@pytest.mark.slow
@pytest.mark.attack(17)
def test_no_swap_wins(root: Root, folder: Path) -> None:
    """A thread swaps a folder and a file for links to the outside and back, as fast as it can."""
    put(folder / "d" / "secret.txt", b"inside")
    put(folder / "f", b"inside")
    for name, target in (("d", "../outside"), ("f", "../outside/secret.txt")):
        (folder / f".{name}").symlink_to(target)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for name in ("d", "f"):
                os.rename(folder / name, folder / ".aside")
                os.rename(folder / f".{name}", folder / name)
                os.rename(folder / name, folder / f".{name}")
                os.rename(folder / ".aside", folder / name)

    swapper = threading.Thread(target=swap)
    swapper.start()
    read = 0
    try:
        for _ in range(1500):
            with walk_of(root) as walk:
                for each in walk:
                    if each is not None and not each.is_folder:
                        try:
                            with walk.open(each) as file:
                                assert os.pread(file.fd, 100, 0) == b"inside"
                                read += 1
                        except RequestError as refused:
                            assert refused.status == 404
    finally:
        stop.set()
        swapper.join()
    assert read


# -- any tree -------------------------------------------------------------------------------------------------

NAMES = ("a", "b", ".h", "x\\y")
PLACES = [*NAMES, *(f"{one}/{two}" for one in NAMES for two in NAMES), "a/a/a", "a/b/a", "b/a/b"]
KINDS = st.one_of(
    st.sampled_from(["file", "folder", "fifo"]),
    st.lists(st.sampled_from(["a", "b", ".h", "..", "."]), min_size=1, max_size=4).map("/".join),
    st.sampled_from(["{root}", "{root}/a", "{root}/../outside", "/", "nothing"]),
)


def grow(root: Path, tree: list[tuple[str, str]]) -> None:
    """The tree on disk; what does not fit is left out."""
    for place, kind in tree:
        path = root / place
        if (
            os.path.realpath(path.parent) != str(path.parent)
            or os.path.lexists(path)
            or not path.parent.is_dir()
        ):
            continue
        if kind == "file":
            path.write_bytes(b"inside")
        elif kind == "folder":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to(kind.format(root=root))


@pytest.mark.slow
@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(PLACES), KINDS), max_size=16), st.integers(1, 5), st.integers(1, 9))
def test_a_walk_of_any_tree_is_what_its_listings_show(
    tree: list[tuple[str, str]], looks: int, held: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.path.realpath(name)) / "root"
        folder.mkdir()
        put(folder.parent / "outside" / "a", SECRET)
        grow(folder, tree)
        with Root(folder, limits=FileLimits(looks=looks, walk_names=held)) as root:
            open_before = len(os.listdir("/proc/self/fd"))
            walk = walk_of(root)
            all_found = everything(walk)
            assert len(os.listdir("/proc/self/fd")) == open_before
            names = [each.names for each in all_found]
            assert len(set(names)) == len(names)
            not_entered = {names for names, _ in walk.left_out.first}
            for each in all_found:
                with root.locate(path_of(each.names, folder=each.is_folder)) as located:
                    assert located.stat.st_ino == each.state.st_ino
                    assert located.is_folder is each.is_folder
            for above in [(), *(each.names for each in all_found if each.is_folder)]:
                children = {each.names[-1] for each in all_found if each.names[:-1] == above}
                if above in not_entered:
                    assert not children
                else:
                    assert children == listed(root, above)


def listed(root: Root, names: Names) -> set[bytes]:
    with root.open(names, slash=True) as folder:
        scan = Scan(root, folder)
    while not scan.done:
        scan.step()
    return {entry.name for entry in scan.entries()}
