"""Where a datagram socket is: addresses, families, inherited sockets and the files of unix sockets."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poise.net import dgram_socket
from poise.net.options import SocketOptions
from tests.support.datagrams import LOCAL, House, Listener, echo, has_ipv6, housed


@pytest.fixture
def one(tmp_path: Path) -> Iterator[House]:
    """On the best poller alone, for what does not concern readiness."""
    with housed(None, tmp_path) as made:
        yield made


def test_without_addresses_it_is_an_ipv4_socket(one: House) -> None:
    transport, _ = one.open()
    assert transport.address[0] == "0.0.0.0"
    far = one.far()
    assert transport.sendto(b"x", far.getsockname())
    assert far.recv(10) == b"x"


def test_the_empty_host_is_every_interface_of_the_peers_family(one: House) -> None:
    transport, _ = one.open(local=("", 0))
    assert transport.sockname[0] == "0.0.0.0"
    if has_ipv6():
        far = one.far(("::1", 0), socket.AF_INET6)
        transport, _ = one.open(local=("", 0), remote=("::1", far.getsockname()[1]))
        assert transport.send(b"x")
        assert far.recv(10) == b"x"


def test_both_families_at_once(one: House) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 address")
    transport, heard = one.open(Listener(echo), local=("::", 0))
    port = transport.sockname[1]
    for host in ("127.0.0.1", "::1"):
        far = one.far((host, 0), socket.AF_INET6 if ":" in host else socket.AF_INET)
        far.sendto(host.encode(), (host, port))
        one.until(lambda: heard.got)
        assert far.recv(100) == heard.got.pop() == host.encode()
    far = one.far()
    assert transport.sendto(b"literal", far.getsockname())  # an IPv4 address is mapped
    assert far.recv(100) == b"literal"


def test_a_peer_is_known_however_it_is_written(one: House) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 address")
    far = one.far(("::1", 0), socket.AF_INET6)
    transport, _ = one.open(remote=("0:0:0::1", far.getsockname()[1]))
    assert transport.sendto(b"x", ("::0:1", far.getsockname()[1]))
    assert far.recv(10) == b"x"


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [
        ({"local": ("example.org", 0)}, "resolve names before"),
        ({"remote": ("example.org", 80)}, "resolve names before"),
        ({"local": ("127.0.0.1", 0), "remote": ("::1", 9)}, "IPv6 address, and the socket is for IPv4"),
        ({"local": ("127.0.0.1", 0), "remote": "unix:/x"}, "different families"),
        ({"local": "unix:/x", "remote": ("127.0.0.1", 9)}, "different families"),
        ({"local": "/x"}, 'an address is .* "unix:/path"'),
        ({"local": ()}, "an address is"),
        ({"local": 9}, "an address is"),
        ({"remote": [LOCAL[0], 9]}, "an address is"),
    ],
)
def test_what_is_no_address_is_refused(one: House, kwargs: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        one.open(**kwargs)


def test_an_inherited_socket_may_be_connected(one: House) -> None:
    far = one.far()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    transport, _ = one.open(local=sock, remote=far.getsockname())
    assert sock.getblocking() is False
    assert transport.send(b"x")
    assert far.recv(10) == b"x"


def test_an_inherited_socket_must_be_one_for_datagrams(one: House) -> None:
    with socket.socket() as sock, pytest.raises(ValueError, match="a TCP socket over IPv4"):
        one.open(local=sock)


def test_a_busy_port_is_an_error_unless_it_is_shared(one: House) -> None:
    transport, _ = one.open(local=LOCAL)
    with pytest.raises(OSError, match="in use"):
        one.open(local=transport.sockname)
    shared = SocketOptions(reuse_address=True)
    transport, _ = one.open(local=LOCAL, options=shared)
    again, _ = one.open(local=transport.sockname, options=shared)
    assert again.sockname == transport.sockname


def test_the_socket_file_is_removed_with_its_socket(one: House) -> None:
    path = one.unix("us")
    transport, _ = one.open(local=f"unix:{path}")
    with pytest.raises(OSError, match="in use"):  # somebody is there
        one.open(local=f"unix:{path}")
    transport.close()
    assert not os.path.exists(path)


def test_another_ones_socket_file_is_left_alone(one: House) -> None:
    path = one.unix("us")
    transport, _ = one.open(local=f"unix:{path}")
    os.rename(path, one.unix("kept"))
    one.far(path, socket.AF_UNIX)
    transport.close()
    assert os.path.exists(path)


def test_a_socket_file_that_has_gone_is_no_error(one: House) -> None:
    transport, heard = one.open(local=f"unix:{one.unix('us')}")
    os.unlink(one.unix("us"))
    transport.close()
    one.until(lambda: heard.lost)
    assert heard.lost == [None]


def test_a_socket_file_that_cannot_be_removed_is_left(one: House, monkeypatch: pytest.MonkeyPatch) -> None:
    transport, heard = one.open(local=f"unix:{one.unix('us')}")

    def refuse(path: object) -> None:
        raise PermissionError(errno.EACCES, "")

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        transport.close()
    one.until(lambda: heard.lost)


def test_the_socket_file_of_a_dead_process_is_replaced(one: House) -> None:
    path = one.unix("us")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(path)
    transport, heard = one.open(local=f"unix:{path}")
    one.far(None, socket.AF_UNIX).sendto(b"x", path)
    one.until(lambda: heard.got)
    assert not transport.is_closing()


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_what_is_no_dead_socket_is_never_removed(one: House, kind: str) -> None:
    path = one.unix("us")
    with socket.socket(socket.AF_UNIX) as live:
        if kind == "file":
            Path(path).write_text("mine")
        else:
            live.bind(path)
            live.listen()
        with pytest.raises(OSError, match="in use"):
            one.open(local=f"unix:{path}")
    assert os.path.exists(path)


def test_a_peer_that_is_not_there_leaves_no_file(one: House) -> None:
    path = one.unix("us")
    with pytest.raises(FileNotFoundError):
        one.open(local=f"unix:{path}", remote=f"unix:{one.unix('nobody')}")
    assert not os.path.exists(path)
    with pytest.raises(FileNotFoundError):
        one.open(remote=f"unix:{one.unix('nobody')}")


def test_a_name_that_the_kernel_cannot_take_is_that_datagrams_error(one: House) -> None:
    transport, heard = one.open(local=f"unix:{one.unix('us')}")
    assert not transport.sendto(b"x", "unix:/" + "long" * 50)
    one.until(lambda: heard.errors)
    assert not transport.is_closing()


def test_no_peer_is_no_address() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert dgram_socket.peer_of(sock) is None
