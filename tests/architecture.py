"""The shape of the house as data, and the reader that holds a source tree against it.

``docs/design.md`` shows the same two tables to people; ``test_architecture.py`` keeps the three (tables here, tables
there, the code itself) equal. Imports are read from the syntax tree, so one that hides in a function or behind
``TYPE_CHECKING`` counts like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "poise"
LONGEST_ROOM = 400  # lines
LONGEST_FUNCTION = 50  # lines, the docstring not counted

# A module imports only from lower layers or from its own folder.
LAYERS: dict[str, int] = {
    "errors.py": 0,
    "limits/": 0,
    "readiness/": 1,
    "wire/": 1,
    "loop/": 2,
    "net/": 3,
    "http/": 4,
    "files/": 5,
    "apps/": 5,
    "seeing/": 6,
    "__init__.py": 7,
    "lab/": 7,
    "cli/": 8,
    "__main__.py": 9,
}

# Below this layer, nobody knows both what is ready and what the bytes mean.
MEETING = 3

# The laboratory may use the raw standard library that it teaches: the doors do not bind it.
UNBOUND = "lab/"


@dataclass(frozen=True, slots=True)
class Door:
    """One power of the machine and the only places that may reach for it."""

    name: str
    allowed: tuple[str, ...]
    modules: tuple[str, ...] = ()  # importing one of these is using the door
    calls: tuple[str, ...] = ()  # and so is calling one of these


DOORS: tuple[Door, ...] = (
    Door("readiness calls", ("readiness/",), modules=("select", "selectors")),
    Door(
        "clocks",
        ("loop/clock.py",),
        modules=("time",),
        calls=("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
    ),
    Door("signals", ("loop/signals.py", "cli/"), modules=("signal",)),
    Door("threads", ("loop/", "seeing/"), modules=("threading", "_thread", "concurrent", "multiprocessing")),
    Door(
        "sockets",
        ("net/", "loop/wakeup.py", "seeing/"),
        modules=("socket", "_socket", "ssl", "socketserver", "http.client", "http.server", "urllib.request"),
    ),
    Door(
        "content",
        ("files/", "cli/", "net/descriptor.py", "net/certificates.py", "seeing/"),
        modules=("pathlib", "io", "shutil", "glob", "tempfile", "mmap"),
        calls=("open", "os.open", "os.fdopen", "os.scandir", "os.listdir", "os.walk", "os.fwalk"),
    ),
    Door(
        "child processes",
        ("net/process.py", "net/forked.py"),
        modules=("subprocess",),
        calls=("os.fork", "os.posix_spawn", "os.system", "os.popen"),
    ),
    Door("asyncio", ("apps/",), modules=("asyncio", "uvloop")),
    Door("the command line", ("cli/",), modules=("argparse", "getpass", "readline")),
    Door("imports by name", ("__init__.py", "apps/", "cli/"), modules=("importlib",), calls=("__import__",)),
)

# Rooms that know no I/O at all may not even see these.
PURE = "wire/"
IMPURE = (
    "asyncio",
    "os",
    "select",
    "selectors",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
)


@dataclass(frozen=True, slots=True)
class Use:
    """A name that a module imports or calls, and where."""

    name: str
    line: int


def room_of(path: str) -> str:
    """The row of the table that a file of the package belongs to: its folder, or itself at the top."""
    folder, slash, _ = path.partition("/")
    return folder + slash


def allowed(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in places)


# --- reading ----------------------------------------------------------------------------------------------


def imports(tree: ast.Module, path: str) -> Iterator[Use]:
    """The full name of everything imported, relative imports resolved; ``from a import b`` gives ``a.b``."""
    package = [PACKAGE, *path.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Use(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = [*above, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield Use(".".join([*source, alias.name]), node.lineno)


def calls(tree: ast.Module) -> Iterator[Use]:
    """The name of everything called, by its last two parts: ``os.open``, ``datetime.now``, ``open``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name):
                yield Use(name, node.lineno)
            case (
                ast.Attribute(value=ast.Name(id=owner), attr=name)
                | ast.Attribute(value=ast.Attribute(attr=owner), attr=name)
            ):
                yield Use(f"{owner}.{name}", node.lineno)


def within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


# --- judging ----------------------------------------------------------------------------------------------


def faults(root: Path) -> list[str]:
    """Every sentence that the tree under ``root`` (the package's folder) earns; empty when it keeps its shape."""
    found: list[str] = []
    seen: dict[str, set[str]] = {}  # room -> rooms that it imports
    files = {file.relative_to(root).as_posix(): file for file in sorted(root.rglob("*.py"))}
    rooms = {room_of(path) for path in files}
    for path, file in files.items():
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source, filename=path)
        room = room_of(path)
        found += size_faults(path, source, tree)
        if room not in LAYERS:
            found.append(f"{path}: {room} is not in the table of layers")
            continue
        used = list(imports(tree, path))
        found += layer_faults(path, used, rooms, seen.setdefault(room, set()))
        if room != UNBOUND:
            found += door_faults(path, used, list(calls(tree)))
    found += [
        f"{room} is below layer {MEETING} and imports both readiness/ and wire/"
        for room, others in seen.items()
        if LAYERS[room] < MEETING and {"readiness/", "wire/"} <= others - {room}
    ]
    return found


def size_faults(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    lines = len(source.splitlines())
    if lines > LONGEST_ROOM:
        yield f"{path}: {lines} lines, at most {LONGEST_ROOM}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node, clean=False) is not None and first.end_lineno is not None:
                length -= first.end_lineno - first.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines, at most {LONGEST_FUNCTION}"


def layer_faults(path: str, used: list[Use], rooms: set[str], seen: set[str]) -> Iterator[str]:
    """Imports that go up or sideways. The rooms that are imported are added to ``seen``."""
    own = room_of(path)
    for use in used:
        if not within(use.name, PACKAGE):
            continue
        other = target(use.name, rooms)
        seen.add(other)
        if other not in LAYERS:
            yield f"{path}:{use.line}: imports {use.name}, which is not in the table of layers"
        elif other != own and LAYERS[other] >= LAYERS[own]:
            yield (
                f"{path}:{use.line}: layer {LAYERS[own]} imports {use.name} of layer {LAYERS[other]};"
                " only lower layers or its own folder are allowed"
            )


def target(name: str, rooms: set[str]) -> str:
    """The room that ``poise.room.module`` lies in; a name that is no room comes from the package's front door."""
    part = name.split(".")[1] if "." in name else ""
    for room in (f"{part}/", f"{part}.py"):
        if room in LAYERS or room in rooms:
            return room
    return "__init__.py"


def door_faults(path: str, used: list[Use], called: list[Use]) -> Iterator[str]:
    if room_of(path) == PURE:
        for use in used:
            for module in IMPURE:
                if within(use.name, module):
                    yield f"{path}:{use.line}: {PURE} knows no I/O, and imports {use.name}"
    for door in DOORS:
        if allowed(path, door.allowed):
            continue
        where = ", ".join(door.allowed)
        for use in used:
            # `from os import open` is the same door as `os.open()`.
            if any(within(use.name, module) for module in door.modules) or use.name in door.calls:
                yield f"{path}:{use.line}: imports {use.name} ({door.name}: only in {where})"
        for use in called:
            if use.name in door.calls:
                yield f"{path}:{use.line}: calls {use.name} ({door.name}: only in {where})"


# --- the tables of docs/design.md -------------------------------------------------------------------------


def markdown_table(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table after the line ``heading``, without its head; ValueError when there is none."""
    _, found, rest = text.partition(f"\n{heading}\n")
    rows = []
    for line in rest.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif rows or line.startswith("#"):
            break
    if not found or len(rows) < 3:
        raise ValueError(f"no table after {heading!r}")
    return rows[2:]


def code_words(cell: str) -> tuple[str, ...]:
    """What stands between backticks, in order."""
    return tuple(cell.split("`")[1::2])
