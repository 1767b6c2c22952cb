"""Socket options: the table against the kernel, and errors that name the option."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator

import pytest

from poise.errors import MachineFault
from poise.net import options
from poise.net.options import OPTIONS, Kind, Scope, SocketOptions, Value, get_option, kind_of, set_option

KINDS = {
    "tcp4": (socket.AF_INET, socket.SOCK_STREAM),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
    "udp4": (socket.AF_INET, socket.SOCK_DGRAM),
    "udp6": (socket.AF_INET6, socket.SOCK_DGRAM),
    "unix-stream": (socket.AF_UNIX, socket.SOCK_STREAM),
    "unix-datagram": (socket.AF_UNIX, socket.SOCK_DGRAM),
}
MEANT_FOR = {
    Scope.ANY: set(KINDS),
    Scope.IP: {"tcp4", "tcp6", "udp4", "udp6"},
    Scope.TCP: {"tcp4", "tcp6"},
    Scope.UDP: {"udp4", "udp6"},
    Scope.IPV4_UDP: {"udp4"},
    Scope.IPV6: {"tcp6", "udp6"},
}
GOOD: dict[str, tuple[Value, ...]] = {
    "nodelay": (True, False),
    "keepalive": (True, False),
    "keepalive_idle": (1, 60, 32_767),
    "keepalive_interval": (1, 10, 32_767),
    "keepalive_count": (1, 5, 127),
    "linger": (0, 5, None),
    "reuse_address": (True, False),
    "reuse_port": (True, False),
    "ipv6_only": (True, False),
    "broadcast": (True, False),
    "multicast_ttl": (0, 1, 255),
    "multicast_loop": (False, True),
}
BAD: dict[str, tuple[object, ...]] = {
    "nodelay": (1, "yes", None),
    "keepalive_idle": (0, -1, 32_768, True, 1.5, "60", None),
    "keepalive_count": (0, 128),
    "linger": (-1, True, "5", 65_536),
    "receive_buffer": (0, -1, 2**31, None),
    "send_buffer": (0, 2**30),
    "multicast_ttl": (-1, 256),
    "multicast_interface": ("", -1, True, None, 1.0),
}


def opened(kind: str) -> socket.socket:
    if kind.endswith("6") and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    return socket.socket(*KINDS[kind])


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sock(kind: str) -> Iterator[socket.socket]:
    with opened(kind) as made:
        yield made


def test_what_is_set_is_what_is_read(kind: str, sock: socket.socket) -> None:
    for name, values in GOOD.items():
        if kind in MEANT_FOR[OPTIONS[name].scope]:
            for value in values:
                set_option(sock, name, value)
                found = get_option(sock, name)
                assert found == value, name
                assert type(found) is type(value), name


def test_an_option_for_another_kind_of_socket_is_refused_by_name(kind: str, sock: socket.socket) -> None:
    for name, option in OPTIONS.items():
        if kind in MEANT_FOR[option.scope]:
            continue
        value: Value = True if option.kind is Kind.FLAG else 1
        with pytest.raises(MachineFault, match=name) as refused:
            set_option(sock, name, value)
        assert refused.value.errno == errno.ENOPROTOOPT
        assert kind_of(sock) in str(refused.value)
        with pytest.raises(MachineFault, match=f"{name}.*{kind_of(sock)}"):
            get_option(sock, name)


def test_every_option_is_tried() -> None:
    assert set(OPTIONS) == GOOD.keys() | {"receive_buffer", "send_buffer", "multicast_interface"}
    assert list(SocketOptions.FIELDS) == list(OPTIONS)


def test_buffer_sizes_are_what_the_kernel_says(sock: socket.socket) -> None:
    for name in ("receive_buffer", "send_buffer"):
        set_option(sock, name, 20_000)
        found = get_option(sock, name)
        assert isinstance(found, int)
        assert found in (20_000, 40_000)  # Linux doubles it (socket(7))


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, bad in BAD.items() for value in bad])
def test_nonsense_is_refused_by_name(name: str, value: Value) -> None:
    with (
        opened("udp4" if OPTIONS[name].scope is Scope.UDP else "tcp4") as sock,
        pytest.raises(ValueError, match=name),
    ):
        set_option(sock, name, value)


def test_the_error_says_the_range_and_the_unit() -> None:
    with (
        opened("tcp4") as sock,
        pytest.raises(ValueError, match="keepalive_idle is a whole number of 1 to 32767 seconds, not 0"),
    ):
        set_option(sock, "keepalive_idle", 0)


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with opened("tcp4") as sock:
        with pytest.raises(ValueError, match="no socket option 'nodely'; there are nodelay, keepalive"):
            set_option(sock, "nodely", True)
        with pytest.raises(ValueError, match="no socket option"):
            get_option(sock, "TCP_NODELAY")


def test_what_the_system_does_not_have_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    with (
        opened("udp4") as sock,
        pytest.raises(MachineFault, match=r"no socket option reuse_port \(SO_REUSEPORT\)"),
    ):
        set_option(sock, "reuse_port", True)


def test_what_the_kernel_refuses_is_named() -> None:
    with opened("udp6") as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 address")
        with pytest.raises(
            MachineFault, match="cannot set ipv6_only to True on a UDP socket over IPv6"
        ) as refused:
            set_option(sock, "ipv6_only", True)
        assert refused.value.errno == errno.EINVAL
        assert isinstance(refused.value.__cause__, OSError)


def test_a_closed_socket_is_named() -> None:
    with opened("tcp4") as sock:
        pass
    with pytest.raises(MachineFault, match="nodelay") as refused:
        get_option(sock, "nodelay")
    assert refused.value.errno == errno.EBADF


def test_a_multicast_interface_over_ipv4_by_address_name_and_index() -> None:
    with opened("udp4") as sock:
        set_option(sock, "multicast_interface", "127.0.0.1")
        assert get_option(sock, "multicast_interface") == "127.0.0.1"
        index, name = socket.if_nameindex()[0]
        for value in (name, index, 0):
            set_option(sock, "multicast_interface", value)
            assert isinstance(get_option(sock, "multicast_interface"), str)


def test_a_multicast_interface_over_ipv6_is_an_index() -> None:
    with opened("udp6") as sock:
        index, name = socket.if_nameindex()[0]
        for value in (name, index):
            set_option(sock, "multicast_interface", value)
            assert get_option(sock, "multicast_interface") == index


@pytest.mark.parametrize("kind", ["udp4", "udp6"])
def test_an_interface_that_does_not_exist_is_named(kind: str) -> None:
    with opened(kind) as sock, pytest.raises(ValueError, match="no network interface 'nowhere0'"):
        set_option(sock, "multicast_interface", "nowhere0")


def test_the_multicast_options_of_ipv4_are_packed_as_single_bytes() -> None:
    """Some systems take nothing else (ip(4) of the BSDs)."""
    calls = []

    class Spy(socket.socket):
        def setsockopt(self, *args: object) -> None:
            calls.append(args[2])

    with Spy(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        set_option(sock, "multicast_ttl", 7)
        set_option(sock, "multicast_loop", True)
    assert calls == [b"\x07", b"\x01"]


def test_a_single_byte_of_an_answer_is_understood() -> None:
    class Terse(socket.socket):
        def getsockopt(self, *args: object) -> bytes:  # type: ignore[override]
            return b"\x07"

    with Terse(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert get_option(sock, "multicast_ttl") == 7


@pytest.mark.pitfall(37)
def test_linger_of_zero_seconds_is_on() -> None:
    with opened("tcp4") as sock:
        set_option(sock, "linger", 0)
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        assert struct.unpack("ii", raw) == (1, 0)
        set_option(sock, "linger", None)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)[:4] == bytes(4)


def test_options_together() -> None:
    chosen = SocketOptions(nodelay=True, keepalive=True, keepalive_idle=60, keepalive_count=3, linger=0)
    with opened("tcp4") as sock:
        before = get_option(sock, "keepalive_interval")
        chosen.apply(sock)
        assert get_option(sock, "nodelay") is True
        assert get_option(sock, "keepalive") is True
        assert get_option(sock, "keepalive_idle") == 60
        assert get_option(sock, "keepalive_count") == 3
        assert get_option(sock, "linger") == 0
        assert get_option(sock, "keepalive_interval") == before  # was left to the system


def test_false_is_set_and_none_is_left_alone() -> None:
    assert SocketOptions(nodelay=False, multicast_ttl=0).chosen() == {"nodelay": False, "multicast_ttl": 0}
    assert SocketOptions().chosen() == {}


def test_options_together_are_checked_when_they_are_made() -> None:
    with pytest.raises(ValueError, match="multicast_ttl"):
        SocketOptions(multicast_ttl=256)
    with pytest.raises(ValueError, match="keepalive_idle without keepalive=True"):
        SocketOptions(keepalive_idle=5)
    with pytest.raises(ValueError, match="keepalive_count without keepalive=True"):
        SocketOptions(keepalive=False, keepalive_count=5)


def test_every_kind_of_socket_has_a_name(kind: str, sock: socket.socket) -> None:
    words = {
        "tcp4": "a TCP socket over IPv4",
        "tcp6": "a TCP socket over IPv6",
        "udp4": "a UDP socket over IPv4",
        "udp6": "a UDP socket over IPv6",
        "unix-stream": "a unix stream socket",
        "unix-datagram": "a unix datagram socket",
    }
    assert kind_of(sock) == words[kind]


def test_a_socket_of_no_known_kind_has_a_name() -> None:
    class Odd:
        family = 99
        type = 3

    assert options.kind_of(Odd()) == "a socket of family 99 and type 3"  # type: ignore[arg-type]
