"""``poise lab list`` and ``poise lab run``: what is typed, and what is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from poise.cli.completions import completions
from poise.cli.lab_showing import conclusion, numbered, pieces, spoken, wrapped
from poise.cli.main import CANNOT_START, MAKES_NO_SENSE, main, parser
from poise.cli.man import man_page
from poise.lab.experiments import EXPERIMENTS
from poise.lab.result import result
from poise.lab.scale import columns
from tests.support.program import PATIENCE, ROOT
from tests.support.terminal import terminal

POISE = [sys.executable, "-m", "poise", "lab"]
EXPERIMENT_CANNOT = 3


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("POISE_", "LC_", "LANG", "COLUMNS"))]:
        monkeypatch.delenv(name)


def test_the_list_has_every_experiment(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "list"]) == 0
    out = capfd.readouterr().out
    for name, experiment in EXPERIMENTS.items():
        assert f"{name} " in out
        assert experiment.title.en in out


def test_the_list_in_chinese_by_option_and_by_environment(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["lab", "list", "--lang", "zh"])
    by_option = capfd.readouterr().out
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    main(["lab", "list"])
    assert capfd.readouterr().out == by_option
    assert "粘包" in by_option


def test_the_list_for_scripts(capfd: pytest.CaptureFixture[str]) -> None:
    main(["lab", "list", "--json"])
    rows = json.loads(capfd.readouterr().out)
    assert [row["id"] for row in rows] == list(EXPERIMENTS)
    assert "right" not in json.dumps(rows[0]["choices"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["silnt"], "there is no experiment 'silnt'; did you mean silent?"),
        (["dance"], "there is no experiment 'dance'; poise lab list shows what there is"),
        (["masks", "--predict", "9"], "masks has no prediction '9'; it has: true, false, error"),
        (["silent", "--model", "x"], "silent has no model 'x'; it has: blocking, timeout, polling"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_runs(
    words: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", "run", *words]) == MAKES_NO_SENSE
    got = capfd.readouterr()
    assert said in got.err
    assert got.out == ""


@pytest.mark.slow
def test_a_run_tells_the_whole_story(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "run", "masks", "--predict", "1"]) == 0
    out = capfd.readouterr().out
    experiment = EXPERIMENTS["masks"]
    for text in (experiment.title, experiment.choices[0].text, experiment.right.text):
        assert text.en in " ".join(out.split())
    assert "You guessed: True" in out
    assert "✓" in out
    assert "✗" not in out
    assert "0xb" in out
    assert "To take away:" in out


@pytest.mark.parametrize(
    ("bound", "said"), [(49.0, ""), (51.0, "This run did not show it. A busy machine can do that")]
)
def test_a_run_that_did_not_show_it_says_so(bound: float, said: str) -> None:
    experiment = EXPERIMENTS["silent"]
    row = {"model": "select", "delays": [bound] * 5, "silent": bound}
    told = result(
        experiment,
        {"models": ["select"], "seed": 1},
        {"events": [], "left_out": 0, "records": {"silence": 600.0, "rows": [row]}, "text": None},
        prediction=None,
        failed=None,
        began=0.0,
        seconds=1.0,
    )
    out = " ".join("\n".join(conclusion(experiment, told, "en")).split())
    assert said in out
    assert ("did not show it" in out) == bool(said)


@pytest.mark.parametrize(("models", "answered"), [(["select"], False), (["blocking", "select"], True)])
def test_a_server_that_took_no_part_is_not_spoken_of(models: list[str], answered: bool) -> None:
    experiment = EXPERIMENTS["silent"]
    rows = [{"model": model, "delays": [600.0] * 5, "silent": 600.0} for model in models]
    told = result(
        experiment,
        {"models": models, "seed": 1},
        {"events": [], "left_out": 0, "records": {"silence": 600.0, "rows": rows}, "text": None},
        prediction="all",
        failed=None,
        began=0.0,
        seconds=1.0,
    )
    out = " ".join("\n".join(conclusion(experiment, told, "en")).split())
    assert told["prediction"]["correct"] is (True if answered else None)
    assert ("did not take part: blocking." in out) is not answered
    assert ("Your guess was right" in out) is answered


@pytest.mark.slow
def test_a_run_without_calls_leaves_no_trace(tmp_path: Path) -> None:
    assert main(["lab", "run", "threads", "--json", "--out", str(tmp_path)]) in (0, 1)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["threads.json", "threads.svg"]


@pytest.mark.slow
def test_a_run_in_chinese_with_a_right_guess(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "run", "masks", "--predict", "false", "--lang", "zh"]) == 0
    out = capfd.readouterr().out
    assert "预测正确" in out
    assert "要点：" in out


@pytest.mark.slow
def test_a_run_for_scripts_prints_json_and_nothing_else(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    assert main(["lab", "run", "stream", "--json", "--out", str(folder)]) == 0
    got = capfd.readouterr()
    result = json.loads(got.out)
    assert result["outcome"] == "shown"
    assert json.loads((folder / "stream.json").read_text()) == result
    assert (folder / "stream.svg").read_text().startswith("<svg ")
    assert json.loads((folder / "stream.trace.json").read_text())["traceEvents"]
    assert len(list(folder.iterdir())) == 3
    assert "kept:" in got.err


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_a_fault_of_the_machine(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert main(["lab", "run", "masks", "--json", "--out", str(tmp_path / "file")]) == CANNOT_START
    assert "cannot write to" in capfd.readouterr().err


@pytest.mark.slow
def test_what_this_machine_cannot_show_is_said() -> None:
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 512; exec "$@"', "sh", *POISE, "run", "wall", "--predict", "error"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == EXPERIMENT_CANNOT
    assert "ulimit -n 1116" in done.stdout


@pytest.mark.slow
def test_at_a_terminal_one_is_asked_until_the_guess_is_one() -> None:
    with terminal([*POISE, "run", "masks", "--lang", "en"]) as screen:
        screen.until("Your guess, 1 to 3")
        screen.type("7\n")
        screen.until("7\nYour guess, 1 to 3")
        screen.type("2\n")
        assert "Your guess was right" in screen.end()


@pytest.mark.slow
def test_at_a_terminal_one_need_not_guess() -> None:
    with terminal([*POISE, "run", "masks", "--lang", "en"]) as screen:
        screen.until("Your guess, 1 to 3")
        screen.type("\x04")
        assert "The answer: False" in screen.end()


def test_a_guess_by_number_or_name() -> None:
    experiment = EXPERIMENTS["masks"]
    assert numbered(experiment, "1") == "true"
    assert numbered(experiment, "3") == "error"
    assert numbered(experiment, "0") == "0"
    assert numbered(experiment, "false") == "false"
    assert numbered(experiment, None) is None


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_language_of_the_environment(environment: dict[str, str], language: str) -> None:
    assert spoken(environment) == language


def test_lines_fit_and_no_mark_begins_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    text = "没有数据要发，却把套接字留在 wlist 里（或掩码里留着 POLLOUT）：循环再也睡不着。" * 3
    lines = list(wrapped(text, indent=2))
    assert all(columns(line) <= 33 for line in lines)  # a mark may hang over
    assert not any(line.strip().startswith(("，", "。", "：", "）")) for line in lines)
    assert "".join(pieces(text)) == text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_complete_its_commands_and_their_options(shell: str) -> None:
    text = completions(shell, parser())
    assert "list run" in text
    assert "predict" in text


def test_the_manual_page_says_all_of_its_commands() -> None:
    page = man_page(parser())
    assert ".SS poise lab list [options]" in page
    assert ".SS poise lab run [options] NAME" in page
    assert "\\-\\-predict" in page
