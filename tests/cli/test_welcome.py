"""What a person sees when the server is there, in a real terminal: addresses, a QR code, the browser."""

from __future__ import annotations

import argparse
import locale
import os
import re
import signal
import stat
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import segno

from poise.cli import browser, qr, where
from poise.cli.qr import BLOCKS, COLOURS, NO_COLOURS, QUIET, drawn, has_colours, on_light, with_quiet_zone
from poise.cli.welcome import reachable, welcome
from poise.limits import LoopLimits
from poise.loop.offload import offload
from poise.loop.reactor import Reactor
from poise.net import address as addresses
from poise.net import lan
from tests.support.loops import turn_until
from tests.support.program import ROOT, serve_command, serving
from tests.support.terminal import terminal

LAST = "Ctrl-C stops the server\n"
NETWORK = bool(where.network_addresses())
NEEDS_NETWORK = pytest.mark.skipif(not NETWORK, reason="this machine has no address in a network")


def code_of(url: str) -> list[list[int]]:
    """The modules that a reader has to find, with the margin."""
    return [list(row) for row in with_quiet_zone(segno.make(url, error="l", micro=False).matrix)]


def seen_code(text: str, *, drawn_is: int) -> list[list[int]]:
    """The modules in a picture of half blocks; ``drawn_is`` is what a drawn half stands for: 1, dark, or 0, light."""
    rows: list[list[int]] = []
    for line in text.splitlines():
        cells = [BLOCKS.index(letter) for letter in line]
        rows += [[drawn_is if cell & half else 1 - drawn_is for cell in cells] for half in (1, 2)]
    return rows


# -- the picture --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:8000/", "https://[2001:db8:1234:5678:9abc:def0:1234:5678]:8443/"]
)
@pytest.mark.parametrize("of", [0, 1])
def test_every_module_is_where_it_belongs(url: str, of: int) -> None:
    code = code_of(url)
    seen = seen_code(drawn(code, of=of), drawn_is=of)
    assert seen[: len(code)] == code
    assert seen[len(code) :] == [[1 - of] * len(code[0])]  # the half line too many has no ink


def test_an_even_number_of_rows_has_no_line_too_many() -> None:
    assert drawn([[0, 1], [1, 1]], of=1) == "▄█\n"
    assert drawn([[0, 1], [1, 1]], of=0) == "▀ \n"


def test_the_margin_is_four_modules_on_every_side() -> None:
    code = with_quiet_zone([[1]])
    assert len(code) == len(code[0]) == 1 + 2 * QUIET == 9
    assert sum(map(sum, code)) == code[4][4] == 1


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "linux", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_when_colours_may_be_used(environment: dict[str, str], colours: bool) -> None:
    assert has_colours(environment) is colours


@pytest.mark.parametrize(
    ("said", "light"),
    [("", False), ("15;0", False), ("0;15", True), ("0;default;15", True), ("12;7", True), ("x", False)],
)
def test_what_a_terminal_says_of_its_ground(said: str, light: bool) -> None:
    assert on_light({"COLORFGBG": said}) is light
    assert on_light({}) is False


# -- in a terminal ------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("a")
    return tmp_path


def shown(site: Path, *options: str, size: tuple[int, int] = (80, 40), **environment: str) -> str:
    """What ``poise serve`` shows in a terminal until it is ready, and that Ctrl-C ends it."""
    with terminal(serve_command(site, "--port", "0", *options), size=size, environment=environment) as screen:
        text = screen.until(LAST)
        screen.type("\x03")
        screen.end()
        assert screen.process.returncode == 0
    return text


def pictures(text: str) -> list[str]:
    """Lines of a code in colours, without them."""
    return re.findall(re.escape(COLOURS) + f"([{BLOCKS}]+)" + re.escape(NO_COLOURS) + "\n", text)


def network_urls(text: str) -> list[str]:
    return re.findall(r"^(?:in the network   | {17})(\S+)$", text, re.MULTILINE)


@pytest.mark.slow
def test_alone_it_shows_one_address_and_how_to_stop(site: Path) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\n" + LAST, shown(site))


@pytest.mark.slow
@NEEDS_NETWORK
def test_in_a_network_it_shows_whose_address_is_whose_and_a_code(site: Path) -> None:
    text = shown(site, "--lan")
    assert re.search(r"^on this machine  http://127\.0\.0\.1:\d+/$", text, re.MULTILINE)
    urls = network_urls(text)
    assert len(urls) == len(where.network_addresses())
    picture = pictures(text)
    code = code_of(urls[0])
    assert seen_code("\n".join(picture), drawn_is=1)[: len(code)] == code
    assert "█" in picture[6]
    assert text.index(urls[-1]) < text.index(picture[0]) < text.index(LAST)


@pytest.mark.slow
@NEEDS_NETWORK
@pytest.mark.parametrize(("ground", "drawn_is"), [("15;0", 0), ("0;15", 1)])
def test_without_colours_a_code_is_right_for_the_ground(ground: str, drawn_is: int, site: Path) -> None:
    text = shown(site, "--lan", NO_COLOR="1", COLORFGBG=ground)
    assert "\x1b" not in text
    code = code_of(network_urls(text)[0])
    picture = re.findall(f"^([{BLOCKS}]{{{len(code)}}})$", text, re.MULTILINE)
    assert seen_code("\n".join(picture), drawn_is=drawn_is)[: len(code)] == code


@pytest.mark.slow
@NEEDS_NETWORK
@pytest.mark.parametrize("options", [["--no-qr"], []])
def test_a_code_that_was_not_asked_for_is_left_out_in_silence(options: list[str], site: Path) -> None:
    size = (80, 40) if options else (30, 40)
    text = shown(site, "--lan", *options, size=size)
    assert pictures(text) == []
    assert "QR" not in text


@pytest.mark.slow
@NEEDS_NETWORK
@pytest.mark.parametrize("size", [(30, 40), (80, 15)])
def test_a_code_that_was_asked_for_and_does_not_fit_is_told_of(size: tuple[int, int], site: Path) -> None:
    text = shown(site, "--lan", "--qr", size=size)
    assert pictures(text) == []
    wanted = rf"no QR code: it needs \d+ columns and \d+ lines, the window has {size[0]} and {size[1]}"
    assert re.search(wanted, " ".join(text.split()))


@pytest.mark.slow
@NEEDS_NETWORK
def test_into_a_pipe_go_addresses_and_a_code_only_when_it_is_asked_for(site: Path) -> None:
    with serving(site, "--lan") as served:
        assert served.url.startswith("http://127.0.0.1:")
        assert served.line().startswith("http")
        served.stop()
        assert "█" not in served.stderr
    with serving(site, "--lan", "--qr") as served:
        code = code_of(served.line())
        served.stop()
        picture = [line for line in served.stderr.splitlines() if not line.startswith("poise: ")]
        assert seen_code("\n".join(picture), drawn_is=0)[: len(code)] == code


@pytest.mark.slow
def test_a_code_for_nobody_is_told_of(site: Path) -> None:
    with serving(site, "--qr") as served:
        served.stop()
        assert served.stderr == (
            "poise: no QR code: there is no address that another machine could use; "
            "--lan opens one to the network\n"
        )


def test_without_segno_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    qr.show(["http://192.0.2.1/"], asked=False)
    assert capfd.readouterr() == ("", "")
    qr.show(["http://192.0.2.1/"], asked=True)
    assert capfd.readouterr().err == ("poise: no QR code: it needs the package segno: pip install segno\n")


def test_an_encoding_without_blocks_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locale, "getpreferredencoding", lambda do_setlocale: "GBK")
    qr.show(["http://192.0.2.1/"], asked=True)
    assert "the encoding GBK has no blocks" in capfd.readouterr().err


# -- which addresses ----------------------------------------------------------------------------------------


class Bound:
    def __init__(self, address: Any) -> None:
        self.address = address


@pytest.mark.parametrize(
    ("address", "urls", "expected"),
    [
        (("127.0.0.1", 1), ["http://127.0.0.1:1/"], []),
        (("0.0.0.0", 1), ["http://127.0.0.1:1/", "http://192.0.2.1:1/"], ["http://192.0.2.1:1/"]),
        (("192.0.2.1", 1), ["http://192.0.2.1:1/"], ["http://192.0.2.1:1/"]),
        ("unix:/s", ["http+unix:/s"], []),
    ],
)
def test_what_another_machine_can_use(address: Any, urls: list[str], expected: list[str]) -> None:
    assert reachable(Bound(address), urls) == expected


def test_a_network_without_a_way_out_is_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    links = [
        lan.Interface(1, "lo", "127.0.0.1"),
        lan.Interface(2, "eth0", "10.0.0.5"),
        lan.Interface(3, "tun0"),
    ]
    monkeypatch.setattr(lan, "interfaces", lambda: links)
    monkeypatch.setattr(addresses, "own_addresses", lambda: ["2001:db8::1"])
    assert where.network_addresses() == ["10.0.0.5", "2001:db8::1"]
    monkeypatch.setattr(addresses, "own_addresses", lambda: ["192.0.2.1"])
    assert where.network_addresses() == ["192.0.2.1"]


def test_a_machine_that_is_in_no_network_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(where, "network_addresses", list)
    with Reactor() as reactor:
        welcome(reactor, Bound(("0.0.0.0", 80)), "http", argparse.Namespace(qr=None, open=False))
    out, err = capfd.readouterr()
    assert out == "http://127.0.0.1:80/\n"
    assert "in no network" in err


# -- the browser --------------------------------------------------------------------------------------------


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A browser that writes the address into a pipe, which we read, and what BROWSER has to be for it."""
    fifo, script = tmp_path / "fifo", tmp_path / "browser"
    os.mkfifo(fifo)
    script.write_text(f'#!/bin/sh\necho "$1" > {fifo}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    fd = os.open(fifo, os.O_RDWR)
    yield fd, f"{script} %s"
    os.close(fd)


@pytest.mark.slow
def test_the_browser_is_opened(site: Path, reader: tuple[int, str]) -> None:
    with serving(site, "--open", environment={"BROWSER": reader[1]}) as served:
        assert os.read(reader[0], 1000).decode() == f"{served.url}\n"
        served.stop()
        assert served.stderr == ""


@pytest.mark.slow
def test_a_browser_that_fails_does_not_fail_the_server(site: Path) -> None:
    with serving(site, "--open", environment={"BROWSER": "/bin/false %s"}) as served:
        url = served.url
        while "no browser could be opened" not in served.stderr:
            assert served.process.poll() is None
        assert served.stderr == f"poise: no browser could be opened; the address is {url}\n"


@pytest.mark.slow
def test_no_browser_can_open_a_unix_socket(site: Path) -> None:
    command = [*serve_command(site), "--host", "unix:s", "--open"]
    with serving(site, command=command, cwd=site, environment={"PYTHONPATH": str(ROOT)}) as served:
        served.stop()
        assert "--open has no effect" in served.stderr


class Controller:
    def __init__(self, opened: bool) -> None:
        self.opened = opened
        self.urls: list[str] = []

    def open(self, url: str) -> bool:
        self.urls.append(url)
        return self.opened


def test_a_browser_that_would_take_the_terminal_is_not_opened_unasked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BROWSER", raising=False)
    text_browser = webbrowser.GenericBrowser("/bin/true")
    monkeypatch.setattr(webbrowser, "get", lambda: text_browser)
    assert browser.show("http://127.0.0.1/") is False
    monkeypatch.setenv("BROWSER", "/bin/true %s")
    assert browser.show("http://127.0.0.1/") is True
    window = Controller(opened=True)
    monkeypatch.setattr(webbrowser, "get", lambda: window)
    monkeypatch.delenv("BROWSER")
    assert browser.show("http://127.0.0.1/x") is True
    assert window.urls == ["http://127.0.0.1/x"]


def test_a_machine_without_a_browser(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def none() -> object:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    said: list[str] = []
    monkeypatch.setattr(browser, "say", said.append)
    with Reactor() as reactor:
        browser.browse(reactor, "http://127.0.0.1/")
        turn_until(reactor, lambda: said)
    with Reactor(limits=LoopLimits(threads=1, waiting=1)) as reactor:
        for _ in range(3):
            try:
                offload(reactor, signal.getsignal, signal.SIGINT)
            except Exception:
                break
        browser.browse(reactor, "http://127.0.0.1/")
    assert set(said) == {"no browser could be opened; the address is http://127.0.0.1/"}


def test_a_server_that_ends_meanwhile_says_nothing_of_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(browser, "say", said.append)
    ended = threading.Event()
    monkeypatch.setattr(browser, "show", lambda url: not ended.wait(20))
    with Reactor() as reactor:
        browser.browse(reactor, "http://127.0.0.1/")
    ended.set()
    assert said == []
