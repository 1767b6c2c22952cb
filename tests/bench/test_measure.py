from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import wrk
from bench.load import Load, Sample, parse_echo
from bench.measure import SOURCES, cpu_ns, schedstat_ns, source, stat_ns
from bench.memory import private_bytes
from bench.scenarios import Echo
from bench.servers import session_members, stat_fields


def test_a_round_that_went_well() -> None:
    load = wrk.parse("Running …\n318899 requests in 2100123 us, 403724034 bytes, 0 errors, 0 refused\n")
    assert load == Load(requests=318_899, seconds=2.100123, bytes=403_724_034)
    assert load.clean


def test_errors_and_refusals_make_a_round_unclean() -> None:
    load = wrk.parse("9 requests in 10 us, 11 bytes, 12 errors, 13 refused\n")
    assert (load.errors, load.refused) == (12, 13)
    assert not load.clean


@pytest.mark.parametrize("load", [Load(0, 2.0), Load(5, 2.0, errors=1), Load(5, 2.0, refused=1)])
def test_a_round_is_clean_only_with_replies_and_without_errors(load: Load) -> None:
    assert not load.clean


@pytest.mark.parametrize(("logged", "clean"), [(None, True), (1000, True), (901, True), (899, False)])
def test_a_round_is_clean_only_when_its_log_was_written(logged: int | None, clean: bool) -> None:
    """Up to what may still wait in a buffer."""
    assert Sample(Load(1000, 2.0), 1, 1, logged=logged).clean is clean


def test_anything_else_is_no_summary() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused\n")
    with pytest.raises(ValueError, match="not a summary of echo_load: ''"):
        parse_echo("")


def test_the_summary_of_the_echo_client() -> None:
    load = parse_echo("123456 messages in 2.000100 s, 3 errors\n")
    assert load == Load(requests=123_456, seconds=2.0001, errors=3)


def test_what_follows_from_a_round() -> None:
    sample = Sample(Load(requests=1000, seconds=2.0), cpu_ns=9_000_000, wall_ns=10_000_000)
    assert (sample.rate, sample.cost, sample.time, sample.busy) == (500.0, 9.0, 2.0, 0.9)


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


def test_private_memory_is_that_of_all_processes(tmp_path: Path) -> None:
    for pid, dirty in ((7, 5), (8, 70)):
        (tmp_path / str(pid)).mkdir()
        text = f"Rss:                9999 kB\nPrivate_Dirty: {dirty:10} kB\nSwap:   0 kB\n"
        (tmp_path / str(pid) / "smaps_rollup").write_text(text)
    assert private_bytes([7, 8, 9], tmp_path) == 75 * 1024  # 9 has gone


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
