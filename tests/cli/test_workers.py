"""``poise serve --workers N``, the real program: who serves, who dies, who takes over, and that nobody outside notices."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from poise.cli.main import CANNOT_START, main, parser
from poise.cli.worker import Plan
from poise.cli.workers import Supervisor
from poise.limits import WorkerLimits
from poise.loop.reactor import Reactor
from poise.net import lan
from poise.net.bound import Bound
from tests.support.certificates import Authority, authority
from tests.support.client import connected, get, read_answer
from tests.support.discovery import free_port, loopback
from tests.support.load import load
from tests.support.loops import turn_until
from tests.support.program import PATIENCE, ROOT, TRACEBACK, Served, program, serve_command

__all__ = ["authority"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc"),
]
REQUEST = b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n"
LINE = re.compile(r'127\.0\.0\.1 - - \[[^]]+\] "GET (\S+) HTTP/1\.1" (\d+) (\d+)')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "site"
    made.mkdir()
    (made / "small.txt").write_bytes(b"small")
    (made / "large.bin").write_bytes(b"x" * 20_000_000)
    return made


# -- looking at processes from outside ----------------------------------------------------------------------


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def state(pid: int) -> str:
    """One letter (proc(5)); empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descriptors(pid: int) -> list[str]:
    """What each is open on; none when there is no such process, or only its zombie."""
    found = []
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
            except FileNotFoundError:
                continue
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def kinds(pid: int, kind: str) -> int:
    return sum(each.startswith(f"{kind}:[") for each in descriptors(pid))


def clients_of(pid: int, port: int) -> set[int]:
    """The ports of the clients whose connections a process holds."""
    inodes = {each[8:-1] for each in descriptors(pid) if each.startswith("socket:[")}
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *rest = line.split()
        if int(local.rpartition(":")[2], 16) == port and rest[6] in inodes:
            found.add(int(remote.rpartition(":")[2], 16))
    return found - {0}


def listening_socket(pid: int) -> str:
    """As it is called in every process that has it: the supervisor has no other one of the network."""
    inodes = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]}
    inodes |= {
        line.split()[6]
        for line in Path("/proc/net/unix").read_text().splitlines()[1:]
        if " 00010000 " in line
    }
    (found,) = (each for each in descriptors(pid) if each.startswith("socket:[") and each[8:-1] in inodes)
    return found


def until(condition: Callable[..., object], *args: object) -> None:
    """Look again and again whether ``condition(*args)``: what happens in another process tells nobody here."""
    end = time.monotonic() + PATIENCE
    while not condition(*args):
        assert time.monotonic() < end, f"it did not happen: {args}"
        select.select([], [], [], 0.005)


@contextmanager
def crew(
    folder: Path, *options: str, workers: int = 2, environment: dict[str, str] | None = None
) -> Iterator[Served]:
    """A server with workers, all of which serve. However it ends, nobody of them is left."""
    count = [] if "--config" in options else ["--workers", str(workers)]  # what is typed goes before a file
    command = serve_command(folder, "--port", "0", *count, *options)
    with program(command, environment=environment) as served:
        served.line()
        pids = set(children(served.pid))
        assert len(pids) == workers
        try:
            yield served
        finally:
            if served.process.poll() is None:
                pids |= set(children(served.pid))
                served.stop()
            for pid in pids:
                until(lambda pid: state(pid) in {"", "Z"}, pid)
        assert TRACEBACK not in served.stderr, served.stderr


def said(served: Served, text: str) -> None:
    until(lambda text: text in served.stderr, text)


def reload(served: Served) -> list[int]:
    """Have all workers replaced, and the old ones gone from the listening socket; the new ones."""
    before = served.stderr.count(" anew: ")
    old = children(served.pid)
    served.process.send_signal(signal.SIGHUP)
    until(lambda: served.stderr.count(" anew: ") > before)
    shared = listening_socket(served.pid)
    until(lambda: not any(shared in descriptors(pid) for pid in old))
    return [int(each) for each in re.findall(r" anew: ([\d, ]+);", served.stderr)[-1].split(", ")]


# -- who serves ---------------------------------------------------------------------------------------------


def everybody(served_by: Sequence[int], port: int, stack: ExitStack, least: int = 1) -> list[socket.socket]:
    """Connections, until each worker has some: on a busy machine one may sleep through a good many."""
    socks: list[socket.socket] = []
    while min(len(clients_of(pid, port)) for pid in served_by) < least:
        assert len(socks) < 500
        more = [stack.enter_context(connected(port)) for _ in range(10)]
        for sock in more:
            sock.sendall(REQUEST % b"small.txt")
        for sock in more:
            assert read_answer(sock).body == b"small"
        socks += more
    return socks


def test_all_workers_serve(folder: Path) -> None:
    with crew(folder, workers=3) as served, ExitStack() as stack:
        workers = children(served.pid)
        socks = everybody(workers, served.port, stack, 5)
        assert sum(len(clients_of(pid, served.port)) for pid in workers) == len(socks)
        assert not clients_of(served.pid, served.port)
        said(served, f"3 workers: {', '.join(map(str, workers))}\n")


@pytest.mark.long  # how evenly they share is told by a machine that has nothing else to do
@pytest.mark.pitfall(40)
def test_all_workers_serve_and_share_connections_evenly(folder: Path) -> None:
    with crew(folder, workers=3) as served, ExitStack() as stack:
        workers = children(served.pid)
        socks = [stack.enter_context(connected(served.port)) for _ in range(60)]
        for sock in socks:
            sock.sendall(REQUEST % b"small.txt")
        for sock in socks:
            assert read_answer(sock).body == b"small"
        counts = [len(clients_of(pid, served.port)) for pid in workers]
        assert sum(counts) == 60
        assert min(counts) >= 10, counts
        assert not clients_of(served.pid, served.port)
        said(served, f"3 workers: {', '.join(map(str, workers))}\n")


def test_one_worker_is_the_process_itself(folder: Path) -> None:
    with program(serve_command(folder, "--port", "0", "--workers", "1")) as served:
        served.line()
        assert get(served.port, "/small.txt").body == b"small"
        assert children(served.pid) == []
        assert served.stop() == 0
        assert "worker" not in served.stderr


def test_the_supervisor_has_no_more_than_it_needs(folder: Path) -> None:
    """And a worker no more than it would have alone, but for the pipe that tells of the supervisor."""
    with program(serve_command(folder, "--port", "0", "--no-control")) as alone:
        alone.line()
        usual = len(descriptors(alone.pid))
        alone.stop()
    with crew(folder, "--no-control", workers=3) as served:
        for pid in children(served.pid):
            until(lambda pid: len(descriptors(pid)) == usual + 1, pid)
        # The listening socket, and the pair that wakes; stdout here, and both ends of the pipe that tells of us.
        until(lambda: kinds(served.pid, "socket") == 1 + 2 and kinds(served.pid, "pipe") == 1 + 2)


@pytest.mark.parametrize("poller", ["epoll", "poll", "select"])
def test_on_a_unix_socket_and_every_poller(poller: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    command = serve_command(folder, "--host", f"unix:{path}", "--workers", "2", "--poller", poller)
    with program(command) as served:
        served.line()
        first = children(served.pid)
        for pid in (None, *first):
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                until(lambda pid: pid not in children(served.pid), pid)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(PATIENCE)
                sock.connect(str(path))
                sock.sendall(REQUEST % b"small.txt")
                assert read_answer(sock).body == b"small"
        reload(served)
        assert path.is_socket()
        assert served.stop() == 0
        assert not path.exists()


# -- who dies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_alive", [True, False])
def test_only_what_a_killed_worker_had_accepted_is_lost(keep_alive: bool, folder: Path) -> None:
    with crew(folder, "--no-access-log") as served, load(served.port, keep_alive=keep_alive) as clients:
        its_own: set[int] = set()
        for _ in range(4):
            victim = children(served.pid)[0]
            os.kill(victim, signal.SIGSTOP)  # it accepts nothing any more
            until(lambda pid: state(pid) == "T", victim)
            its_own |= clients_of(victim, served.port)
            os.kill(victim, signal.SIGKILL)
            said(served, f"worker {victim} was ended by SIGKILL; another one begins")
            until(lambda pid: len(children(served.pid)) == 2 and pid not in children(served.pid), victim)
            clients.wait(50)
        clients.stop()
        assert {each.port for each in clients.failures} <= its_own, clients.failures
        assert len(clients.failures) <= len(its_own)
        assert served.process.poll() is None


def test_nothing_is_left_of_the_dead(folder: Path) -> None:
    """Neither zombies nor descriptors, however many there were."""
    with crew(folder, "--no-access-log") as served:
        reload(served)
        until(lambda: len(children(served.pid)) == 2)
        until(lambda: kinds(served.pid, "pipe") == 3)  # all have said that they serve
        before = len(descriptors(served.pid))
        for _ in range(3):
            for pid in children(served.pid):
                os.kill(pid, signal.SIGKILL)
                until(lambda pid: state(pid) == "", pid)
            until(lambda: len(children(served.pid)) == 2)
            get(served.port, "/small.txt")
            old = children(served.pid)
            reload(served)
            until(lambda old: not any(map(state, old)), old)
        until(lambda: len(descriptors(served.pid)) == before)
        assert len(children(served.pid)) == 2


def test_who_fails_again_and_again_ends_it_all(folder: Path) -> None:
    with crew(folder) as served:
        victim = children(served.pid)[0]
        folder.rename(folder.with_name("elsewhere"))
        os.kill(victim, signal.SIGKILL)
        assert served.process.wait(PATIENCE) == CANNOT_START
        said(served, "like 5 before it as soon as they were there; giving up\n")
        assert served.stderr.count(f"poise: {folder}") == 6 or str(folder) in served.stderr
        delays = [float(each) for each in re.findall(r"another one begins in ([\d.]+) s", served.stderr)]
        assert delays == [0.1, 0.2, 0.4, 0.8, 1.6]
        assert "has ended with exit code 3" in served.stderr


def test_what_cannot_start_says_so_once(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(folder / "absent"), "--port", "0", "--workers", "3"]) == CANNOT_START
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "absent" in err
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        assert main(["serve", str(folder), "--port", port, "--workers", "3"]) == CANNOT_START
    assert "cannot listen on" in capfd.readouterr().err


def test_a_worker_that_is_told_to_end_is_followed_by_another(folder: Path) -> None:
    with crew(folder) as served:
        victim = children(served.pid)[0]
        os.kill(victim, signal.SIGTERM)
        said(served, f"worker {victim} has ended with exit code 0;")
        until(lambda: len(children(served.pid)) == 2 and victim not in children(served.pid))
        assert get(served.port, "/small.txt").body == b"small"


def test_workers_whose_supervisor_is_killed_finish_and_go(folder: Path) -> None:
    with crew(folder) as served:
        workers = children(served.pid)
        with connected(served.port) as sock:
            sock.sendall(REQUEST % b"large.bin")
            data = sock.recv(1000)
            served.process.kill()
            served.process.wait(PATIENCE)
            until(lambda: sum(state(pid) in {"", "Z"} for pid in workers) == 1)
            until(lambda: served.stderr.count("the supervisor is gone") == 2)
            while more := sock.recv(1 << 20):
                data += more
        assert len(data.partition(b"\r\n\r\n")[2]) == 20_000_000
        until(lambda: all(state(pid) in {"", "Z"} for pid in workers))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", served.port))


# -- reload -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_alive", [True, False])
def test_a_reload_under_load_loses_nothing(keep_alive: bool, folder: Path) -> None:
    with crew(folder, "--no-access-log") as served, load(served.port, keep_alive=keep_alive) as clients:
        seen = set(children(served.pid))
        for _ in range(5):
            new = reload(served)
            assert not seen & set(new)
            seen |= set(new)
            clients.wait(50)
            until(lambda new: sorted(children(served.pid)) == sorted(new), new)
        clients.stop()
        assert clients.failures == []
        if keep_alive:
            assert clients.connections >= 5 * clients.clients, "each was told to come again"


def test_a_reload_over_tls_takes_the_new_certificate_and_loses_nothing(
    folder: Path, tmp_path: Path, authority: Authority
) -> None:
    pem = tmp_path / "server.pem"
    shutil.copy(authority.local(), pem)
    context = authority.client.context

    def serial(port: int) -> str:
        with connected(port) as plain, context.wrap_socket(plain, server_hostname="localhost") as secure:
            certificate = secure.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])

    with crew(folder, "--no-access-log", "--tls-cert", str(pem)) as served:
        assert served.url.startswith("https://")
        with load(served.port, tls=context) as kept, load(served.port, keep_alive=False, tls=context) as new:
            serials = [serial(served.port)]
            for _ in range(3):
                shutil.copy(authority.issue("localhost", "127.0.0.1"), pem)
                reload(served)
                serials.append(serial(served.port))
                kept.wait(20)
                new.wait(10)
            kept.stop()
            new.stop()
            assert kept.failures == new.failures == []
        assert len(set(serials)) == 4
        until(lambda: len(children(served.pid)) == 2)  # the last of those that were replaced has gone, too
        old = children(served.pid)
        pem.write_text("half a cert")
        served.process.send_signal(signal.SIGHUP)
        said(served, "nothing has changed: the workers go on as they are\n")
        assert children(served.pid) == old
        assert serial(served.port) == serials[-1]
        os.kill(old[0], signal.SIGKILL)  # who comes after it has the certificate that counts
        until(lambda: len(children(served.pid)) == 2 and children(served.pid) != old)
        assert {serial(served.port) for _ in range(10)} == {serials[-1]}


def test_a_session_may_be_resumed_with_any_worker(folder: Path, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=authority.file)
    with crew(folder, "--tls-cert", authority.local(), "--no-access-log", workers=3) as served:
        session: ssl.SSLSession | None = None
        for _ in range(12):
            with (
                connected(served.port) as plain,
                context.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
            ):
                secure.sendall(REQUEST % b"small.txt")
                read_answer(secure)
                assert secure.session_reused is (session is not None)
                session = secure.session


def test_settings_are_read_again_and_what_is_wrong_with_them_changes_nothing(
    folder: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "poise.toml"
    settings.write_text("workers = 2\n[site]\ndotfiles = false\n")
    (folder / ".hidden").write_text("hidden")
    with crew(folder, "--config", str(settings)) as served:
        assert get(served.port, "/.hidden").status == 404
        settings.write_text('host = "::1"\nworkers = 3\n[site]\ndotfiles = true\n')
        assert len(reload(served)) == 3
        assert get(served.port, "/.hidden").body == b"hidden"
        said(served, "poise: host stays as it is until the server is started anew\n")
        old = children(served.pid)
        for wrong, word in (
            ("workers = 0\n", "from 1 to"),
            ("[site]\ndotfiles = maybe\n", "poise.toml:2"),
            ('tls-cert = "absent.pem"\n', "absent.pem"),
        ):
            before = served.stderr.count("nothing has changed")
            settings.write_text(wrong)
            served.process.send_signal(signal.SIGHUP)
            until(lambda before: served.stderr.count("nothing has changed") > before, before)
            assert word in served.stderr
        settings.write_text('log = "absent/folder/log"\n')  # which only a worker finds out
        served.process.send_signal(signal.SIGHUP)
        said(served, "cannot open the log")
        said(served, "before all were there; nothing has changed: the workers from before go on\n")
        until(lambda: sorted(children(served.pid)) == sorted(set(old) & set(children(served.pid))))
        assert get(served.port, "/.hidden").body == b"hidden"
        settings.write_text("workers = 1\n")
        assert len(reload(served)) == 1
        assert get(served.port, "/.hidden").status == 404


def test_many_reloads_at_once_are_few(folder: Path) -> None:
    with crew(folder) as served:
        for _ in range(20):
            served.process.send_signal(signal.SIGHUP)
        said(served, " anew: ")
        until(lambda: len(children(served.pid)) == 2)
        assert get(served.port, "/small.txt").body == b"small"


def test_those_that_were_replaced_finish_their_replies(folder: Path) -> None:
    with crew(folder) as served:
        with connected(served.port) as sock:
            sock.sendall(REQUEST % b"large.bin")
            data = sock.recv(1000)
            reload(served)
            while more := sock.recv(1 << 20):
                data += more
            assert len(data.partition(b"\r\n\r\n")[2]) == 20_000_000
        until(lambda: len(children(served.pid)) == 2)


def test_those_that_were_replaced_wait_for_idle_connections_until_the_deadline(folder: Path) -> None:
    with crew(folder, "--drain-timeout", "0.5") as served:
        with connected(served.port) as idle:
            idle.sendall(REQUEST % b"small.txt")
            read_answer(idle)
            reload(served)
            assert idle.recv(1) == b""
        until(lambda: len(children(served.pid)) == 2)


# -- the end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_replies_in_flight_finish(number: int, folder: Path) -> None:
    with crew(folder) as served:
        with connected(served.port) as idle, connected(served.port) as sock:
            sock.sendall(REQUEST % b"large.bin")
            data = sock.recv(1000)
            idle.sendall(REQUEST % b"small.txt")
            read_answer(idle)
            served.process.send_signal(number)
            assert idle.recv(1) == b""
            until(lambda: not listening(served.port))
            while more := sock.recv(1 << 20):
                data += more
        assert len(data.partition(b"\r\n\r\n")[2]) == 20_000_000
        assert served.process.wait(PATIENCE) == 0
        assert "2 workers finish their replies; Ctrl-C again stops at once" in served.stderr


def listening(port: int) -> bool:
    wanted = f":{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(line[1].endswith(wanted) and line[3] == "0A" for line in lines)


@pytest.mark.parametrize("everybody", [True, False])
def test_ctrl_c_reaches_everybody_and_still_cuts_nobody(everybody: bool, folder: Path) -> None:
    """A terminal sends it to all processes in it; a second one is the second one."""
    command = serve_command(folder, "--port", "0", "--workers", "2", "--drain-timeout", "1000")
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rstrip(b"/\n").rpartition(b":")[2])
            with connected(port) as sock:
                sock.sendall(REQUEST % b"large.bin")
                data = sock.recv(1000)
                os.killpg(process.pid, signal.SIGINT)
                until(lambda: not listening(port))
                if everybody:
                    while more := sock.recv(1 << 20):
                        data += more
                    assert len(data.partition(b"\r\n\r\n")[2]) == 20_000_000
                else:
                    os.killpg(process.pid, signal.SIGINT)
                    assert process.wait(PATIENCE) == 0
            assert process.wait(PATIENCE) == 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.pitfall(39)
def test_what_waits_in_the_queue_when_it_ends_is_answered(folder: Path) -> None:
    with crew(folder, "--no-access-log") as served, ExitStack() as stack:
        workers = children(served.pid)
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        for pid in workers:
            until(lambda pid: state(pid) == "T", pid)
        socks = [stack.enter_context(connected(served.port)) for _ in range(50)]
        for sock in socks:
            sock.sendall(REQUEST % b"small.txt")
        served.process.send_signal(signal.SIGTERM)
        said(served, "finish their replies")
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        for sock in socks:
            answer = read_answer(sock)
            assert (answer.body, answer.fields["connection"]) == (b"small", "close")
        assert served.process.wait(PATIENCE) == 0


def test_stopping_before_anybody_serves(folder: Path) -> None:
    with program(serve_command(folder, "--port", "0", "--workers", "2")) as served:
        until(lambda: children(served.pid) or served.process.poll() is not None)
        served.process.send_signal(signal.SIGHUP)
        assert served.stop() == 0
        assert TRACEBACK not in served.stderr


# -- in this process: limits that are too long for a test ---------------------------------------------------


@contextmanager
def supervisor(folder: Path, *options: str, workers: int = 2, **limits: float) -> Iterator[Inside]:
    args = parser().parse_args(["serve", str(folder), "--workers", str(workers), "--no-access-log", *options])
    args.read_again = lambda: parser().parse_args(["serve", str(folder), "--workers", "2", *options])
    bound = Bound(("127.0.0.1", 0), 16)
    try:
        with Reactor() as reactor:
            made = Inside(reactor, bound, Plan(args, None, anew=True), WorkerLimits(**limits))  # type: ignore[arg-type]
            made.start()
            made.turns(lambda: made._team)
            yield made
            if not made._stopping:
                made.stop()
            made.turns(lambda: not made._leaving)
    finally:
        bound.close()


class Inside(Supervisor):
    """A supervisor whose turns are the test's."""

    @property
    def pids(self) -> list[int]:
        assert self._team is not None
        return self._team.pids

    def turns(self, condition: Callable[..., object], *args: object) -> None:
        turn_until(self._reactor, lambda: condition(*args))


def test_a_worker_that_is_stopped_is_killed_in_the_end(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with supervisor(folder, "--drain-timeout", "0.05", grace=0.05) as here:
        victim = here.pids[0]
        os.kill(victim, signal.SIGSTOP)
        here.stop()
        here.turns(lambda: not here._leaving)
        assert state(victim) == ""
    assert f"worker {victim} did not end in time, and is killed\n" in capfd.readouterr().err


def test_no_more_are_on_their_way_out_than_a_limit_allows(folder: Path) -> None:
    with supervisor(folder, leaving=3) as here, ExitStack() as stack:
        assert isinstance(here._bound.address, tuple)
        port = here._bound.address[1]
        first = here.pids
        everybody(first, port, stack)  # idle ones, for which they wait
        for _ in range(2):
            before = here._team
            here.reload()
            here.turns(lambda before: here._team is not before and here._next is None, before)
        here.turns(lambda: len(here._leaving) <= 3)
        here.turns(lambda: not all(map(state, first)))
        assert any(map(state, first)), "only the oldest had to go"


def test_one_that_waits_to_be_tried_again_is_not_waited_for(folder: Path) -> None:
    with supervisor(folder, first_delay=1000, longest_delay=1000) as here:
        folder.rename(folder.with_name("elsewhere"))
        os.kill(here.pids[0], signal.SIGKILL)
        here.turns(lambda: here._team is not None and any(seat.failures for seat in here._team.seats))
        assert len(here.pids) == 1
        here.stop()
        here.reload()
        here.turns(lambda: not here._leaving)
        here.stop()
        assert here.code == 0
        folder.with_name("elsewhere").rename(folder)


def test_a_reload_that_fails_while_another_is_asked_for(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with supervisor(folder) as here:
        old = here.pids
        moved = folder.rename(folder.with_name("elsewhere"))
        here.reload()
        here.reload()
        here.turns(lambda: here._next is None)
        moved.rename(folder)
        assert here.pids == old
        here.reload()
        here.turns(lambda: here._next is None)
        assert not set(here.pids) & set(old)
    assert capfd.readouterr().err.count("nothing has changed: the workers from before go on") == 2


# -- what there is only one of ------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [True, False])
def test_lines_of_the_log_are_whole_and_none_is_missing(file: bool, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "log"
    options = ["--log", str(path)] if file else []
    names = [f"{number:x}" * 40 for number in range(1, 5)]
    for name in names:
        (folder / name).write_text(name)
    with crew(folder, *options, workers=3) as served:
        with ExitStack() as stack:
            loads = [stack.enter_context(load(served.port, f"/{name}", clients=2)) for name in names]
            for number in range(5):
                loads[number % 4].wait(100)
                if file:
                    path.rename(tmp_path / f"log.{number}")
                    served.process.send_signal(signal.SIGUSR1)
                    until(path.exists)
        answered = {f"/{name}": each.answered for name, each in zip(names, loads, strict=True)}
        assert all(not each.failures for each in loads)
        assert served.stop() == 0
        texts = [each.read_text() for each in sorted(tmp_path.glob("log*"))] if file else [served.stderr]
    lines = [line for text in texts for line in text.splitlines() if not line.startswith("poise: ")]
    found: dict[str, int] = {}
    for line in lines:
        match = LINE.fullmatch(line)
        assert match, line
        found[match[1]] = found.get(match[1], 0) + 1
    assert found == answered


def test_lines_through_a_pipe_are_whole(folder: Path) -> None:
    command = serve_command(folder, "--port", "0", "--workers", "3")
    path = "/small.txt?" + "q" * 700
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            port = int(process.stdout.readline().strip().rstrip("/").rpartition(":")[2])
            with load(port, path, clients=6, keep_alive=False) as clients:
                clients.wait(300)
            process.terminate()
            lines = [line for line in process.stderr if not line.startswith("poise: ")]
        finally:
            if process.poll() is None:
                process.terminate()
        assert process.wait(PATIENCE) == 0
    assert len(lines) == clients.answered
    for line in lines:
        match = LINE.fullmatch(line.rstrip("\n"))
        assert match, line
        assert match[1] == path


def test_it_is_announced_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    link = loopback()
    monkeypatch.setattr(lan, "interfaces", lambda: [link])
    port = str(free_port())

    def found() -> list[dict[str, object]]:
        capfd.readouterr()
        assert main(["find", "--discovery-port", port, "--timeout", "0.3", "--json"]) == 0
        return list(json.loads(capfd.readouterr().out))

    with crew(folder, "--announce", "Photos", "--discovery-port", port, workers=3) as served:
        (one,) = found()
        assert one["name"] == "Photos"
        assert one["url"] == served.url
        for pid in children(served.pid):
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(children(served.pid)) == 3)
        reload(served)
        (again,) = found()
        assert again["url"] == served.url
        assert served.stderr.count("announced as") == 1
        served.stop()
        assert found() == []


def test_what_there_is_to_say_is_said_once(folder: Path) -> None:
    options = ["--lan", "--allow-host", "example.org", "--log", str(folder / "log")]
    with crew(folder, *options, workers=3) as served:
        os.kill(children(served.pid)[0], signal.SIGKILL)
        said(served, "another one begins")
        until(lambda: len(children(served.pid)) == 3)
        for text in (
            "everyone in the network can read",
            "--allow-host has no effect",
            "can be read like any file",
        ):
            assert served.stderr.count(text) == 1


def test_pages_that_listen_for_changes_hear_of_them_in_every_worker(folder: Path) -> None:
    (folder / "page.html").write_text("<p>first")
    with crew(folder, "--live", "--no-access-log") as served, ExitStack() as stack:
        socks = everybody(children(served.pid), served.port, stack)
        for sock in socks:
            sock.sendall(
                b"GET /.poise/changes HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
            )
        for sock in socks:
            data = b""
            while b"listening" not in data:
                data += sock.recv(1000)
        (folder / "page.html").write_text("<p>second")
        for sock in socks:
            data = b""
            while b"data: changed" not in data:
                more = sock.recv(1000)
                assert more
                data += more


def test_the_page_is_opened_once(folder: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" >> {seen}\n')
    script.chmod(0o755)
    with crew(folder, "--open", environment={"BROWSER": f"{script} %s"}) as served:
        until(lambda: seen.exists() and seen.read_text())
        reload(served)
        assert get(served.port, "/small.txt").body == b"small"
        served.stop()
        assert seen.read_text() == f"{served.url}\n"
