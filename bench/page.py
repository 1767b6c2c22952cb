"""``python3 -m bench page``: docs/benchmarks.md and its plots, from the results that lie beside them.

Nothing on the page is typed by hand: every figure, command and head is that of a result, and the same results make the
same page.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shlex import join
from typing import Any

from bench.aims import AIMS, MEMORY_AIMS, Aim, MemoryAim, grown, samples
from bench.report import counted, figures, rows_of
from bench.scenarios import ROOT
from bench.timers import report as timers_report

DOCS = ROOT / "docs"
PAGE, FOLDER = "benchmarks.md", "benchmarks"
KINDS = ("http", "echo", "timers")
WAY = {"cost": "processor time for each", "rate": "as many in the same time", "time": "time for each"}

INTRODUCTION = """\
# Benchmarks

What one request costs a server, measured side by side. This page is written by `python3 -m bench page` from the results
in [benchmarks/](benchmarks/), where every round can be read; `make bench` measures anew and writes it again.

## How to read it

- **Processor time comes first**: what all processes of a server ran, in user and system mode, divided by the requests that
  the client counted. It holds even while the machine does something else. Requests per second come second.
- **A ratio is ours ÷ theirs within one round**, in which both met the same machine. All servers run from the beginning and take
  turns, A B C A B C …, one loaded at a time. Quoted is the median of the rounds, with the smallest and the largest:
  0.53 (0.51 … 0.55) says that Poise needs about half.
- **The server has one core and the client another**, nothing leaves 127.0.0.1, and each server has one worker and no access log
  unless the question says otherwise. A server counts as right when it sends the bytes of the file with the right status,
  before and after; a round with an error is marked.
- **The floor** is a C program that does nothing but `epoll_wait`, `recv` and `send` of the same bytes: nobody who is asked over
  a socket can need less.
- Two identical programs differ by several per cent from round to round. Less than 2 % is nothing without 30 rounds.
"""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m bench page", description=__doc__)
    parser.add_argument(
        "--docs", type=Path, default=DOCS, metavar="DIR",
        help=f"where {PAGE} goes; DIR/{FOLDER}/ has the results, {', '.join(KINDS)}.json (docs)",
    )  # fmt: skip
    docs: Path = parser.parse_args(argv).docs
    results = read(docs / FOLDER)
    if "http" not in results:
        print(f"There is no {docs / FOLDER / 'http.json'}: make bench measures it.", file=sys.stderr)
        return 3
    try:
        from bench import plots
    except ImportError:
        print("The plots need matplotlib: pip install 'poise[bench]'.", file=sys.stderr)
        return 3
    for old in (docs / FOLDER).glob("*.svg"):
        old.unlink()
    drawn = plots.draw(results["http"]["scenarios"], docs / FOLDER)
    (docs / PAGE).write_text(render(results, drawn), encoding="utf-8")
    return 0


def read(folder: Path) -> dict[str, Any]:
    """The results that are there, by kind."""
    files = {kind: folder / f"{kind}.json" for kind in KINDS}
    return {
        kind: json.loads(file.read_text(encoding="utf-8")) for kind, file in files.items() if file.exists()
    }


def render(results: Mapping[str, Any], drawn: Mapping[str, str]) -> str:
    """The page; ``drawn`` are the plots that lie in the folder of the results, and what each shows."""
    http = results["http"]
    parts = [INTRODUCTION, "\n".join(measured_on(http)), "\n".join(aims(http["scenarios"], drawn))]
    parts += ["\n".join(scenario(one, http["reference"], drawn)) for one in http["scenarios"].values()]
    parts.append("\n".join(servers(http["scenarios"])))
    if "echo" in results:
        parts.append("\n".join(echo(results["echo"])))
    if "timers" in results:
        parts.append(f"## Timers and deadlines\n\n```text\n{timers_report(results['timers'])}\n```")
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


# --- what it was measured on ------------------------------------------------------------------------------


def measured_on(result: Mapping[str, Any]) -> Iterator[str]:
    machine, cores = result["machine"], result["cores"]
    facts = {
        "taken": result["taken"],
        "processor": f"{machine['processor']}, {machine['cores']} cores, {machine['architecture']}",
        "memory": f"{machine['memory_bytes'] / 2**30:.1f} GiB",
        "kernel": machine["kernel"],
        "Python": machine["python"],
        "client": machine["wrk"],
        "C compiler": machine["compiler"],
        "rounds": f"{result['rounds']} of {result['seconds']} s for each server",
        "cores": f"server on number {cores['server']}, client on number {cores['client']}",
        "processor time from": result["cpu_source"],
        "load average before": f"{result['load_average_before']:.2f} (others at work, if it is not near 0)",
    }
    yield "## What it was measured on\n"
    yield from rows([("", ""), *facts.items()])


# --- the aims ---------------------------------------------------------------------------------------------


def aims(scenarios: Mapping[str, Any], drawn: Mapping[str, str]) -> Iterator[str]:
    yield "## In short\n"
    table: list[tuple[str, ...]] = [("question", "compared", "what", "measured", "aim", "")]
    table += [aim_row(aim, scenarios) for aim in AIMS]
    table += [memory_row(aim, scenarios) for aim in MEMORY_AIMS]
    yield from rows(table)
    if "aims.svg" in drawn:
        yield f"\n![{drawn['aims.svg']}]({FOLDER}/aims.svg)"


def aim_row(aim: Aim, scenarios: Mapping[str, Any]) -> tuple[str, ...]:
    found = aim.measured(scenarios)
    result = (
        ("not measured", "") if found is None else (str(found), "reached" if aim.reached(found) else "missed")
    )
    compared = f"{aim.ours} ÷ {aim.theirs}"
    measured, verdict = result
    return (link(aim.scenario), compared, WAY[aim.figure], measured, f"{aim.sign} {aim.bound:.2f}", verdict)


def memory_row(aim: MemoryAim, scenarios: Mapping[str, Any]) -> tuple[str, ...]:
    found = aim.measured(scenarios)
    what = "memory that it grew by" if aim.what == "growth" else "memory for an idle connection"
    bound = "" if aim.bound is None else f"≤ {bytes_of(aim.bound)}"
    if found is None:
        return (link(aim.scenario), aim.ours, what, "not measured", bound, "")
    verdict = "" if aim.bound is None else "missed" if found > aim.bound else "reached"
    return (link(aim.scenario), aim.ours, what, bytes_of(found), bound, verdict)


def link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def bytes_of(count: float) -> str:
    """In the unit that a person would take; memory may as well have shrunk."""
    for size, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(count) >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"


# --- one question -----------------------------------------------------------------------------------------


def scenario(one: Mapping[str, Any], reference: str, drawn: Mapping[str, str]) -> Iterator[str]:
    asked = one["scenario"]
    name = asked["name"]
    yield f"## {name}\n"
    yield f"{capital(asked['about'])}."
    if one["servers"]:
        count = len(next(iter(one["servers"].values()))["rounds"])
        yield f"Measured in {counted(count, asked['warm_ups'])}."
        yield from in_words(one, reference)
        yield from result_table(one, reference)
        if f"{name}.svg" in drawn:
            yield f"\n![{drawn[f'{name}.svg']}]({FOLDER}/{name}.svg)"
        yield from heads(next(iter(one["servers"].values()))["request_heads"])
    yield from not_measured(one["skipped"])


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def in_words(one: Mapping[str, Any], reference: str) -> Iterator[str]:
    """The medians of the processor time, for those who would rather read a sentence than a table."""
    rounds = {name: samples(server) for name, server in one["servers"].items()}
    ours, *others = figures(rounds, reference)
    compared = {line.name: line.cost_ratio for line in others if line.cost_ratio is not None}
    said = [f"{ratio.median:.2f} times what {name} needs" for name, ratio in compared.items()]
    if not said:
        return
    *first, last = said
    listed = f"{', '.join(first)} and {last}" if first else last
    yield f"For one {one['unit']} {reference} needs {ours.cost:,.2f} µs of processor time: {listed}."


def not_measured(skipped: Mapping[str, str]) -> Iterator[str]:
    """Programs say what is wrong with their last words."""
    for name, reason in skipped.items():
        yield f"\nNot measured: {name} ({reason.strip().splitlines()[-1]})."


def result_table(one: Mapping[str, Any], reference: str) -> Iterator[str]:
    servers = one["servers"]
    lines = figures({name: samples(server) for name, server in servers.items()}, reference)
    table = rows_of(lines, reference, one["unit"])
    extra = [("bytes sent back", "memory grown by"), *(more(servers[line.name]) for line in lines)]
    yield ""
    yield from rows([(*row[:-1], *added, row[-1]) for row, added in zip(table, extra, strict=True)])
    if one["scenario"]["conditions"]["crowd"]:
        for name, server in servers.items():
            if each := server["private_bytes_per_idle_connection"]:
                yield f"\nAn idle connection takes {bytes_of(each)} of {name}'s private memory."


def more(server: Mapping[str, Any]) -> tuple[str, str]:
    """Bytes for each reply, head and body, and how much more memory the server holds after the last round."""
    last = server["rounds"][-1]
    each = last["load"]["bytes"] / last["load"]["requests"]
    sent = bytes_of(each) if each >= 2**20 else f"{each:,.0f}"
    return (sent if each else "—", bytes_of(grown(server)) if last["private_bytes"] else "—")


def heads(sent: Sequence[str]) -> Iterator[str]:
    for head in sent:
        yield f"\n```http\n{head.rstrip().replace(chr(13), '')}\n```"


# --- who was measured -------------------------------------------------------------------------------------


def servers(scenarios: Mapping[str, Any]) -> Iterator[str]:
    """Each server once, as it was run for the first question that it was asked, and what was different for others."""
    seen: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for one in scenarios.values():
        seen |= {name: server for name, server in one["servers"].items() if name not in seen}
        missing |= {name: reason for name, reason in one["skipped"].items() if name not in missing}
    yield "## Who was measured\n"
    yield from rows(
        [
            ("server", "what", "version", "requests over one connection"),
            *((name, one["about"], one["version"], one["requests_per_connection"]) for name, one in seen.items()),
        ]
    )  # fmt: skip
    yield from not_measured({name: reason for name, reason in missing.items() if name not in seen})
    yield "\nEach was started like this, SITE being the folder that it serves; other questions add what they are about."
    yield "The results have the command and the configuration of every server for every question.\n"
    shown: list[str] = []
    for name, one in seen.items():
        yield f"```console\n# {name}\n$ {join(one['command'])}\n```"
        for file, text in one["configuration"].items():
            if text in shown:
                continue
            shown.append(text)
            lines = (line.rstrip() for line in text.splitlines())
            yield f"\n{file} of {name}:\n\n```text\n" + "\n".join(line for line in lines if line) + "\n```\n"


def echo(result: Mapping[str, Any]) -> Iterator[str]:
    yield "## The streams alone\n"
    yield "The toolkit without HTTP, beside other libraries of Python: each sends back what it receives."
    for one in result["scenarios"].values():
        yield f"\n### {one['scenario']['about']}\n"
        if one["servers"]:
            rounds = {name: samples(server) for name, server in one["servers"].items()}
            yield from rows(rows_of(figures(rounds, result["reference"]), result["reference"], one["unit"]))
        yield from not_measured(one["skipped"])


def rows(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table of Markdown, its first row being the head."""
    for number, row in enumerate(table):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
        if number == 0:
            yield f"|{'---|' * len(row)}"
