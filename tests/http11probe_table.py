"""The http11probe records without a machine verdict, turned into checks by hand.

Each has a text such as "400 or 2xx" that leaves the choice to the server. Here stands which choice is ours:
what the parser alone comes to, and what a file server may answer. Two kinds of test read it: the parser's,
which answers every whole request with 200, and the live server's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What may happen when the record's bytes arrive on a fresh connection.

    ``parser``: the status that the parser alone comes to; None: it waits for more. ``status``: what a server
    of files (or one that answers everything with 200) may answer. ``close_ok``: to end the connection without
    any answer, at once or by a deadline, is right too. ``closes``: the connection ends after the answer.
    ``fields`` and ``without``: names that the reply must have and must not have.
    """

    parser: int | None
    status: frozenset[int]
    close_ok: bool = False
    closes: bool = False
    fields: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def refused(status: int) -> Outcome:
    """The parser refuses: exactly this status, and the connection closes."""
    return Outcome(status, frozenset((status,)), closes=True)


def waits(*status: int) -> Outcome:
    """The message is not whole: the server waits until a deadline ends the connection."""
    return Outcome(None, frozenset(status or (400, 408)), close_ok=True, closes=True)


def served(
    *status: int, closes: bool = False, fields: tuple[str, ...] = (), without: tuple[str, ...] = ()
) -> Outcome:
    """The parser hands the request on, and this is what the layers above may make of it."""
    return Outcome(200, frozenset(status), closes=closes, fields=fields, without=without)


PAGE = served(200)
POSTED = served(200, 405)  # a folder takes no POST; a server that does takes these
NOT_HERE = served(200, 404)
UNKNOWN_METHOD = served(405, 501)

OUTCOMES: dict[str, Outcome] = {
    # Lines and their ends
    "RFC9112-2.2-BARE-LF-REQUEST-LINE": refused(400),
    "RFC9112-2.2-BARE-LF-HEADER": refused(400),
    "RFC9112-3-MULTI-SP-REQUEST-LINE": refused(400),
    "COMP-REQUEST-LINE-TAB": refused(400),
    "COMP-LEADING-CRLF": refused(400),  # two empty lines; one is ignored (RFC 9112 section 2.2)
    "MAL-WHITESPACE-ONLY-LINE": refused(400),
    "MAL-INCOMPLETE-REQUEST": waits(),
    "MAL-BINARY-GARBAGE": refused(400),
    # Versions and methods
    "RFC9112-2.3-INVALID-VERSION": refused(505),
    "RFC9112-2.3-HTTP09-REQUEST": refused(400),
    "MAL-H2-PREFACE": refused(505),
    "COMP-HTTP12-VERSION": PAGE,
    "COMP-HTTP10-NO-HOST": PAGE,
    "COMP-HTTP10-DEFAULT-CLOSE": served(200, closes=True),
    "COMP-CONNECTION-CLOSE": served(200, closes=True),
    "COMP-METHOD-CASE": UNKNOWN_METHOD,
    "COMP-METHOD-CONNECT": refused(501),
    "COMP-METHOD-TRACE": UNKNOWN_METHOD,
    "COMP-TRACE-WITH-BODY": UNKNOWN_METHOD,
    "COMP-TRACE-SENSITIVE": served(405, 501, without=("authorization",)),
    "COMP-UNKNOWN-METHOD": UNKNOWN_METHOD,
    "COMP-405-ALLOW": served(405, fields=("allow",)),
    "COMP-OPTIONS-ALLOW": served(200, 204, fields=("allow",)),
    "COMP-HEAD-NO-BODY": PAGE,
    # Targets and hosts
    "RFC9112-3.2-FRAGMENT-IN-TARGET": refused(400),
    "COMP-ABSOLUTE-FORM": PAGE,
    # The target's host is the one that counts (RFC 9112 section 3.2.2); a server that knows its own names may
    # refuse it.
    "SMUG-ABSOLUTE-URI-HOST-MISMATCH": served(200, 400, 403, 421),
    "MAL-URL-BACKSLASH": served(400, 404),
    "MAL-URL-PERCENT-NULL": served(400, 404),
    "MAL-URL-PERCENT-CRLF": served(400, 404),
    # In the record these two have lost the bytes above 0x7F that they are about: what is left asks for /caf
    # and for /.
    "MAL-NON-ASCII-URL": served(404),
    "MAL-URL-OVERLONG-UTF8": PAGE,
    # Fields
    "MAL-CONTROL-CHARS-HEADER": refused(400),
    "MAL-NON-ASCII-HEADER-NAME": refused(400),
    "MAL-NUL-IN-HEADER-VALUE": refused(400),
    "SMUG-BARE-CR-HEADER-VALUE": refused(400),
    "NORM-SP-BEFORE-COLON-CL": refused(400),
    "NORM-TAB-IN-NAME": refused(400),
    "NORM-UNDERSCORE-CL": served(200, 404, 405),  # a field of another name: it frames nothing
    "NORM-UNDERSCORE-TE": served(200, 404, 405),
    "NORM-CASE-TE": refused(400),
    "COMP-EXPECT-UNKNOWN": refused(417),
    "COMP-DUPLICATE-CT": POSTED,
    "COMP-POST-UNSUPPORTED-CT": POSTED,
    "COMP-ACCEPT-NONSENSE": PAGE,
    "COMP-RANGE-POST": POSTED,
    "COMP-RANGE-INVALID": served(200, 416),
    "MAL-RANGE-OVERLAPPING": served(200, 206, 400, 416),
    "COMP-UPGRADE-POST": POSTED,
    "COMP-UPGRADE-MISSING-CONN": PAGE,
    "COMP-UPGRADE-UNKNOWN": PAGE,
    "COMP-UPGRADE-INVALID-VER": PAGE,
    "COMP-UPGRADE-HTTP10": PAGE,
    "COOK-ECHO": NOT_HERE,
    "COOK-EMPTY": NOT_HERE,
    "COOK-MALFORMED": NOT_HERE,
    "COOK-MULTI-HEADER": NOT_HERE,
    "COOK-PARSED-BASIC": NOT_HERE,
    "COOK-PARSED-MULTI": NOT_HERE,
    "COOK-PARSED-EMPTY-VAL": NOT_HERE,
    "COOK-PARSED-SPECIAL": NOT_HERE,
    # Replies
    "COMP-DATE-HEADER": served(200, fields=("date",)),
    "COMP-DATE-FORMAT": served(200, fields=("date",)),
    "COMP-CONTENT-TYPE": served(200, fields=("content-type",)),
    "COMP-NO-CL-IN-204": served(200, 204),  # for 204 the test also checks that there is no Content-Length
    "COMP-NO-1XX-HTTP10": POSTED,
    # Content-Length
    "COMP-POST-CL-BODY": POSTED,
    "COMP-POST-CL-UNDERSEND": waits(400, 405, 408),
    "COMP-GET-WITH-CL-BODY": PAGE,
    "SMUG-HEAD-CL-BODY": PAGE,
    "SMUG-OPTIONS-CL-BODY": served(200, 204),
    "SMUG-EXPECT-100-CL": POSTED,
    "MAL-POST-CL-HUGE-NO-BODY": refused(413),
    "MAL-CL-TAB-BEFORE-VALUE": POSTED,
    "SMUG-CL-EXTRA-LEADING-SP": POSTED,
    "SMUG-CL-TRAILING-SPACE": POSTED,
    "SMUG-CL-LEADING-ZEROS": POSTED,  # the grammar is 1*DIGIT (RFC 9110 section 8.6), and it is decimal
    "SMUG-CL-LEADING-ZEROS-OCTAL": POSTED,
    "SMUG-CL-DOUBLE-ZERO": POSTED,
    "SMUG-CL-COMMA-SAME": refused(400),
    "SMUG-CL-COMMA-TRIPLE": refused(400),
    # Transfer-Encoding
    "COMP-UNKNOWN-TE-501": refused(501),
    "SMUG-TE-XCHUNKED": refused(400),
    "SMUG-TE-TRAILING-SPACE": refused(400),
    "SMUG-TE-DOUBLE-CHUNKED": refused(400),
    "SMUG-TE-CASE-MISMATCH": refused(400),
    "SMUG-TE-LEADING-COMMA": refused(400),
    "SMUG-TE-TRAILING-COMMA": refused(400),
    "SMUG-TE-IDENTITY": refused(400),
    "SMUG-TE-OBS-FOLD": refused(400),
    "SMUG-TE-TAB-BEFORE-VALUE": refused(400),
    "SMUG-TE-VTAB": refused(400),
    "SMUG-TE-FORMFEED": refused(400),
    "SMUG-TE-NULL": refused(400),
    "SMUG-TRANSFER_ENCODING": POSTED,
    "SMUG-CHUNKED-WITH-PARAMS": refused(400),
    "SMUG-CL-TE-BOTH": refused(400),
    "SMUG-CLTE-PIPELINE": refused(400),
    "SMUG-TECL-PIPELINE": refused(400),
    # Chunks and trailers
    "COMP-CHUNKED-BODY": POSTED,
    "COMP-CHUNKED-MULTI": POSTED,
    "COMP-CHUNKED-EXTENSION": POSTED,
    "COMP-CHUNKED-HEX-UPPERCASE": POSTED,
    "COMP-CHUNKED-TRAILER-VALID": POSTED,
    "COMP-CHUNKED-NO-FINAL": waits(400, 405, 408),
    "SMUG-CHUNK-EXT-LF": refused(400),
    "SMUG-CHUNK-EXT-CR": refused(400),
    "SMUG-CHUNK-EXT-CTRL": refused(400),
    "SMUG-CHUNK-LF-TERM": refused(400),
    "SMUG-CHUNK-BARE-CR-TERM": refused(400),
    "SMUG-CHUNK-LF-TRAILER": refused(400),
    "SMUG-TRAILER-CL": refused(400),
    "SMUG-TRAILER-TE": refused(400),
    "SMUG-TRAILER-HOST": refused(400),
    "SMUG-TRAILER-AUTH": POSTED,  # checked, kept apart from the head, and asked by nobody
    "SMUG-TRAILER-CONTENT-TYPE": POSTED,
}
