"""How the peers are run under each condition, and what the application servers run."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import app
from bench.peers import HTTP_PEERS, VARIANTS
from bench.place import Peer, Place
from bench.scenarios import PLAIN, Conditions

PEERS = {peer.name: peer for peer in (*HTTP_PEERS, *VARIANTS)}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "site").mkdir()
    return Place(tmp_path / "site", tmp_path, 4711, b"", PLAIN, tmp_path / "certificate.pem")


def configuration(peer: Peer, place: Place, **asked: Any) -> str:
    """What its command names as its configuration."""
    command = peer.command(replace(place, conditions=Conditions(**asked)))
    [file] = [word for word in command if word.endswith((".conf", "Caddyfile"))]
    return Path(file).read_text()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, ["--port", "4711", "--no-access-log"]),
        ({"log": True}, ["--log", "/access.log", "--log-format", "combined"]),
        ({"tls": True}, ["--tls-cert", "/certificate.pem"]),
        ({"two_workers": True}, ["--workers", "2"]),
        ({"crowd": 10_000}, ["--max-connections", "12000", "--keep-alive-timeout", "3600"]),
    ],
)
def test_poise_is_told_the_conditions(place: Place, asked: dict[str, Any], words: list[str]) -> None:
    command = PEERS["poise"].command(replace(place, conditions=Conditions(**asked)))
    assert " ".join(words) in " ".join(command).replace(str(place.scratch), "")


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({}, "access_log off;"),
        ({}, "worker_processes 1;"),
        ({}, "listen 127.0.0.1:4711 backlog=1024;"),
        ({"log": True}, "/access.log combined;"),
        ({"tls": True}, "listen 127.0.0.1:4711 backlog=1024 ssl;"),
        ({"tls": True}, "ssl_protocols TLSv1.2 TLSv1.3;"),
        ({"two_workers": True}, "worker_processes 2;"),
        ({"deferred": True}, "listen 127.0.0.1:4711 backlog=1024 deferred;"),
        ({"crowd": 10_000}, "keepalive_timeout 3600s;"),
    ],
)
def test_nginx_is_told_the_conditions(place: Place, asked: dict[str, Any], line: str) -> None:
    assert line in configuration(PEERS["nginx"], place, **asked)
    assert ("open_file_cache" in configuration(PEERS["nginx-cache"], place, **asked)) is True
    assert ("open_file_cache" in configuration(PEERS["nginx"], place, **asked)) is False


@pytest.mark.parametrize(
    ("asked", "line"),
    [({"log": True}, "mod_accesslog"), ({"deferred": True}, "server.defer-accept = 1"), ({}, "4711")],
)
def test_lighttpd_is_told_the_conditions(place: Place, asked: dict[str, Any], line: str) -> None:
    assert line in configuration(PEERS["lighttpd"], place, **asked)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
@pytest.mark.parametrize(
    "asked", [{}, {"log": True}, {"two_workers": True}, {"deferred": True}, {"crowd": 9}]
)
@pytest.mark.parametrize("name", ["nginx", "nginx-cache"])
def test_nginx_understands_it(place: Place, name: str, asked: dict[str, Any]) -> None:
    command = PEERS[name].command(replace(place, conditions=Conditions(**asked)))
    done = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("lighttpd") is None, reason="lighttpd is not installed")
@pytest.mark.parametrize("asked", [{}, {"log": True}, {"deferred": True}])
def test_lighttpd_understands_it(place: Place, asked: dict[str, Any]) -> None:
    command = PEERS["lighttpd"].command(replace(place, conditions=Conditions(**asked)))
    done = subprocess.run(["lighttpd", "-tt", *command[2:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["caddy", "granian-files", "granian", "uvicorn", "gunicorn", "http.server"])
def test_the_others_are_told_where_to_listen_and_what_to_serve(place: Place, name: str) -> None:
    command = PEERS[name].command(place)
    said = " ".join(command) + "".join(file.read_text() for file in place.scratch.glob("Caddyfile"))
    assert "4711" in said
    assert str(place.site) in said


@pytest.mark.parametrize("name", ["dufs", "miniserve"])
def test_those_that_come_as_a_program_are_asked_for_by_name(place: Place, name: str) -> None:
    assert PEERS[name].needs == (name,)
    assert {"127.0.0.1", "4711", str(place.site)} <= {*PEERS[name].command(place)}


# --- the application --------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "one.html").write_bytes(b"<p>")
    monkeypatch.setattr(app, "FILES", app.held(tmp_path))


@pytest.mark.usefixtures("files")
def test_the_application_holds_every_file() -> None:
    assert app.answer("/folder/one.html", app.FILES) == (200, "text/html", b"<p>")
    assert app.answer("/folder", app.FILES) == (404, "text/plain", b"not found")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("path", "status"), [("/folder/one.html", 200), ("/two", 404)])
def test_it_speaks_asgi_and_wsgi(path: str, status: int) -> None:
    sent: list[dict[str, Any]] = []
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    async def receive() -> None:
        raise AssertionError("a GET brings no body")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app.asgi({"path": path}, receive, send))
    [body] = app.wsgi({"PATH_INFO": path}, lambda status, fields: begun.append((status, fields)))
    assert sent[0]["status"] == status
    assert sent[1]["body"] == body
    [(line, fields)] = begun
    assert line.startswith(f"{status} ")
    assert [(name.decode().title(), value.decode()) for name, value in sent[0]["headers"]] == fields
