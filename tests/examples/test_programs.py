"""The other examples: each is started as a person would start it, and spoken to."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.examples.running import Peer, example
from tests.support.program import PATIENCE, ROOT

pytestmark = [pytest.mark.live, pytest.mark.slow]
NAMES = sorted(file.stem for file in (ROOT / "examples").glob("*.py") if file.stem != "__init__")


def test_the_page_lists_every_example_and_every_example_has_its_test() -> None:
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    tests = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    for name in NAMES:
        assert f"[`python3 -m examples.{name}`]({name}.py)" in page
        assert f'example("{name}"' in tests


@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_it_takes(name: str) -> None:
    with example(name, "--help") as program:
        assert program.line().startswith("usage:")
        assert program.ends() == 0


def test_echo_over_tcp_and_udp() -> None:
    with example("echo") as server:
        tcp, udp = server.listening(), server.listening()
        with Peer(tcp) as client:
            client.send(b"is anybody there?\n")
            assert client.line() == "is anybody there?"
            sent = send_until_stuck(client.socket)
            client.finish()
            assert len(client.rest()) == sent
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client_:
            client_.settimeout(PATIENCE)
            for message in (b"one", b"", b"x" * 9000):
                client_.sendto(message, ("127.0.0.1", udp))
                assert client_.recv(65536) == message
        server.interrupt()


def test_a_clock_that_several_hear() -> None:
    with example("clock", "listen") as first:
        port = first.listening()
        with (
            example("clock", "listen", "--port", port) as second,
            example("clock", "send", "--to", "127.255.255.255", "--port", port, "--every", "0.02") as sender,
        ):
            second.line()
            sender.until("sending to")
            for listener in (first, second):
                assert "Z from 127.0.0.1" in listener.until("from")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
                liar.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                for lie in (b"poise-clock/1 now", b"x" * 1000, b"", b"poise-clock/1 2001-01-01T00:00:00Z\n"):
                    liar.sendto(lie, ("127.255.255.255", port))
                liar.sendto(b"poise-clock/1 1999-12-31T23:59:59Z", ("127.255.255.255", port))
            first.until("1999-12-31T23:59:59Z")
            assert not any("2001" in line or "now" in line for line in first.lines)
            for program in (sender, first, second):
                program.interrupt()


def send_until_stuck(connection: socket.socket) -> int:
    """Send while nobody reads, until nothing goes any more; how many bytes went."""
    connection.settimeout(0.5)
    sent = 0
    try:
        while sent < 1 << 28:
            sent += connection.send(bytes(1 << 16))
    except TimeoutError:
        pass
    assert sent < 1 << 28, "somebody keeps it all in memory"
    connection.settimeout(PATIENCE)
    return sent


@contextmanager
def behind_the_proxy() -> Iterator[tuple[Peer, socket.socket]]:
    """Both ends of one connection through the proxy."""
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(PATIENCE)
        with (
            example("proxy", f"127.0.0.1:{target.getsockname()[1]}") as proxy,
            Peer(proxy.listening()) as client,
        ):
            server, _ = target.accept()
            server.settimeout(PATIENCE)
            with server:
                yield client, server
            proxy.interrupt()


def test_the_proxy_passes_both_ways_and_each_end_by_itself() -> None:
    with behind_the_proxy() as (client, server):
        client.send(b"question")
        client.finish()
        question = b""
        while data := server.recv(100):
            question += data
        assert question == b"question"
        server.sendall(b"answer after the end of the question")
        server.shutdown(socket.SHUT_WR)
        assert client.rest() == b"answer after the end of the question"


def test_the_proxy_makes_the_fast_side_wait() -> None:
    with behind_the_proxy() as (client, server):
        sent = send_until_stuck(client.socket)
        received = 0
        client.finish()
        while data := server.recv(1 << 20):
            received += len(data)
        assert received == sent  # all of it, now that it is read


def everything_from(port: int) -> bytes:
    with Peer(port) as client:
        return client.rest()


def test_a_proxy_without_a_target_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with example("proxy", f"127.0.0.1:{port}") as proxy:
        entrance = proxy.listening()
        with pytest.raises(ConnectionResetError):
            everything_from(entrance)  # the reset may be faster than connect() returns
        assert "cannot connect" in proxy.line()


def test_keys_and_values() -> None:
    with example("keyvalue", "--memory", "1") as server, Peer(server.listening()) as client:
        client.send(b"set k 5\nhel")
        client.send(b"loget k\ndel k\nget k\ndel k\n")  # joined and cut as the network pleases
        assert client.line() == "stored"
        assert client.until(b"hello") == b"value 5\nhello"
        assert [client.line() for _ in range(3)] == ["deleted", "missing", "missing"]
        client.send(b"set empty 0\nget empty\nset ends 4\na\nb\nget ends\r\n")
        assert [client.line() for _ in range(4)] == ["stored", "value 0", "stored", "value 4"]
        assert client.until(b"a\nb\n") == b"a\nb\n"
        client.send(b"set k\nset k 05\nget\n")
        assert all(client.line().startswith("error: set NAME") for _ in range(3))
        for _ in range(3):  # what is deleted, or replaced, makes room
            client.send(b"set half %d\n" % 600_000 + bytes(600_000))
            assert client.line() == "stored"
        client.send(b"del half\nset other %d\n" % 600_000 + bytes(600_000))
        assert [client.line(), client.line()] == ["deleted", "stored"]
        client.send(b"set big %d\n" % (1 << 20) + bytes(1 << 20))
        assert client.line() == "error: no room"  # with its name, and the others, it is more than 1 MiB
        client.send(b"set big %d\n" % ((1 << 20) + 1))
        assert client.line() == "error: a value has at most 1048576 bytes"
        assert client.rest() == b""
        server.interrupt()


def test_commands_that_never_end() -> None:
    with example("keyvalue") as server, Peer(server.listening()) as client:
        client.send(b"x" * 1000)
        assert client.rest().startswith(b"error: ")


def test_the_scanner_finds_what_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        first, last = max(1, port - 50), min(65535, port + 50)
        with example("scan", "--first", first, "--last", last, "--at-once", 7) as scan:
            lines = [scan.until("open ports")] and scan.lines
            assert scan.ends() == 0
    assert f"{port} is open" in lines
    assert lines[-1] == f"{len(lines) - 1} open ports on 127.0.0.1"


@pytest.mark.parametrize("host", ["192.0.2.1", "::", "0.0.0.0", "example.org", "128.0.0.1"])
def test_the_scanner_looks_at_nobody_else(host: str) -> None:
    with example("scan", "--host", host, "--last", "1") as scan:
        assert scan.ends() == 2
        assert "usage:" in scan.stderr


def ask(client: Peer, target: str, host: str = "localhost") -> str:
    """Send a request; the status line. The head is taken. In HTTP/1.0 a body of unknown length comes as it is."""
    client.send(f"GET {target} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    return client.until(b"\r\n\r\n").decode().partition("\r\n")[0]


def test_a_file_is_followed_while_it_grows_is_cut_and_is_replaced(tmp_path: Path) -> None:
    log, late = tmp_path / "app.log", tmp_path / "late.log"
    log.write_text("old\n", encoding="utf-8")
    with example("tail", log, late) as server:
        port = server.listening()
        with Peer(port) as one, Peer(port) as every:
            assert ask(one, "/app.log") == "HTTP/1.1 200 OK"
            assert one.line() == "old"
            assert ask(every, "/") == "HTTP/1.1 200 OK"
            assert every.until(b"old\n") == b"\n==> app.log <==\nold\n"
            with log.open("a", encoding="utf-8") as file:
                file.write("new\n")
            assert one.line() == "new"
            every.until(b"new\n")
            late.write_text("here I am\n", encoding="utf-8")
            assert every.until(b"am\n") == b"\n==> late.log <==\nhere I am\n"
            os.truncate(log, 0)
            log.write_text("cut\n", encoding="utf-8")
            assert one.line() == "cut"
            log.rename(tmp_path / "app.log.1")
            log.write_text("a new file under the old name\n", encoding="utf-8")
            assert one.line() == "a new file under the old name"
            one.finish()  # it has left: nothing more is sent
            assert one.rest() == b""
        server.interrupt()


def take(client: Peer, end: bytes) -> int:
    """Read until ``end`` comes; how many bytes there were, ``end`` included."""
    count, last = 0, b""
    while not last.endswith(end):
        data = client.socket.recv(1 << 20)
        count += len(data)
        last = (last + data)[-len(end) :]
    return count


def test_a_viewer_who_does_not_read_is_not_read_for(tmp_path: Path) -> None:
    log = tmp_path / "big.log"
    log.write_bytes(b"")
    with example("tail", log) as server:
        port = server.listening()
        with Peer(port) as sleeper, Peer(port) as reader:
            ask(sleeper, "/big.log")
            ask(reader, "/big.log")
            os.truncate(log, 64 << 20)  # a hole reads as zeros, and costs the test no disk
            with log.open("ab") as file:
                file.write(b"the end\n")
            # The same loop looks for both, in turns: when one has everything, the other could have been given it too.
            assert take(reader, b"the end\n") == (64 << 20) + 8
            status = Path(f"/proc/{server.pid}/status")
            if status.exists():
                peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
                assert (
                    int(peak.split()[1]) < 64 << 10
                )  # KiB: the program and its libraries, not the file besides
            assert take(sleeper, b"the end\n") == (64 << 20) + 8  # and nothing was lost


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [("/other", "localhost", "404"), ("/../x", "localhost", "404"), ("/a", "evil.example", "421")],
)
def test_nothing_else_is_followed(tmp_path: Path, target: str, host: str, status: str) -> None:
    (tmp_path / "a").write_text("secret", encoding="utf-8")
    with example("tail", tmp_path / "a") as server, Peer(server.listening()) as client:
        assert ask(client, target, host).split()[1] == status
        assert b"secret" not in client.rest()


def test_what_is_no_request_is_refused(tmp_path: Path) -> None:
    with example("tail", tmp_path / "a") as server:
        port = server.listening()
        with Peer(port) as client:
            client.send(b"nonsense\r\n\r\n")
            assert client.until(b"\r\n").startswith(b"HTTP/1.1 400 ")
        with Peer(port) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            assert client.until(b"\r\n").startswith(b"HTTP/1.1 405 ")
        with Peer(port) as client:  # who asks for the head only has it at once, and the connection stays
            client.send(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
            heads = client.until(b"\r\n\r\n") + client.until(b"\r\n\r\n")
            assert heads.count(b"HTTP/1.1 200 OK\r\n") == 2
        server.interrupt()
