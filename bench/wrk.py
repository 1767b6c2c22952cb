"""The scripts that ``wrk`` is given: the exact bytes of its requests, and a summary that is not rounded.

wrk would write a head of its own, with the fields in any order; here each head is one of the scenario's, byte for byte.
A head that is always the same is made once, as wrk does it without a script; only those that differ cost the client a
call for each request. ``NUMBER`` in a head is replaced by another number each time, which no earlier round has used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from bench.load import Load

NUMBER = "NUMBER"

# The fields are those of real clients; a browser's head is the longest that a server of files meets every day.
BARE: tuple[str, ...] = ()
CURL = ("User-Agent: curl/7.88.1", "Accept: */*")
USUAL = (
    "Connection: keep-alive",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br, zstd",
)
BROWSER = (
    *USUAL,
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "Priority: u=0, i",
)

DONE = """
function done(summary)
  local errors = summary.errors
  io.write(string.format("%.0f requests in %.0f us, %.0f bytes, %.0f errors, %.0f refused\\n",
    summary.requests, summary.duration, summary.bytes,
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
"""


def head(port: int, path: str, fields: Sequence[str] = BARE) -> str:
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *fields]
    return "\r\n".join([*lines, "", ""])


def fixed(request: str) -> str:
    """Always the same bytes: one head, or several in a row, which wrk knows to be as many requests."""
    return f"function wrk.format() return {json.dumps(request)} end\n{DONE}"


def numbered(request: str, first: int) -> str:
    """Another head for each request."""
    before, _, after = request.partition(NUMBER)
    return f"""\
local before, after, number = {json.dumps(before)}, {json.dumps(after)}, {first}
function request()
  number = number + 1
  return before .. string.format("%016.0f", number) .. after
end
{DONE}"""


def any_of(requests: Sequence[str], folders: int, files: int) -> str:
    """Any of the ``folders`` × ``files`` files, under any of the heads; ``NUMBER`` in a head is its path."""
    halves = [request.partition(NUMBER) for request in requests]
    return f"""\
math.randomseed(1)
local befores = {{{", ".join(json.dumps(before) for before, _, _ in halves)}}}
local afters = {{{", ".join(json.dumps(after) for _, _, after in halves)}}}
local heads = {{}}
for folder = 0, {folders - 1} do
  for file = 0, {files - 1} do
    for kind = 1, #befores do
      heads[#heads + 1] = befores[kind] .. string.format("%02d/%02d", folder, file) .. afters[kind]
    end
  end
end
local random, count = math.random, #heads
function request() return heads[random(count)] end
{DONE}"""


SUMMARY = re.compile(r"^(\d+) requests in (\d+) us, (\d+) bytes, (\d+) errors, (\d+) refused$", re.MULTILINE)


def parse(text: str) -> Load:
    """The summary that the scripts above and ``http_load`` print. Raises ValueError when it is not there."""
    said = SUMMARY.search(text)
    if said is None:
        raise ValueError(f"not a summary of the client: {text[-200:]!r}")
    requests, microseconds, count, errors, refused = map(int, said.groups())
    return Load(requests, microseconds / 1e6, errors, refused, count)
