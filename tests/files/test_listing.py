"""The listing: what it shows, in which order, and what hostile names can do to it."""

from __future__ import annotations

import errno
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poise.errors import RequestError
from poise.files.listing import FolderPage, Listings
from poise.files.locate import Root
from poise.files.measures import changed, exact_size, human_size
from poise.files.names import names_of, visible
from poise.files.site import Site
from poise.files.texts import ENGLISH
from poise.files.view import PLAIN
from poise.http.message import FileBody
from poise.limits import FileLimits
from tests.files.support import LONG_AGO, answered, body_of, fields_of, put, request, site_of

TAGS = frozenset(
    [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "header",
        "nav",
        "ol",
        "li",
        "h1",
        "b",
        "bdi",
        "main",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "time",
        "span",
        "p",
        "a",
        "svg",
        "symbol",
        "path",
        "use",
        "div",
        "form",
        "input",
        "button",
        "script",
        "section",
        "pre",
    ]
)
ATTRIBUTES = frozenset(
    [
        "lang",
        "charset",
        "name",
        "content",
        "class",
        "href",
        "id",
        "aria-label",
        "aria-current",
        "scope",
        "title",
        "datetime",
        "aria-hidden",
        "aria-sort",
        "viewbox",
        "d",
        "rel",
        "role",
        "type",
        "maxlength",
        "required",
        "value",
        "placeholder",
        "hidden",
        "data-none",
        "autocomplete",
        "download",
    ]
)
VOID = {"meta", "input"}


class Page(HTMLParser):
    """A page walked tag by tag: every tag and attribute is one of ours, and all are closed in order."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.entries: list[tuple[str, str]] = []
        """The links of the table's body."""
        self.rows: list[list[str]] = []
        self.titles: list[str] = []
        self.text: dict[str, str] = {}
        self.feed(page.decode("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES
        given_attributes = dict(attrs)
        if tag == "a":
            self.links.append((given_attributes["href"] or "", ""))
            if "tbody" in self.open:
                self.entries.append(self.links[-1])
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.titles.append(given_attributes.get("title") or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self.open:
            self.text[tag] = self.text.get(tag, "") + data
        if "a" in self.open:
            href, text = self.links[-1]
            self.links[-1] = (href, text + data)
            if "tbody" in self.open:
                self.entries[-1] = self.links[-1]
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data}")


def page_of(site: Site, path: str = "/") -> Page:
    reply = answered(site, request(path))
    assert reply.status == 200
    return Page(body_of(reply))


def test_the_first_sentence_answers_the_question(site: Site, folder: Path) -> None:
    for number in range(3):
        put(folder / "photos" / f"{number}.jpg", b"x" * 1000)
    assert page_of(site, "/photos/").text["h1"] == "Folder photos: 3 files, 3.0 kB."
    assert page_of(site, "/").text["h1"] == "The top folder: 1 folder."
    (folder / "photos" / "raw").mkdir()
    put(folder / "one.txt", b"x")
    (folder / "empty").mkdir()
    assert page_of(site, "/photos/").text["h1"] == "Folder photos: 1 folder, 3 files, 3.0 kB."
    assert page_of(site, "/").text["h1"] == "The top folder: 2 folders, 1 file, 1 B."
    empty = page_of(site, "/empty/")
    assert empty.text["h1"] == "Folder empty is empty."
    assert empty.rows == []


def test_folders_come_first_and_numbers_count(site: Site, folder: Path) -> None:
    for name in ("10.txt", "9.txt", "B.txt", "a.txt", "c.TXT", "1"):
        put(folder / name)
    for name in ("z10", "Z9", "a"):
        (folder / name).mkdir()
    names = [row[0] for row in page_of(site).rows[1:]]
    assert names == ["a", "Z9", "z10", "1", "9.txt", "10.txt", "a.txt", "B.txt", "c.TXT"]


def test_a_row_tells_size_and_date(site: Site, folder: Path) -> None:
    put(folder / "a.bin", b"x" * 1536)
    page = page_of(site)
    assert page.rows == [["Name ↑", "Size", "Changed (UTC)"], ["a.bin", "1.5 kB", "2023-11-14 22:13"]]
    assert "1,536 bytes" in page.titles


def test_the_way_up_is_linked(site: Site, folder: Path) -> None:
    (folder / "a b" / "c" / "d").mkdir(parents=True)
    page = page_of(site, "/a%20b/c/d/")
    assert page.links[1:] == [
        ("/", "start"),
        ("/a%20b/", "a b"),
        ("/a%20b/c/", "c"),
        ("/a%20b/c/", "↑ Up to c"),
    ]
    assert page_of(site, "/a%20b/").links[-1] == ("/", "↑ Up to start")
    assert [href for href, _ in page_of(site).entries] == ["./a%20b/"]
    assert page.text["title"] == "d"


def test_only_what_would_be_served_is_shown(site: Site, root: Root, folder: Path) -> None:
    put(folder / "shown.txt", b"12345")
    put(folder / ".hidden")
    put(folder / "back\\slash")
    (folder / "d").mkdir()
    os.mkfifo(folder / "fifo")
    for name, target in {
        "to-file": "shown.txt",
        "to-folder": "d",
        "to-outside": "../outside/secret.txt",
        "to-null": "/dev/null",
        "to-fifo": "fifo",
        "to-nothing": "nothing",
        "to-itself": "to-itself",
    }.items():
        (folder / name).symlink_to(target)
    page = page_of(site)
    assert [row[0] for row in page.rows[1:]] == ["d", "to-folder", "shown.txt", "to-file"]
    assert page.rows[-1][1] == "5 B"
    for href, _ in page.entries:
        assert answered(site, request(urljoin("/", href))).status == 200
    with Root(folder, dotfiles=True) as open_root:
        assert [row[0] for row in page_of(site_of(open_root)).rows[3:]] == [".hidden", "shown.txt", "to-file"]


@pytest.mark.attack(42)
def test_a_listing_is_bounded_and_says_so(folder: Path) -> None:
    for number in range(30):
        put(folder / f"{number}", b"x")
    with Root(folder, limits=FileLimits(entries=10)) as root:
        page = page_of(site_of(root))
        assert len(page.rows) == 11
        assert page.text["h1"] == "The top folder holds more than 10 entries; counted are 10 files, 10 B."
    with Root(folder, limits=FileLimits(entries=30)) as root:
        assert page_of(site_of(root)).text["h1"] == "The top folder: 30 files, 30 B."


@pytest.mark.attack(42)
def test_a_long_listing_is_made_piece_by_piece(folder: Path) -> None:
    for number in range(10):
        put(folder / f"{number}", b"x")
    with Root(folder) as whole_root, Root(folder, limits=FileLimits(looks=4, rows=4)) as root:
        whole, reply = answered(site_of(whole_root), request("/")), answered(site_of(root), request("/"))
        assert whole.length is not None
        assert reply.length is None
        assert not isinstance(reply.body, bytes | FileBody)
        made = list(reply.body)
        assert made[:2] == [b"", b""], "turns for others while the folder is read"
        assert [piece.count(b"<tr>") for piece in made if piece] == [1, 4, 4, 2, 0]
        assert b"".join(made) == body_of(whole)
        answered(site_of(root), request("/", "HEAD")).close()  # never begun, and nothing stays open
        begun = answered(site_of(root), request("/"))
        assert not isinstance(begun.body, bytes | FileBody)
        assert next(iter(begun.body)) == b""
        begun.close()


def test_a_folder_that_breaks_while_it_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __iter__(self) -> Broken:
            return self

        def __next__(self) -> object:
            raise OSError(errno.EIO, "Input/output error")

        def close(self) -> None:
            pass

    monkeypatch.setattr(os, "scandir", lambda _fd: Broken())
    with Root(folder) as root, root.locate("/") as found, pytest.raises(RequestError) as error:
        Listings(root).of(found, PLAIN, FolderPage(found.names, root.limits))
    assert error.value.status >= 403


@pytest.mark.attack(42)
def test_hidden_entries_count_against_the_bound(folder: Path) -> None:
    for number in range(12):
        put(folder / f".{number}")
    with Root(folder, limits=FileLimits(entries=10)) as root:
        assert (
            page_of(site_of(root)).text["h1"] == "The top folder holds more than 10 entries; counted are –."
        )


def test_an_entry_that_vanishes_is_left_out(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "a")
    put(folder / "b")
    real = os.scandir

    def scan(fd: int) -> object:
        found = real(fd)
        (folder / "a").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(os, "scandir", scan)
    assert [row[0] for row in page_of(site).rows[1:]] == ["b"]


def test_a_folder_that_may_not_be_read_is_403(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(_fd: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", forbid)
    with root.locate("/") as found, pytest.raises(RequestError) as error:
        Listings(root).of(found, PLAIN, FolderPage(found.names, root.limits))
    assert error.value.status == 403


@pytest.mark.attack(13)
def test_a_page_shows_no_local_path(site: Site, folder: Path) -> None:
    (folder / "d").mkdir()
    for path in ("/", "/d/", "/?x=%bb", "/d?x=%bb", "/nothing", "/..", "/%zz"):
        reply = answered(site, request(path))
        body = body_of(reply).decode()
        for part in (str(folder), folder.parent.name, os.sep + folder.name):
            assert part not in body, path
            assert all(part not in value for _, value in reply.fields)


HOSTILE = [
    b"<img src=x onerror=alert(1)>.txt",
    b'"><script>alert(1)<',
    b"' onmouseover='alert(1)",
    b"javascript:alert(1)",
    b"data:text/html,<script>alert(1)",
    b"</title><script>",
    b"</style><script>",
    b"&lt;b&gt;&amp;",
    b"<!-- ",
    b"]]>",
    b"a\nb\r\nSet-Cookie: x",
    b"\xff\xfe\x80",
    b"\xed\xa0\x80 surrogate",
    b"%2e%2e%2f",
    b"?query#fragment",
    b"\x1b[31mred",
    b"//evil.example",
    "\u202egpj.exe".encode(),
    "照片 说明".encode(),
    b" leading and trailing ",
    b"{title}{style}{content}",
    b"x" * 255,
]


@pytest.mark.attack(22)
@pytest.mark.attack(23)
@pytest.mark.parametrize("name", [name.replace(b"/", b":") for name in HOSTILE])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_hostile_name_is_a_name_and_nothing_else(site: Site, folder: Path, name: bytes, kind: str) -> None:
    path = Path(os.fsdecode(os.path.join(os.fsencode(folder), name)))
    if kind == "folder":
        put(path / "inner.txt", b"content")
    else:
        put(path, b"content")
    page = page_of(site)
    assert page.rows[1][0] == visible(name)
    href, text = page.entries[0]
    assert text == visible(name)
    assert re.fullmatch(r"\./[A-Za-z0-9%._~-]+/?", href)
    target = urlsplit(urljoin("http://localhost:8000/", href))
    assert (target.netloc, target.query, target.fragment) == ("localhost:8000", "", "")
    assert names_of(target.path)[0] == (name,)
    if kind == "file":
        reply = answered(site, request(target.path))
        assert fields_of(reply)["x-content-type-options"] == "nosniff"
        assert body_of(reply) == b"content"
    else:
        inner = page_of(site, target.path)
        assert inner.text["title"] == visible(name)
        assert visible(name) in inner.text["h1"]
        assert visible(name) in inner.text["nav"]
        moved = answered(site, request(target.path.removesuffix("/")))
        assert fields_of(moved)["location"] == target.path
        Page(body_of(moved))


@pytest.mark.attack(23)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.sets(
        st.binary(min_size=1, max_size=80).filter(
            lambda name: not set(name) & set(b"/\0\\") and not name.startswith(b".")
        ),
        max_size=5,
    )
)
def test_any_names_make_a_page_whose_links_lead_to_them(site: Site, folder: Path, names: set[bytes]) -> None:
    paths = [os.path.join(os.fsencode(folder), name) for name in names]
    for path in paths:
        with open(path, "wb") as file:
            file.write(path)
    try:
        page = page_of(site)
        contents = {body_of(answered(site, request(urljoin("/", href)))) for href, _ in page.entries}
        assert contents == set(paths)
        assert sorted(row[0] for row in page.rows[1:]) == sorted(visible(name) for name in names)
    finally:
        for path in paths:
            os.unlink(path)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3_100_000_000, "3.1 GB"),
        (10**30, "1000000000000 EB"),
    ],
)
def test_sizes_are_told_as_people_tell_them(size: int, text: str) -> None:
    assert human_size(size) == text


def test_exact_sizes() -> None:
    assert [exact_size(size, ENGLISH) for size in (0, 1, 1536)] == ["0 bytes", "1 byte", "1,536 bytes"]


def test_a_date_that_no_calendar_has_is_a_dash() -> None:
    assert 'datetime="2023-11-14T22:13:20+00:00"' in changed(LONG_AGO, ENGLISH)
    assert "1969-12-31" in changed(-1, ENGLISH)
    assert "0001-01-01" in changed(-62_135_596_800, ENGLISH)
    assert changed(10**18, ENGLISH) == changed(-(10**18), ENGLISH) == changed(10**12, ENGLISH) == "–"
