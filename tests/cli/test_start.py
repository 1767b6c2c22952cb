"""What ``poise serve`` loads before it listens: everything else waits until somebody needs it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.program import serving

LISTED = Path(__file__).with_name("modules_at_start.txt")

NOT_NEEDED = frozenset(
    [
        "argparse.locale",
        "asyncio",
        "concurrent.futures",
        "dataclasses",
        "datetime",
        "email",
        "hashlib",
        "http.client",
        "http.server",
        "inspect",
        "ipaddress",
        "json",
        "logging",
        "multiprocessing",
        "random",
        "shutil",
        "ssl",
        "subprocess",
        "tempfile",
        "traceback",
        "urllib.parse",
        "zipfile",
    ]
)
"""Libraries of Python's own that each cost some milliseconds."""

COMMAND = """
import sys
from poise.loop.reactor import Reactor
def told(self):
    print("modules:", *sorted(sys.modules), file=sys.stderr, flush=True)
    run(self)
run, Reactor.run = Reactor.run, told
from poise.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-S", "-c", COMMAND, "serve", str(folder), "--port", "0"]
    with serving(folder, command=command) as served:
        served.stop()
        said = served.stderr
    (line,) = [line for line in said.splitlines() if line.startswith("modules:")]
    return line.split()[1:]


def test_only_what_a_file_needs(loaded: list[str]) -> None:
    """When this fails with more: can it be loaded by those who use it? With less: well done, write the list anew."""
    ours = [name for name in loaded if name.partition(".")[0] == "poise"]
    assert ours == LISTED.read_text().split()


def test_no_library_that_is_slow_to_load(loaded: list[str]) -> None:
    assert not NOT_NEEDED & set(loaded)
