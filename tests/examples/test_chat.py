"""The chat room, with people and with clients of every kind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.examples.running import Peer, example, talk_past_a_sleeper
from tests.support.program import PATIENCE, ROOT

pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_two_people_talk() -> None:
    with example("chat", "serve") as server:
        address = f"127.0.0.1:{server.listening()}"
        with example("chat", "join", address, "Ada") as ada:
            ada.until("welcome")
            with example("chat", "join", address, "Ben") as ben:
                ben.until("welcome")
                assert ada.line() == "* Ben is here"
                ada.type("hello, Ben\n")
                assert ben.until("hello") == "Ada: hello, Ben"
                ben.type("two lines\nin one write\n")
                assert ada.until("two lines") == "Ben: two lines"
                assert ada.line() == "Ben: in one write"
                ben.type("without an end")
                ben.end_input()
                assert ben.ends() == 0
                assert ada.until("without") == "Ben: without an end"
                assert ada.line() == "* Ben is gone"
            ada.interrupt()
        server.interrupt()


def test_a_message_in_many_pieces_is_one_message() -> None:
    with example("chat", "serve") as server:
        port = server.listening()
        with Peer(port) as ada, Peer(port) as ben:
            for peer, name in ((ada, b"Ada\n"), (ben, b"Ben\r\n")):
                assert peer.line() == "* who are you?"
                peer.send(name)
                assert peer.line().startswith("* welcome")
            assert ada.line() == "* Ben is here"
            for byte in b"piece by piece\n":
                ada.send(bytes([byte]))
            assert ben.line() == "Ada: piece by piece"
            ada.send(b"\x1b[2Jred\n")
            assert ben.line() == "Ada: [2Jred"


def test_names_are_names_and_are_given_once() -> None:
    with example("chat", "serve") as server:
        port = server.listening()
        with Peer(port) as ada, Peer(port) as other:
            ada.send(b"Ada\n")
            ada.until(b"welcome")
            other.line()
            for bad in (b"Ada\n", b"\n", b"a b\n", b"x" * 21 + b"\n"):
                other.send(bad)
                assert other.line().startswith("* that name is taken")


def test_a_line_that_never_ends_ends_the_visit() -> None:
    with example("chat", "serve") as server, Peer(server.listening()) as flood:
        flood.send(b"x" * 2000)
        assert b"1000 bytes" in flood.rest()


def test_a_guest_who_does_not_read_is_skipped_and_told() -> None:
    with example("chat", "serve") as server:
        port = server.listening()
        with Peer(port) as slow, Peer(port) as ada, Peer(port) as ben:
            for peer, name in ((slow, b"Slow\n"), (ada, b"Ada\n"), (ben, b"Ben\n")):
                peer.send(name)
                peer.until(b"welcome")
            talk_past_a_sleeper(ada, "Ada", ben)  # nobody else is held up
            assert b"* you missed" in slow.until(b"lines\n")


@pytest.mark.parametrize(("closed", "which"), [("<&-", "input"), (">&-", "output")])
def test_without_keyboard_or_screen_it_says_so(closed: str, which: str) -> None:
    command = f'exec "$0" -m examples.chat join 127.0.0.1:1 Ada {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"[Errno 9] standard {which} was closed when the program began"]


def test_nobody_there_is_a_sentence() -> None:
    with example("chat", "join", "127.0.0.1:1", "Ada") as ada:
        assert ada.ends() == 1
        assert "127.0.0.1:1" in ada.stderr
    for nowhere in ("nowhere", "127.0.0.1:99999", "127.0.0.1:0"):
        with example("chat", "join", nowhere, "Ada") as ada:
            assert ada.ends() == 2
