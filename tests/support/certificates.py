"""An authority of our own for one test session, and the certificates that it signs."""

from __future__ import annotations

import datetime as dt
import ipaddress
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from poise.net.certificates import ClientTLS

DAY = dt.timedelta(days=1)
PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """Signs certificates into ``folder``. ``file`` is its own, for whoever trusts it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = str(folder / "authority.pem")
        own = self._certificate("authority", [], self._key, authority=True)
        Path(self.file).write_bytes(own.public_bytes(PEM))

    @property
    def client(self) -> ClientTLS:
        """A client that trusts this authority and no other."""
        return ClientTLS(authorities=self.file)

    def issue(self, *names: str, days: int = 1, password: bytes | None = None) -> str:
        """A PEM file with a certificate for host names and addresses and its key; expired when ``days`` is negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(names[0], list(names), key, days=days)
        self._made += 1
        file = self._folder / f"{self._made}.pem"
        hidden: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            hidden = serialization.BestAvailableEncryption(password)
        file.write_bytes(certificate.public_bytes(PEM) + key.private_bytes(PEM, PKCS8, hidden))
        return str(file)

    @cache  # noqa: B019 - it lives as long as the session
    def local(self) -> str:
        """The one for this machine's loopback, made once."""
        return self.issue("localhost", "127.0.0.1", "::1")

    def _certificate(
        self,
        common: str,
        names: list[str],
        key: ec.EllipticCurvePrivateKey,
        *,
        authority: bool = False,
        days: int = 1,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(common))
            .issuer_name(_named("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
