"""``--tls-cert``, ``--tls-key`` and ``--tls self``: how ``poise serve`` comes by its certificate."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from poise.cli.standard import say
from poise.cli.where import network_addresses
from poise.errors import MachineFault
from poise.loop.clock import RealClock

if TYPE_CHECKING:
    from cryptography import x509

    from poise.net.certificates import ServerTLS

ALPN = ("http/1.1",)
VALID = 30  # days; thrown away when the server stops; a month is longer than any demonstration
BACKDATED = 1  # day, for clients whose clock is behind ours


def server_tls(args: argparse.Namespace) -> ServerTLS | None:
    """What the options ask for; None without TLS. Raises MachineFault in words for people."""
    for _, why in contradictions(args):
        raise MachineFault(why)
    if args.tls_cert is None and args.tls is None:
        return None
    from poise.net.certificates import ServerTLS  # only those who want TLS pay for it

    if args.tls_cert is not None:
        return ServerTLS(args.tls_cert, args.tls_key, alpn=ALPN)
    return _throw_away()


def contradictions(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """What cannot be meant: the destination of an option, and why it cannot stand as it does."""
    if args.tls_cert is not None and args.tls is not None:
        yield "tls_cert", "--tls self makes a certificate, --tls-cert names one: give one of them"
    if args.tls_cert is None and args.tls_key is not None:
        yield "tls_key", "--tls-key needs --tls-cert, the certificate that the key belongs to"


def _throw_away() -> ServerTLS:
    """A certificate of our own for the names and addresses of this machine."""
    import tempfile

    from poise.net.certificates import ServerTLS

    pem, fingerprint = self_signed(
        ["localhost", os.uname().nodename, "127.0.0.1", "::1", *network_addresses()]
    )
    # The library reads certificates from files only. Nobody but us can open this one, and it is gone at once.
    with tempfile.NamedTemporaryFile(prefix="poise-", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        tls = ServerTLS(file.name, alpn=ALPN)
    say("a throw-away certificate that no browser trusts by itself; compare its SHA-256 fingerprint:")
    say(fingerprint)
    return tls


def self_signed(names: list[str]) -> tuple[bytes, str]:
    """A new key and a certificate for ``names``, as PEM, and the certificate's SHA-256 fingerprint for people."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise MachineFault(
            "--tls self needs the package cryptography: pip install cryptography, or give --tls-cert and --tls-key"
        ) from error
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Poise, for a while")])
    import datetime as dt

    now = dt.datetime.fromtimestamp(RealClock().wall(), dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=BACKDATED))
        .not_valid_after(now + dt.timedelta(days=VALID))
        .add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    return pem, certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _general_name(name: str) -> x509.GeneralName:
    import ipaddress

    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        return x509.DNSName(name)
