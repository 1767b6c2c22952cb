"""Writes the generated parts of docs/reference/ from signatures and docstrings: ``python3 -m tests.docs_reference``.

Each page has an introduction written by hand, and below it, between two marks, what the code says of itself: for every
public name its signature, its docstring, and its public methods. ``README.md`` there is the index.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import poise
from poise.limits import Checked
from poise.limits.record import Record
from poise.net.options import OPTIONS, Kind
from tests import docs_limits

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
BEGIN, END = "<!-- reference: begin, written by `make docs` -->", "<!-- reference: end -->"
WIDTH = 100  # characters of a signature before it is broken


@dataclass(frozen=True, slots=True)
class Page:
    """One subject and the public names that belong to it, in the order in which they are read best."""

    file: str
    subject: str
    names: tuple[str, ...]

    @property
    def path(self) -> Path:
        return FOLDER / self.file


def _page(file: str, subject: str, names: str) -> Page:
    return Page(file, subject, tuple(names.split()))


PAGES = (
    _page(
        "loop.md",
        "The loop, time and signals",
        "Reactor Handle TimerHandle Deadline Signals RealClock ManualClock Poller choose available READ WRITE FAULTS",
    ),
    _page(
        "streams.md",
        "Streams: TCP and unix sockets",
        "listen Listener connect Connecting ConnectError ResolveError Stream Protocol BufferedProtocol",
    ),
    _page("tls.md", "TLS", "ServerTLS ClientTLS TLSStream start_tls TLSError TLSTruncated"),
    _page(
        "framing.md",
        "Framing: messages in a stream",
        "FramedProtocol Framer LineFramer DelimiterFramer FixedFramer LengthFramer VarintFramer NetstringFramer FrameError",
    ),
    _page("datagrams.md", "Datagrams", "open_datagram Datagram DatagramProtocol TruncatedDatagram"),
    _page("options.md", "Socket options", "SocketOptions set_option get_option"),
    _page(
        "pipes.md",
        "Pipes, files and terminals",
        "stdin stdout read_pipe write_pipe ReadPipe WritePipe Sink cbreak_terminal raw_terminal",
    ),
    _page("processes.md", "Child processes", "spawn Process ProcessProtocol PIPE STDOUT DEVNULL"),
    _page("offload.md", "Work beside the loop", "offload Offloaded Overloaded"),
    _page("asyncio.md", "Together with asyncio", "embed Embedded PoiseSelector"),
    _page(
        "http.md",
        "HTTP",
        "HTTPServer Request Reply FileBody Feed EventStream RequestError AccessLog CombinedLog JSONLog",
    ),
    _page("seeing.md", "Seeing the loop", "watch watch_asyncio Watch"),
    _page("files.md", "A folder as a web site", "Root Site FileServer"),
    _page(
        "limits.md",
        "Limits",
        "LoopLimits ListenLimits ConnectLimits StreamLimits TLSLimits FrameLimits DatagramLimits DiscoveryLimits "
        "ProcessLimits HttpLimits FileLimits LogLimits",
    ),
    _page(
        "errors.md",
        "Errors: whose fault is it?",
        "PoiseError PeerFault ProgramFault MachineFault DeadlineExceeded AlreadyRegistered NotRegistered",
    ),
)

SPELLED = {
    getattr(poise, name): name for name in ("PIPE", "STDOUT", "DEVNULL")
}  # negative, and used as defaults

# A number has no docstring of its own.
CONSTANTS = {
    "READ": "The bit of a mask for *there is something to read*, or an end, or somebody to accept (`POLLIN`, poll(2)).",
    "WRITE": "The bit of a mask for *there is room to write*, or a connection attempt is over (`POLLOUT`, poll(2)).",
    "FAULTS": "The bits that no one asks for and everyone may get: error, hang-up, not open (`POLLERR`, `POLLHUP`, "
    "`POLLNVAL`, poll(2)).",
    "PIPE": "For `spawn`: a pipe between the child and us, as in `subprocess`.",
    "STDOUT": "For `spawn(stderr=STDOUT)`: errors go where the child's output goes, as in `subprocess`.",
    "DEVNULL": "For `spawn`: nothing to read, and what is written is dropped, as in `subprocess`.",
}


# --- one name ---------------------------------------------------------------------------------------------


def entry(name: str) -> list[str]:
    """The section of one public name."""
    thing = getattr(poise, name)
    room = "poise/" + poise._ROOM_OF[name].replace(".", "/")
    file = f"{room}.py" if (ROOT / f"{room}.py").is_file() else f"{room}/__init__.py"
    lines = [f"## `{name}`", ""]
    if name in CONSTANTS:
        return [
            *lines,
            f"`{name} = {thing:#x}`" if thing >= 0 else f"`{name}`",
            "",
            CONSTANTS[name],
            "",
            where(file),
        ]
    if inspect.isclass(thing):
        lines += about_class(name, thing)
    else:
        lines += [*code(signature(name, thing)), "", markdown(thing.__doc__), ""]
    return [*lines, where(file)]


def where(file: str) -> str:
    return f"*Source: [{file}](../../{file})*\n"


def about_class(name: str, thing: type) -> list[str]:
    lines = []
    if makes_sense_to_call(thing):
        lines += [*code(signature(name, thing)), ""]
    public = {getattr(poise, other) for other in CLASSES}
    bases = [
        base.__name__
        for base in thing.__bases__
        if base in public or base.__module__ in ("builtins", "selectors")
    ]
    bases = [base for base in bases if base != "object" and not (base == "Protocol" and is_layer(thing))]
    if bases:
        lines += [f"A {' and a '.join(f'`{base}`' for base in bases)}.", ""]
    lines += [markdown(inspect.getdoc(thing)), ""]
    beginning = thing.__dict__.get("__init__")
    if inspect.isfunction(beginning) and beginning.__doc__:
        lines += [markdown(beginning.__doc__), ""]
    if issubclass(thing, Checked):
        head = ["| limit | default | option and variable | why |", "|---|---|---|---|"]
        return [*lines, *head, *map(docs_limits.row, thing.LIMITS.values()), ""]
    if name == "SocketOptions":
        lines += [*option_table(), ""]
    members = [f"- **`{shown}`**{separator(doc)}{doc}" for shown, doc in about_members(thing)]
    return [*lines, *members, ""] if members else lines


def separator(doc: str) -> str:
    return ": " if doc else ""


def makes_sense_to_call(thing: type) -> bool:
    """Whether users make objects of this class themselves, and there is something to say about how."""
    doc = inspect.getdoc(thing) or ""
    if (
        getattr(thing, "_is_protocol", False)
        or re.search(r"Made by|not used itself", doc)
        or thing.__name__ in MADE_BY_US
    ):
        return False
    if issubclass(thing, BaseException):
        return "__init__" in thing.__dict__
    return bool(inspect.signature(thing).parameters)


MADE_BY_US = {
    "Connecting",
    "Datagram",
    "Deadline",
    "Embedded",
    "Handle",
    "Listener",
    "Offloaded",
    "Request",
    "Signals",
    "TLSStream",
    "TimerHandle",
}


def about_members(thing: type) -> Iterator[tuple[str, str]]:
    """Attributes with a docstring, then properties and methods: ``(as it is shown, what it is)``."""
    for name, doc in attributes(thing).items():
        yield name, inline(doc)
    for name, member in members(thing):
        doc = inline(words_of(thing, name))
        if isinstance(member, property):
            yield name, doc
        else:
            function = inspect.unwrap(getattr(thing, name))
            bound = not isinstance(member, staticmethod | classmethod)
            yield short_signature(name, function, skip=int(bound)), doc


def words_of(thing: type, name: str) -> str:
    """The docstring of a method; what goes without saying in one kind of stream is said where it is for all."""
    return inspect.getdoc(getattr(thing, name)) or inspect.getdoc(getattr(poise.ReadPipe, name, None)) or ""


def members(thing: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties of ``thing``, its own first, then those it has from Poise's other classes."""
    seen: set[str] = set()
    for level in thing.__mro__:
        if not level.__module__.startswith("poise."):
            continue
        for name, member in vars(level).items():
            interesting = isinstance(member, property | staticmethod | classmethod) or inspect.isfunction(
                member
            )
            hidden = name in INTERNAL or (is_layer(thing) and name in HEARD)
            if interesting and not name.startswith("_") and name not in seen and not hidden:
                seen.add(name)
                yield name, member


def is_layer(thing: type) -> bool:
    """Whether it is a stream that hears of another one below it, which is nothing to those who use it."""
    return issubclass(thing, poise.Protocol) and hasattr(thing, "write")


HEARD = {*vars(poise.Protocol), *vars(poise.Protocol.__base__)}

CLASSES = [name for name in poise.__all__ if inspect.isclass(getattr(poise, name))]

# Called by rooms of Poise only; public because they live in other rooms.
INTERNAL = {
    "begin",
    "call_last",
    "check_open",
    "claim",
    "exchange_gone",
    "fail",
    "for_target",
    "handle",
    "holds_input",
    "parse",
    "refuse",
    "remember",
    "sooner",
    "tell_when_drained",
}


def attributes(thing: type) -> dict[str, str]:
    """What a string after an assignment says of an attribute, in the class's body or in ``__init__``."""
    found: dict[str, str] = {}
    for level in reversed(thing.__mro__):
        if not level.__module__.startswith("poise."):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(level))).body[0]
        for node in ast.walk(tree):
            body = getattr(node, "body", [])
            if not isinstance(node, ast.ClassDef | ast.FunctionDef):
                continue
            for before, after in pairwise(body):
                name = assigned(before)
                said = after.value if isinstance(after, ast.Expr) else None
                if name and isinstance(said, ast.Constant) and isinstance(said.value, str):
                    found[name] = inspect.cleandoc(said.value)
    return found


def assigned(node: ast.AST) -> str:
    """The public name that ``node`` assigns to, plain or of ``self``."""
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    for target in targets:
        name = (
            target.id
            if isinstance(target, ast.Name)
            else target.attr
            if isinstance(target, ast.Attribute)
            else "_"
        )
        if not name.startswith("_"):
            return name
    return ""


def undocumented() -> list[str]:
    """Public methods and properties without a docstring, their own or inherited."""
    return [
        f"{name}.{member}"
        for name in poise.__all__
        if inspect.isclass(thing := getattr(poise, name))
        for member, _ in members(thing)
        if not words_of(thing, member)
    ]


def option_table() -> list[str]:
    rows = ["| option | for | value | kernel's name |", "|---|---|---|---|"]
    for name, option in OPTIONS.items():
        value = option.kind.value
        if option.kind is Kind.NUMBER:
            value = f"{option.low:,} to {option.high:,} {option.unit}"
        constant = f"`{option.constant}`" + (f", `{option.over_ipv6}`" if option.over_ipv6 else "")
        rows.append(f"| `{name}` | {option.scope.value} | {value} | {constant} |")
    return rows


# --- signatures and text ----------------------------------------------------------------------------------


def signature(name: str, thing: Any) -> str:
    """With types, on one line if it fits."""
    found = of_record(thing) if is_record(thing) else inspect.signature(thing)
    parts = list(parameters(found, types=True))
    result = "" if inspect.isclass(thing) else f" -> {annotation(found.return_annotation)}"
    line = f"{name}({', '.join(parts)}){result}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){result}"


def is_record(thing: Any) -> bool:
    return inspect.isclass(thing) and issubclass(thing, Record)


def of_record(record: type[Record]) -> inspect.Signature:
    """The fields that are given when one is made."""
    kinds = record.__annotations__
    fields = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=record.DEFAULTS.get(name, inspect.Parameter.empty),
            annotation=kinds[name],
        )
        for name in record.FIELDS
    ]
    return inspect.Signature(fields)


def short_signature(name: str, function: Any, *, skip: int) -> str:
    return f"{name}({', '.join(list(parameters(inspect.signature(function), types=False))[skip:])})"


def parameters(found: inspect.Signature, *, types: bool) -> Iterator[str]:
    named_only = False
    for parameter in found.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not named_only:
            named_only = True
            yield "*"
        if parameter.kind is parameter.VAR_POSITIONAL:
            named_only = True
        stars = "*" * (parameter.kind == parameter.VAR_POSITIONAL) + "**" * (
            parameter.kind == parameter.VAR_KEYWORD
        )
        text = stars + parameter.name
        typed = types and parameter.annotation is not parameter.empty
        if typed:
            text += f": {annotation(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += (" = " if typed else "=") + default(parameter.default)
        yield text


def annotation(value: Any) -> str:
    return value if isinstance(value, str) else getattr(value, "__name__", str(value))


def default(value: Any) -> str:
    if isinstance(value, Checked):
        return f"{type(value).__name__}()"
    if inspect.isfunction(value):
        return value.__name__
    if is_dataclass(value):
        return f"{type(value).__name__}(…)"
    return SPELLED.get(value, repr(value)) if type(value) is int else repr(value)


def code(text: str) -> list[str]:
    return ["```python", text, "```"]


def markdown(doc: str | None) -> str:
    """A docstring as Markdown: code in single ticks, literal blocks fenced."""
    lines = inspect.cleandoc(doc or "").split("\n")
    out: list[str] = []
    block: list[str] = []
    literal = False
    for line in [*lines, "end"]:
        if literal and (not line or line.startswith(" ")):
            block.append(line)
            continue
        if literal:
            out += ["```", *textwrap.dedent("\n".join(block)).strip("\n").split("\n"), "```", ""]
            literal, block = False, []
        literal = line.endswith("::")
        out.append(line[:-1] if literal else line)
    text = "\n".join(out[:-1])
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text).strip()


def inline(doc: str) -> str:
    """The same within a list: further paragraphs are indented."""
    return markdown(doc).replace("\n", "\n  ").replace("\n  \n", "\n\n")


# --- pages ------------------------------------------------------------------------------------------------


def renewed(page: Page, written: str) -> str:
    """The page with its generated part as it should be. ValueError when it has lost its marks."""
    return between(written, page.file, "\n".join("\n".join(entry(name)) for name in page.names))


def renewed_index(written: str) -> str:
    rows = ["| page | names |", "|---|---|"]
    for page in PAGES:
        names = ", ".join(f"[`{name}`]({page.file}#{name.lower()})" for name in page.names)
        rows.append(f"| [{page.subject}]({page.file}) | {names} |")
    return between(written, "README.md", "\n".join(rows) + "\n")


def between(written: str, file: str, text: str) -> str:
    before, begin, rest = written.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{file} has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def write() -> None:
    for page in PAGES:
        page.path.write_text(renewed(page, page.path.read_text(encoding="utf-8")), encoding="utf-8")
    index = FOLDER / "README.md"
    index.write_text(renewed_index(index.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
