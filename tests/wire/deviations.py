"""Where we decide otherwise than a record of the shared data expects, and why: every deviation there is.

A test fails for each one that is no longer needed.
"""

from __future__ import annotations

FRAGMENT = "no form of a request target has a fragment (RFC 9112 section 3.2); where it begins is not guessed"
CODINGS = (
    "no coding but chunked is undone here, so a list with another one is answered 501 (RFC 9112 section 6.1)"
)
FOLDED = "valid only with an option of gunicorn's that permits obsolete line folding; RFC 9112 section 5.2 says 400"
PROXY = "valid only with an option of gunicorn's that expects the PROXY protocol before the request"
USERINFO = "RFC 9110 section 4.2.4: userinfo in an http URL is to be treated as an error"
TUNNEL = "this server opens no tunnels: CONNECT is answered 501 (RFC 9110 section 9.3.6)"
METHOD = (
    "the method is a token, and unknown methods are the concern of the layer above, which answers 405 or 501"
)
LENGTH = "gunicorn has a limit for each line; here the request line may have 8 KiB and the whole head 32 KiB"
OPTION = "invalid only with an option of gunicorn's that has no counterpart here"
UNDERSCORE = "the name is a token, and it is not the framing field: nothing here maps _ to -"
FIRST = "the first request is whole and right and is answered; what follows it gets no second reply"
OTHER_PROTOCOL = "this is another protocol: only HTTP/1.x is spoken here"

DEVIATIONS: dict[str, str] = {
    # gunicorn, marked valid
    "valid/005": FRAGMENT,
    "valid/025": CODINGS,
    "valid/025_line": CODINGS,
    "valid/028": "valid only with an option of gunicorn's that strips spaces before a colon; RFC 9112 section 5.1 says 400",
    "valid/029": CODINGS,
    "valid/030": CODINGS,
    "valid/compat_obs_fold": FOLDED,
    "valid/compat_obs_fold_huge": FOLDED,
    "valid/pp_01": PROXY,
    "valid/pp_02": PROXY,
    "valid/pp_04": PROXY,
    "valid/pp_05": PROXY,
    "valid/rfc9112_smuggle_gzip_chunked_01": CODINGS,
    "valid/rfc9112_smuggle_te_identity_chunked_01": CODINGS,
    "valid/rfc9112_target_absolute_userinfo_01": USERINFO,
    "valid/rfc9112_target_authority_connect_01": TUNNEL,
    "valid/rfc9112_target_authority_ipv6_01": TUNNEL,
    # gunicorn, marked invalid
    "invalid/003c": METHOD,
    "invalid/006": LENGTH,
    "invalid/007": LENGTH,
    "invalid/008": LENGTH,
    "invalid/010": OPTION,
    "invalid/012": OPTION,
    "invalid/017": LENGTH,
    "invalid/019": OPTION,
    "invalid/040": UNDERSCORE,
    "invalid/041": "Content-Type decides nothing about framing; which of two is meant is the concern of the layer above",
    "invalid/chunked_07": UNDERSCORE,
    "invalid/limit_header_default_01": LENGTH,
    # llhttp, marked valid
    "method/CONNECT request": TUNNEL,
    "method/CONNECT request with CAPS": TUNNEL,
    "method/CONNECT with body": TUNNEL,
    "method/M-SEARCH request": "only OPTIONS asks for * (RFC 9112 section 3.2.4); M-SEARCH is SSDP, which lives on UDP",
    "method/SOURCE request with ICE": OTHER_PROTOCOL,
    "method/OPTIONS request with RTSP": OTHER_PROTOCOL,
    "method/ANNOUNCE request with RTSP": OTHER_PROTOCOL,
    "sample/No HTTP version": "HTTP/0.9 has no status line to refuse with and no framing: 400",
    "transfer-encoding/POST with `chunked` as last transfer-encoding": CODINGS,
    "transfer-encoding/POST with `chunked` as last transfer-encoding (multiple headers)": CODINGS,
    "uri/Fragment in URI": FRAGMENT,
    "uri/Underscore in hostname": TUNNEL,
    "uri/`host:port` and basic auth": USERINFO,
    # llhttp, marked invalid
    "connection/No restart when keep-alive is off (1.0)": FIRST,
    "connection/Resetting flags when keep-alive is off (1.0, lenient)": FIRST,
    "connection/CRLF between requests, implicit `keep-alive`": FIRST,
    "invalid/HTTP protocol and ANNOUNCE method": METHOD,
    "invalid/Invalid method": METHOD,
    "lenient-headers/Second request header value (lenient)": FIRST,
}
