"""Who may see the page: every request is held against this before anything else is thought of.

What it protects from, on a machine where other users and other web pages are:

* **A page on the Internet that points its own name at us** (DNS rebinding) can make a browser send anything but another
  Host than its own name: so only names that cannot be anybody else's are answered, as everywhere in Poise
  (:mod:`poise.http.hosts`), and addresses only when they are the one that was connected to.
* **Any other page in the same browser** has its requests carry an Origin: it has to be ours, which means the Host that was
  just found to be one of ours. To compare the two alone would prove nothing.
* **Any other program of the machine** does not know the token. It is needed for all that says something of the program that
  is watched. The page itself says nothing, and a browser could not send a token for it; it finds it behind ``#`` in its own
  address, which browsers send to nobody, and then asks with it.

Where nothing can be done but to look, there is no other method than GET and HEAD. What something is posted to needs the token
*and* an Origin that is ours: a page's own script sends both, and nobody else's can.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import NamedTuple

from poise.http import hosts
from poise.wire.http.head import RequestHead

SCHEME = "Bearer"
READING = ("GET", "HEAD")
SECRET = ("/feed", "/records")
"""What needs the token in the live view."""


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: int
    text: str
    fields: tuple[tuple[str, str], ...] = ()


class Gate:
    """Lets requests pass that name us by one of ``names`` or a local one, and bring the ``token`` where it is needed.

    That is for the paths in ``secret``, and for those in ``acting``, which are the only ones that something is posted to.
    """

    def __init__(
        self,
        token: str,
        names: Iterable[str] = (),
        *,
        secret: Iterable[str] = SECRET,
        acting: Iterable[str] = (),
    ) -> None:
        self._token = token.encode()
        self._acting = frozenset(acting)
        self._secret = self._acting.union(secret)
        self._names = frozenset(hosts.name_of(name) for name in names)

    def refusal(self, head: RequestHead, local: str) -> Refusal | None:
        """None when ``head`` may pass that came to the address ``local`` (without its port; IPv6 without brackets)."""
        allowed = ("POST",) if head.path in self._acting else READING
        if head.method not in allowed:
            return Refusal(405, f"here one can only {' or '.join(allowed)}", (("Allow", ", ".join(allowed)),))
        if head.host is None or not self._ours(head.host, local):
            return Refusal(421, "this server is not called that")
        origin = head.fields.get("Origin")
        needless = origin is None and head.path not in self._acting
        if not needless and (origin or "").lower() != f"http://{head.host}":
            return Refusal(403, "pages of other origins may not look here")
        if head.path in self._secret and not self._knows(head.fields.get_all("Authorization")):
            challenge = (("WWW-Authenticate", SCHEME),)
            return Refusal(
                401, "the token is missing or wrong: open the whole address that was printed", challenge
            )
        return None

    def _ours(self, host: str, local: str) -> bool:
        name = hosts.name_of(host)
        if name in self._names or name.strip("[]") == local:
            return True
        return is_loopback(local) and hosts.is_local(host)

    def _knows(self, given: tuple[str, ...]) -> bool:
        scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        right = hmac.compare_digest(token.strip().encode("latin-1"), self._token)
        return right and scheme.lower() == SCHEME.lower()


def is_loopback(address: str) -> bool:
    """Whether only this machine can connect to it."""
    return address.startswith("127.") or address == "::1"
