"""The TLS library on memory: cipher text goes in and comes out as bytes, and no socket is known here.

``ssl`` (OpenSSL) can do without a socket: it reads from one buffer in memory and writes to another. What it does with
them has corners, and they are all in this room:

* A memory buffer keeps the largest size that it ever had, for as long as the connection lives. So input is shown to
  the library piece by piece, and output is encrypted and taken away one record at a time, and both are small.
* Reading asks for the largest fragment that a record can hold, so nothing of a record stays in the library: what is
  hidden is whole records, and they are in our hands.
* ``unwrap()`` does not only say ``close_notify``, it also reads, and fails for good when it finds anything else
  than the peer's own. A half-closed connection goes on reading, so the input is kept away from it.
* A write may take a part only, if the library was built to do so: how much it took is what counts.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from poise.errors import TLSError, TLSTruncated
from poise.net.certificates import reason

RECORD = 16 * 1024  # bytes of plain text, the largest fragment of a record (RFC 8446, 5.1)
SENT = (
    4 * 1024
)  # bytes of plain text in a record that we make; measured: larger ones save no time, only 0.4 % of bytes
PIECE = 4 * 1024  # bytes of cipher text shown to the library at a time

NOTHING = memoryview(b"")

SPOKE_HTTP = "HTTP_REQUEST"
NOT_TRUSTED = "the other side does not trust our certificate"
NO_VERSION = "there is no version of TLS that both sides speak"
WORDS = {
    SPOKE_HTTP: "plain HTTP was spoken",
    "HTTPS_PROXY_REQUEST": "a proxy was asked for, in plain HTTP",
    "WRONG_VERSION_NUMBER": "what came is no TLS",
    "UNSUPPORTED_PROTOCOL": NO_VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": NO_VERSION,
    "NO_SHARED_CIPHER": "there is no cipher that both sides know",
    "TLSV1_ALERT_UNKNOWN_CA": NOT_TRUSTED,
    "SSLV3_ALERT_BAD_CERTIFICATE": NOT_TRUSTED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": NOT_TRUSTED,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": NOT_TRUSTED,
}
"""What most handshakes fail of, where the library's own words say it only to those who know the library."""

Buffer = bytes | bytearray | memoryview

KNOWN: dict[str, Callable[[ssl.SSLObject], Any]] = {
    "ssl_object": lambda tls: tls,
    "sslcontext": lambda tls: tls.context,
    "cipher": ssl.SSLObject.cipher,
    "compression": ssl.SSLObject.compression,
    "peercert": ssl.SSLObject.getpeercert,
    "alpn": ssl.SSLObject.selected_alpn_protocol,
    "version": ssl.SSLObject.version,
}
"""What can be asked once the handshake is done, by the names of ``get_extra_info``."""


class Engine:
    """One side of one connection. ``cut`` is set by whoever knows that no more input comes.

    Raises ValueError for a name that is none, and without one when the context wants to check it.
    """

    __slots__ = ("_input", "cut", "incoming", "outgoing", "tls")

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, server_name: str | None) -> None:
        if context.check_hostname and not server_name:
            # With a socket the library refuses this itself; without one it would take any trusted certificate.
            raise ValueError("whose certificate should it be? a server name is needed")
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self._input = NOTHING  # what the library has not been shown yet
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side, server_name)
        self.cut = False

    @property
    def hungry(self) -> bool:
        """Whether everything that came has been read, and reading again would find nothing."""
        return not (self._input or self.incoming.pending or self.cut)

    def feed(self, data: bytes) -> None:
        """Cipher text has come."""
        if not self._input and len(data) <= PIECE:
            self.incoming.write(data)  # shown at once: to be asked for it first would cost an exception
            return
        self._input = memoryview(b"".join((self._input, data)) if self._input else data)

    def handshake(self) -> bool:
        """Go on with it; True when it is done. Raises TLSError; what is to be told the peer is in ``output()``."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                if not self._show_more():
                    return False
            except ssl.SSLError as error:
                words = reason(error)
                if error.reason in WORDS:
                    words = f"{WORDS[error.reason]} ({words})"
                raise TLSError(f"the TLS handshake failed: {words}") from error
            else:
                return True

    def read(self) -> bytes | None:
        """The plain text of one record; ``b""`` after the peer's ``close_notify``, None while more must come first.

        Raises TLSTruncated when no more comes, TLSError for what is no good TLS.
        """
        while True:
            try:
                return self.tls.read(RECORD)
            except ssl.SSLWantReadError:
                if self._show_more():
                    continue
                if self.cut:
                    raise TLSTruncated("the connection ended without close_notify") from None
                return None
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise TLSError(f"what came is no good TLS: {reason(error)}") from error

    def encrypt(self, data: Buffer) -> bytes:
        """``data`` as records."""
        if 0 < len(data) <= SENT and isinstance(data, bytes):
            taken = self.tls.write(data)  # by far the most are one record, and need no views
            if taken == len(data):
                return self.outgoing.read()
            data = data[taken:]
        rest = memoryview(data).cast("B")
        records = []
        while rest:
            rest = rest[self.tls.write(rest[:SENT]) :]
            records.append(self.outgoing.read())
        return b"".join(records)

    def goodbye(self) -> bytes:
        """Our ``close_notify``: nothing may be encrypted after it, reading goes on (RFC 8446, 6.1)."""
        kept = self.incoming.read()
        try:
            self.tls.unwrap()
        except ssl.SSLError:  # it misses the peer's, which is read in its turn
            pass
        if kept:
            self._input = memoryview(b"".join((kept, self._input)))
        return self.output()

    def output(self) -> bytes:
        """What the library has to tell the peer by itself: the handshake, an alert, a key update; or ``b""``."""
        return self.outgoing.read() if self.outgoing.pending else b""

    def _show_more(self) -> bool:
        if not self._input:
            return False
        self.incoming.write(self._input[:PIECE])
        # An empty rest must not keep the memory of the whole.
        self._input = self._input[PIECE:] if len(self._input) > PIECE else NOTHING
        return True


def spoke_http(error: Exception) -> bool:
    """Whether a handshake failed with ``error`` because the client began with a request in plain HTTP."""
    cause = error.__cause__
    return isinstance(cause, ssl.SSLError) and cause.reason == SPOKE_HTTP
