"""The kernel tells of a file, so it is not looked at: what that spares, what it notices, and where one looks all the same."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.errors import MachineFault
from poise.files import looks as rooms
from poise.files import telling
from poise.files.inotify import Inotify, events
from poise.files.locate import Root
from poise.files.located import Fingerprint, fingerprint
from poise.files.looks import WINDOW, Looks
from poise.files.telling import Teller
from poise.limits import FileLimits
from poise.loop.clock import ManualClock
from poise.loop.reactor import Reactor
from tests.files.support import LATER, put

FRESHNESS = 0.5
LONG = 10.0
LIMITS = FileLimits(freshness=FRESHNESS, told_from=0, told_for=LONG)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify and leases are Linux's")


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the file system of these tests is, only they write to it."""
    monkeypatch.setattr(telling, "BELIEVED", Everything())


class Everything(frozenset[str]):
    def __contains__(self, kind: object) -> bool:
        return True


class Told:
    """Looks at files below a root, in a time that goes on when it is told to, until the kernel tells of them."""

    def __init__(self, folder: Path, root: Root, limits: FileLimits, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.root = root
        self._clock = ManualClock(1000.1, wall=LATER)
        self._reactor = Reactor(clock=self._clock)
        self.looks = Looks(root, limits, self._reactor)
        self.looked: list[bytes] = []
        real = os.stat

        def stat(path: Any, **options: Any) -> os.stat_result:
            if "dir_fd" in options and options["dir_fd"] == root.fd:
                self.looked.append(path)
            return real(path, **options)

        monkeypatch.setattr(os, "stat", stat)

    def close(self) -> None:
        self._reactor.close()

    @property
    def teller(self) -> Teller | None:
        return self.looks._teller

    def at(self, path: str) -> Callable[[], bool]:
        with self.root.locate(path) as found:
            return self.looks.at(found.consulted)

    def wait(self, seconds: float = FRESHNESS) -> None:
        self._clock.advance(seconds)
        self._reactor.turn(0)

    def then(self, look: Callable[[], bool]) -> tuple[bool, list[bytes]]:
        """What ``look`` says in the next period, and at which paths it looks."""
        self.wait()
        self.looked.clear()
        return look(), self.looked.copy()

    def learn(self, *looks: Callable[[], bool]) -> None:
        """Look until that has been often enough that the kernel is asked."""
        for _ in range(2 * rooms.PATIENCE + int(WINDOW / FRESHNESS)):
            self.wait()
            assert all(look() for look in looks)

    def told(self, path: str) -> Callable[[], bool]:
        """A look at ``path``, of which is told from now on."""
        look = self.at(path)
        self.learn(look)
        said, looked = self.then(look)
        if path[1:].encode() in looked:
            pytest.skip("this file system grants no leases, so the kernel does not tell of its files")
        assert said
        return look


@pytest.fixture
def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Told]]:
    for name in ("top.txt", "d/a.txt", "d/b.txt", "d/e/c.txt", "f/a.txt"):
        put(folder / name, name.encode())
    here: list[Told] = []
    with Root(folder) as root:

        def make(**limits: float) -> Told:
            here.append(Told(folder, root, LIMITS.but(**limits), monkeypatch))
            return here[-1]

        yield make
        for each in here:
            each.close()


@pytest.fixture
def told(made: Callable[..., Told]) -> Told:
    return made()


# --- what it spares ---------------------------------------------------------------------------------------


def test_a_file_of_which_is_told_is_not_looked_at(told: Told) -> None:
    told.told("/f/a.txt")
    a, c, top = (told.at(path) for path in ("/d/a.txt", "/d/e/c.txt", "/top.txt"))
    told.learn(a, c, top)
    assert told.then(a) == (True, [b".", b"d"])
    assert told.then(c) == (True, [b".", b"d", b"d/e"])
    assert told.then(top) == (True, [b"."])
    told.wait()
    told.looked.clear()
    for _ in range(3):
        assert a()
        assert c()
        assert top()
    assert told.looked == [b".", b"d", b"d/e"], "each folder once, for all that is in it"


def test_the_kernel_is_asked_once_in_a_period(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    a, c = told.told("/d/a.txt"), told.told("/d/e/c.txt")
    heard: list[Teller] = []
    hear = Teller.hear

    def noted(teller: Teller) -> bool:
        heard.append(teller)
        return hear(teller)

    monkeypatch.setattr(Teller, "hear", noted)
    for _ in range(3):
        told.wait()
        for _ in range(3):
            assert a()
            assert c()
    assert len(heard) == 3


def test_two_looks_at_one_file_share_what_is_told(told: Told) -> None:
    first = told.told("/d/a.txt")
    second = told.at("/d/a.txt")
    told.learn(first, second)
    assert told.then(first) == (True, [b"d"])
    assert told.then(second) == (True, [b"d"])
    put(told.folder / "d" / "a.txt", b"changed")
    assert not told.then(first)[0]
    assert not told.then(second)[0]


def test_now_and_again_it_is_looked_at_all_the_same(told: Told) -> None:
    a = told.told("/d/a.txt")
    looked = []
    for _ in range(int(3 * LONG / FRESHNESS)):
        said, paths = told.then(a)
        assert said
        looked.append(b"d/a.txt" in paths)
    assert looked.count(True) == 3


def test_what_changes_beside_it_takes_one_look(told: Told) -> None:
    a, b = told.told("/d/a.txt"), told.told("/d/b.txt")
    put(told.folder / "d" / "new.txt")  # the folder is another now
    put(told.folder / "d" / "b.txt", b"changed")
    assert told.then(a) == (True, [b"d", b"d/a.txt"])
    assert not b()
    assert told.then(a) == (True, [b"d"]), "the kernel has told of the other one, not of this"


def test_when_there_is_little_to_look_at_nobody_is_asked(made: Callable[..., Told]) -> None:
    few = made(told_from=3)
    look = few.at("/d/a.txt")
    few.learn(look)
    assert few.teller is None
    many = made(told_from=2)
    look = many.at("/d/a.txt")
    many.learn(look)
    assert many.teller is not None


@pytest.mark.parametrize("limits", [{"freshness": 0.0}, {"told_files": 0}])
def test_who_wants_to_look_looks(limits: dict[str, float], made: Callable[..., Told]) -> None:
    told = made(**limits)
    look = told.at("/d/a.txt")
    told.learn(look)
    assert told.then(look) == (True, [b"d", b"d/a.txt"])
    assert told.teller is None


# --- what it notices --------------------------------------------------------------------------------------


def at(folder: Path) -> Path:
    return folder / "d" / "a.txt"


@contextmanager
def in_memory(folder: Path) -> Iterator[mmap.mmap]:
    """The file as memory that can be written to; no descriptor of it is open any more."""
    opened = os.open(at(folder), os.O_RDWR)
    with mmap.mmap(opened, 0) as mapped:
        os.close(opened)
        yield mapped


def in_place(folder: Path) -> None:
    with at(folder).open("r+b", buffering=0) as opened:
        opened.write(b"D")


def appended(folder: Path) -> None:
    with at(folder).open("ab") as opened:
        opened.write(b"more")


def time_put_back(folder: Path) -> None:
    before = at(folder).stat()
    in_place(folder)
    os.utime(at(folder), ns=(before.st_atime_ns, before.st_mtime_ns))


def by_another_name(folder: Path) -> None:
    os.link(at(folder), folder / "f" / "other")
    (folder / "f" / "other").write_bytes(b"changed")


def by_memory(folder: Path) -> None:
    with in_memory(folder) as mapped:
        mapped[:1] = b"D"


def its_folder_replaced(folder: Path) -> None:
    (folder / "d").rename(folder / "was")
    put(folder / "d" / "a.txt", b"d/a.txt")


def its_folder_linked_back(folder: Path) -> None:
    (folder / "d").rename(folder / "was")
    (folder / "d").symlink_to("was")


def replaced_by_its_twin(folder: Path) -> None:
    twin = put(folder / "twin", b"d/a.txt")
    twin.rename(at(folder))


CHANGES: dict[str, Callable[[Path], object]] = {
    "written in place": in_place,
    "appended to": appended,
    "emptied": lambda folder: os.truncate(at(folder), 0),
    "made longer": lambda folder: os.truncate(at(folder), 100),
    "written, its time put back": time_put_back,
    "written by another name": by_another_name,
    "written through memory, and closed": by_memory,
    "replaced by rename": replaced_by_its_twin,
    "removed": lambda folder: at(folder).unlink(),
    "moved away": lambda folder: at(folder).rename(folder / "f" / "b.txt"),
    "its mode": lambda folder: at(folder).chmod(0o600),
    "its time": lambda folder: os.utime(at(folder), (1, 1)),
    "its owner": lambda folder: os.chown(at(folder), -1, os.getegid()),
    "another name for it": lambda folder: os.link(at(folder), folder / "f" / "other"),
    "another folder in place of its own": its_folder_replaced,
    "a link in place of its folder": its_folder_linked_back,
    "its folder removed": lambda folder: shutil.rmtree(folder / "d"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_noticed_in_the_next_period(change: Callable[[Path], object], told: Told) -> None:
    look = told.told("/d/a.txt")
    change(told.folder)
    assert not told.then(look)[0]


@pytest.mark.parametrize("path", ["/top.txt", "/d/e/c.txt"])
def test_it_is_noticed_at_the_top_and_deep_down(path: str, told: Told) -> None:
    look = told.told(path)
    put(told.folder / path[1:], b"changed")
    assert not told.then(look)[0]


def test_a_folder_above_that_is_replaced_is_noticed(told: Told) -> None:
    look = told.told("/d/e/c.txt")
    (told.folder / "d").rename(told.folder / "was")
    put(told.folder / "d" / "e" / "c.txt", b"d/e/c.txt")
    assert not told.then(look)[0]


def test_what_is_written_by_another_name_while_nobody_asks_is_noticed(told: Told) -> None:
    """The name that it is written by is gone again, and its folder is one that nobody asks for."""
    look = told.told("/d/a.txt")
    os.link(told.folder / "d" / "a.txt", told.folder / "f" / "other")
    opened = os.open(told.folder / "f" / "other", os.O_WRONLY)
    (told.folder / "f" / "other").unlink()
    assert not told.then(look)[0], "its number of names has changed, and with that its ctime"
    again = told.at("/d/a.txt")
    told.learn(again)
    assert told.then(again) == (True, [b"d", b"d/a.txt"]), "it is open for writing"
    os.write(opened, b"D")
    os.close(opened)
    assert not told.then(again)[0]


def test_who_writes_through_memory_is_noticed_when_it_is_looked_at_all_the_same(told: Told) -> None:
    look = told.told("/d/a.txt")
    with in_memory(told.folder) as mapped:
        mapped[:1] = b"D"
        said = [told.then(look)[0] for _ in range(int(LONG / FRESHNESS) + 1)]
        assert said[0], "or this test shows nothing: the kernel tells of it by now"
        assert not said[-1]
        again = told.at("/d/a.txt")
        told.learn(again)
        assert told.then(again) == (True, [b"d", b"d/a.txt"]), "he has it open still, so it is looked at"
        mapped.flush()
        mapped[1:2] = b"X"
        assert not told.then(again)[0]
    told.told("/d/a.txt")


def test_what_was_not_told_to_one_is_not_relied_on_by_another(told: Told) -> None:
    """A look from before a write through memory and one from after it: that one had no reason to doubt what it never went by."""
    old = told.told("/d/a.txt")
    with in_memory(told.folder) as mapped:
        mapped[:1] = b"D"
        new = told.at("/d/a.txt")
        for _ in range(2 * rooms.PATIENCE):
            assert told.then(new)[0]
        assert told.then(new) == (True, [b"d", b"d/a.txt"]), "he has it open still"
        assert not told.then(old)[0]
        mapped.flush()
        mapped[1:2] = b"X"
        assert not told.then(new)[0]


def test_one_look_that_finds_what_was_not_told_is_enough_for_all(told: Told) -> None:
    first, second = told.at("/d/a.txt"), told.at("/d/a.txt")
    told.learn(first)
    told.then(first)
    for _ in range(int(0.8 * LONG / FRESHNESS)):
        told.then(first)
    told.learn(second)
    with in_memory(told.folder) as mapped:
        mapped[:1] = b"D"
        for _ in range(int(LONG / FRESHNESS) + 1):
            if not told.then(first)[0]:
                break
        assert not told.then(second)[0], "it would not have looked for a while"


def test_who_may_write_when_it_begins_is_not_relied_on(told: Told) -> None:
    with in_memory(told.folder) as mapped:
        look = told.at("/d/a.txt")
        told.learn(look)
        assert told.then(look) == (True, [b"d", b"d/a.txt"])
        mapped[:1] = b"D"
        assert not told.then(look)[0]


def test_more_than_the_kernel_has_room_for(told: Told) -> None:
    a, b, c = told.told("/d/a.txt"), told.told("/d/b.txt"), told.told("/f/a.txt")
    room = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if room > 100_000:
        pytest.skip(f"this system keeps {room} events for who does not ask, too many to make")
    files = [os.open(told.folder / "d" / name, os.O_WRONLY) for name in ("a.txt", "b.txt")]
    for _ in range(room // 2 + 1):
        for file in files:  # one after the other: two of the same kind in a row would be told as one
            os.pwrite(file, b"d", 0)
    for file in files:
        os.close(file)
    put(told.folder / "f" / "a.txt", b"lost")
    assert [told.then(look)[0] for look in (a, b, c)] == [False, False, False]
    look = told.told("/f/a.txt")
    put(told.folder / "f" / "a.txt", b"told again")
    assert not told.then(look)[0]


def test_a_flood_that_does_not_end_is_cut_off(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    look, other = told.told("/d/a.txt"), told.told("/f/a.txt")
    more = events(b"")
    monkeypatch.setattr(Inotify, "read", lambda self: b"x")
    monkeypatch.setattr(telling, "events", lambda data: more)
    in_place(told.folder)
    assert not told.then(look)[0]
    assert told.then(other) == (True, [b"f", b"f/a.txt"])


MOUNTED = """
import os, subprocess, sys
from pathlib import Path
from tests.files import test_telling as tests
import pytest
with pytest.MonkeyPatch.context() as patched:
    patched.setattr(tests.telling, "BELIEVED", tests.Everything())
    folder = Path(sys.argv[1])
    with tests.Root(folder) as root:
        told = tests.Told(folder, root, tests.LIMITS, patched)
        file, below = told.told("/d/a.txt"), told.told("/d/e/c.txt")
        subprocess.run(["mount", "--bind", folder / "top.txt", folder / "d" / "a.txt"], check=True)
        print("file", told.then(file)[0], told.then(below)[0])
        subprocess.run(["umount", folder / "d" / "a.txt"], check=True)
        print("back", told.then(file)[0])
        subprocess.run(["mount", "--bind", folder / "f", folder / "d" / "e"], check=True)
        print("folder", told.then(below)[0])
        told.close()
"""


@pytest.mark.usefixtures("made")
def test_a_mount_over_it_is_noticed(folder: Path) -> None:
    own = ["unshare", "--mount", "--propagation", "private"]
    try:
        subprocess.run([*own, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no mounts of our own here: {error}")
    ran = subprocess.run(
        [*own, sys.executable, "-c", MOUNTED, str(folder)], capture_output=True, text=True, check=False
    )
    if "Skipped" in ran.stderr or "permission denied" in ran.stderr:
        pytest.skip(ran.stderr.splitlines()[-1])
    assert ran.stdout.splitlines() == ["file False True", "back True", "folder False"], ran.stderr


# --- where one looks all the same -------------------------------------------------------------------------


def test_who_does_not_own_a_file_looks(told: Told) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    (told.folder / "d" / "a.txt").chmod(0o644)
    os.seteuid(65534)
    try:
        look = told.at("/d/a.txt")
        told.learn(look)
        assert told.then(look) == (True, [b"d", b"d/a.txt"])
        assert told.teller is not None
    finally:
        os.seteuid(0)


def test_a_file_system_that_others_share_is_not_believed(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "BELIEVED", frozenset())
    look = told.at("/d/a.txt")
    told.learn(look)
    assert told.then(look) == (True, [b"d", b"d/a.txt"])
    assert told.teller is None


def test_what_is_on_another_device_is_looked_at(told: Told) -> None:
    told.told("/d/b.txt")
    assert told.teller is not None
    told.teller._device += 1
    look = told.at("/d/a.txt")
    told.learn(look)
    assert told.then(look) == (True, [b"d", b"d/a.txt"])


@pytest.mark.parametrize("what", ["inotify", "mounts", "ctypes"])
def test_a_system_that_does_not_tell(what: str, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise MachineFault(errno.EMFILE, "no more of them")

    before = len(os.listdir("/proc/self/fd"))
    if what == "inotify":
        monkeypatch.setattr(telling, "Inotify", refuse)
    elif what == "mounts":
        monkeypatch.setattr(telling, "MOUNTS", "/proc/self/nothing")
    else:
        monkeypatch.setitem(sys.modules, "poise.files.telling", None)
    look = told.at("/d/a.txt")
    told.learn(look)
    assert told.then(look) == (True, [b"d", b"d/a.txt"])
    assert told.teller is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_more_watches(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    told.told("/f/a.txt")
    a, b = told.at("/d/a.txt"), told.at("/d/b.txt")
    before = len(os.listdir("/proc/self/fd"))

    def refuse(*_args: object) -> None:
        raise MachineFault(errno.ENOSPC, "no more of them")

    assert told.teller is not None
    told.learn(a)
    assert len(watched_by(told.teller)) == 2
    with monkeypatch.context() as patched:
        patched.setattr(Inotify, "add", refuse)
        told.learn(b)
        assert told.then(b) == (True, [b"d", b"d/b.txt"])
    assert len(watched_by(told.teller)) == 1, "half of them is for others now"
    for change in ("d/a.txt", "d/b.txt"):
        put(told.folder / change, b"changed")
    assert not told.then(a)[0]
    assert not told.then(b)[0]
    assert len(os.listdir("/proc/self/fd")) == before


def test_when_there_are_no_more_those_in_use_stay(made: Callable[..., Told]) -> None:
    told = made(told_files=1)
    a, c = told.told("/d/a.txt"), told.at("/f/a.txt")
    told.learn(a, c)
    assert told.then(c) == (True, [b"f", b"f/a.txt"])
    assert told.teller is not None
    for _ in range(int(LONG / FRESHNESS)):
        assert told.then(a)[0]
    assert len(told.teller._watches) == len(told.teller._files) == len(watched_by(told.teller)) == 1
    told.wait(LONG)
    for _ in range(4 * rooms.PATIENCE):
        told.then(c)
    assert told.then(c) == (True, [b"f"]), "nobody goes by the other one any more"
    assert told.then(a) == (True, [b"d", b"d/a.txt"])
    assert len(told.teller._watches) == len(told.teller._files) == len(watched_by(told.teller)) == 1
    put(told.folder / "f" / "a.txt", b"changed")
    put(told.folder / "d" / "a.txt", b"changed")
    assert not told.then(c)[0]
    assert not told.then(a)[0]
    assert watched_by(told.teller) == []


def test_the_one_that_nobody_goes_by_makes_room(made: Callable[..., Told]) -> None:
    told = made(told_files=2)
    a, b, c = told.told("/d/a.txt"), told.told("/d/b.txt"), told.at("/f/a.txt")
    for _ in range(int(2 * LONG / FRESHNESS)):
        assert told.then(a)[0]
    told.learn(a, c)
    assert told.then(c) == (True, [b"f"])
    assert b"d/a.txt" not in told.then(a)[1]
    assert told.then(b) == (True, [b"d", b"d/b.txt"])


def test_others_get_watches_too(
    tmp_path: Path, made: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "room").write_text("11\n")
    monkeypatch.setattr(telling, "ROOM", str(tmp_path / "room"))
    told = made()
    looks = [told.at(path) for path in ("/d/a.txt", "/d/b.txt", "/f/a.txt", "/top.txt")]
    told.learn(*looks)
    assert told.teller is not None
    assert len(watched_by(told.teller)) == 2


def watched_by(teller: Teller) -> list[str]:
    """What the kernel says that it tells of (proc(5), fdinfo)."""
    lines = Path(f"/proc/self/fdinfo/{teller._inotify.fileno()}").read_text().splitlines()
    return [line for line in lines if line.startswith("inotify")]


def test_one_file_in_two_folders_is_told_of_to_one_at_a_time(told: Told) -> None:
    os.link(told.folder / "d" / "a.txt", told.folder / "f" / "b.txt")
    first = told.told("/d/a.txt")
    second = told.told("/f/b.txt")
    assert told.teller is not None
    assert len(watched_by(told.teller)) == 1
    in_place(told.folder)
    assert not told.then(first)[0]
    assert not told.then(second)[0]


OF_THE_FILE = [name for name in CHANGES if "folder" not in name]


@pytest.mark.parametrize("name", OF_THE_FILE)
def test_it_takes_no_look_at_the_folder_to_know(name: str, told: Told) -> None:
    """The times of a folder may stay as they are for a tick of the kernel's clock."""
    told.told("/d/a.txt")
    assert told.teller is not None
    (watch,) = told.teller._watches.values()
    CHANGES[name](told.folder)
    told.teller.hear()
    assert not watch.quiet
    assert watched_by(told.teller) == []


@pytest.mark.parametrize("change", [in_place, replaced_by_its_twin], ids=["written", "replaced"])
@pytest.mark.parametrize("step", ["opened", "added", "leased"])
def test_what_changes_while_it_begins(
    step: str, change: Callable[[Path], object], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just before a step is taken."""
    told.told("/f/a.txt")
    look = told.at("/d/a.txt")
    begin, add, free = Teller._begin, Inotify.add, telling.nobody_writes

    def begun(self: Teller, fd: int, *args: Any) -> Any:
        if step == "opened":
            change(told.folder)
        return begin(self, fd, *args)

    def added(self: Inotify, path: bytes, mask: int) -> int:
        if step == "added":
            change(told.folder)
        return add(self, path, mask)

    def leased(fd: int) -> bool:
        if step == "leased":
            change(told.folder)
        return free(fd)

    monkeypatch.setattr(Teller, "_begin", begun)
    monkeypatch.setattr(Inotify, "add", added)
    monkeypatch.setattr(telling, "nobody_writes", leased)
    said = [told.then(look)[0] for _ in range(rooms.PATIENCE + 2)]
    assert said[0]
    assert not said[-1]
    assert told.teller is not None
    assert len(watched_by(told.teller)) == 1


def test_another_that_is_opened_while_it_begins(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is opened there is another in its place, and then it is back: what is watched must be what is answered."""
    told.told("/f/a.txt")
    file, kept, other = (told.folder / name for name in ("d/a.txt", "kept", "other"))
    put(other, b"another")
    real = os.open

    def swapped(path: Any, *args: Any, **options: Any) -> int:
        if path != b"d/a.txt":
            return real(path, *args, **options)
        file.rename(kept)
        other.rename(file)
        fd = real(path, *args, **options)
        file.rename(other)
        kept.rename(file)
        return fd

    monkeypatch.setattr(os, "open", swapped)

    def timeless(found: os.stat_result) -> Fingerprint:
        return (*fingerprint(found)[:4], 0, 0)  # or the ctime would tell

    for room in (telling, rooms):
        monkeypatch.setattr(room, "fingerprint", timeless)
    look = told.looks.at((((b"d", b"a.txt"), timeless(file.stat())),))
    told.learn(look)
    monkeypatch.setattr(os, "open", real)
    assert told.teller is not None
    assert len(told.teller._watches) == 1


BROKEN = """
import fcntl, os, sys
from poise.files import telling

real = telling.lease()

def opened_meanwhile(fd, command, argument):
    given = real(fd, command, argument)
    if argument == fcntl.F_RDLCK:
        child = os.fork()
        if not child:
            try:
                os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
            except BlockingIOError:
                os._exit(3)
            os._exit(0)
        print("held", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return given

telling.lease = lambda: opened_meanwhile
print("free", telling.nobody_writes(os.open(sys.argv[1], os.O_RDONLY)))
"""


def test_who_opens_it_in_the_very_moment_of_the_lease_ends_nobody(folder: Path) -> None:
    """The kernel signals who holds a lease, and the usual signal is deadly."""
    file = put(folder / "a.txt", b"x")
    ran = subprocess.run(
        [sys.executable, "-c", BROKEN, str(file)], capture_output=True, text=True, check=False
    )
    if ran.stdout == "held 0\nfree False\n":
        pytest.skip("this file system grants no leases")
    assert (ran.returncode, ran.stdout) == (0, "held 3\nfree True\n"), ran.stderr


def test_who_opens_it_for_writing_is_not_held_up(told: Told) -> None:
    """The lease is given back at once: who has had to wait for it goes on, and no signal ends us."""
    fd = os.open(told.folder / "d" / "a.txt", os.O_RDONLY)
    assert telling.nobody_writes(fd)
    os.close(os.open(told.folder / "d" / "a.txt", os.O_WRONLY | os.O_NONBLOCK))  # EWOULDBLOCK if it was held
    assert telling.nobody_writes(fd)
    os.close(fd)


def test_with_the_root_all_is_closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "d" / "a.txt")
    before = len(os.listdir("/proc/self/fd"))
    with Root(folder) as root:
        told = Told(folder, root, LIMITS, monkeypatch)
        look = told.told("/d/a.txt")
        assert told.teller is not None
    for _ in range(2):
        assert not told.then(look)[0]
        told.teller.close()
    told.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_kernel_that_cannot_be_heard_is_not_relied_on(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    look, other = told.told("/d/a.txt"), told.told("/f/a.txt")

    def broken(self: Inotify) -> bytes:
        raise OSError(errno.ENOMEM, "no memory")

    in_place(told.folder)
    with monkeypatch.context() as patched:
        patched.setattr(Inotify, "read", broken)
        assert not told.then(look)[0]
    assert told.then(other) == (True, [b"f", b"f/a.txt"])
    assert told.teller is None


# --- what is not there ------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [(b"none",), (b"d", b"none"), (b"d", b"e", b"none")])
def test_a_name_that_was_not_there_is_not_looked_for_again(names: tuple[bytes, ...], told: Told) -> None:
    path = b"/".join(names)
    look = told.looks.at(((names, None),))
    assert [told.then(look)[1].count(path) for _ in range(5)][2:] == [0, 0, 0]
    put(told.folder / os.fsdecode(path))
    assert not told.then(look)[0]
    (told.folder / os.fsdecode(path)).unlink()
    assert told.then(look)[0], "it was so before"
    assert told.teller is None, "that takes nobody who tells"


def test_what_is_not_there_is_looked_for_now_and_again(told: Told) -> None:
    """A folder may get names without a word: an encrypted one, when its key is known."""
    look = told.looks.at((((b"d", b"none"), None),))
    looked = [told.then(look)[1].count(b"d/none") for _ in range(int(3 * LONG / FRESHNESS))]
    assert sum(looked) == 3


def test_in_a_folder_that_was_not_at_rest_it_is_looked_for(told: Told) -> None:
    """Within one tick of the kernel's clock its times would stay as they are."""
    told._clock.set_wall((told.folder / "d").stat().st_ctime + 0.1)
    look = told.looks.at((((b"d", b"none"), None),))
    assert told.then(look) == (True, [b"d", b"d/none"])
    assert told.then(look) == (True, [b"d", b"d/none"])
    assert told.then(look) == (True, [b"d"])


def test_a_folder_that_has_changed_must_come_to_rest_again(told: Told) -> None:
    look = told.looks.at((((b"d", b"none"), None),))
    assert told.then(look) == (True, [b"d", b"d/none"])
    assert told.then(look) == (True, [b"d"])
    put(told.folder / "d" / "new")
    told._clock.set_wall((told.folder / "d").stat().st_ctime - FRESHNESS + 0.1)
    assert told.then(look) == (True, [b"d", b"d/none"])
    assert told.then(look) == (True, [b"d", b"d/none"]), "0.6 s: not long enough"
    assert told.then(look) == (True, [b"d", b"d/none"])
    assert told.then(look) == (True, [b"d"])


def test_in_a_folder_that_is_missing_nothing_is_there(told: Told) -> None:
    look = told.looks.at((((b"no", b"none"), None),))
    for _ in range(3):
        assert told.then(look) == (True, [b"no"])
    put(told.folder / "no" / "none")
    assert not told.then(look)[0]


def test_only_some_file_systems_promise_that(told: Told) -> None:
    told.looks.__dict__["home"] = (os.fstat(told.root.fd).st_dev, "nfs4")
    look = told.looks.at((((b"d", b"none"), None),))
    for _ in range(5):
        assert told.then(look) == (True, [b"d", b"d/none"])


# --- everything together ----------------------------------------------------------------------------------

PATHS = ("d/a.txt", "d/b.txt", "d/e/c.txt", "f/a.txt", "top.txt", "d/none", "none")
FOLDERS = ("d", "f", "d/e", "d2")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 30)),
        st.tuples(st.sampled_from(("write", "remove", "mode", "again")), st.sampled_from(PATHS)),
        st.tuples(
            st.sampled_from(("rename", "link", "symlink")), st.sampled_from(PATHS), st.sampled_from(PATHS)
        ),
        st.tuples(st.just("rename"), st.sampled_from(FOLDERS), st.sampled_from(FOLDERS)),
    ),
    min_size=3,
    max_size=25,
)


def do(folder: Path, step: tuple[Any, ...]) -> None:
    """One step, as far as it can be done."""
    kind, *paths = step
    first, *second = (folder / path for path in paths)
    try:
        if kind == "write":
            first.write_bytes(os.urandom(5))
        elif kind == "remove":
            first.unlink()
        elif kind == "mode":
            first.chmod(0o600 if first.stat().st_mode & 0o44 else 0o644)
        elif kind == "rename":
            first.rename(second[0])
        elif kind == "link":
            os.link(first, second[0])
        elif kind == "symlink":
            second[0].symlink_to(first)
    except OSError:
        pass


@given(STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_says_what_looking_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    """Whatever is done to a tree: in each period, those that go by what is told say the same as those that look at everything."""
    folder = tmp_path_factory.mktemp("tree")
    for name in PATHS[:5]:
        put(folder / name, name.encode())
    with pytest.MonkeyPatch.context() as patched, Root(folder) as root:
        patched.setattr(telling, "BELIEVED", Everything())
        told = Told(folder, root, LIMITS, patched)
        plain = Looks(root, LIMITS)
        pairs: dict[str, tuple[Callable[[], bool], Callable[[], bool]]] = {}

        def begin(path: str) -> None:
            names = tuple(os.fsencode(path).split(b"/"))
            try:
                with root.locate("/" + path) as found:
                    consulted = found.consulted
            except Exception:
                consulted = ((names, None),)
            pairs[path] = told.looks.at(consulted), plain.at(consulted)

        for path in PATHS:
            begin(path)
        told.learn(*(look for look, _ in pairs.values()))
        for step in steps:
            if step[0] == "wait":
                for _ in range(step[1]):
                    told.wait()
                    for look, _ in pairs.values():
                        look()
            elif step[0] == "again":
                begin(step[1])
            else:
                do(folder, step)
            told.wait()
            assert {path: look() for path, (look, _) in pairs.items()} == {
                path: look() for path, (_, look) in pairs.items()
            }
        told.close()
