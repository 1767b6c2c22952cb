"""How ``poise top`` looks: from what is known to lines. Nothing here reads or writes anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from poise.cli.paint import Column, Line, Span, cell, columns, joined
from poise.cli.plain import plain, width, wrapped
from poise.cli.topmodel import Model
from poise.cli.toptexts import Texts
from poise.seeing import figures

Value = dict[str, Any]

BARS = "▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉█"
SPARKS = 60  # turns in the line of them
STEADY = 36  # columns of what the turn does, so that the line of turns keeps its place
SHORTEST, LONGEST = 10_000, 100_000_000  # nanoseconds between which a turn's bar grows, by powers
LAMPS = (("IN", 0x1), ("OUT", 0x4), ("PRI", 0x2), ("ERR", 0x8), ("HUP", 0x10), ("RDHUP", 0x2000))
ASKED, TOLD, DARK = "○", "●", "·"
PART = 4  # columns of each part of the three-part bar
FULL_BITS = (
    24  # powers of two of bytes that fill a part: 16 MiB; a bar that is twice as long is not twice as much
)
FRAMES = 6  # of a stack that are shown
PANES = ("rows", "holders", "timers")
FEW_LINTS = 3
SENTENCE = 3  # lines at most
LOW = 20  # lines of a window; in a lower one what is wrong has a line each
INDENT = "    "
TABLE = 3  # lines of it are seen in any window: its head, and two rows
LAST, FIGURES, TURN, FIX, FRAME, MORE_FIGURES, EMPTY = range(1, 8)
"""Ranks of the lines above the table."""

DESCRIPTORS = (
    Column("fd", 6),
    Column("kind", 10, rank=4),
    Column("what", 11, grow=3, rank=1),
    Column("peer", 15, grow=1, rank=6),
    Column("state", 12, grow=1),
    Column("lamps", 23, rank=3),
    Column("buffers", PART * 3 + 2, rank=2),
    Column("rate_in", 10, right=True, rank=7),
    Column("rate_out", 10, right=True, rank=5),
    Column("events", 8, right=True, rank=9),
    Column("held", 8, right=True),
    Column("most", 8, right=True, rank=8),
)
HOLDERS = (
    Column("what", 20, grow=1),
    Column("share", 7, right=True),
    Column("total", 9, right=True),
    Column("events", 10, right=True, rank=1),
    Column("most", 9, right=True),
)
TIMERS = (Column("what", 20, grow=1), Column("due", 10, right=True))


class Look(NamedTuple):
    """How a person wants to see it."""

    words: Texts
    """Of the terminal."""
    texts: Texts
    """Of page, log and terminal: ``verdict.…``, ``lint.…``."""
    sort: str = "held"
    wanted: str = ""
    pane: str = "rows"
    note: str = ""
    """A last line: help, or a question."""
    lost: str = ""
    """That the program says nothing any more: then what it said last is not how it is."""


class Part(NamedTuple):
    """One line above the table."""

    rank: int
    """When a window is too low, lines of the highest rank go first; 0 never goes."""
    line: Line


def screen(model: Model, look: Look, room: int, lines: int | None) -> list[Line]:
    """What fills a window of so many columns and lines; None for all there is."""
    if not model.state:
        lost: list[Line] = [[Span(look.lost, "held")]] if look.lost else []
        return [*lost, [Span(look.note)]]
    parts = [
        *_head(model, room),
        *_sentence(model, look, room),
        *_figures(model, look, room),
        *_turn(model, look, room),
        Part(EMPTY, []),
        *_trouble(model, look, room, SENTENCE if lines is None or lines >= LOW else 1),
    ]
    bottom: list[Line] = [[Span(look.note, "dim")]] if look.note else []
    top = _fitting(parts, None if lines is None else lines - len(bottom) - TABLE)
    left = None if lines is None else max(0, lines - len(top) - len(bottom))
    table = {"rows": _rows, "holders": _holders, "timers": _timers}[look.pane](model, look, room, left)
    if lines is None:
        return [*top, *table]
    body = [*top, *table][: max(0, lines - len(bottom))]
    return [*body, *[[] for _ in range(lines - len(body) - len(bottom))], *bottom]


def _fitting(parts: list[Part], lines: int | None) -> list[Line]:
    """Those that have room, from below the less important first."""
    kept = list(parts)
    while lines is not None and len(kept) > lines and (worst := max(part.rank for part in kept)):
        del kept[max(number for number, part in enumerate(kept) if part.rank == worst)]
    return [part.line for part in kept]


def _head(model: Model, room: int) -> Iterator[Part]:
    """Who it is, and as far as there is room, on what it runs."""
    hello = model.hello
    what = f" {hello.get('pid')}  {hello.get('program', '')}"
    how = f"{hello.get('poller', '')}  Python {hello.get('python', '')}  {model.state.get('level', '')} "
    wide = room - width(plain(how)) - 1
    if wide < min(width(plain(what)), room // 2):
        yield Part(0, [cell(what, room, "head")])
    else:
        yield Part(0, [cell(what, wide, "head"), Span(" " + how, "head")])


def _sentence(model: Model, look: Look, room: int) -> Iterator[Part]:
    if look.lost:
        yield from _said(look.lost, "held", room, 0, SENTENCE)
        return
    verdict = model.state["verdict"]
    text = figures.filled(look.texts.get(f"verdict.{verdict['id']}", verdict["id"]), verdict["args"])
    yield from _said(text, "bold", room, 0, SENTENCE)


def _said(text: str, style: str, room: int, rank: int, most: int) -> Iterator[Part]:
    """A sentence, in as many lines as it needs, but not more than ``most``."""
    indent = INDENT if rank else ""
    for number, line in enumerate(wrapped(plain(text), max(1, room - len(indent)), most)):
        yield Part(rank, [Span((indent if number else "") + line, style)])


def _figures(model: Model, look: Look, room: int) -> Iterator[Part]:
    numbers, cost, words = model.state["numbers"], model.state["cost"], look.words
    longest = numbers["longest"]
    shown = [
        (words["busy"], figures.share(numbers["busy"])),
        (words["longest"], figures.duration(longest["ns"] if longest else None)),
        (words["lag"], figures.duration(numbers["lag_p99_ns"])),
        (words["turns"], figures.count(numbers["turns_per_s"])),
        (words["calls"], figures.count(numbers["callbacks_per_s"])),
        (words["open"], figures.count(numbers["open"])),
        (words["cost"], figures.share(cost["cpu"])),
    ]
    line: Line = []
    used = 0
    rank = FIGURES
    for name, value in shown:
        wide = width(name) + 1 + width(value)
        if line and used + wide > room:
            yield Part(rank, line)
            line, used, rank = [], 0, MORE_FIGURES
        line += [Span(f"{name} ", "dim"), Span(value), Span("   ")]
        used += wide + 3
    yield Part(rank, line)


def _turn(model: Model, look: Look, room: int) -> Iterator[Part]:
    turn, words = model.state["turn"], look.words
    phase = words[f"phase.{turn['phase']}"]
    now = figures.filled(words["now"], {"number": str(turn["n"]), "phase": phase, "ns": turn["phase_ns"]})
    wide = max(width(now), STEADY)
    fit = min(SPARKS, room - wide - 2)
    sparks = sparkline(model.turns[-fit:]) if fit > 0 else ""
    yield Part(TURN, [cell(now, wide), Span("  "), Span(sparks, "busy")])


def sparkline(turns: list[list[Any]]) -> str:
    """How long each turn worked, by powers of ten."""
    return "".join(BARS[step(turn[3] + turn[4] + turn[5])] for turn in turns)


def step(ns: int) -> int:
    """Which of the bars: SHORTEST and less has the first, LONGEST and more the last."""
    scaled = math.log(max(1, ns) / SHORTEST) / math.log(LONGEST / SHORTEST)
    return max(0, min(len(BARS) - 1, int(scaled * len(BARS))))


# -- what is wrong ------------------------------------------------------------------------------------------


def _trouble(model: Model, look: Look, room: int, most: int) -> Iterator[Part]:
    """The stall that goes on, or the last one, and what the lints say, each in ``most`` lines."""
    words = look.words
    stuck, lints = model.state["turn"].get("stuck"), model.state["lints"][:FEW_LINTS]
    if stuck is not None:
        yield from _said(figures.filled(words["stuck"], _about(stuck, look)), "held", room, LAST, most)
        yield from _stack(stuck, FRAMES)
    elif model.stalls:
        last = model.stalls[-1]
        about = _about(last, look) | {"ago": model.state["at"] - last["at"] - last["ns"]}
        yield from _said(figures.filled(words["stall"], about), "held", room, LAST, most)
        yield from _stack(last, 1)
    for lint in lints:
        args = {"fd": lint.get("fd"), "peer": lint.get("peer")} | lint["args"]
        said, fix = (look.texts.get(f"lint.{lint['id']}{part}") for part in ("", ".fix"))
        yield from _said(figures.filled(said or str(lint["id"]), args), "writing", room, LAST, most)
        if fix:
            yield from _said(f"  {words['fix']} {figures.filled(fix, args)}", "dim", room, FIX, most)
    if stuck is not None or model.stalls or lints:
        yield Part(EMPTY, [])


def _about(stall: Value, look: Look) -> Value:
    where = [stall.get("name") or "?"]
    if stall.get("fd") is not None:
        where.append(f"({stall['fd']}.{stall.get('gen')} {stall.get('peer') or ''}".rstrip() + ")")
    kind = look.texts.get(f"kind.{stall['kind']}", stall["kind"])
    return {"name": " ".join(where), "ns": stall["ns"], "kind": kind}


def _stack(stall: Value, most: int) -> Iterator[Part]:
    """The innermost lines; the first is the one to look at."""
    for number, (file, line, function) in enumerate((stall.get("stack") or [])[:most]):
        yield Part(FRAME if number else LAST, [Span(f"    {file}:{line} {function}", "dim")])


# -- tables -------------------------------------------------------------------------------------------------


def _rows(model: Model, look: Look, room: int, left: int | None) -> list[Line]:
    rows = model.shown(look.sort, look.wanted)
    return _table(DESCRIPTORS, rows, _descriptor, look, room, left)


def _holders(model: Model, look: Look, room: int, left: int | None) -> list[Line]:
    return _table(HOLDERS, model.state["holders"], _holder, look, room, left)


def _timers(model: Model, look: Look, room: int, left: int | None) -> list[Line]:
    return _table(TIMERS, model.state["timers"], _timer, look, room, left)


def _table(
    wanted: tuple[Column, ...],
    rows: list[Value],
    shown: Callable[[Value, Look], Mapping[str, tuple[str, str]]],
    look: Look,
    room: int,
    left: int | None,
) -> list[Line]:
    words = look.words
    widths = columns(wanted, room)
    heads = {"lamps": " ".join(name[:3] for name, _ in LAMPS)}
    lines = [
        joined(
            cell(heads.get(each.name) or words[each.name], wide, "dim", right=each.right)
            for each, wide in widths
        )
    ]
    fit = len(rows) if left is None else max(0, left - 1)
    if fit < len(rows):
        fit = max(0, fit - 1)
    for row in rows[:fit]:
        cells = shown(row, look)
        lines.append(
            joined(
                cell(cells[each.name][0], wide, cells[each.name][1], right=each.right)
                for each, wide in widths
            )
        )
    if fit < len(rows):
        lines.append([Span(figures.filled(words["more"], {"count": len(rows) - fit}), "dim")])
    elif not rows and look.wanted:
        lines.append([Span(words["none"], "dim")])
    return lines


def _descriptor(row: Value, look: Look) -> Mapping[str, tuple[str, str]]:
    state = str(row["state"])
    style = state if state in ("reading", "writing", "busy", "held", "closed") else "waiting"
    return {
        "fd": (f"{row['fd']}.{row['gen']}", ""),
        "kind": (str(row["kind"]), ""),
        "what": (str(row["what"]), ""),
        "peer": (str(row["peer"] or ""), ""),
        "state": (look.texts.get(f"state.{state}", state), style),
        "lamps": (lamps(row["wanted"], row["returned"]), ""),
        "buffers": ("│".join(bar(row.get(name)) for name in ("in", "queue", "out")), ""),
        "rate_in": (figures.rate(row.get("rate_in")), ""),
        "rate_out": (figures.rate(row.get("rate_out")), ""),
        "events": (figures.count(row["events"]), ""),
        "held": (figures.duration(row["held_ns"]), ""),
        "most": (figures.duration(row["longest_ns"]), ""),
    }


def _holder(holder: Value, _look: Look) -> Mapping[str, tuple[str, str]]:
    return {
        "what": (str(holder["name"]), ""),
        "share": (figures.share(holder["share"]), ""),
        "total": (figures.duration(holder["total_ns"]), ""),
        "events": (figures.count(holder["calls"]), ""),
        "most": (figures.duration(holder["longest_ns"]), ""),
    }


def _timer(timer: Value, _look: Look) -> Mapping[str, tuple[str, str]]:
    return {"what": (str(timer["name"]), ""), "due": (figures.duration(timer["due_in_ns"]), "")}


def lamps(wanted: int, returned: int) -> str:
    """Six lamps: full for what was reported, an outline for what is asked for alone."""
    return " ".join(f"{TOLD if returned & bit else ASKED if wanted & bit else DARK:^3}" for _, bit in LAMPS)


def bar(count: float | None) -> str:
    """How full one part is, by powers of two; a dash when nobody knows."""
    if count is None:
        return f"{figures.NONE:<{PART}}"
    steps = PART * 8
    full = min(steps, -(-int(count).bit_length() * steps // FULL_BITS))
    whole, rest = divmod(full, 8)
    return (EIGHTHS[8] * whole + (EIGHTHS[rest] if rest else ""))[:PART].ljust(PART)
