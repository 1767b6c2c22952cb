"""Addresses: what may be bound, how it is shown, and whose socket file it is."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from poise.errors import MachineFault
from poise.net import address
from poise.net.address import bind, own_addresses, plain_host, remove_stale, resolve, show, unix_path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # a socket's path is short: 108 bytes
    return tmp_path


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize("port", [-1, 65536, True, "80", 80.0, None])
def test_a_port_that_is_none(port: Any) -> None:
    with pytest.raises(ValueError, match="from 0 to 65535"):
        resolve(("127.0.0.1", port))


@pytest.mark.parametrize(
    "wrong",
    [None, 80, (), ("127.0.0.1",), ("127.0.0.1", 80, 0, 0), ["127.0.0.1", 80], (None, 80), (b"::1", 80)],
)
def test_nothing_is_bound_to_what_is_no_address(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"an address is \(host, port\)"):
        bind(wrong, 1)


@pytest.mark.parametrize("host", ["no such host", "256.256.256.256.invalid", "a" * 300, "[::1"])
def test_a_host_that_is_unknown(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: Any, **_kwargs: Any) -> Any:
        if len(host) > 200:
            raise UnicodeError("label too long")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(MachineFault, match="cannot resolve the host name"):
        resolve((host, 80))


def test_numbers_resolve_to_themselves() -> None:
    assert resolve(("127.0.0.1", 80)) == [(socket.AF_INET, ("127.0.0.1", 80))]
    assert resolve(("::1", 80))[0][1][:2] == ("::1", 80)
    assert resolve(("[::1]", 80)) == resolve(("::1", 80))


def test_every_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_ipv6", True)
    assert [each[1][:2] for each in resolve(("", 5))] == [("::", 5), ("0.0.0.0", 5)]
    monkeypatch.setattr(socket, "has_ipv6", False)
    assert [each[1] for each in resolve(("", 5))] == [("0.0.0.0", 5)]


def test_a_listening_socket_is_ready_to_use() -> None:
    with bind(("127.0.0.1", 0), 5) as made:
        assert made.getblocking() is False
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert os.get_inheritable(made.fileno()) is False


@IPV6
def test_dual_stack_takes_both_and_a_named_address_only_its_own() -> None:
    with bind(("", 0), 5) as every:
        port = every.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, port)):
                accepted, peer = every.accept()
                accepted.close()
                assert plain_host(peer[0]) == host
    with bind(("::1", 0), 5) as six:
        assert six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


@pytest.mark.parametrize("code", sorted(address.NO_SUCH_FAMILY))
def test_without_ipv6_every_interface_is_ipv4_alone(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = address._bind_tcp

    def switched_off(family: Any, *rest: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(code, "off")
        return real(family, *rest)

    monkeypatch.setattr(address, "_bind_tcp", switched_off)
    with bind(("", 0), 5) as made:
        assert made.getsockname()[0] == "0.0.0.0"


def test_a_busy_port_is_busy_and_not_tried_otherwise() -> None:
    with bind(("", 0), 5) as first:
        port = first.getsockname()[1]
        for host in ("", "127.0.0.1"):
            with pytest.raises(OSError, match="in use") as caught:
                bind((host, port), 5)
            assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.pitfall(36)
def test_a_port_can_be_bound_again_at_once() -> None:
    """The side that closes first keeps the connection in TIME_WAIT, which must not keep the port."""
    first = bind(("127.0.0.1", 0), 5)
    name = first.getsockname()
    with socket.create_connection(name) as client:
        accepted, _ = first.accept()
        accepted.close()
        first.close()
        assert client.recv(1) == b""
    with bind(name, 5) as second:
        assert second.getsockname() == name


def test_a_socket_that_somebody_else_has_bound() -> None:
    with socket.socket() as inherited:
        inherited.bind(("127.0.0.1", 0))
        assert bind(inherited, 5) is inherited
        assert inherited.getblocking() is False
        with socket.create_connection(inherited.getsockname()):
            pass


# -- unix sockets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["/path", "unix:", "", "unix:a\0b", "http://x", "unix:\0abstract"])
def test_what_is_no_address(bad: str) -> None:
    with pytest.raises(ValueError, match="an address is"):
        unix_path(bad)


def test_the_path_of_a_unix_socket_is_short() -> None:
    assert unix_path("unix:" + "a" * 107) == "a" * 107
    for path in ("a" * 108, "ü" * 54):
        with pytest.raises(ValueError, match="108 bytes"):
            unix_path("unix:" + path)


def test_a_stale_socket_file_is_replaced(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind("s")
    assert (folder / "s").exists()
    with bind("unix:s", 5) as made, socket.socket(socket.AF_UNIX) as client:
        client.connect("s")
        made.accept()[0].close()


@pytest.mark.parametrize("backlog", [0, 5])
def test_the_socket_of_a_live_server_is_not_taken(backlog: int, folder: Path) -> None:
    with bind("unix:s", backlog) as live, socket.socket(socket.AF_UNIX) as first:
        first.connect("s")  # with a backlog of 0 the queue is full now
        before = os.stat("s").st_ino
        with pytest.raises(OSError, match="in use") as caught:
            bind("unix:s", 5)
        assert caught.value.errno == errno.EADDRINUSE
        assert os.stat("s").st_ino == before
        live.accept()[0].close()


def test_a_file_that_is_no_socket_is_left_alone(folder: Path) -> None:
    (folder / "s").write_text("precious")
    with pytest.raises(OSError, match="in use"):
        bind("unix:s", 5)
    assert (folder / "s").read_text() == "precious"
    remove_stale("absent")


# -- for people ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sockaddr", "text"),
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("::1", 80, 0, 0), "[::1]:80"),
        (("::ffff:192.0.2.1", 80, 0, 0), "192.0.2.1:80"),
        (("fe80::1%eth0", 80, 0, 2), "[fe80::1%eth0]:80"),
        ("/run/s", "unix:/run/s"),
        (b"/run/\xff", "unix:/run/\udcff"),
        ("", "unix:"),
    ],
)
def test_addresses_are_shown_as_people_write_them(sockaddr: Any, text: str) -> None:
    assert show(sockaddr) == text


def test_own_addresses_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable(socket.socket):
        def connect(self, _address: Any) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(errno.ENETUNREACH, "no route")

        def getsockname(self) -> Any:
            return ("192.0.2.7", 1)

    monkeypatch.setattr(socket, "socket", Unreachable)
    assert own_addresses() == ["192.0.2.7"]
    monkeypatch.undo()
    assert all(isinstance(each, str) for each in own_addresses())
