"""Who we are and whom we trust: the two sides' settings for TLS.

TLS 1.2 is the oldest version that is spoken. Certificates are files; ``reload()`` reads them again, and connections that
are made from then on use them, while those that exist go on undisturbed. A pair of files that does not load leaves the old
one in place: a half-written renewal must not take a server down.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

from poise.errors import MachineFault

Files = tuple[str, str | None]
"""A certificate chain and its private key as PEM files; None when the key is in the first."""


class ServerTLS:
    """A server's certificates: a default, and others by the name that the client asks for (SNI, RFC 6066).

    ``alpn`` are the protocols that are offered, the preferred first (RFC 7301). Raises MachineFault, naming the file, when
    a certificate or key cannot be used.
    """

    def __init__(
        self,
        certificate: str,
        key: str | None = None,
        *,
        names: Mapping[str, Files] | None = None,
        alpn: Sequence[str] = (),
    ) -> None:
        self._default: Files = (certificate, key)
        self._names = dict(names or {})
        self._alpn = list(alpn)
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.context: ssl.SSLContext
        """For the next connection."""
        self.reload()

    def reload(self) -> None:
        """Read all files again. Raises MachineFault, and changes nothing, when one of them cannot be used."""
        contexts = {name.lower(): self._load(files) for name, files in self._names.items()}
        context = self._load(self._default)
        if contexts:
            context.sni_callback = self._choose
        self._contexts, self.context = contexts, context

    def _load(self, files: Files) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._alpn:
            context.set_alpn_protocols(self._alpn)
        certificate, key = files
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            which = certificate if key is None else f"{certificate} and {key}"
            raise MachineFault(
                getattr(error, "errno", 0), f"cannot use the certificate in {which}: {error}"
            ) from error
        return context

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        chosen = self._contexts.get((name or "").lower())
        if chosen is not None:
            connection.context = chosen


class ClientTLS:
    """Whom a client trusts: the system's authorities, or those in the PEM file ``authorities``; or, when ``verify``
    is False, anybody, which protects against listeners but not against impostors."""

    def __init__(
        self, *, authorities: str | None = None, verify: bool = True, alpn: Sequence[str] = ()
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif authorities is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            try:
                context.load_verify_locations(authorities)
            except (OSError, ValueError) as error:
                raise MachineFault(
                    getattr(error, "errno", 0), f"cannot use the authorities in {authorities}: {error}"
                ) from error
        self.context = context
