"""``poise lab exercises`` and ``poise lab check``, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poise.cli.main import main
from poise.lab.exercises.catalog import EXERCISES
from poise.lab.exercises.writing import README, text_of

FILES = {exercise.file for exercise in EXERCISES}
SELECT = EXERCISES[0]


@pytest.fixture
def solved(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(text_of(SELECT, "en", solution=True), encoding="utf-8")
    return path


def test_the_exercises_are_written_with_a_readme(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "lessons"
    assert main(["lab", "exercises", str(folder), "--lang", "zh"]) == 0
    out, err = capfd.readouterr()
    assert {Path(line).name for line in out.splitlines()} == FILES | {README}
    assert err == ""
    readme = (folder / README).read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in FILES)
    assert "粘包" in readme
    for exercise in EXERCISES:
        assert (folder / exercise.file).read_text(encoding="utf-8") == text_of(exercise, "zh")


def test_what_a_learner_has_written_is_left_as_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / SELECT.file
    mine.write_text("my work\n")
    assert main(["lab", "exercises", str(tmp_path), "--lang", "en"]) == 0
    out, err = capfd.readouterr()
    assert mine.read_text() == "my work\n"
    assert str(mine) not in out
    assert f"{mine} is there already and was left as it is" in err
    assert main(["lab", "exercises", str(tmp_path), "--lang", "en", "--force"]) == 0
    assert mine.read_text(encoding="utf-8") == text_of(SELECT, "en")
    assert capfd.readouterr().err == ""


def test_solutions_are_written_only_when_they_are_asked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    main(["lab", "exercises", str(tmp_path / "learners"), "--lang", "en"])
    main(["lab", "exercises", str(tmp_path / "teachers"), "--lang", "en", "--solutions"])
    capfd.readouterr()
    written = {path.name for path in (tmp_path / "teachers").iterdir()}
    assert written == FILES
    for name in FILES:
        skeleton = (tmp_path / "learners" / name).read_text(encoding="utf-8")
        solution = (tmp_path / "teachers" / name).read_text(encoding="utf-8")
        assert "TODO" in skeleton
        assert "TODO" not in solution


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["lab", "exercises", str(tmp_path / "file")]) == 3
    assert f"cannot write {tmp_path / 'file'}: File exists" in capfd.readouterr().err


@pytest.mark.slow
def test_a_good_program_passes(solved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "check", str(solved), "--lang", "en"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith(f"1 A server with select · {solved}\n  ok      nothing is imported")
    assert out.endswith(f"All {len(SELECT.cases) + 1} passed.\n")


@pytest.mark.slow
def test_a_bad_program_is_explained_up_to_the_first_failure(
    solved: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = solved.read_text(encoding="utf-8").replace("answer(ready, data)", "answer(ready, data + b'!')")
    solved.write_text(text + "# TODO: better\n", encoding="utf-8")
    assert main(["lab", "check", str(solved), "--lang", "zh"]) == 1
    out, err = capfd.readouterr()
    assert err == ""
    assert "  未通过  客户端发什么，就收到什么\n" in out
    assert "A 应当收到 b'I am A\\n'，实际收到 b'I am A\\n!'。" in out
    assert f"第 {len(text.splitlines()) + 1} 行还有 TODO。" in out
    assert "一次解决一个（--all 全部都试）" in out


@pytest.mark.slow
def test_everything_is_tried_when_that_is_wanted_and_told_as_json(
    solved: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = solved.read_text(encoding="utf-8").replace("import sys\n", "import sys, selectors\n", 1)
    solved.write_text(text.replace("# poise-exercise: select\n", ""), encoding="utf-8")
    command = ["lab", "check", str(solved), "--lang", "en", "--json", "--all", "--exercise", "select"]
    assert main(command) == 1
    out, err = capfd.readouterr()
    assert err == ""
    about = json.loads(out)
    assert (about["exercise"], about["file"], about["passed"]) == ("select", str(solved), False)
    first, *others = about["cases"]
    assert first["state"] == "failed"
    assert (first["failure"], first["line"]) == ("imports", 3)
    assert "selectors" in first["happened"]
    assert {case["state"] for case in others} == {"passed"}


def test_a_file_that_does_not_say_what_it_is(solved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    solved.write_text("print()\n")
    assert main(["lab", "check", str(solved)]) == 2
    assert "--exercise NAME: select, poll, epoll, sticky, slow, http, clock" in capfd.readouterr().err
    assert main(["lab", "check", str(solved), "--exercise", "dance"]) == 2
    assert "there is no exercise 'dance'; there are select," in capfd.readouterr().err


def test_a_file_that_cannot_be_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "check", str(tmp_path / "none.py")]) == 3
    assert f"cannot read {tmp_path / 'none.py'}: No such file" in capfd.readouterr().err
    (tmp_path / "long.py").write_text("#" * 300_000)
    assert main(["lab", "check", str(tmp_path / "long.py")]) == 3
    assert "is longer than 262144 bytes" in capfd.readouterr().err


def test_the_language_may_come_from_the_environment(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POISE_LANG", "zh")
    assert main(["lab", "exercises", str(tmp_path)]) == 0
    assert capfd.readouterr().err == ""
    assert (tmp_path / README).read_text(encoding="utf-8").startswith("# 练习\n")
