"""STARTTLS: a connection that began in plain text goes on encrypted.

The two sides agree on it in words of their own protocol (RFC 3207 for mail, RFC 9051 for IMAP); then each calls
``start_tls``. **What was said before must not count after.** Whatever stands behind the agreement in plain text may
have been put there by somebody on the way, to be taken later for the peer's own word (CVE-2011-0411). So

* what the old protocol has in hand beyond the agreement ends the connection (``unread``; a FramedProtocol is asked);
* what the kernel still holds goes to the TLS library, for which it is no handshake;
* another protocol than the old one hears what is encrypted, and starts with nothing (RFC 3207, 4.2).
"""

from __future__ import annotations

from collections.abc import Callable

from poise.errors import ProgramFault, TLSError
from poise.limits import TLSLimits
from poise.net.certificates import ClientTLS, ServerTLS
from poise.net.framed import FramedProtocol
from poise.net.protocol import AnyProtocol, check_factory
from poise.net.stream import Stream
from poise.net.tls import TLSStream


def start_tls(
    stream: Stream,
    tls: ServerTLS | ClientTLS,
    factory: Callable[[], AnyProtocol],
    *,
    server_name: str | None = None,
    unread: bytes | bytearray = b"",
    limits: TLSLimits | None = None,
) -> None:
    """Go on with TLS; a new protocol from ``factory()`` hears ``connection_made`` with a TLSStream after the handshake.

    The side that was asked gives its ServerTLS, after it has written its consent, which still goes in plain text. The side that
    asked gives its ClientTLS and the ``server_name`` that the certificate must show, when it has read the consent.
    ``unread`` is what the old protocol has read beyond that: anything at all ends the connection. The old protocol hears no
    more but ``connection_lost`` when it does not come to TLS: TLSError, DeadlineExceeded, or what broke the connection. A stream
    that is closing, perhaps because the peer left before the consent was written, goes on doing so.

    Raises TypeError for what is no plain Stream, no factory, no TLS of either side, ValueError for no name of a server.
    """
    check_factory(factory)
    if not isinstance(stream, Stream):
        raise TypeError(f"TLS starts on a plain Stream, not on {stream!r}")
    if not isinstance(tls, ServerTLS | ClientTLS):
        raise TypeError(f"TLS needs a ServerTLS or a ClientTLS, not {tls!r}")
    if server_name is not None and isinstance(tls, ServerTLS):
        raise ValueError("a server has its name in its certificate: server_name is for the other side")
    if stream.is_closing():
        return
    old = stream.get_protocol()
    if unread or (isinstance(old, FramedProtocol) and old.framer.buffered):
        stream.fail(
            TLSError("plain text came behind the agreement to start TLS: anybody may have put it there")
        )
        return

    def another() -> AnyProtocol:
        made = factory()
        if made is old:
            raise ProgramFault("what was heard in plain text must not go on: TLS needs another protocol")
        return made

    layer = TLSStream(
        tls.context,
        another,
        server_side=isinstance(tls, ServerTLS),
        server_hostname=server_name,
        limits=limits,
        failed=lambda error: stream.reactor.call_last(old.connection_lost, error),
    )
    stream.set_protocol(layer)
    stream.resume_reading()
    layer.connection_made(stream)
