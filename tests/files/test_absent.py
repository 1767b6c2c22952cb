"""What is surely not there is told by the folder's own times; everything else is looked for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.files import absent
from poise.files.absent import Absence, file_system
from poise.files.locate import Root
from poise.limits import FileLimits
from tests.files.support import LATER, put


class Looks:
    """The system calls that a look at names takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken: list[str] = []
        for name in ("stat", "fstat", "scandir"):
            monkeypatch.setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name: str, real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.taken.append(name)
            return real(*args, **kwargs)

        return call

    def of(self, absence: Absence, path: bytes) -> tuple[bool, list[str]]:
        self.taken.clear()
        return absence.covers(path), [*self.taken]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests run on keeps its promises."""
    monkeypatch.setattr(absent, "file_system", lambda _device: "ext4")


@pytest.fixture
def root(folder: Path) -> Iterator[Root]:
    put(folder / "there.txt")
    put(folder / "Deep" / "file.txt")
    with Root(folder) as made:
        yield made


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def test_a_made_up_name_takes_one_look_at_the_folder(root: Root, looks: Looks) -> None:
    absence = Absence(root, lambda: LATER)
    assert looks.of(absence, b"/none")[0]
    assert looks.of(absence, b"/none") == (True, ["fstat"])
    assert looks.of(absence, b"/none/of/these.txt") == (True, ["fstat"])


def test_what_is_there_is_looked_for(root: Root, looks: Looks) -> None:
    absence = Absence(root, lambda: LATER)
    assert not absence.covers(b"/there.txt")
    assert not absence.covers(b"/Deep/file.txt")
    assert looks.of(absence, b"/Deep/none.txt") == (True, ["fstat", "stat"])


def test_a_name_in_other_letters_is_left_to_the_file_system(root: Root, looks: Looks) -> None:
    absence = Absence(root, lambda: LATER)
    absence.covers(b"/none")
    assert looks.of(absence, b"/THERE.txt")[1] == ["fstat", "stat"]
    assert looks.of(absence, b"/deep/none")[1] == [
        "fstat"
    ]  # and open(2), which says that there is no such folder


def test_what_comes_is_found_and_what_goes_is_missed_at_once(root: Root, folder: Path) -> None:
    absence = Absence(root, time.time)
    os.utime(folder, (1, 1))  # its ctime is now, all the same
    for number in range(20):
        name = f"new-{number}"
        path = b"/" + name.encode()
        assert absence.covers(path)
        put(folder / name)
        assert not absence.covers(path)
        (folder / name).unlink()
        assert absence.covers(path)


def test_a_folder_on_the_move_is_not_relied_on(root: Root, folder: Path, looks: Looks) -> None:
    now = [time.time()]
    absence = Absence(root, lambda: now[0])
    put(folder / "a.txt")
    absence.covers(b"/none")
    assert looks.of(absence, b"/none") == (True, ["fstat", "stat"])
    now[0] += 10
    assert looks.of(absence, b"/none") == (True, ["fstat", "scandir"])
    assert looks.of(absence, b"/none") == (True, ["fstat"])


def test_a_long_folder_is_asked_each_time(folder: Path, looks: Looks) -> None:
    for number in range(5):
        put(folder / f"{number}.txt")
    with Root(folder, limits=FileLimits(names=4)) as root:
        absence = Absence(root, lambda: LATER)
        assert absence.covers(b"/none")
        assert looks.of(absence, b"/none") == (True, ["fstat", "stat"])
        assert not absence.covers(b"/4.txt")


def test_an_empty_folder_has_no_names(tmp_path: Path, looks: Looks) -> None:
    (tmp_path / "empty").mkdir()
    with Root(tmp_path / "empty") as root:
        absence = Absence(root, lambda: LATER)
        absence.covers(b"/none")
        assert looks.of(absence, b"/none") == (True, ["fstat"])


def test_a_file_system_that_nobody_knows_is_asked_each_time(
    root: Root, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absent, "file_system", lambda _device: "fuse.magic")
    absence = Absence(root, lambda: LATER)
    absence.covers(b"/none")
    assert looks.of(absence, b"/none") == (True, ["fstat", "stat"])


def test_a_folder_that_cannot_be_read_proves_nothing(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: Any) -> Any:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "scandir", refused)
    absence = Absence(root, lambda: LATER)
    before = len(os.listdir("/proc/self/fd"))
    assert not absence.covers(b"/none")
    assert absence.covers(b"/none")  # looked for, from then on
    assert len(os.listdir("/proc/self/fd")) == before


# -- which file system it is --------------------------------------------------------------------------------

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw
30 27 0:35 / /mnt/a\\040b rw - fuse.sshfs host:/ rw
broken
"""


@pytest.mark.parametrize(
    ("device", "kind"),
    [((254, 0), "ext4"), ((0, 35), "fuse.sshfs"), ((0, 21), "proc"), ((9, 9), "")],
)
def test_the_kind_is_what_the_kernel_says(tmp_path: Path, device: tuple[int, int], kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert file_system(os.makedev(*device), str(mounts)) == kind


def test_where_nobody_says_it_has_none(tmp_path: Path) -> None:
    assert file_system(os.makedev(1, 1), str(tmp_path / "none")) == ""
    (tmp_path / "odd").write_text("1 2 1:1 / / rw no dash here\n")
    assert file_system(os.makedev(1, 1), str(tmp_path / "odd")) == ""


@pytest.mark.skipif(not Path(absent.MOUNTS).exists(), reason="this system has no /proc")
def test_this_machine_says_what_proc_is() -> None:
    assert file_system(os.stat("/proc").st_dev) == "proc"
