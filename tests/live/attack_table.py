"""The attack cases of SECURITY.md as bytes: what is sent, and which statuses may come back.

``case`` is the number in that list. A 400 says that the request was no good, a 404 that there is nothing of the kind.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = (400, 404)


@dataclass(frozen=True, slots=True)
class Shape:
    """``raw`` is a request target in :data:`PATHS` and a whole byte stream elsewhere."""

    case: int
    raw: bytes
    status: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.case}-{self.raw[:48]!a}"


def paths(case: int, *targets: str | bytes, status: tuple[int, ...] = NOTHING) -> list[Shape]:
    return [Shape(case, each.encode() if isinstance(each, str) else each, status) for each in targets]


PATHS = [
    *paths(
        1,
        "/../../etc/passwd",
        "/../secret.txt",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/%2e%2e/secret.txt",
        "/..%2f..%2fetc/passwd",
        "/..%2fsecret.txt",
        "/.%2e/secret.txt",
        "/%2e./secret.txt",
        "/a/..%2f..%2fx",
        "/public/..%2f..%2fx",
        "/public/../../x",
        "/public/%2e%2e/%2e%2e/x",
        "/../root/../secret.txt",
        "/..",
        "/%2e%2e",
        "/" + "../" * 300 + "etc/passwd",
        "http://localhost/../secret.txt",
        "../secret.txt",
        "..%2fsecret.txt",
    ),
    # Inside the root ".." is what it says; it may come back to where it began and no higher.
    *paths(1, "/public/../page.html", "/public/./page.html", status=(200,)),
    *paths(
        2,
        "/.%252e/.%252e/etc/passwd",
        "/%252e%252e/secret.txt",
        "/..%252fsecret.txt",
        "/%25%32%65%25%32%65/x",
    ),
    *paths(
        3,
        "/public/..%2f.hidden/secret",
        "/.hidden%2fsecret",
        "//.hidden/secret",
        "/%2ehidden/secret",
        "/./.hidden/secret",
    ),
    *paths(
        4,
        "/..%5c..%5cx",
        "/..%5csecret.txt",
        "/private%5csecret.txt",
        "/private\\secret.txt",
        "/..\\secret.txt",
    ),
    *paths(5, "/PUBLIC/page.html", "/.HIDDEN/secret", "/%2Ehidden/secret"),
    *paths(5, "/%70ublic/p%61ge.html", status=(200,)),
    *paths(6, "/../root_private/x", "/..%2froot_private/x", "/%2e%2e/root_private/x", "/../root_private"),
    *paths(
        7,
        "/public../secret.txt",
        "/public..%2f..%2fsecret.txt",
        "/public../../../secret.txt",
        "/with-index../x",
    ),
    *paths(
        8,
        "//etc/passwd",
        "///etc/passwd",
        "/%2fetc/passwd",
        "/%2f%2fetc%2fpasswd",
        "/c:/x",
        "/c:c:c:foo",
        "/%5c%5chost%5cshare",
        "/CON",
        "/NUL",
        "/X:/cgi-bin/x",
        "/file:///etc/passwd",
        "file:///etc/passwd",
    ),
    *paths(
        9,
        "/..%20/x",
        "/.. ./x",
        "/public/page.html.",
        "/page.html%20",
        "/page.html::$DATA",
        "/public:$I30:$INDEX_ALLOCATION",
        "/PUBLIC~1/page.html",
        "/.../x",
    ),
    *paths(
        10,
        "/page.html%00.jpg",
        "/%00",
        "/page.html%00",
        "/\0page.html",
        "/page.html\0",
        "/%00/../secret.txt",
        status=(400,),
    ),
    *paths(11, b"/x \0/../secret.txt", b"/a b", b"/page.html ", b"/ HTTP/1.1 /../secret.txt", status=(400,)),
    *paths(
        12,
        "/%ff",
        "/%c0%ae%c0%ae/secret.txt",
        "/%c0%ae%c0%ae%c0%afsecret.txt",
        "/%e0%80%ae%e0%80%ae/secret.txt",
        "/%zz",
        "/%",
        "/%2",
        "/%u002e%u002e/secret.txt",
        "/%٢e",
        b"/\xff",
        b"/\xc0\xae\xc0\xae/secret.txt",
    ),
    *paths(
        15, "/page.html/", "/page.html/.", "/page.html/x", "/public/page.html//", "/page.html/../secret.txt"
    ),
    *paths(15, "/dir/", status=(200,)),  # a folder that is called index.html is no index file: the listing
    *paths(15, "/dir/index.html", status=(301,)),
    *paths(
        16,
        "/link-to-file",
        "/link-to-folder",
        "/link-to-folder/",
        "/link-to-folder/secret.txt",
        "/link-to-folder/sub/",
        "/link-to-absolute",
        "/link-through-root",
        "/link-to-proc/etc/passwd",
        "/link-to-proc/",
        "/with-index/index.html",
    ),
    *paths(16, "/with-index/", status=(200,)),  # an index that leads outside is none: the listing, without it
    *paths(16, "/link-inside", status=(200,)),
]


def bad(case: int, *raws: bytes, status: tuple[int, ...] = (400,)) -> list[Shape]:
    return [Shape(case, raw, status) for raw in raws]


def head(*lines: bytes, method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" / HTTP/1.1", b"Host: localhost", *lines, b"", b""])


def chunked(body: bytes) -> bytes:
    return head(b"Transfer-Encoding: chunked") + body


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

BAD_REQUESTS = [
    *bad(
        26,
        head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + SMUGGLED,
        head(b"Transfer-Encoding: chunked", b"Content-Length: 44") + b"0\r\n\r\n" + SMUGGLED,
        head(b"Content-Length: 5", b"Content-Length: 6") + b"hello!" + SMUGGLED,
        head(b"Content-Length: 5, 6") + b"hello!" + SMUGGLED,
        *(
            head(b"Content-Length: " + value) + b"0123456789" + SMUGGLED
            for value in (
                b"+10",
                b"-1",
                b"1 0",
                b"0x1",
                b"1_0",
                b"1e1",
                b"\xd9\xa1\xd9\xa0",
                b"",
                b"10;",
                b"10.0",
                b"a",
            )
        ),
    ),
    *bad(26, head(b"Content-Length: 99999999999999999999999999"), status=(400, 413)),
    *bad(26, head(b"Content-Length: " + b"9" * 5000), status=(400, 413)),
    *bad(
        27,
        *(
            head(b"Transfer-Encoding: " + value) + b"0\r\n\r\n" + SMUGGLED
            for value in (
                b"xchunked",
                b"chunked, identity",
                b"gzip, chunked",
                b"chunked, chunked",
                b"\x0bchunked",
                b"chunked\x0b",
                b",",
                b"",
            )
        ),
        head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + SMUGGLED,
        head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity") + b"0\r\n\r\n" + SMUGGLED,
        b"GET / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        status=(400, 501),
    ),
    *bad(
        28,
        *(
            chunked(body + SMUGGLED)
            for body in (
                b"0x5\r\nhello\r\n0\r\n\r\n",
                b"+5\r\nhello\r\n0\r\n\r\n",
                b"-5\r\nhello\r\n0\r\n\r\n",
                b"5_0\r\nhello\r\n0\r\n\r\n",
                b" 5\r\nhello\r\n0\r\n\r\n",
                b"5 \r\nhello\r\n0\r\n\r\n",
                b"\r\nhello\r\n0\r\n\r\n",
                b"g\r\nhello\r\n0\r\n\r\n",
                b"5;a\nb\r\nhello\r\n0\r\n\r\n",
                b"5;a\0\r\nhello\r\n0\r\n\r\n",
                b"5\nhello\n0\n\n",
                b"5\r\nhelloX0\r\n\r\n",
                b"5\r\nhello0\r\n\r\n",
                b"5\r\nhello\n0\r\n\r\n",
                b"0\r\nContent-Length: 5\r\n\r\n",
                b"0\r\nnot a field\r\n\r\n",
            )
        ),
    ),
    *bad(
        28,
        chunked(b"1" * 17 + b"\r\n"),
        chunked(b"f" * 16 + b"\r\n"),
        chunked(b"7fffffffffffffff\r\n"),
        chunked(b"80000000\r\n"),
        chunked(b"5;" + b"a" * 100_000),
        chunked(b"1;a=b\r\nx\r\n" * 20_000),
        chunked(b"0\r\n" + b"a: b\r\n" * 20_000),
        chunked(b"fffff\r\n" + b"x" * 0xFFFFF + b"\r\nfffff\r\n" + b"x" * 0xFFFFF),
        status=(400, 413, 431),
    ),
    *bad(
        29,
        b"GET / HTTP/1.1\nHost: localhost\n\n",
        head(b"X: a\nContent-Length: 0"),
        head(b"X: a\rContent-Length: 0"),
        head(b"X: a", b" folded"),
        head(b"X: a", b"\tfolded"),
        b"GET / HTTP/1.1\r\n folded: x\r\nHost: localhost\r\n\r\n",
        head(b"X : a"),
        head(b"X\t: a"),
        head(b": a"),
        head(b"no colon"),
        head(b"X: a\0b"),
        head(b"X: a\x01b"),
        head(b"X: a\x7fb"),
        head(b"X: \x1b[31m"),
        head(b"X\0: a"),
        head(b"X\x80: a"),
        head(b"(X): a"),
    ),
    # A head that never ends is no head yet: the deadline ends it.
    *bad(
        29,
        b"GET / HTTP/1.1\rHost: localhost\r\r",
        b"GET / HTTP/1.1\r\nHost: localhost\n\r\n",
        status=(400, 408),
    ),
    *bad(
        31,
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\n\r\n",
        *(
            b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
            for host in (
                b"localhost/x",
                b"a@localhost",
                b"local host",
                b"localhost, evil.com",
                b"localhost:x",
                b"localhost:99999999",
                b"localhost:-1",
                b"local\x01host",
                b"[::1",
                b"::1",
                b"localhost?x",
                b"local\\host",
            )
        ),
        b"GET http://a@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http:///x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
    *bad(
        32, b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n" + SMUGGLED, status=(400, 405, 501)
    ),
    *bad(
        32,
        b"GET /\r\n",
        b"GET /\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        status=(400,),
    ),
    *bad(
        32,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
        status=(400, 505),
    ),
    *bad(
        32, b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1 junk\r\nHost: localhost\r\n\r\n"
    ),
    *bad(
        32,
        b"GET / http/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.10\r\nHost: localhost\r\n\r\n",
        status=(400, 505),
    ),
    *bad(
        32,
        b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"a" * 65536,
        status=(414,),
    ),
    *bad(32, b"A" * 65536, status=(400, 414)),
    *bad(
        32,
        head(b"X: " + b"a" * 65536),
        head(*[b"X%d: a" % n for n in range(10_000)]),
        head(*[b"X: a"] * 10_000),
        status=(431,),
    ),
    *bad(32, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: y", b"GET / HT", status=(408,)),
]

TWO = b"GET /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n"


def several(case: int, raw: bytes, *status: int) -> Shape:
    return Shape(case, raw, status)


PIPELINED = [
    # 30: a body is a body, however much it looks like a request.
    several(30, head(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED, 200),
    several(30, head(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED + TWO, 200, 200),
    several(30, head(b"Content-Length: %d" % len(SMUGGLED), method=b"HEAD") + SMUGGLED + SMUGGLED, 200, 404),
    several(30, chunked(b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n") + SMUGGLED, 200, 404),
    several(30, head(b"Content-Length: %d" % len(SMUGGLED), method=b"POST") + SMUGGLED, 405),
    several(26, head(b"Content-Length: 0") + TWO, 200, 200),
    several(28, chunked(b"5;ext=1\r\nhello\r\n0\r\nTrailer: x\r\n\r\n") + TWO, 200, 200),
    # 31: the host of an absolute target is the one that counts; a foreign one is not served on loopback.
    several(31, b"GET http://localhost/ HTTP/1.1\r\nHost: evil.com\r\n\r\n", 200),
    several(31, b"GET http://evil.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 421),
    several(31, b"GET / HTTP/1.1\r\nHost: evil.com\r\n\r\n", 421),
    several(31, b"GET / HTTP/1.1\r\nHost: localhost.evil.com\r\n\r\n", 421),
    several(32, b"TRACE / HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\n\r\n", 405),
    several(32, b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
    # 33: nobody asked for a body, so no 100 is needed; with one, the 100 comes first and is not counted here.
    several(33, head(b"Expect: 100-continue") + TWO, 200, 200),
    several(33, head(b"Expect: 100-continue", b"Content-Length: 5") + b"hello" + TWO, 200, 200),
    several(33, head(b"Expect: 200-ok"), 417),
    several(33, TWO * 1000, *[200] * 1000),
]
