"""The grammar of HTTP/1.1, rule by rule under the names of RFC 9110, RFC 9112 and RFC 3986.

Everything here matches *text that was decoded as latin-1*, so that one character is one octet, and is meant
for ``fullmatch``. Repetitions are possessive (``*+``): what they took they never give back, so each of these
patterns reads its input once, whatever an attacker writes into it. Only :data:`IPv6address` tries again, and it
never looks at more than forty-five characters.

Two rules differ from the letter of the RFC on purpose, and say so: :data:`request_target` and
:data:`reg_name`.
"""

from __future__ import annotations

from poise.wire.pattern import pattern

# RFC 9110 section 5.6
tchar = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
token = rf"{tchar}++"
TCHARS = frozenset(
    bytes((octet,))
    for octet in b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)
"""Each octet that :data:`tchar` means: to ask of one alone needs no pattern."""
OWS = r"[ \t]*+"
BWS = OWS
obs_text = r"\x80-\xff"
qdtext = rf"[\t \x21\x23-\x5b\x5d-\x7e{obs_text}]"
quoted_pair = rf"\\[\t \x21-\x7e{obs_text}]"
quoted_string = rf'"(?:{qdtext}|{quoted_pair})*+"'

# RFC 9110 section 5.5; the whitespace around a value is taken along here and stripped afterwards, because a
# pattern that looks for the end of a value inside its spaces costs the square of their number.
field_content = rf"[\t \x21-\x7e{obs_text}]*+"
field_line = rf"{token}:{field_content}"

# RFC 9112 section 3. RFC 3986 leaves out the characters " < > [ \ ] ^ ` { | }. Browsers send several of them
# as they are (the URL standard does not escape "|" and "[" in a path), so they are let through; what they
# mean is for the layer that maps targets to things. "#" is not: no form of a request target has a fragment,
# and to guess where it ends is dangerous.
request_target = r"[!\"$-~]++"
http_version_1 = r"HTTP/1\.[0-9]"
REQUEST_LINE = pattern(rf"({token}) ({request_target}) HTTP/1\.([0-9])")
OTHER_VERSION = pattern(rf"{token} {request_target} HTTP/[0-9]\.[0-9]")
WITHOUT_VERSION = pattern(rf"{token} {request_target}")

FIELD_LINE = pattern(field_line)
FIELD_BLOCK = pattern(rf"(?:{field_line}\r\n)*+\r\n")
# Cuts a block that FIELD_BLOCK has matched into names and values; it proves nothing by itself. A class of one
# excluded character is what the engine scans fastest.
FIELDS = pattern(r"([^:]++):([^\r]*+)\r\n")
TOKEN = pattern(token)

# RFC 9110 section 8.6. Nineteen digits are more than any storage, and fit into 64 bits.
CONTENT_LENGTH = pattern(r"[0-9]{1,19}")

# RFC 3986 section 3.2.2
h16 = r"[0-9A-Fa-f]{1,4}"
dec_octet = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPv4address = rf"(?:{dec_octet}\.){{3}}{dec_octet}"
ls32 = rf"(?:{h16}:{h16}|{IPv4address})"
IPv6address = "|".join(
    (
        rf"(?:{h16}:){{6}}{ls32}",
        rf"::(?:{h16}:){{5}}{ls32}",
        rf"(?:{h16})?::(?:{h16}:){{4}}{ls32}",
        rf"(?:(?:{h16}:){{0,1}}{h16})?::(?:{h16}:){{3}}{ls32}",
        rf"(?:(?:{h16}:){{0,2}}{h16})?::(?:{h16}:){{2}}{ls32}",
        rf"(?:(?:{h16}:){{0,3}}{h16})?::{h16}:{ls32}",
        rf"(?:(?:{h16}:){{0,4}}{h16})?::{ls32}",
        rf"(?:(?:{h16}:){{0,5}}{h16})?::{h16}",
        rf"(?:(?:{h16}:){{0,6}}{h16})?::",
    )
)
IPvFuture = r"[vV][0-9A-Fa-f]++\.[0-9A-Za-z\-._~!$&'()*+,;=:]++"
# Without the comma that RFC 3986 allows: two Host fields joined by an intermediary look like one name with a
# comma. And not empty: RFC 9110 section 4.2.1 makes an http URI with an empty host invalid.
reg_name = r"(?:[0-9A-Za-z\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})++"
uri_host = rf"(?:\[(?:{IPv6address}|{IPvFuture})\]|{reg_name})"
port = r"[0-9]{0,5}+"
# RFC 9110 section 7.2: Host = uri-host [ ":" port ]
HOST = pattern(rf"{uri_host}(?::({port}))?")
# Nearly all of them, by a pattern that is quick to make and to match.
PLAIN_HOST = pattern(r"[0-9A-Za-z\-.]++(?::(?:[1-5][0-9]{4}|6[0-4][0-9]{3}|[0-9]{0,4}))?+")
# RFC 9112 section 3.2.3: authority-form = uri-host ":" port
AUTHORITY_FORM = pattern(rf"{uri_host}:{port}")
# RFC 9112 section 3.2.2, for the two schemes of RFC 9110; no userinfo (RFC 9110 section 4.2.4). The authority
# is checked by HOST.
ABSOLUTE_FORM = pattern(r"[hH][tT][tT][pP][sS]?://([^/?]++)([^?]*+)(?:\?(.*+))?")

# RFC 9112 section 7.1. Sixteen digits hold any size that a 64-bit machine knows.
chunk_ext_val = rf"(?:{token}|{quoted_string})"
chunk_ext = rf"(?:{BWS};{BWS}{token}(?:{BWS}={BWS}{chunk_ext_val})?+)*+"
CHUNK_LINE = pattern(rf"([0-9A-Fa-f]{{1,16}}+)({chunk_ext})")
