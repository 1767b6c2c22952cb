"""Who we are and whom we trust: files that load, files that do not, and what a client asks for by name."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from poise.errors import MachineFault, TLSError
from poise.net.certificates import ClientTLS, ServerTLS, reason
from poise.net.tls_engine import Engine
from tests.support.certificates import Authority


def shake(server: ServerTLS, client: ClientTLS, name: str | None) -> tuple[Engine, Engine]:
    """A handshake in memory; the server's engine and the client's. Raises TLSError."""
    ours = Engine(server.context, server_side=True, server_name=None)
    theirs = Engine(client.context, server_side=False, server_name=name)
    done: set[Engine] = set()
    while len(done) < 2:
        for one, other in ((theirs, ours), (ours, theirs)):
            if one.handshake():
                done.add(one)
            if said := one.output():
                other.feed(said)
    return ours, theirs


def names_of(engine: Engine) -> set[str]:
    shown = engine.tls.getpeercert() or {}
    return {str(entry[1]) for entry in shown["subjectAltName"]}


def test_the_oldest_version_is_1_2_and_nobody_negotiates_anew(authority: Authority) -> None:
    for context in (ServerTLS(authority.local()).context, authority.client.context):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION


def test_the_name_that_the_client_asks_for_chooses_the_certificate(authority: Authority) -> None:
    names = {
        "One.example": (authority.issue("one.example"), None),
        "*.two.example": (authority.issue("*.two.example"), None),
    }
    server = ServerTLS(authority.local(), names=names)
    for asked, shown in (
        ("one.example", "one.example"),
        ("ONE.example", "one.example"),
        ("deep.two.example", "*.two.example"),
        ("localhost", "localhost"),
    ):
        assert shown in names_of(shake(server, authority.client, asked)[1])
    with pytest.raises(TLSError, match=r"(?i)hostname mismatch"):
        shake(server, authority.client, "a.deep.two.example")  # the star is one label
    with pytest.raises(TLSError, match=r"(?i)hostname mismatch"):
        shake(server, authority.client, "three.example")


def test_who_asks_for_no_name_gets_the_default(authority: Authority) -> None:
    server = ServerTLS(authority.local(), names={"one.example": (authority.issue("one.example"), None)})
    trusting = ClientTLS(verify=False)
    ours, _ = shake(server, trusting, None)
    assert ours.tls.context is server.context


def test_the_first_common_protocol_is_chosen(authority: Authority) -> None:
    server = ServerTLS(
        authority.local(),
        alpn=["h2", "http/1.1"],
        names={"one.example": (authority.issue("one.example"), None)},
    )
    for name in ("localhost", "one.example"):
        client = ClientTLS(authorities=authority.file, alpn=["http/1.0", "http/1.1", "h2"])
        for engine in shake(server, client, name):
            assert engine.tls.selected_alpn_protocol() == "h2"
    other = ClientTLS(authorities=authority.file, alpn=["gopher"])
    assert shake(server, other, "localhost")[1].tls.selected_alpn_protocol() is None


def test_reloading_changes_what_comes_next_and_nothing_else(authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "server.pem"
    file.write_bytes(Path(authority.issue("old.example")).read_bytes())
    server = ServerTLS(str(file))
    ours, theirs = shake(server, authority.client, "old.example")
    file.write_bytes(Path(authority.issue("new.example")).read_bytes())
    server.reload()
    theirs.feed(ours.encrypt(b"still here"))
    assert theirs.read() == b"still here"
    assert names_of(shake(server, authority.client, "new.example")[1]) == {"new.example"}


@pytest.mark.parametrize("broken", [b"", b"half a cert", None], ids=["empty", "garbage", "absent"])
def test_a_broken_file_leaves_the_old_certificate_in_place(
    authority: Authority, tmp_path: Path, broken: bytes | None
) -> None:
    good, bad = tmp_path / "good.pem", tmp_path / "bad.pem"
    good.write_bytes(Path(authority.issue("old.example")).read_bytes())
    bad.write_bytes(good.read_bytes())
    server = ServerTLS(str(good), names={"other.example": (str(bad), None)})
    before = server.context
    good.write_bytes(Path(authority.issue("new.example")).read_bytes())
    if broken is None:
        bad.unlink()
    else:
        bad.write_bytes(broken)
    with pytest.raises(MachineFault, match=r"bad.pem"):
        server.reload()
    assert server.context is before
    assert names_of(shake(server, authority.client, "old.example")[1]) == {"old.example"}


def test_the_file_that_cannot_be_used_is_named(authority: Authority, tmp_path: Path) -> None:
    there, missing = authority.local(), str(tmp_path / "missing.key")
    with pytest.raises(MachineFault, match=r"missing.key: No such file"):
        ServerTLS(there, missing)
    with pytest.raises(MachineFault, match=r"missing.key: No such file"):
        ServerTLS(missing)
    with pytest.raises(MachineFault, match="key values mismatch"):
        ServerTLS(there, authority.issue("other.example"))
    with pytest.raises(MachineFault, match=r"missing.key: No such file"):
        ClientTLS(authorities=missing)
    (tmp_path / "empty.pem").touch()
    with pytest.raises(MachineFault, match=r"authorities in .*empty.pem"):
        ClientTLS(authorities=str(tmp_path / "empty.pem"))


def test_an_encrypted_key_is_refused_instead_of_asking_on_the_terminal(authority: Authority) -> None:
    with pytest.raises(MachineFault, match="the key is encrypted"):
        ServerTLS(authority.issue("localhost", password=b"secret"))


@pytest.mark.parametrize(
    ("days", "name", "why"),
    [
        (-1, "localhost", "expired"),
        (1, "other.example", "(?i)hostname mismatch"),
        (1, "127.0.0.9", "(?i)ip address mismatch"),
    ],
)
def test_a_certificate_that_is_not_good(authority: Authority, days: int, name: str, why: str) -> None:
    server = ServerTLS(authority.issue("localhost", "127.0.0.1", days=days))
    with pytest.raises(TLSError, match=why):
        shake(server, authority.client, name)


def test_who_does_not_verify_takes_any_certificate(authority: Authority) -> None:
    server = ServerTLS(authority.issue("elsewhere.example", days=-1))
    assert shake(server, ClientTLS(verify=False), "localhost")[1].tls.version()


def test_without_authorities_the_system_decides(authority: Authority) -> None:
    client = ClientTLS()
    assert client.context.verify_mode == ssl.CERT_REQUIRED
    assert client.context.check_hostname
    with pytest.raises(TLSError, match=r"unable to get local issuer|self-signed"):
        shake(ServerTLS(authority.local()), client, "localhost")


def test_reasons_are_words() -> None:
    assert reason(ssl.SSLError(1, "plain words")) == "plain words"


def test_a_client_that_checks_names_needs_one(authority: Authority) -> None:
    """In memory the library would take any certificate that is trusted, whoever it belongs to."""
    for name in (None, ""):
        with pytest.raises(ValueError, match="server name"):
            Engine(authority.client.context, server_side=False, server_name=name)
