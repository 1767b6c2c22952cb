"""A Chrome trace as Perfetto understands it: read into slices, spans, arrows and counters, or refused with what is wrong.

Written from the format's description alone (Trace Event Format, Google, and Perfetto's notes on importing it); it knows nothing
of how Poise writes one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


class Wrong(AssertionError):
    """The trace breaks a rule."""


@dataclass
class Slice:
    name: str
    begin: int
    end: int
    args: dict[str, Any]
    depth: int = 0
    parent: Slice | None = None


@dataclass
class Span:
    name: str
    begin: int
    end: int
    args: dict[str, Any]
    inside: list[Span] = field(default_factory=list)


@dataclass
class Read:
    slices: list[Slice] = field(default_factory=list)
    outermost: dict[tuple[str, str], list[Span]] = field(default_factory=dict)
    """The asynchronous spans of each category and number that lie in no other."""
    spans: dict[tuple[str, str], Span] = field(default_factory=dict)
    """Those that are alone there."""
    arrows: list[tuple[Slice, Slice]] = field(default_factory=list)
    counters: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    instants: list[dict[str, Any]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def nanoseconds(value: object) -> int:
    """As Perfetto does it: a double of microseconds, times 1000, cut off."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e15:
        raise Wrong(f"no time: {value!r}")
    return int(value * 1000)


def read(trace: dict[str, Any]) -> Read:
    found = Read()
    events = trace["traceEvents"]
    threads: dict[tuple[int, int], list[Slice]] = defaultdict(list)
    nested: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    starts: dict[Any, dict[str, Any]] = {}
    ends: dict[Any, dict[str, Any]] = {}
    for event in events:
        if not isinstance(event.get("name"), str) or not isinstance(event.get("pid"), int):
            raise Wrong(f"an event without a name or process: {event}")
        match event["ph"]:
            case "X":
                begin = nanoseconds(event["ts"])
                threads[event["pid"], event["tid"]].append(
                    Slice(event["name"], begin, begin + nanoseconds(event["dur"]), event.get("args", {}))
                )
            case "b" | "e":
                nested[event["cat"], event["id"]].append(event)
            case "s" | "f":
                side = starts if event["ph"] == "s" else ends
                if event["id"] in side:
                    raise Wrong(f"an arrow with two of its ends: {event}")
                if event["ph"] == "f" and event.get("bp") != "e":
                    raise Wrong(f"an arrow that would lead to the next slice and not to this: {event}")
                side[event["id"]] = event
            case "C":
                for name, value in event["args"].items():
                    if not isinstance(value, (int, float)):
                        raise Wrong(f"a counter of {value!r}")
                    found.counters[name].append((nanoseconds(event["ts"]), value))
            case "i":
                if event.get("s") not in ("t", "p", "g"):
                    raise Wrong(f"an instant of nothing: {event}")
                nanoseconds(event["ts"])
                found.instants.append(event)
            case "M":
                found.names[event["name"]] = event["args"]["name"]
            case other:
                raise Wrong(f"an event of the kind {other!r}, of which none was expected")
    for slices in threads.values():
        nest(slices)
        found.slices += slices
    for key, each in nested.items():
        found.outermost[key] = stacked(each)
        if len(found.outermost[key]) == 1:
            found.spans[key] = found.outermost[key][0]
    if starts.keys() != ends.keys():
        raise Wrong(f"arrows with one end: {sorted(starts.keys() ^ ends.keys())[:5]}")
    for number, start in starts.items():
        found.arrows.append((enclosing(found.slices, start), enclosing(found.slices, ends[number])))
        if nanoseconds(ends[number]["ts"]) < nanoseconds(start["ts"]):
            raise Wrong(f"an arrow back in time: {start}")
    for name, points in found.counters.items():
        if points != sorted(points, key=lambda point: point[0]):
            raise Wrong(f"the counter {name} goes back in time")
    return found


def stacked(events: list[dict[str, Any]]) -> list[Span]:
    """Asynchronous events of one category and number (nestable ones): an end belongs to the last beginning that has none."""
    outermost: list[Span] = []
    opened: list[Span] = []
    for event in sorted(events, key=lambda each: nanoseconds(each["ts"])):
        at = nanoseconds(event["ts"])
        if event["ph"] == "b":
            span = Span(event["name"], at, -1, event.get("args", {}))
            (opened[-1].inside if opened else outermost).append(span)
            opened.append(span)
        elif not opened or opened[-1].name != event["name"]:
            raise Wrong(f"ends without a beginning, or crosses another: {event}")
        else:
            opened.pop().end = at
    if opened:
        raise Wrong(f"never ends: {opened[-1]}")
    return outermost


def nest(slices: list[Slice]) -> None:
    """Find the parent of each slice of one thread; they must come in order, and be inside of each other or apart."""
    opened: list[Slice] = []
    last = 0
    for each in slices:
        if each.begin < last:
            raise Wrong(f"out of order: {each}")
        last = each.begin
        while (
            opened
            and opened[-1].end <= each.begin
            and not (opened[-1].begin == opened[-1].end == each.begin == each.end)
        ):
            opened.pop()
        if opened and opened[-1].end < each.end:
            raise Wrong(
                f"{each.name} {each.begin}..{each.end} overlaps {opened[-1].name} {opened[-1].begin}..{opened[-1].end}"
            )
        each.parent = opened[-1] if opened else None
        each.depth = len(opened)
        opened.append(each)


def enclosing(slices: list[Slice], event: dict[str, Any]) -> Slice:
    """The innermost slice in which an end of an arrow lies; one that begins there counts, one that ends there does not."""
    at = nanoseconds(event["ts"])
    place = bisect_right(slices, at, key=lambda each: each.begin)
    while place:
        place -= 1
        each = slices[place]
        if at < max(each.end, each.begin + 1):
            return each
        if not each.depth:
            break
    raise Wrong(f"an arrow that begins or ends nowhere: {event}")
