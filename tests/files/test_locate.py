"""The gate: what it opens, what it refuses, and that it leaves nothing open."""

from __future__ import annotations

import errno
import os
import resource
import socket
from pathlib import Path

import pytest

from poise.errors import MachineFault, RequestError
from poise.files import locate as room
from poise.files.locate import Root
from poise.files.located import Located, fingerprint, refusal
from poise.files.names import NOT_FOUND
from poise.limits import FileLimits
from tests.files.support import put


def opened(root: Root, path: str) -> Path:
    """What ``path`` leads to, by the kernel's own word."""
    with root.locate(path) as found:
        return Path(os.readlink(f"/proc/self/fd/{found.fd}"))


def refused(root: Root, path: str) -> tuple[int, str]:
    with pytest.raises(RequestError) as error:
        root.locate(path).close()
    return error.value.status, error.value.detail


def test_a_file_is_opened(root: Root, folder: Path) -> None:
    put(folder / "d" / "a.txt", b"hello")
    with root.locate("/d/a.txt") as found:
        assert os.pread(found.fd, 10, 0) == b"hello"
        assert (found.names, found.slash, found.is_folder) == ((b"d", b"a.txt"), False, False)
        assert found.consulted == (((b"d", b"a.txt"), fingerprint((folder / "d" / "a.txt").stat())),)
        assert not os.get_inheritable(found.fd)
        assert "file b'd/a.txt'" in repr(found)
    found.close()
    assert found.fd == -1


def test_a_folder_is_opened_with_and_without_its_slash(root: Root, folder: Path) -> None:
    (folder / "d" / "e").mkdir(parents=True)
    for path, slash in (("/d", False), ("/d/", True), ("/d/e/", True), ("/d/e/.", True)):
        with root.locate(path) as found:
            assert found.is_folder
            assert found.slash is slash
            assert found.consulted == ()
            assert os.path.samestat(found.stat, os.stat(folder.joinpath(*map(os.fsdecode, found.names))))
    assert opened(root, "/") == folder
    assert opened(root, "/d/..") == folder


def test_the_root_stays_open_when_a_way_ends_there(root: Root) -> None:
    root.locate("/").close()
    owned = root.locate("/")
    number = owned.detach()
    owned.close()
    os.close(number)
    root.locate("/").close()


def test_a_detached_descriptor_outlives_its_finder(root: Root, folder: Path) -> None:
    put(folder / "a", b"x")
    with root.locate("/a") as found:
        number = found.detach()
    assert os.pread(number, 1, 0) == b"x"
    os.close(number)


@pytest.mark.parametrize(
    "path", ["/none", "/none/a", "/a.txt/", "/a.txt/.", "/a.txt/b", "/d/none", "/" + "x" * 300]
)
def test_what_is_not_there_is_404(root: Root, folder: Path, path: str) -> None:
    put(folder / "a.txt")
    (folder / "d").mkdir()
    assert refused(root, path) == (404, NOT_FOUND)


def test_odd_names_are_found(root: Root, folder: Path) -> None:
    for name, path in (
        (b"a\nb", "/a%0ab"),
        (b"\xff\xfe", "/%ff%FE"),
        (b"%41", "/%2541"),
        (b"a:b?c#d", "/a:b%3fc%23d"),
    ):
        put(Path(os.fsdecode(os.path.join(os.fsencode(folder), name))), b"odd")
        with root.locate(path) as found:
            assert os.pread(found.fd, 9, 0) == b"odd"
            assert found.names == (name,)


def test_dotfiles_are_served_only_when_asked_for(root: Root, folder: Path) -> None:
    put(folder / ".env")
    put(folder / ".well-known" / "x")
    assert refused(root, "/.env") == (404, NOT_FOUND)
    assert opened(root, "/.well-known/x") == folder / ".well-known" / "x"
    with Root(folder, dotfiles=True) as open_root:
        assert opened(open_root, "/.env") == folder / ".env"


# --- links ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "a.txt",
        "./a.txt",
        "d/../a.txt",
        "d/e/../../a.txt",
        ".//a.txt",
        "up/a.txt",
        "{root}/a.txt",
        "{root}/./d/../a.txt",
    ],
)
def test_a_link_inside_the_root_is_followed(root: Root, folder: Path, target: str) -> None:
    put(folder / "a.txt")
    (folder / "d" / "e").mkdir(parents=True)
    (folder / "up").symlink_to(".")
    (folder / "link").symlink_to(target.format(root=folder))
    assert opened(root, "/link") == folder / "a.txt"
    assert refused(root, "/link/")[0] == 404


def test_a_link_inside_a_folder_may_climb_as_far_as_the_root(root: Root, folder: Path) -> None:
    put(folder / "a.txt")
    (folder / "d" / "e").mkdir(parents=True)
    (folder / "d" / "e" / "link").symlink_to("../../a.txt")
    (folder / "way").symlink_to("d/e")
    (folder / "d" / "top").symlink_to("..")
    assert opened(root, "/d/e/link") == folder / "a.txt"
    assert opened(root, "/way/link") == folder / "a.txt", "`..` is the real parent's, not the URL's"
    assert opened(root, "/d/top/a.txt") == folder / "a.txt"
    assert opened(root, "/d/top") == folder
    assert opened(root, "/d/top/d/top/") == folder
    assert opened(root, "/way/../a.txt") == folder / "a.txt", "`..` in a URL is a matter of text"


def test_a_link_to_a_folder_leads_on(root: Root, folder: Path) -> None:
    put(folder / "d" / "a.txt")
    for name, target in (("plain", "d"), ("slashed", "d/"), ("dotted", "d/."), ("absolute", f"{folder}/d")):
        (folder / name).symlink_to(target)
        assert opened(root, f"/{name}/a.txt") == folder / "d" / "a.txt"
        assert opened(root, f"/{name}") == folder / "d"
        assert opened(root, f"/{name}/") == folder / "d"


def test_a_link_that_asks_for_a_folder_finds_no_file(root: Root, folder: Path) -> None:
    put(folder / "a.txt")
    for name, target in (("slashed", "a.txt/"), ("dotted", "a.txt/.")):
        (folder / name).symlink_to(target)
        assert refused(root, f"/{name}")[0] == 404


def test_a_link_to_a_dotfile_is_its_owners_word(root: Root, folder: Path) -> None:
    put(folder / "..2026_11_23" / "a.conf")
    (folder / "..data").symlink_to("..2026_11_23")
    (folder / "a.conf").symlink_to("..data/a.conf")
    assert opened(root, "/a.conf") == folder / "..2026_11_23" / "a.conf"


@pytest.mark.attack(14)
@pytest.mark.attack(16)
@pytest.mark.parametrize("where", ["link", "d/link", "d/link/secret.txt"])
@pytest.mark.parametrize("outside", ["outside", "nothing"])
@pytest.mark.parametrize("style", ["relative", "absolute", "round"])
def test_a_link_that_leaves_is_not_found_whatever_is_there(
    root: Root, folder: Path, where: str, outside: str, style: str
) -> None:
    (folder / "d").mkdir()
    link = folder / where.removesuffix("/secret.txt")
    climb = "../" * len(link.relative_to(folder).parts)
    tail = "" if where.endswith("secret.txt") else "/secret.txt"
    target = {
        "relative": f"{climb}{outside}{tail}",
        "absolute": f"{folder.parent}/{outside}{tail}",
        "round": f"{climb}root/../{outside}{tail}",
    }[style]
    link.symlink_to(target)
    assert refused(root, f"/{where}") == (404, NOT_FOUND)


@pytest.mark.attack(6)
def test_a_sibling_with_the_same_beginning_is_outside(root: Root, folder: Path) -> None:
    (folder / "link").symlink_to(f"{folder}_private/x")
    assert refused(root, "/link")[0] == 404
    assert refused(root, "/../root_private/x")[0] == 400


def test_an_absolute_link_may_use_the_name_that_the_root_was_given(tmp_path: Path) -> None:
    put(tmp_path / "real" / "a.txt")
    (tmp_path / "www").symlink_to("real")
    (tmp_path / "real" / "link").symlink_to(tmp_path / "www" / "a.txt")
    with Root(tmp_path / "www") as root:
        assert opened(root, "/link") == tmp_path / "real" / "a.txt"


def test_a_given_name_that_means_another_folder_is_no_prefix(tmp_path: Path) -> None:
    put(tmp_path / "far" / "site" / "a.txt")
    put(tmp_path / "site" / "a.txt")
    (tmp_path / "far" / "sub").mkdir()
    (tmp_path / "near").symlink_to("far/sub")
    (tmp_path / "far" / "site" / "link").symlink_to(tmp_path / "site" / "a.txt")
    with Root(f"{tmp_path}/near/../site") as root:
        assert opened(root, "/a.txt") == tmp_path / "far" / "site" / "a.txt"
        assert refused(root, "/link")[0] == 404


@pytest.mark.attack(42)
def test_a_loop_of_links_ends(root: Root, folder: Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    (folder / "self").symlink_to("self/x")
    assert refused(root, "/a") == refused(root, "/a/x") == refused(root, "/self") == (404, NOT_FOUND)


def test_the_number_of_links_is_bounded(folder: Path) -> None:
    put(folder / "0")
    for number in range(1, 5):
        (folder / f"{number}").symlink_to(f"{number - 1}")
    with Root(folder, limits=FileLimits(links=3)) as root:
        assert opened(root, "/3") == folder / "0"
        assert refused(root, "/4")[0] == 404


def test_the_depth_is_bounded(folder: Path) -> None:
    (folder / "a" / "b" / "c").mkdir(parents=True)
    with Root(folder, limits=FileLimits(components=2)) as root:
        assert opened(root, "/a/b") == folder / "a" / "b"
        assert refused(root, "/a/b/c")[0] == 404


# --- what is neither file nor folder, and what may not be had ---------------------------------------------


@pytest.mark.attack(43)
def test_a_special_file_is_refused_unopened(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "link").symlink_to("fifo")
    (folder / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(folder, os.O_PATH)
        listener.bind(f"/proc/self/fd/{here}/socket")  # a socket's path is short
        os.close(here)
    monkeypatch.setattr(os, "open", lambda *_args, **_options: pytest.fail("opened"))
    assert [refused(root, path)[0] for path in ("/fifo", "/socket", "/link", "/null")] == [403, 403, 403, 404]


@pytest.mark.attack(43)
def test_a_special_file_is_no_folder(root: Root, folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    assert refused(root, "/fifo/")[0] == refused(root, "/fifo/x")[0] == 404


@pytest.mark.attack(43)
def test_a_device_is_refused(root: Root, folder: Path) -> None:
    try:
        os.mknod(folder / "device", 0o20666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only the superuser makes device nodes")
    assert refused(root, "/device")[0] == 403


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.ENOENT, 404),
        (errno.ELOOP, 404),
        (errno.ENAMETOOLONG, 404),
        (errno.EACCES, 403),
        (errno.EPERM, 403),
        (errno.ENXIO, 403),
        (errno.EMFILE, 503),
        (errno.ENFILE, 503),
        (errno.EIO, 500),
    ],
)
def test_what_the_kernel_says_has_a_status(number: int, status: int) -> None:
    error = refusal(OSError(number, "as the kernel says", "/a/local/path"))
    assert error.status == status
    assert "local" not in error.detail


@pytest.mark.parametrize("call", ["stat", "open", "readlink"])
def test_no_call_may_fail_unanswered(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    put(folder / "d" / "a")
    (folder / "link").symlink_to("d")

    def fail(*_args: object, **_options: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    path = "/link" if call == "readlink" else "/a"
    put(folder / "a")
    monkeypatch.setattr(os, call, fail)
    assert refused(root, path)[0] == 403


def test_a_failing_second_look_leaves_nothing_open(
    root: Root, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "a")

    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    status = 0
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", fail)
        try:
            root.locate("/a").close()
        except RequestError as error:
            status = error.status
    assert status == 500


@pytest.mark.attack(41)
def test_a_lack_of_descriptors_is_503_at_every_depth(root: Root, folder: Path) -> None:
    put(folder / "a" / "b" / "c")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = [os.open(folder, os.O_RDONLY) for _ in range(3)]  # the next numbers, which need not be neighbours
    for each in spare:
        os.close(each)
    answers = []
    for limit in (*spare, spare[-1] + 1):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        try:
            root.locate("/a/b/c").close()
            answers.append(200)
        except RequestError as error:
            answers.append(error.status)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answers == [503, 503, 503, 200]


# --- the root and its children ----------------------------------------------------------------------------


def test_a_child_is_found_in_an_open_folder(root: Root, folder: Path) -> None:
    put(folder / "d" / "index.html", b"index")
    (folder / "d" / "sub").mkdir()
    put(folder / "other.html", b"other")
    (folder / "d" / "link.html").symlink_to("../other.html")
    (folder / "d" / "out.html").symlink_to("../../outside/secret.txt")
    with root.locate("/d/") as d:
        with root.child(d, b"index.html") as index:
            assert index.names == (b"d", b"index.html")
            assert index.consulted[0][0] == index.names
            assert os.pread(index.fd, 9, 0) == b"index"
        with root.child(d, b"sub") as sub:
            assert sub.is_folder
        with root.child(d, b"link.html") as link:
            assert os.pread(link.fd, 9, 0) == b"other"
        for name in (b"out.html", b"none"):
            with pytest.raises(RequestError) as error:
                root.child(d, name)
            assert error.value.status == 404
    with root.locate("/") as top, root.child(top, b"other.html") as other:
        assert other.names == (b"other.html",)


@pytest.mark.parametrize("path", ["nothing", "a.txt", "nul\0"])
def test_a_root_that_cannot_be_opened_says_so(tmp_path: Path, path: str) -> None:
    put(tmp_path / "a.txt")
    with pytest.raises(MachineFault, match="cannot serve the folder"):
        Root(tmp_path / path)


def test_a_machine_without_the_means_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SUPPORTED", False)
    with pytest.raises(MachineFault, match="without following links"):
        Root(tmp_path)


def test_a_root_is_closed_once(tmp_path: Path) -> None:
    root = Root(tmp_path)
    root.close()
    root.close()


def test_a_served_folder_may_be_renamed(tmp_path: Path) -> None:
    put(tmp_path / "one" / "a.txt")
    with Root(tmp_path / "one") as root:
        (tmp_path / "one").rename(tmp_path / "two")
        assert opened(root, "/a.txt") == tmp_path / "two" / "a.txt"


def test_the_whole_machine_may_be_a_root() -> None:
    with Root("/") as root, root.locate("/proc/self/") as found:
        assert isinstance(found, Located)
        assert found.is_folder
