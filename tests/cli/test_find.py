"""``poise find`` and ``poise serve --announce``: what is typed, and what is printed."""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
from pathlib import Path

import pytest

from poise.cli.announce import chosen_name, default_name
from poise.cli.find import ago, as_json, as_table
from poise.cli.main import CANNOT_START, main, parser
from poise.cli.plain import width
from poise.net import lan
from poise.net.finder import Found
from poise.wire.discovery import LONGEST_NAME, PORT
from tests.support.discovery import free_port, loopback
from tests.support.program import program, serve_command, serving

PHOTOS = Found("就绪", ("http://192.0.2.1:8000/", "http://[2001:db8::1]:8000/"), 3_700)
MUSIC = Found("music on desk", ("https://192.0.2.27:8443/",), 0)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port of this test's own; a search in this process asks on the loopback alone."""
    link = loopback()
    monkeypatch.setattr(lan, "interfaces", lambda: [link])
    for name in [name for name in os.environ if name.startswith("POISE_")]:
        monkeypatch.delenv(name)
    return free_port()


def find(port: int, *words: str) -> int:
    return main(["find", "--discovery-port", str(port), "--timeout", "0.2", *words])


# -- what is typed ------------------------------------------------------------------------------------------


def parsed(*words: str) -> argparse.Namespace:
    return parser().parse_args(words)


def test_by_default_nobody_is_told(port: int) -> None:
    assert parsed("serve").announce is None
    assert parsed("serve", "--announce=").announce is None  # as an empty variable
    assert parsed("serve", "--announce").announce is True
    assert parsed("serve", "x", "--announce", "Our Photos").announce == "Our Photos"
    assert parsed("serve").discovery_port == parsed("find").discovery_port == PORT
    assert parsed("find").json is False
    assert parsed("find", "--timeout", "3").timeout == 3.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--announce", "a/b"], "looks like a folder"),
        (["serve", "--announce", ".."], "looks like a folder"),
        (["serve", "--announce", "a\x1bb"], "what can be seen"),
        (["serve", "--announce", "x" * 200], "at most 98 bytes"),
        (["serve", "--discovery-port", "x"], "a port is a number"),
        (["find", "--timeout", "x"], "'x' is not a number of seconds"),
        (["find", "--timeout", "nan"], "0.01 to 60 seconds"),
        (["find", "--timeout", "0"], "0.01 to 60 seconds"),
        (["find", "--timeout", "61"], "0.01 to 60 seconds"),
        (["find", "there"], "unknown:"),
    ],
)
def test_what_makes_no_sense(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(*words)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["find", "--help"], ["serve", "--help"], ["--help"]):
        with pytest.raises(SystemExit):
            parsed(*words)
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for phrase in (
        "poise serve DIR --lan --announce",
        "poise find --json",
        "anybody can say anything",
        str(PORT),
    ):
        assert phrase in text
    assert "this machine only" in text


# -- names --------------------------------------------------------------------------------------------------


def test_the_default_name_is_of_folder_and_machine_and_of_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "uname", lambda: argparse.Namespace(nodename="desk.example.org"))
    folder = tmp_path / "secret-parent" / "photos"
    folder.mkdir(parents=True)
    assert default_name(str(folder)) == "photos on desk"
    monkeypatch.chdir(folder)
    assert default_name(".") == "photos on desk"
    assert default_name("/") == "desk"
    odd = tmp_path / "a\nb\udcff"
    assert default_name(str(odd)) == "a\ufffdb\ufffd on desk"
    assert len(default_name("x" * 200).encode()) == LONGEST_NAME
    monkeypatch.setattr(os, "uname", lambda: argparse.Namespace(nodename=""))
    assert default_name("/") == "Poise"


def test_a_folder_given_as_a_name_is_asked_about(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Or this folder would be shown to everybody under the name of that one."""
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--port", "0", "--announce", "photos"]) == CANNOT_START
    err = capfd.readouterr().err
    assert "poise serve photos --announce" in err
    assert "poise serve ./ --announce photos" in err
    assert chosen_name(parsed("serve", "./", "--announce", "photos")) == "photos"
    assert chosen_name(parsed("serve", "photos", "--announce", "photos")) == "photos"
    assert chosen_name(parsed("serve", "--announce", "absent")) == "absent"


# -- what is printed ----------------------------------------------------------------------------------------


def test_a_table_for_people() -> None:
    assert as_table([MUSIC, PHOTOS]) == (
        "NAME           URL                         THERE FOR\n"
        "music on desk  https://192.0.2.27:8443/    just now\n"
        "就绪           http://192.0.2.1:8000/      1 hour\n"
        "               http://[2001:db8::1]:8000/\n"
    )
    assert as_table([]) == ""


def test_json_for_scripts() -> None:
    text = as_json([PHOTOS])
    assert text.isascii()
    assert json.loads(text) == [{"name": "就绪", "url": PHOTOS.url, "urls": list(PHOTOS.urls), "age": 3_700}]
    assert json.loads(as_json([])) == []


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (0, "just now"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (7_199, "1 hour"),
        (7_200, "2 hours"),
        (86_400 * 49_710, "49710 days"),
    ],
)
def test_times_for_people(age: int, said: str) -> None:
    assert ago(age) == said


def test_columns_in_a_terminal() -> None:
    assert [width(text) for text in ("", "abc", "就绪", "e\u0301")] == [0, 3, 4, 1]


# -- together -----------------------------------------------------------------------------------------------


def test_nobody_is_there(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert find(port) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("poise: nobody has answered")
    assert str(port) in err
    assert find(port, "--json") == 0
    out, err = capfd.readouterr()
    assert json.loads(out) == []
    assert "nobody" in err


@pytest.mark.slow
def test_a_server_is_found_until_it_ends(
    port: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    options = ["--announce", "--discovery-port", str(port)]
    with serving(folder, *options) as served:
        name = default_name(str(folder))
        assert f'announced as "{name}" on this machine only' in served.stderr
        assert str(tmp_path) not in served.stderr
        assert find(port) == 0
        out, err = capfd.readouterr()
        assert re.fullmatch(rf"NAME .*\n{re.escape(name)}  {served.url}  (just now|\d+ seconds?)\n", out)
        assert err == ""
        assert find(port, "--json") == 0
        [row] = json.loads(capfd.readouterr().out)
        assert (row["name"], row["url"], row["urls"]) == (name, served.url, [served.url])
        assert 0 <= row["age"] < 60
    assert find(port, "--json") == 0
    assert json.loads(capfd.readouterr().out) == []


@pytest.mark.slow
def test_a_name_from_the_environment(port: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    environment = {"POISE_ANNOUNCE": "Ours", "POISE_DISCOVERY_PORT": str(port)}
    with serving(tmp_path, environment=environment) as served:
        assert 'announced as "Ours"' in served.stderr
        assert find(port, "--json") == 0
        assert [row["name"] for row in json.loads(capfd.readouterr().out)] == ["Ours"]


@pytest.mark.slow
def test_a_server_on_a_unix_socket_is_nowhere(tmp_path: Path) -> None:
    refused(tmp_path, "--host", f"unix:{tmp_path}/s", "--announce", said="unix socket cannot be announced")


@pytest.mark.slow
def test_a_discovery_port_that_somebody_does_not_share(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", 0))
        number = str(taken.getsockname()[1])
        options = ["--port", "0", "--announce", "--discovery-port", number]
        refused(tmp_path, *options, said=f"questions on UDP port {number}: Address already in use")


def refused(folder: Path, *options: str, said: str) -> None:
    """The program does not begin, and says why in one line."""
    with program(serve_command(folder, *options)) as served:
        assert served.process.wait(20) == CANNOT_START
        assert said in served.stderr
        assert served.stderr.count("\n") == 1
