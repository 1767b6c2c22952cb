from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.load import Load, Sample, parse_echo, parse_wrk
from bench.measure import SOURCES, cpu_ns, schedstat_ns, session_members, source, stat_fields, stat_ns
from bench.scenarios import Echo, Get

CLEAN = """\
Running 2s test @ http://127.0.0.1:46215/small.bin
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   417.14us   97.97us   3.28ms   92.23%
    Req/Sec   152.66k     7.73k  161.41k    85.71%
  318899 requests in 2.10s, 385.02MB read
Requests/sec: 151883.46
Transfer/sec:    183.37MB
"""

BROKEN = CLEAN.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 7\nRequests/sec",
)


def test_the_summary_of_a_clean_round() -> None:
    load = parse_wrk(CLEAN)
    assert load == Load(requests=318_899, seconds=2.1)
    assert load.clean


def test_errors_are_added_up_and_make_a_round_unclean() -> None:
    load = parse_wrk(BROKEN)
    assert (load.errors, load.refused) == (4321, 7)
    assert not load.clean


@pytest.mark.parametrize("load", [Load(0, 2.0), Load(5, 2.0, errors=1), Load(5, 2.0, refused=1)])
def test_a_round_is_clean_only_with_replies_and_without_errors(load: Load) -> None:
    assert not load.clean


@pytest.mark.parametrize(("told", "seconds"), [("500.00ms", 0.5), ("1.50m", 90.0), ("750.00us", 0.00075)])
def test_the_length_of_a_round_has_a_unit(told: str, seconds: float) -> None:
    assert parse_wrk(CLEAN.replace("2.10s", told)).seconds == pytest.approx(seconds)


def test_anything_else_is_no_summary() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused\n")
    with pytest.raises(ValueError, match="not a summary of echo_load: ''"):
        parse_echo("")


def test_the_summary_of_the_echo_client() -> None:
    load = parse_echo("123456 messages in 2.000100 s, 3 errors\n")
    assert load == Load(requests=123_456, seconds=2.0001, errors=3)


def test_what_follows_from_a_round() -> None:
    sample = Sample(Load(requests=1000, seconds=2.0), cpu_ns=9_000_000, wall_ns=10_000_000)
    assert (sample.rate, sample.cost, sample.busy) == (500.0, 9.0, 0.9)


def test_the_client_asks_for_the_file_of_the_scenario() -> None:
    command = Get("large", "", size=1, connections=7).client(Path("/"), 4711, 3)
    assert command[-1] == "http://127.0.0.1:4711/large.bin"
    assert command[command.index("--connections") + 1] == "7"
    assert command[command.index("--duration") + 1] == "3s"


def test_the_echo_client_is_told_everything() -> None:
    command = Echo("large", "", size=99, connections=7).client(Path("/made"), 4711, 3)
    assert command == ["/made/echo_load", "4711", "7", "99", "3", "1"]


# --- processor time, from a made-up /proc -----------------------------------------------------------------


def stat_line(name: str, session: int, utime: int = 0, stime: int = 0) -> str:
    return f"42 ({name}) S 1 40 {session} 0 -1 4194304 100 0 0 0 {utime} {stime} 0 0 20 0 1 0 5 0 0\n"


@pytest.mark.parametrize("name", ["nginx", "a b", ") S 9 9 9 (", "))"])
def test_a_name_may_hold_anything(name: str) -> None:
    assert stat_fields(stat_line(name, 40))[:4] == ["S", "1", "40", "40"]


def test_the_processes_of_a_session(tmp_path: Path) -> None:
    for pid, session in ((10, 10), (9, 10), (12, 12)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(stat_line("x", session))
    (tmp_path / "self").mkdir()  # not a number
    (tmp_path / "11").mkdir()  # gone since the folder was read
    assert session_members(10, tmp_path) == [9, 10]


def test_schedstat_counts_every_thread(tmp_path: Path) -> None:
    for thread, ran in ((7, 1_000_000_001), (8, 20)):
        task = tmp_path / "7" / "task" / str(thread)
        task.mkdir(parents=True)
        (task / "schedstat").write_text(f"{ran} 555 66\n")
    assert schedstat_ns(7, tmp_path) == 1_000_000_021


def test_stat_counts_user_and_system_ticks(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(stat_line("a b", 40, utime=150, stime=50))
    assert stat_ns(7, tmp_path) == 200 * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def test_all_processes_of_a_server_count_together() -> None:
    assert cpu_ns([1, 2, 3], {1: 5, 2: 70, 3: 900}.__getitem__) == 975


def test_the_first_source_that_works_is_taken() -> None:
    def refuses(pid: int) -> int:
        raise OSError(pid)

    def silent(pid: int) -> int:
        return 0

    assert source({"no": refuses, "nothing": silent, "good": lambda pid: 1, "later": lambda pid: 1}) == "good"
    with pytest.raises(OSError, match="tells nobody"):
        source({"no": refuses})


# --- and from the real one --------------------------------------------------------------------------------

SPIN = """\
import os, sys, threading, time
def spin():
    end = time.thread_time() + {seconds}
    while time.thread_time() < end: pass
spin()
helper = threading.Thread(target=spin)
helper.start()
helper.join()
while len(os.listdir("/proc/self/task")) > 1: pass  # joined is a moment before gone
print("done", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_a_thread_that_has_ended_still_counts() -> None:
    """A server with a thread per connection would look nearly free otherwise."""
    seconds = 0.05
    command = [sys.executable, "-c", SPIN.format(seconds=seconds)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        assert session_members(process.pid) == [process.pid]
        clock = SOURCES[source()](process.pid)
        living = schedstat_ns(process.pid)
        process.communicate()
    assert clock >= 2 * seconds * 1e9
    assert clock >= living + 0.9 * seconds * 1e9
