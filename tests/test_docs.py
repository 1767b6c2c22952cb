"""The code in the docs runs: every program of the tutorial is started and spoken to; the reference is what the code says."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

import poise
from poise.net.tls_engine import KNOWN
from tests import docs_reference
from tests.examples.running import Example, Peer, running, talk_past_a_sleeper

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL))
ROOMS = ["room.py", "patient_room.py", "finished_room.py"]

live = pytest.mark.live


def step(name: str, *arguments: object) -> AbstractContextManager[Example]:
    """The program that the tutorial calls ``name``, started."""
    return running(["-c", PROGRAMS[name], *map(str, arguments)])


def test_every_block_of_python_is_a_program_with_a_name_and_a_test() -> None:
    assert TUTORIAL.count("```python\n") == len(PROGRAMS)
    assert {*PROGRAMS} == {"echo.py", "bytes_room.py", "join.py", *ROOMS}
    for name in re.findall(r"`python3 (\w+\.py)", TUTORIAL):
        assert name in PROGRAMS


@live
def test_step_1_echoes() -> None:
    with step("echo.py") as server:
        port = said(server)
        with Peer(port) as one, Peer(port) as other:
            one.send(b"first\n")
            other.send(b"second\n")
            assert other.line() == "second"
            assert one.line() == "first"
        server.interrupt()


@live
def test_step_2_shows_how_messages_stick_together() -> None:
    with step("bytes_room.py") as server:
        port = said(server)
        with Peer(port) as listening, Peer(port) as fast:
            fast.send(b"hello\n")
            name = listening.line().removesuffix(": hello")
            assert re.fullmatch(r"guest \d+", name)
            fast.send(b"one\ntwo\nthree\n")
            assert [listening.line() for _ in range(3)] == [f"{name}: one", "two", "three"]
        server.interrupt()


@live
@pytest.mark.parametrize("name", ROOMS)
def test_from_step_3_on_a_message_is_a_line(name: str) -> None:
    with step(name) as server:
        port = said(server)
        with Peer(port) as ada, Peer(port) as ben:
            enter(ada, "Ada")
            ben.send(b"Ada\nno name\nBen\n")
            assert [ben.line()[:7] for _ in range(4)] == ["* who a", "* that ", "* that ", "* welco"]
            assert ada.line() == "* Ben is here"
            ben.send(b"one\ntwo\nthr")
            ben.send(b"ee\r\nx")
            assert [ada.line() for _ in range(3)] == ["Ben: one", "Ben: two", "Ben: three"]
            ben.send(b"y" * 999 + b"\n")
            assert ada.line() == "Ben: x" + "y" * 999
            ben.send(b"the end")
            ben.finish()
            assert [ada.line() for _ in range(2)] == ["Ben: the end", "* Ben is gone"]
            with Peer(port) as flood:
                flood.send(b"x" * 1500)
                assert b"1000 bytes" in flood.rest()
        server.interrupt()


@live
@pytest.mark.parametrize("name", ROOMS)
def test_step_4_multiplexes_keyboard_and_network(name: str) -> None:
    with step(name) as server, ExitStack() as stack:
        port = said(server)
        ada = stack.enter_context(step("join.py", "127.0.0.1", port, "Ada"))
        ada.until("welcome")
        ben = stack.enter_context(step("join.py", "127.0.0.1", port, "Ben"))
        assert ada.until("Ben") == "* Ben is here"
        ben.until("welcome")
        ben.type("hello\n")
        assert ada.line() == "Ben: hello"
        ada.type("goodbye")
        ada.end_input()
        assert (ada.ends(), ada.stderr) == (0, "")
        assert [ben.line() for _ in range(2)] == ["Ada: goodbye", "* Ada is gone"]
        ben.interrupt()
        server.interrupt()


@live
def test_step_4_says_when_nobody_is_there() -> None:
    with step("join.py", "127.0.0.1", 1, "Ada") as ada:
        assert ada.ends() == 0
        assert "cannot connect to 127.0.0.1:1" in ada.stderr


@live
@pytest.mark.slow
@pytest.mark.parametrize("name", ROOMS[1:])
def test_from_step_5_on_a_slow_reader_holds_nobody_up(name: str) -> None:
    with step(name) as server:
        port = said(server)
        with Peer(port) as slow, Peer(port) as ada, Peer(port) as ben:
            for peer, called in ((slow, "Slow"), (ada, "Ada"), (ben, "Ben")):
                enter(peer, called)
            talk_past_a_sleeper(ada, "Ada", ben)
            assert b"* you missed" in slow.until(b" lines\n")
        server.interrupt()


@live
@pytest.mark.slow
def test_step_6_does_not_wait_for_a_name_for_ever() -> None:
    with step("finished_room.py", 0.2) as server:
        port = said(server)
        with Peer(port) as nobody, Peer(port) as ada:
            enter(ada, "Ada")
            assert nobody.rest() == b"* who are you?\n* no name, no chat\n"
            ada.finish()
            assert ada.rest() == b""
        server.interrupt()


def said(server: Example) -> int:
    """The port in the command that a program prints for its reader."""
    found = re.fullmatch(r"nc 127\.0\.0\.1 (\d+)", server.line())
    assert found, server.lines
    return int(found[1])


def enter(peer: Peer, name: str) -> None:
    assert peer.line() == "* who are you?"
    peer.send(name.encode() + b"\n")
    assert peer.line().startswith("* welcome")


# --- the reference ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", docs_reference.PAGES, ids=lambda page: page.file)
def test_the_reference_is_what_the_code_says(page: docs_reference.Page) -> None:
    written = page.path.read_text(encoding="utf-8")
    assert docs_reference.renewed(page, written) == written, "run `make docs`"


def test_every_public_name_has_its_place_in_the_reference_once() -> None:
    headings = [
        heading
        for page in docs_reference.PAGES
        for heading in re.findall(r"^## `(\w+)`$", page.path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(headings) == sorted(name for name in poise.__all__ if name != "__version__")


def test_the_index_leads_to_every_name() -> None:
    index = (docs_reference.FOLDER / "README.md").read_text(encoding="utf-8")
    assert docs_reference.renewed_index(index) == index, "run `make docs`"
    for name in poise.__all__:
        assert name == "__version__" or f"[`{name}`](" in index, name


def test_the_page_on_tls_says_what_is_known_and_nothing_of_the_layer() -> None:
    page = (docs_reference.FOLDER / "tls.md").read_text(encoding="utf-8")
    about = page.partition("\n## `TLSStream`\n")[2].partition("\n## ")[0]
    known = about.partition("`get_extra_info(")[2].partition("\n- ")[0]
    for name in (*KNOWN, "Stream knows"):
        assert name in known
    assert "`get_protocol()`" in about
    for name in ("A `Protocol`", "data_received(", "connection_made(", "resume_writing("):
        assert name not in about


def test_a_changed_docstring_would_be_noticed() -> None:
    page = docs_reference.PAGES[0]
    written = page.path.read_text(encoding="utf-8")
    stale = written.replace("Turn until `stop()`.", "Turn for ever.")
    assert stale != written
    assert docs_reference.renewed(page, stale) == written


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="has no"):
        docs_reference.renewed(docs_reference.PAGES[0], "# A page\n")


def test_every_public_method_says_what_it_does() -> None:
    assert docs_reference.undocumented() == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "reference").glob("*.md")), ids=lambda p: p.name)
def test_links_of_the_reference_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


# --- the comparison ---------------------------------------------------------------------------------------

COMPARED = re.compile(r'\]\(\.\./(tests/[a-z0-9_/]+\.py) "(test_\w+)"\)')


def test_every_yes_of_the_comparison_leads_to_its_test() -> None:
    rows = [
        line.split(" | ") for line in (ROOT / "docs" / "compare.md").read_text().splitlines() if "|" in line
    ]
    assert len(rows) > 50
    for _, own, *_ in rows[2:]:
        word = own.lstrip("[").partition("]")[0].partition(":")[0]
        links = COMPARED.findall(own)
        assert word in ("yes", "partly", "no"), own
        assert bool(links) is (word != "no"), f"{own}: what is said is shown, and nothing else"
        for file, name in links:
            assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (
                file,
                name,
            )
