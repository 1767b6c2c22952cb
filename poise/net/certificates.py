"""Who we are and whom we trust: the two sides' settings for TLS.

TLS 1.2 is the oldest version that is spoken. Certificates are files; ``reload()`` reads them again, and connections that
are made from then on use them, while those that exist go on undisturbed. A pair of files that does not load leaves the old
one in place: a half-written renewal must not take a server down.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import NoReturn

from poise.errors import MachineFault

Files = tuple[str, str | None]
"""A certificate chain and its private key as PEM files; None when the key is in the first."""


class ServerTLS:
    """A server's certificates: a default, and others by the name that the client asks for (SNI, RFC 6066).

    A name of ``names`` may be ``*.example.org``, which stands for one label (RFC 9525, 6.3). ``alpn`` are the protocols that are offered, the preferred first (RFC 7301). Raises MachineFault, naming the file, when
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
        context = _context(ssl.PROTOCOL_TLS_SERVER, self._alpn)
        certificate, key = files
        try:
            for file in {certificate, key or certificate}:  # the library's error does not name the file
                with open(file, "rb"):
                    pass
            context.load_cert_chain(certificate, key, _no_password)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            both = certificate if key is None else f"{certificate} and {key}"
            raise _unusable("certificate", both, error) from error
        return context

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        wanted = (name or "").lower()
        chosen = self._contexts.get(wanted) or self._contexts.get(f"*.{wanted.partition('.')[2]}")
        if chosen is not None:
            connection.context = chosen


class ClientTLS:
    """Whom a client trusts: the system's authorities, or those in the PEM file ``authorities``; or, when ``verify``
    is False, anybody, which protects against listeners but not against impostors.

    Raises MachineFault, naming the file, when the authorities cannot be used.
    """

    def __init__(
        self, *, authorities: str | None = None, verify: bool = True, alpn: Sequence[str] = ()
    ) -> None:
        self.context = context = _context(ssl.PROTOCOL_TLS_CLIENT, alpn)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif authorities is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            try:
                context.load_verify_locations(authorities)
            except (OSError, ValueError) as error:
                raise _unusable("authorities", authorities, error) from error


def _context(side: int, alpn: Sequence[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A handshake in the middle of a TLS 1.2 connection would let a write wait for input; nobody needs it.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _no_password() -> NoReturn:
    """Without it the library asks on the terminal, in the middle of a reload, and waits."""
    raise ValueError("the key is encrypted, and there is nobody to ask for its password")


def _unusable(what: str, file: str, error: OSError | ValueError) -> MachineFault:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return MachineFault(
            error.errno, f"cannot use the {what} in {error.filename or file}: {error.strerror}"
        )
    return MachineFault(
        f"cannot use the {what} in {file}: {reason(error) if isinstance(error, ssl.SSLError) else error}"
    )


def reason(error: ssl.SSLError) -> str:
    """What the library complains about, in words."""
    told = getattr(error, "verify_message", "")
    words = str(getattr(error, "reason", "") or error.strerror).replace("_", " ").lower()
    return f"{words}: {told}" if told else words
