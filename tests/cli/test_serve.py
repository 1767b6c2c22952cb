"""The real program: what it prints, how it ends, and what it says when it cannot begin."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import poise
from poise.cli import serve as serve_module
from poise.cli import standard
from poise.cli import where as where_module
from poise.cli.main import CANNOT_START, main
from poise.cli.serve import _fit_descriptors, _say_exhausted
from poise.cli.where import urls
from poise.files.server import FileServer
from poise.limits import ListenLimits
from poise.loop.reactor import Reactor
from poise.net import address as addresses
from poise.readiness.poller import available
from tests.net.test_address import IPV6
from tests.support.client import connected, get, read_answer
from tests.support.program import PATIENCE, ROOT, TRACEBACK, URL, program, serve_command, serving

pytestmark = pytest.mark.slow
REQUEST = b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.txt").write_bytes(b"small")
    (tmp_path / "large.bin").write_bytes(b"x" * 20_000_000)
    (tmp_path / ".hidden").write_bytes(b"hidden")
    (tmp_path / "sub").mkdir()
    return tmp_path


def run(
    *words: str, code: int, cwd: Path = ROOT, environment: dict[str, str] | None = None
) -> tuple[str, str]:
    """Run ``python -m poise`` to its end: what it said on stdout and stderr."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POISE_")}
    done = subprocess.run(
        [sys.executable, "-m", "poise", *words],
        cwd=cwd,
        env=clean | (environment or {}) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert TRACEBACK not in done.stderr
    return done.stdout, done.stderr


# -- what cannot begin --------------------------------------------------------------------------------------


def test_without_a_command_it_says_how_it_is_used() -> None:
    _, err = run(code=2)
    assert err.startswith("usage: poise")
    assert "poise serve DIR --lan" in err


def test_version_and_help() -> None:
    assert run("--version", code=0)[0] == f"poise {poise.__version__}\n"
    assert "poise serve DIR --lan" in run("--help", code=0)[0]


def test_what_makes_no_sense_is_a_usage_error() -> None:
    assert "not 'x'" in run("serve", "--port", "x", code=2)[1]
    assert "POISE_PORT" in run("serve", code=2, environment={"POISE_PORT": "x"})[1]
    assert "there is no command 'dance'" in run("dance", code=2)[1]


def test_a_port_in_the_place_of_a_folder(folder: Path) -> None:
    assert run("serve", "8080", code=3)[1] == (
        "poise: there is no folder '8080' here; a port is given with --port 8080\n"
    )


def test_pages_that_are_not_there_are_said(folder: Path) -> None:
    (folder / ".lost.html").touch()
    with serving(
        folder, "--spa=app.html", "--error-page=404=.lost.html", "--error-page=5xx=a/b.html"
    ) as served:
        assert served.stderr == (
            "poise: --spa: there is no file 'app.html' in the folder that is served\n"
            "poise: --error-page: there is no file 'a/b.html' in the folder that is served\n"
        )


@pytest.mark.parametrize("name", ["absent", "small.txt"])
def test_a_folder_that_is_none(name: str, folder: Path) -> None:
    _, err = run("serve", str(folder / name), "--port", "0", code=3)
    assert err.count("\n") == 1
    assert err.startswith("poise: ")
    assert name in err


def test_a_port_that_is_busy(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        out, err = run("serve", str(folder), "--port", str(port), code=3)
        assert out == ""
        assert err.count("\n") == 1
        assert err.startswith(f"poise: cannot listen on 127.0.0.1:{port}: ")
        assert "--port" in err


def test_a_host_that_is_not_ours(folder: Path) -> None:
    _, err = run("serve", str(folder), "--host", "192.0.2.1", "--port", "0", code=3)
    assert err.startswith("poise: cannot listen on 192.0.2.1:0: ")
    assert err.count("\n") == 1
    assert "cannot resolve" in run("serve", str(folder), "--host", "no.such.host.invalid", code=3)[1]


def test_a_poller_that_this_machine_has_not(folder: Path) -> None:
    missing = next(name for name in ("kqueue", "epoll") if name not in available())
    _, err = run("serve", str(folder), "--poller", missing, code=3)
    assert err.startswith("poise: ")
    assert missing in err
    assert err.count("\n") == 1


def test_a_unix_socket_that_cannot_be(folder: Path) -> None:
    _, err = run("serve", ".", "--host", f"unix:{folder}/absent/s", code=3)
    assert err.startswith(f"poise: cannot listen on unix:{folder}/absent/s: ")
    with socket.socket(socket.AF_UNIX) as live:
        os.chdir(folder)
        try:
            live.bind("s")
        finally:
            os.chdir(ROOT)
        live.listen()
        assert "in use" in run("serve", ".", "--host", "unix:s", code=3, cwd=folder)[1]
    assert "108 bytes" in run("serve", ".", "--host", "unix:" + "a" * 200, code=3)[1]


# -- in this process: what is hard to arrange for a program ------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Reactor, "run", lambda self: None)
    soft_hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    real_listen = FileServer.listen
    made: list[Any] = []

    def listen(self: Any, address: Any, **options: Any) -> Any:
        made.append(real_listen(self, address, **options))
        return made[-1]

    monkeypatch.setattr(FileServer, "listen", listen)
    yield
    for each in made:
        each._socket.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, soft_hard)


@pytest.fixture
def three_ports() -> Iterator[int]:
    """The first of three free ports in a row; the first two are taken."""
    for first in range(20_000, 60_000, 7):
        try:
            with socket.create_server(("127.0.0.1", first)), socket.create_server(("127.0.0.1", first + 1)):
                with socket.create_server(("127.0.0.1", first + 2)):
                    pass
                yield first
                return
        except OSError:
            continue
    pytest.skip("no three free ports in a row")


def test_a_busy_default_port_gives_way_to_the_next(
    three_ports: int,
    folder: Path,
    at_once: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(where_module, "DEFAULT_PORT", three_ports)
    assert main(["serve", str(folder), "--no-access-log"]) == 0
    out, err = capfd.readouterr()
    assert out == f"http://127.0.0.1:{three_ports + 2}/\n"
    assert f"port {three_ports} is busy; taking {three_ports + 2}" in err


def test_when_all_ports_tried_are_busy_any_free_one_is_taken(
    three_ports: int,
    folder: Path,
    at_once: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(where_module, "DEFAULT_PORT", three_ports)
    monkeypatch.setattr(where_module, "PORTS_TRIED", 2)
    assert main(["serve", str(folder)]) == 0
    out, err = capfd.readouterr()
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", out)
    assert found
    assert f"taking {found[1]}" in err


def test_another_trouble_with_the_default_port_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def forbidden(self: object, address: object, **options: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(FileServer, "listen", forbidden)
    assert main(["serve", str(folder)]) == CANNOT_START
    assert "cannot listen on 127.0.0.1:8000: Permission denied" in capfd.readouterr().err
    monkeypatch.setattr(where_module, "DEFAULT_PORT", 1)
    monkeypatch.setattr(where_module, "_listen_on", busy)
    assert main(["serve", str(folder)]) == CANNOT_START
    assert "no free port" in capfd.readouterr().err


def busy(*_args: object) -> object:
    raise where_module.PortBusy("busy")


def test_an_interruption_before_the_loop_is_no_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_args: object, **_options: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(serve_module, "Root", interrupted)
    assert main(["serve", str(folder)]) == 130


def test_windows_is_told_clearly(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["serve", str(folder)]) == CANNOT_START
    assert "not supported on Windows" in capfd.readouterr().err


class Bound:
    def __init__(self, address: tuple[str, int] | str) -> None:
        self.address = address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("127.0.0.1", 80), ["http://127.0.0.1:80/"]),
        (("::1", 80), ["http://[::1]:80/"]),
        (("::", 80), ["http://127.0.0.1:80/", "http://192.0.2.1:80/", "http://[2001:db8::1]:80/"]),
        (("0.0.0.0", 80), ["http://127.0.0.1:80/", "http://192.0.2.1:80/"]),
        ("unix:/run/s", ["http+unix:/run/s"]),
    ],
)
def test_what_can_be_typed_into_a_browser(
    address: Any, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "own_addresses", lambda: ["192.0.2.1", "2001:db8::1"])
    for scheme in ("http", "https"):
        shown = [f"{scheme}{url.removeprefix('http')}" for url in expected]
        assert urls(Bound(address), scheme) == shown
        assert all(map(URL.fullmatch, shown))


class Rlimit:
    """A machine's limits of descriptors."""

    def __init__(self, soft: int, hard: int, grants: bool = True) -> None:
        self.now = (soft, hard)
        self.grants = grants

    def get(self, _what: int) -> tuple[int, int]:
        return self.now

    def set(self, _what: int, wanted: tuple[int, int]) -> None:
        if not self.grants:
            raise ValueError("not permitted")
        self.now = wanted


@pytest.mark.parametrize(
    ("machine", "poller", "soft", "connections"),
    [
        (Rlimit(1024, 100_000), None, 100_000, 10_000),
        (Rlimit(1024, 1024), None, 1024, 768),
        (Rlimit(1024, 100_000, grants=False), None, 1024, 768),
        (Rlimit(10, 10), None, 10, 1),
        (Rlimit(-1, -1), None, -1, 10_000),
        (Rlimit(1024, 100_000), "select", 1024, 768),
        (Rlimit(100_000, 100_000), "select", 1024, 768),
        (Rlimit(-1, -1), "select", 1024, 768),
        (Rlimit(100, 500), "select", 500, 348),
    ],
)
def test_never_more_connections_than_descriptors(
    machine: Rlimit,
    poller: str | None,
    soft: int,
    connections: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(resource, "getrlimit", machine.get)
    monkeypatch.setattr(resource, "setrlimit", machine.set)
    assert _fit_descriptors(ListenLimits(), poller).connections == connections
    assert machine.now[0] == soft
    assert ("taking at most" in capfd.readouterr().err) is (connections < 10_000)
    assert _fit_descriptors(ListenLimits(connections=1), poller).connections == 1


def test_a_machine_that_has_no_more_descriptors_is_told_of(capfd: pytest.CaptureFixture[str]) -> None:
    _say_exhausted(OSError(24, "Too many open files"), 0.25)
    said = "poise: cannot accept a connection: Too many open files; trying again in 0.25 s\n"
    assert capfd.readouterr().err == said


def test_what_is_said_is_said_whole_and_to_nobody_without_harm() -> None:
    reader, writer = os.pipe()
    standard.write(writer, "a\udcff就\n")
    assert os.read(reader, 100) == b"a\\udcff\xe5\xb0\xb1\n"
    os.close(reader)
    standard.write(writer, "nobody")
    os.close(writer)
    standard.write(writer, "closed")


# -- serving ------------------------------------------------------------------------------------------------


def test_a_folder_is_served(folder: Path) -> None:
    with serving(folder) as served:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", served.url)
        assert get(served.port, "/small.txt").body == b"small"
        assert get(served.port, "/.hidden").status == 404
        assert get(served.port, "/sub/").status == 200
        served.stop()
        lines = served.stderr.splitlines()
        paths = [line.split('"')[1] for line in lines]
        assert paths == ["GET /small.txt HTTP/1.1", "GET /.hidden HTTP/1.1", "GET /sub/ HTTP/1.1"]
        assert all(line.startswith("127.0.0.1 - - [") for line in lines)


def test_options_reach_the_server(folder: Path) -> None:
    environment = {"POISE_DOTFILES": "1", "POISE_NO_LISTING": "1"}
    options = ["--no-access-log", "--allow-host", "my.example", "--max-head", "256"]
    with serving(folder, *options, environment=environment) as served:
        assert get(served.port, "/.hidden").body == b"hidden"
        assert get(served.port, "/sub/").status == 404
        assert get(served.port, "/", fields=f"X: {'x' * 300}\r\n").status == 431
        with connected(served.port) as sock:
            sock.sendall(b"GET /small.txt HTTP/1.1\r\nHost: My.Example:1\r\n\r\n")
            assert read_answer(sock).status == 200
            sock.sendall(b"GET /small.txt HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            assert read_answer(sock).status == 421
        served.stop()
        assert served.stderr == ""


def test_the_current_folder_is_the_default(folder: Path) -> None:
    command = [sys.executable, "-m", "poise", "serve", "--port", "0"]
    with serving(folder, command=command, cwd=folder, environment={"PYTHONPATH": str(ROOT)}) as served:
        assert get(served.port, "/small.txt").body == b"small"


def test_lan_says_so_and_asks_nobody_for_a_local_name(folder: Path) -> None:
    with serving(folder, "--lan") as served:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", served.url)
        assert "everyone in the network can read" in served.stderr
        with connected(served.port) as sock:
            sock.sendall(b"GET /small.txt HTTP/1.1\r\nHost: any.example\r\n\r\n")
            assert read_answer(sock).status == 200


@IPV6
def test_ipv6_loopback(folder: Path) -> None:
    with serving(folder, "--host", "::1") as served:
        assert served.url.startswith("http://[::1]:")
        with socket.create_connection(("::1", served.port), PATIENCE) as sock:
            sock.sendall(b"GET /small.txt HTTP/1.1\r\nHost: [::1]:80\r\n\r\n")
            assert read_answer(sock).status == 200
            sock.sendall(b"GET /small.txt HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            assert read_answer(sock).status == 421


def test_a_unix_socket(folder: Path) -> None:
    command = [*serve_command(folder), "--host", "unix:s"]
    with serving(folder, command=command, cwd=folder, environment={"PYTHONPATH": str(ROOT)}) as served:
        assert (served.url, served.path) == ("http+unix:s", "s")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            os.chdir(folder)
            try:
                sock.connect("s")
            finally:
                os.chdir(ROOT)
            sock.sendall(REQUEST % b"small.txt")
            assert read_answer(sock).body == b"small"
        served.stop()
        assert served.stderr.startswith("- - - [")
    assert not (folder / "s").exists()


# -- the end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_right_after_the_first_word_ends_it_quietly(number: int, folder: Path) -> None:
    with program(serve_command(folder, "--port", "0")) as served:
        served.line()
        assert served.stop(number) == 0
        assert served.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_reply_in_flight_finishes(number: int, folder: Path) -> None:
    with program(serve_command(folder, "--port", "0")) as served:
        served.line()
        with connected(served.port) as idle, connected(served.port) as sock:
            sock.sendall(REQUEST % b"large.bin")
            data = sock.recv(1000)
            served.process.send_signal(number)
            assert idle.recv(1) == b""  # it has heard the signal
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", served.port))
            while more := sock.recv(1 << 20):
                data += more
        assert len(data.partition(b"\r\n\r\n")[2]) == 20_000_000
        assert served.process.wait(PATIENCE) == 0
        assert TRACEBACK not in served.stderr


def test_a_second_signal_does_not_wait(folder: Path) -> None:
    with program(serve_command(folder, "--port", "0", "--drain-timeout", "1000")) as served:
        served.line()
        with connected(served.port) as idle, connected(served.port) as sock:
            sock.sendall(REQUEST % b"large.bin")
            sock.recv(1000)
            served.process.send_signal(signal.SIGINT)
            assert idle.recv(1) == b""
            assert served.process.poll() is None
            assert served.stop(signal.SIGINT) == 0
        assert TRACEBACK not in served.stderr


def test_the_drain_deadline_ends_it(folder: Path) -> None:
    with program(serve_command(folder, "--port", "0", "--drain-timeout", "0.05")) as served:
        served.line()
        with connected(served.port) as sock:
            sock.sendall(REQUEST % b"large.bin")
            sock.recv(1000)
            assert served.stop() == 0


# -- standard descriptors that are not there ----------------------------------------------------------------


def answered(path: Path, process: subprocess.Popen[bytes]) -> bytes:
    """Ask again and again a program that cannot say when it listens; by a unix socket, for a TCP connection that is
    tried often enough reaches itself (pitfall 35)."""
    end = time.monotonic() + PATIENCE
    while True:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            try:
                sock.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                assert process.poll() is None
                assert time.monotonic() < end
                continue
            sock.sendall(REQUEST % b"small.txt")
            return read_answer(sock).body


@pytest.mark.parametrize("closed", ["1", "2", "1 2", "0 1 2"])
def test_closed_standard_descriptors(closed: str, folder: Path) -> None:
    """What is opened next would get their numbers: a log line must never reach a client."""
    shell = " ".join(f"{number}>&-" for number in closed.split()).replace("0>&-", "0<&-")
    command = ["sh", "-c", f'exec "$@" {shell}', "sh", *serve_command(folder, "--host", f"unix:{folder}/s")]
    with program(command) as served:
        assert answered(folder / "s", served.process) == b"small"
        links = {number: os.readlink(f"/proc/{served.pid}/fd/{number}") for number in (0, 1, 2)}
        for number in closed.split():
            assert links[int(number)] == "/dev/null"
        assert served.stop() == 0
        assert served.stderr == "" or "2" not in closed


def test_a_reader_of_stdout_that_has_gone(folder: Path) -> None:
    """``poise serve | head -0`` serves on."""
    reader, writer = os.pipe()
    os.close(reader)
    command = serve_command(folder, "--host", f"unix:{folder}/s")
    with subprocess.Popen(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE) as process:
        os.close(writer)
        try:
            assert process.stderr is not None
            assert answered(folder / "s", process) == b"small"
            process.terminate()
            assert process.wait(PATIENCE) == 0
            assert TRACEBACK.encode() not in process.stderr.read()
        finally:
            process.kill()


def test_a_reader_of_the_log_that_has_gone(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        serve_command(folder, "--port", "0"), cwd=ROOT, stdout=subprocess.PIPE, stderr=writer
    ) as process:
        os.close(writer)
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rstrip(b"/\n").rpartition(b":")[2])
            for _ in range(3):
                assert get(port, "/small.txt").body == b"small"
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_what_has_no_effect_is_said(folder: Path) -> None:
    with serving(
        folder, "--lan", "--allow-host", "example.org", environment={"POISE_MAXHEAD": "3"}
    ) as served:
        assert "POISE_MAXHEAD in the environment is no option of any command" in served.stderr
        assert "--allow-host has no effect here" in served.stderr


def test_an_unknown_option_is_told_by_the_command_in_two_lines() -> None:
    done = subprocess.run(
        serve_command(".", "--prot=5"),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "usage: poise serve [options] [DIR]\npoise serve: error: unknown: --prot=5; did you mean --port?\n"
    )
