"""The house keeps its shape: layers, doors, sizes, and the page that describes them.

The first half holds the real tree and the real page against the tables of ``tests/architecture.py``; the second half
breaks every rule once in a made-up tree, because a rule that cannot fail protects nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import (
    DOORS,
    IMPURE,
    LAYERS,
    LONGEST_FUNCTION,
    LONGEST_ROOM,
    PURE,
    Door,
    code_words,
    faults,
    markdown_table,
)

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


# --- the real tree and the real page ----------------------------------------------------------------------


def test_the_package_keeps_its_layers_doors_and_sizes() -> None:
    assert faults(ROOT / "poise") == []


def test_every_room_of_the_package_is_read() -> None:
    assert (ROOT / "poise" / "errors.py").is_file()
    assert len(list((ROOT / "poise").rglob("*.py"))) > 2


def test_the_table_of_layers_in_the_design_page_is_the_one_that_is_enforced() -> None:
    written = {
        room: int(row[0]) for row in markdown_table(DESIGN, "## Layers") for room in code_words(row[1])
    }
    assert written == LAYERS


def test_the_table_of_doors_in_the_design_page_is_the_one_that_is_enforced() -> None:
    written = {
        row[0]: (code_words(row[1]), code_words(row[2])) for row in markdown_table(DESIGN, "### Doors")
    }
    assert written == {door.name: (door.modules + door.calls, door.allowed) for door in DOORS}


# --- each rule fails when it is broken --------------------------------------------------------------------


class Tree:
    """A package in the making."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def faults(self, sources: dict[str, str]) -> list[str]:
        for path, source in sources.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source, encoding="utf-8")
        return faults(self.root)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_lower_layers_and_the_own_folder_may_be_imported(tree: Tree) -> None:
    sources = {
        "errors.py": "import enum\n",
        "readiness/by_epoll.py": "import select\nfrom poise.errors import ProgramFault\n",
        "readiness/poller.py": "from poise.readiness import by_epoll\n",
        "net/stream.py": "import socket\nfrom poise.readiness.poller import choose\nfrom poise.wire import buffer\n",
        "wire/buffer.py": "import re\n",
        "__init__.py": "from poise.net.stream import Stream\n",
        "__main__.py": "from poise.cli.main import main\n",
        "cli/main.py": "import argparse\nimport poise\nfrom poise import limits\n",
        "limits/rooms.py": "",
    }
    assert tree.faults(sources) == []


UPWARD = {
    "up": ("net/stream.py", "from poise.http.server import HTTPServer"),
    "as a module": ("net/stream.py", "import poise.http.server"),
    "under another name": ("loop/reactor.py", "import poise.net.stream as s"),
    "from the package": ("errors.py", "from poise import limits"),
    "the front door": ("net/stream.py", "from poise import Reactor"),
    "the bare package": ("net/stream.py", "import poise"),
    "sideways": ("files/site.py", "from poise.apps.embed import embed"),
    "relative": ("net/stream.py", "from ..http import server"),
    "relative, deep": ("wire/http/head.py", "from ...loop import reactor"),
    "relative, bare": ("net/stream.py", "from .. import cli"),
    "in a function": ("net/stream.py", "def late():\n    from poise.http import server\n"),
    "for types only": (
        "net/stream.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from poise.http.server import HTTPServer\n",
    ),
    "wire meets readiness": ("wire/buffer.py", "from poise.readiness import interest"),
    "readiness meets wire": ("readiness/poller.py", "from poise.wire import buffer"),
}


@pytest.mark.parametrize(("path", "source"), UPWARD.values(), ids=UPWARD)
def test_an_import_upwards_or_sideways_fails(tree: Tree, path: str, source: str) -> None:
    [fault] = tree.faults({path: source})
    assert fault.startswith(f"{path}:")
    assert "only lower layers" in fault


def test_a_relative_import_within_the_own_folder_passes(tree: Tree) -> None:
    assert tree.faults({"wire/http/head.py": "from . import grammar\nfrom ..buffer import Buffer\n"}) == []


def test_bytes_and_readiness_do_not_meet_in_the_loop_even_in_different_files(tree: Tree) -> None:
    [fault] = tree.faults(
        {
            "loop/reactor.py": "from poise.readiness import poller\n",
            "loop/timers.py": "from poise.wire import dates\n",
        }
    )
    assert fault == "loop/ is below layer 3 and imports both readiness/ and wire/"


@pytest.mark.parametrize("path", ["helpers.py", "util/text.py"])
def test_a_module_that_is_not_in_the_table_fails(tree: Tree, path: str) -> None:
    assert any("is not in the table of layers" in fault for fault in tree.faults({path: ""}))


def test_importing_what_is_not_in_the_table_fails(tree: Tree) -> None:
    found = tree.faults({"util/text.py": "", "net/stream.py": "from poise.util.text import shorten\n"})
    assert "net/stream.py:1: imports poise.util.text.shorten, which is not in the table of layers" in found


@pytest.mark.parametrize(("door", "module"), [(door, module) for door in DOORS for module in door.modules])
def test_a_module_behind_a_door_is_imported_only_there(tree: Tree, door: Door, module: str) -> None:
    source = f"def late():\n    import {module}\n"
    [fault] = tree.faults({"http/server.py": source})
    assert fault.startswith("http/server.py:2:")
    assert door.name in fault
    place = door.allowed[0]
    inside = Tree(tree.root / "inside")
    assert inside.faults({place + "room.py" if place.endswith("/") else place: source}) == []


@pytest.mark.parametrize(("door", "call"), [(door, call) for door in DOORS for call in door.calls])
def test_a_call_behind_a_door_is_made_only_there(tree: Tree, door: Door, call: str) -> None:
    source = f"def late(x):\n    return {call}(x)\n"
    [fault] = tree.faults({"http/server.py": source})
    assert fault.startswith("http/server.py:2:")
    assert door.name in fault
    place = door.allowed[0]
    inside = Tree(tree.root / "inside")
    assert inside.faults({place + "room.py" if place.endswith("/") else place: source}) == []


SPELLINGS = {
    "from": ("http/server.py", "from time import monotonic"),
    "submodule": ("http/server.py", "import concurrent.futures"),
    "renamed": ("http/server.py", "import socket as s"),
    "taken from os": ("http/server.py", "from os import open"),
    "through its module": ("http/server.py", "import datetime\nx = datetime.datetime.now()"),
    "beside the door": ("loop/timers.py", "import time"),
    "the loop opens no sockets": ("loop/reactor.py", "import socket"),
}


@pytest.mark.parametrize(("path", "source"), SPELLINGS.values(), ids=SPELLINGS)
def test_no_other_spelling_opens_a_door(tree: Tree, path: str, source: str) -> None:
    [fault] = tree.faults({path: source})
    assert "only in" in fault


def test_the_laboratory_may_use_what_it_teaches(tree: Tree) -> None:
    assert tree.faults({"lab/walls.py": "import select, socket, time\n"}) == []


def test_the_laboratory_is_still_a_layer(tree: Tree) -> None:
    [fault] = tree.faults({"lab/walls.py": "from poise.cli import main\n"})
    assert "only lower layers" in fault


@pytest.mark.parametrize("module", IMPURE)
def test_wire_knows_no_io(tree: Tree, module: str) -> None:
    found = tree.faults({f"{PURE}http/head.py": f"from {module} import anything\n"})
    assert f"wire/http/head.py:1: wire/ knows no I/O, and imports {module}.anything" in found


def test_a_room_has_a_largest_size(tree: Tree) -> None:
    assert tree.faults({"net/stream.py": "x = 1\n" * LONGEST_ROOM}) == []
    [fault] = tree.faults({"net/stream.py": "x = 1\n" * (LONGEST_ROOM + 1)})
    assert fault == f"net/stream.py: {LONGEST_ROOM + 1} lines, at most {LONGEST_ROOM}"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_function_has_a_largest_size_and_its_docstring_is_free(tree: Tree, kind: str) -> None:
    docstring = '    """One.\n\n    Two.\n    """\n'
    fits = f"{kind} long():\n{docstring}" + "    x = 1\n" * (LONGEST_FUNCTION - 1)
    assert tree.faults({"net/stream.py": fits}) == []
    [fault] = tree.faults({"net/stream.py": fits + "    x = 1\n"})
    assert fault == f"net/stream.py:1: long has {LONGEST_FUNCTION + 1} lines, at most {LONGEST_FUNCTION}"


def test_a_page_without_the_table_fails() -> None:
    with pytest.raises(ValueError, match="no table after"):
        markdown_table("\n## Layers\n\ntext\n\n## Next\n\n| a |\n|---|\n| b |\n", "## Layers")
    assert markdown_table("\n## Layers\n\n| a |\n|---|\n| `b` c |\n\n| d |\n", "## Layers") == [["`b` c"]]
