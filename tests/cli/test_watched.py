"""``poise watch -- PROGRAM``: the program runs as it would by itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.program import PATIENCE, program

SAYS = """
import asyncio, os, sys

async def main():
    print(sys.argv[1:], __name__, os.path.basename(sys.path[0]), flush=True)

asyncio.run(main())
raise SystemExit(7)
"""


def watch(*words: str, cwd: Path | None = None) -> list[str]:
    del cwd
    return [sys.executable, "-m", "poise", "watch", *words]


def test_a_script_runs_as_it_would_by_itself(tmp_path: Path) -> None:
    script = tmp_path / "says.py"
    script.write_text(SAYS)
    with program(watch("--", str(script), "--port", "8")) as running:
        assert running.line() == f"['--port', '8'] __main__ {tmp_path.name}"
        assert running.process.wait(PATIENCE) == 7
        assert running.stderr.count("what the loop does: http://127.0.0.1:") == 1


def test_a_module_runs_too(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__main__.py").write_text(SAYS)
    with program(
        watch("--", "-m", "package", "a"),
        cwd=tmp_path,
        environment={"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as running:
        assert running.line().startswith("['a'] __main__")
        assert running.process.wait(PATIENCE) == 7


def test_each_loop_has_a_page(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text("import asyncio\nfor _ in range(2):\n    asyncio.run(asyncio.sleep(0))\n")
    with program(watch("--", str(script))) as running:
        assert running.process.wait(PATIENCE) == 0
        assert running.stderr.count("what the loop does: http://") == 2


def test_without_a_loop_it_says_why(tmp_path: Path) -> None:
    script = tmp_path / "none.py"
    script.write_text("print('done', flush=True)\n")
    with program(watch("--", str(script))) as running:
        assert running.line() == "done"
        assert running.process.wait(PATIENCE) == 0
        assert "no asyncio loop that can be watched has run; uvloop is none" in running.stderr


def test_its_own_traceback_is_its_own(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("1 / 0\n")
    with program(watch("--", str(script))) as running:
        assert running.process.wait(PATIENCE) == 1
        assert f'File "{script}", line 1' in running.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which program?"),
        (("--",), "which program?"),
        (("--", "-m"), "which program?"),
        (("--", "missing.py"), "there is no program 'missing.py' here"),
    ],
)
def test_without_a_program_it_says_what_to_do(words: tuple[str, ...], said: str) -> None:
    with program(watch(*words)) as running:
        assert running.process.wait(PATIENCE) == 3
        assert said in running.stderr
        assert "Traceback" not in running.stderr
