"""The questions that are asked of servers of files; the table is at the end."""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from bench import wrk
from bench.asking import PIECE, Reply, Unequal, agreed, ask, connected
from bench.load import Load
from bench.scenarios import KIB, MIB, Conditions, Scenario, compile_client
from bench.wrk import NUMBER

CERTIFICATE = "certificate.pem"  # and its key, in one file
AGREED = "TLSv1.3, TLS_AES_256_GCM_SHA384"  # what OpenSSL prefers, in wrk as in the servers


@dataclass(frozen=True, slots=True)
class Get(Scenario):
    """GET of one file, ``depth`` of them sent at once, with ``fields`` in the head; the answer has ``status``."""

    fields: tuple[str, ...] = wrk.BARE
    depth: int = 1
    status: int = 200

    unit: ClassVar[str] = "request"
    needs: ClassVar[tuple[str, ...]] = ("wrk",)

    @property
    def path(self) -> str:
        return f"/{self.name}.bin"

    def prepare(self, folder: Path) -> None:
        Scenario.prepare(self, folder)
        (folder / "site" / self.path[1:]).write_bytes(self.content())
        if self.conditions.tls:
            make_certificate(folder / CERTIFICATE)

    def heads(self, port: int) -> list[str]:
        return [wrk.head(port, self.path, self.fields)]

    def script(self, port: int) -> str:
        return wrk.fixed(self.heads(port)[0] * self.depth)

    def client(self, folder: Path, port: int, seconds: int) -> list[str]:
        script = folder / f"wrk-{port}.lua"
        script.write_text(self.script(port))
        threads = 2 if self.conditions.two_workers else 1
        command = ["wrk", "--threads", str(threads), "--connections", str(self.connections)]
        scheme = "https" if self.conditions.tls else "http"
        address = f"{scheme}://127.0.0.1:{port}/"  # the path is that of the script
        return [*command, "--duration", f"{seconds}s", "--script", str(script), address]

    def parse(self, text: str) -> Load:
        return self.judged(wrk.parse(text))

    def judged(self, load: Load) -> Load:
        """wrk counts as refused what has a status of 400 and more; a reply with a body where none belongs, and the
        other way round, is known by the bytes."""
        refused = load.requests - load.refused if self.status >= 400 else load.refused
        if self.status == 304 and load.bytes >= load.requests * self.size:
            refused = load.requests
        if self.status == 200 and load.bytes < load.requests * self.size:
            refused = load.requests
        return replace(load, refused=refused)

    def check(self, port: int) -> None:
        self.compare(self.ask(port), self.content() if self.status == 200 else None)

    def compare(self, reply: Reply, content: bytes | None) -> None:
        """``content`` is None where the body is the server's own affair."""
        if reply.status != self.status:
            raise Unequal(f"answered {reply.status}, not {self.status}")
        if content is not None and reply.body != content:
            raise Unequal(f"answered with {len(reply.body)} bytes, not the {len(content)} of the file")

    def ask(self, port: int) -> Reply:
        request = self.heads(port)[0].replace(NUMBER, "0" * 16)
        return ask(port, request, tls=self.conditions.tls)

    def plain_reply(self) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.size + self.content()

    def reply(self, port: int) -> bytes:
        return self.ask(port).raw


def make_certificate(file: Path) -> None:
    """A throw-away certificate and its key. The curve is the one that servers are told to use today."""
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*made, "-keyout", str(file), "-out", f"{file}.part"], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.part").read_text())
    file.chmod(0o644)  # a server started by root may have given up its rights


@dataclass(frozen=True, slots=True)
class Encrypted(Get):
    """Over TLS, the same version and cipher for all."""

    needs: ClassVar[tuple[str, ...]] = ("wrk", "openssl")

    def check(self, port: int) -> None:
        Get.check(self, port)
        if (found := agreed(port)) != AGREED:
            raise Unequal(f"agreed on {found}, not on {AGREED}")


@dataclass(frozen=True, slots=True)
class Many(Get):
    """Any of many files of ``size`` bytes to ``most``, asked for by three kinds of client."""

    most: int = 16 * KIB
    folders: int = 100
    files: int = 100  # in each folder

    @property
    def path(self) -> str:
        return f"/{NUMBER}.bin"

    def one(self, folder: int, file: int) -> bytes:
        rng = random.Random(f"{self.name} {folder} {file}")
        return rng.randbytes(rng.randint(self.size, self.most))

    def prepare(self, folder: Path) -> None:
        Scenario.prepare(self, folder)
        for outer in range(self.folders):
            inner = folder / "site" / f"{outer:02d}"
            inner.mkdir(mode=0o755)
            for file in range(self.files):
                (inner / f"{file:02d}.bin").write_bytes(self.one(outer, file))

    def heads(self, port: int) -> list[str]:
        return [wrk.head(port, self.path, fields) for fields in (wrk.BROWSER, wrk.CURL, wrk.BARE)]

    def script(self, port: int) -> str:
        return wrk.any_of(self.heads(port), self.folders, self.files)

    def check(self, port: int) -> None:
        for number, head in enumerate(self.heads(port)):
            folder, file = number % self.folders, self.files - 1 - number % self.files
            reply = ask(port, head.replace(NUMBER, f"{folder:02d}/{file:02d}"))
            self.compare(reply, self.one(folder, file))

    def reply(self, port: int) -> bytes:
        return ask(port, self.heads(port)[0].replace(NUMBER, "00/00")).raw


@dataclass(frozen=True, slots=True)
class Different(Get):
    """No head comes twice: a number in it is always another."""

    number_in_path: bool = False

    @property
    def path(self) -> str:
        return f"/{NUMBER}.bin" if self.number_in_path else f"/{self.name}.bin"

    def prepare(self, folder: Path) -> None:
        Scenario.prepare(self, folder)
        (folder / "site" / f"{self.name}.bin").write_bytes(self.content())

    def script(self, port: int) -> str:
        first = random.SystemRandom().randrange(10**5) * 10**10  # far from those of another round
        return wrk.numbered(self.heads(port)[0], first)


@dataclass(frozen=True, slots=True)
class Unchanged(Get):
    """What the client has is still right: it names the entity tag that the server itself gave."""

    def heads(self, port: int) -> list[str]:
        tag = ask(port, wrk.head(port, self.path, self.fields)).field("ETag")
        if tag is None:
            raise Unequal("sends no ETag")
        return [wrk.head(port, self.path, (*self.fields, f"If-None-Match: {tag}"))]


@dataclass(frozen=True, slots=True)
class Close(Get):
    """A connection for each request."""

    needs: ClassVar[tuple[str, ...]] = ("cc",)

    def prepare(self, folder: Path) -> None:
        Get.prepare(self, folder)
        compile_client("http_load", folder)

    def client(self, folder: Path, port: int, seconds: int) -> list[str]:
        request = folder / f"request-{port}"
        request.write_text(self.heads(port)[0], newline="")
        numbers = (port, self.connections, seconds, self.status, self.way)
        return [str(folder / "http_load"), *map(str, numbers), str(request)]

    @property
    def way(self) -> str:
        return "close"


@dataclass(frozen=True, slots=True)
class Download(Close):
    """A file that is too large for any buffer: ``size`` bytes, which are the same MiB again and again."""

    unit: ClassVar[str] = "MiB"

    @property
    def way(self) -> str:
        return "keep"

    def piece(self) -> bytes:
        return random.Random(self.name).randbytes(PIECE)

    def prepare(self, folder: Path) -> None:
        Scenario.prepare(self, folder)
        compile_client("http_load", folder)
        if shutil.disk_usage(folder).free < 2 * self.size:
            raise Unequal(f"there is no room for a file of {self.size} bytes in {folder}")
        piece = self.piece()
        with (folder / "site" / self.path[1:]).open("wb") as file:
            for _ in range(self.size // PIECE):
                file.write(piece)

    def plain_reply(self) -> bytes:
        return b""  # nobody holds it in memory

    def parse(self, text: str) -> Load:
        """In MiB: a round may well end in the middle of a file."""
        load = wrk.parse(text)
        return replace(load, requests=load.bytes // MIB)

    def check(self, port: int) -> None:
        """Every byte of it, without holding them all."""
        piece, begun = self.piece(), b""
        with connected(port) as connection, connection.makefile("rb") as stream:
            connection.sendall(self.heads(port)[0].encode())
            while not begun.endswith(b"\r\n\r\n"):
                line = stream.readline()
                if not line:
                    raise Unequal("ended before the file began")
                begun += line
            reply = Reply(begun)
            if (reply.status, reply.field("Content-Length")) != (200, str(self.size)):
                raise Unequal(f"answered {reply.status} with {reply.field('Content-Length')} bytes")
            for number in range(self.size // PIECE):
                if stream.read(PIECE) != piece:
                    raise Unequal(f"the MiB number {number} is another than in the file")

    def reply(self, port: int) -> bytes:
        """Only its head is of use to anybody."""
        with connected(port) as connection:
            connection.sendall(self.heads(port)[0].encode())
            return connection.recv(PIECE).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Start(Get):
    """From the start of the program to the first byte of a reply; ``bench/starting.py`` measures it."""

    unit: ClassVar[str] = "start"
    needs: ClassVar[tuple[str, ...]] = ()

    def client(self, folder: Path, port: int, seconds: int) -> list[str]:  # noqa: ARG002 - the bench asks itself
        return []


# --- the table --------------------------------------------------------------------------------------------

C_SERVERS = ("poise", "lighttpd", "nginx-cache", "nginx")
NGINX = ("poise", "nginx-cache", "nginx")
SMALL = 1 * KIB
SEVENTH = f"X-Request-Id: {NUMBER}"

HTTP: tuple[Get, ...] = (
    Get("small", "GET of a 1 KiB file, keep-alive, 64 connections", SMALL),
    Get(
        "small-logged", "the same with an access log, written to a file by all of them", SMALL,
        conditions=Conditions(log=True), peers=C_SERVERS,
    ),
    Many(
        "many", "any of 10,000 files of 1 to 16 KiB, asked for by a browser, curl and a bare client", SMALL,
        peers=C_SERVERS, warm_ups=3,
    ),
    Different(
        "different", "GET of a 1 KiB file, every head different: a unique field beside six usual ones", SMALL,
        fields=(*wrk.USUAL, SEVENTH), peers=("poise", "floor", *C_SERVERS[1:]),
    ),
    Different(
        "missing", "404 for a name that is not there, always another", number_in_path=True, status=404,
        peers=("poise", "floor", *C_SERVERS[1:]),
    ),
    Unchanged(
        "unchanged", "304: what the client has is still right (If-None-Match)", SMALL, status=304,
        peers=("poise", "floor", *C_SERVERS[1:]),
    ),
    Get("pipelined", "GET of a 1 KiB file, 16 requests sent at once", SMALL, depth=16, peers=C_SERVERS),
    Close(
        "close", "GET of a 1 KiB file, a connection for each (Connection: close), accepted when it has asked", SMALL,
        fields=("Connection: close",), conditions=Conditions(deferred=True), peers=C_SERVERS,
    ),
    Get("100KiB", "GET of a 100 KiB file, keep-alive, 64 connections", 100 * KIB, peers=C_SERVERS),
    Download("1GiB", "GET of a 1 GiB file, 4 connections", 1024 * MIB, connections=4, peers=C_SERVERS),
    Get(
        "crowd", "GET of a 1 KiB file over 64 connections beside 10,000 idle ones", SMALL,
        conditions=Conditions(crowd=10_000), peers=("poise", "poise-alone", "nginx", "nginx-alone"),
    ),
    Get(
        "two-workers", "GET of a 1 KiB file, two workers on all cores, the client beside them", SMALL,
        conditions=Conditions(two_workers=True), peers=("poise", "nginx"),
    ),
    Encrypted(
        "tls", "GET of a 1 KiB file over TLS, keep-alive, 64 connections", SMALL,
        conditions=Conditions(tls=True), peers=NGINX,
    ),
    Get(
        "pollers", "GET of a 1 KiB file, keep-alive, 64 connections, Poise waiting with select and with poll", SMALL,
        peers=("poise", "poise-poll", "poise-select", "nginx"),
    ),
    Get(
        "watched", "GET of a 1 KiB file, keep-alive, 64 connections, Poise seen by nobody and by one", SMALL,
        peers=("poise", "poise-bare", "poise-watched"), least_rounds=30,
    ),
    Start(
        "start", "from the start of the program to the first byte of a reply", SMALL, least_rounds=20,
        peers=("poise", "http.server", "lighttpd", "nginx"),
    ),
)  # fmt: skip
