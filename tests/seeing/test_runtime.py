"""The runtime folder is ours alone, or it is not used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from poise.errors import MachineFault
from poise.seeing import runtime

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


@pytest.fixture
def above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for /tmp; nobody else can write there."""
    common = tmp_path / "common"
    common.mkdir(mode=0o755)
    monkeypatch.setattr(runtime, "COMMON", str(common))
    return common


def common_path(above: Path) -> Path:
    return above / f"poise-{os.geteuid()}"


def test_the_folder_of_the_session_goes_first(above: Path, tmp_path: Path) -> None:
    given = tmp_path / "run"
    given.mkdir(mode=0o700)
    assert list(runtime.places({"XDG_RUNTIME_DIR": str(given)})) == [
        str(given / "poise"),
        str(common_path(above)),
    ]
    assert list(runtime.places({"XDG_RUNTIME_DIR": "relative"})) == [str(common_path(above))]
    assert list(runtime.places({})) == [str(common_path(above))]
    assert runtime.make({"XDG_RUNTIME_DIR": str(given)}) == str(given / "poise")


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_it_is_made_for_us_alone(above: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        path = runtime.make({})
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o700
    assert runtime.make({}) == path  # and found again


def test_a_variable_that_leads_nowhere_is_no_reason_to_have_none(above: Path, tmp_path: Path) -> None:
    assert runtime.make({"XDG_RUNTIME_DIR": str(tmp_path / "missing")}) == str(common_path(above))


def test_a_link_is_not_followed(above: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    common_path(above).symlink_to(elsewhere)
    with pytest.raises(MachineFault, match="is a link"):
        runtime.make({})
    assert list(elsewhere.iterdir()) == []


def test_a_dangling_link_is_not_made_real(above: Path, tmp_path: Path) -> None:
    common_path(above).symlink_to(tmp_path / "not-yet")
    with pytest.raises(MachineFault, match="is a link"):
        runtime.make({})
    assert not (tmp_path / "not-yet").exists()


def test_a_file_is_no_folder(above: Path) -> None:
    common_path(above).write_text("")
    with pytest.raises(MachineFault, match="is no folder"):
        runtime.make({})


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777, 0o710, 0o701])
def test_a_folder_that_others_can_enter_is_not_used(above: Path, mode: int) -> None:
    path = common_path(above)
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(MachineFault, match=f"chmod 700 {path}"):
        runtime.make({})


@as_root
def test_a_folder_of_another_user_is_not_used(above: Path) -> None:
    path = common_path(above)
    path.mkdir(mode=0o700)
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(MachineFault, match="belongs to another user"):
        runtime.make({})


def test_in_a_folder_where_others_may_exchange_it_it_is_not_used(above: Path) -> None:
    above.chmod(0o777)
    with pytest.raises(MachineFault, match="put another in its place"):
        runtime.make({})
    above.chmod(0o1777)  # as /tmp is
    assert runtime.make({}) == str(common_path(above))


def test_the_better_place_that_cannot_be_used_is_the_one_that_is_told(above: Path, tmp_path: Path) -> None:
    given = tmp_path / "run"
    given.mkdir(mode=0o700)
    (given / "poise").write_text("")
    common_path(above).write_text("")
    with pytest.raises(MachineFault, match=str(given / "poise")):
        runtime.make({"XDG_RUNTIME_DIR": str(given)})
