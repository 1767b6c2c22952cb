"""Random trees, random addresses, and a slow oracle that works with paths."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from hypothesis import given, settings
from hypothesis import strategies as st

from poise.errors import RequestError
from poise.files.locate import Root

NAMES = ("a", "b", "c")
PLACES = [*NAMES, *(f"{one}/{two}" for one in NAMES for two in NAMES), "a/a/a", "a/b/c", "c/b/a"]
TARGETS = st.one_of(
    st.lists(
        st.sampled_from([*NAMES, "..", ".", "", "nothing", "outside", "root"]), min_size=1, max_size=5
    ).map("/".join),
    st.lists(st.sampled_from([*NAMES, "..", "."]), max_size=4).map(
        lambda parts: "/".join(["{root}", *parts])
    ),
    st.sampled_from(["/", "/etc/passwd", "{root}x", "{root}/../outside/a", "..", "../..", "."]),
).filter(bool)
TREE = st.lists(
    st.tuples(st.sampled_from(PLACES), st.one_of(st.sampled_from(["file", "folder"]), TARGETS)), max_size=12
)
SEGMENT = st.sampled_from(
    [
        *NAMES,
        "",
        ".",
        "..",
        "%2e",
        "%2E.",
        "%61",
        "%2561",
        "a%2fb",
        "..%2f",
        "%5c",
        "nothing",
        "outside",
        "root",
    ]
)
ADDRESS = st.lists(SEGMENT, min_size=1, max_size=6).map(lambda segments: "/" + "/".join(segments))


@contextmanager
def grown(tree: list[tuple[str, str]]) -> Iterator[Path]:
    """The tree on disk, beside an outside with the same names; what does not fit is left out."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(os.path.realpath(name))
        root = base / "root"
        root.mkdir()
        (base / "outside").mkdir()
        (base / "rootx").mkdir()
        for beside in (base / "outside", base / "rootx", base):
            for inner in NAMES:
                (beside / inner).write_bytes(b"outside")
        for place, kind in tree:
            path = root / place
            # Only through real folders: what is made must be inside.
            if (
                os.path.realpath(path.parent) != str(path.parent)
                or not path.parent.is_dir()
                or os.path.lexists(path)
            ):
                continue
            if kind == "file":
                path.write_bytes(b"inside")
            elif kind == "folder":
                path.mkdir()
            else:
                path.symlink_to(kind.format(root=root))
        yield root


def expected(root: Path, address: str) -> tuple[int, str | None]:
    """The status of ``address``, and what it leads to, by walking paths one step at a time."""
    names: list[str] = []
    last = ""
    for segment in address.split("/")[1:]:
        last = unquote(segment)
        if "\\" in last:
            return 400, None
        if "/" in last:
            return 404, None
        if last == "..":
            if not names:
                return 400, None
            names.pop()
        elif last not in ("", "."):
            names.append(last)
    return walked(root, names, folder_only=last in ("", ".", ".."))


def walked(root: Path, names: list[str], *, folder_only: bool) -> tuple[int, str | None]:
    todo, here, links = names[::-1], [str(root)], 0
    while todo:
        name = todo.pop()
        if name == "..":
            if len(here) == 1:
                return 404, None
            here.pop()
        elif name not in ("", "."):
            path = os.path.join(here[-1], name)
            if os.path.islink(path):
                links += 1
                target = os.readlink(path)
                if target.startswith("/"):
                    inside = os.path.join(target, "").startswith(os.path.join(root, ""))
                    if not inside or links > 40:
                        return 404, None
                    target, here = target[len(str(root)) :], here[:1]
                if links > 40:
                    return 404, None
                folder_only = folder_only or (not todo and target.endswith(("/", "/.")))
                todo += target.split("/")[::-1]
                continue
            if not os.path.exists(path) or (
                any(rest not in ("", ".") for rest in todo) and os.path.isfile(path)
            ):
                return 404, None
            here.append(path)
    if folder_only and os.path.isfile(here[-1]):
        return 404, None
    return 200, here[-1]


@settings(max_examples=300)
@given(TREE, st.lists(ADDRESS, min_size=1, max_size=10))
def test_no_address_leads_out_of_any_tree(tree: list[tuple[str, str]], addresses: list[str]) -> None:
    with grown(tree) as folder, Root(folder) as root:
        open_before = len(os.listdir("/proc/self/fd"))
        for address in addresses:
            assert answered(root, address) == expected(folder, address), address
        assert len(os.listdir("/proc/self/fd")) == open_before


def answered(root: Root, address: str) -> tuple[int, str | None]:
    """The status that the gate gives ``address``, and what the kernel says that it has opened."""
    try:
        with root.locate(address) as found:
            real = os.readlink(f"/proc/self/fd/{found.fd}")
            assert real == os.path.realpath(real)
            assert os.path.samestat(found.stat, os.stat(real))
    except RequestError as error:
        return error.status, None
    return 200, real
