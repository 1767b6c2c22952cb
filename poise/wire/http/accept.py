"""What a client would rather have: Accept, Accept-Encoding and Accept-Language (RFC 9110 section 12).

The rules that the three have in common:

* A member that breaks the grammar is as if it were not there; the others still count.
* Of several members that name the same thing the first counts.
* Only as many members are read as the caller says, empty ones included. Everything takes linear time.

Weights are thousandths, which is all that a qvalue can say (section 12.4.2): 0 means "not acceptable".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from poise.wire.http.grammar import OWS, quoted_string, token
from poise.wire.pattern import pattern

FULL = 1000
"""The weight 1, and of everything that says none."""

IDENTITY = "identity"
"""No coding at all (section 12.5.3)."""

ANYTHING = "*"

ALIASES = {"x-gzip": "gzip", "x-compress": "compress"}
"""Section 8.4.1."""

MEMBER = pattern(r'(?:\A|,)((?:[^,"]++|"(?:[^"\\]++|\\.)*+"?+)*+)', re.DOTALL)
"""Up to the next comma that no quotes enclose. Quotes that never end take the rest along, which then means nothing."""

QVALUE = pattern(r"0(?:\.[0-9]{0,3}+)?+|1(?:\.0{0,3}+)?+")

_weight = rf"(?:{OWS};{OWS}[qQ]=({QVALUE.pattern}))?+"

CODING = pattern(rf"({token}){_weight}")

LANGUAGE = pattern(rf"([A-Za-z]{{1,8}}+(?:-[A-Za-z0-9]{{1,8}}+)*+|\*){_weight}")
"""With a language-range of RFC 4647 section 2.1."""

_parameter = rf"{OWS};{OWS}(?:({token})=({token}|{quoted_string}))?+"

PARAMETER = pattern(_parameter)

MEDIA_RANGE = pattern(rf"({token}/{token})((?:{_parameter})*+)")


def choose_coding(value: str | None, offered: Sequence[str], most: int) -> str | None:
    """Which of the content codings ``offered``, or ``identity``, answers the Accept-Encoding ``value``.

    The one that the client gives the highest weight; among equals the first offered, and ``identity`` last. Without a
    field (``value`` None) any coding is allowed, but who asks for none gets none. None when nothing is acceptable, not
    even ``identity``. ``offered`` is in lower case; the first ``most`` members are read.
    """
    if value is None:
        return IDENTITY
    weights = _weights(CODING, value, most)
    others = weights.get(ANYTHING)
    chosen, best = None, 0
    for coding in offered:
        weight = weights.get(coding, others or 0)
        if weight > best:
            chosen, best = coding, weight
    plain = weights.get(IDENTITY, others)
    if plain is None:  # allowed unless excluded, but less than anything that is asked for
        return chosen or IDENTITY
    return IDENTITY if plain > best else chosen


def choose_language(value: str | None, offered: Sequence[str], most: int) -> str:
    """Which of the languages ``offered`` answers the Accept-Language ``value``: the lookup of RFC 4647 section 3.4.

    ``zh-Hant-TW`` asks for ``zh-hant-tw``, else ``zh-hant``, else ``zh``. Where nothing fits, the first is taken that
    is not refused by a weight of 0, or the first of all: a text in the wrong language is better than none.
    ``offered`` is not empty and in lower case; the first ``most`` members are read.
    """
    weights = _weights(LANGUAGE, value or "", most)
    allowed = [tag for tag in offered if weights.get(tag) != 0]
    for wanted in sorted(weights, key=weights.__getitem__, reverse=True):  # sorted keeps the order of equals
        fitting = [tag for tag in allowed if weights[wanted] and f"{wanted}-".startswith(f"{tag}-")]
        if fitting:
            return max(fitting, key=len)
    return allowed[0] if allowed else offered[0]


def prefers(value: str | None, media_type: str, other: str, most: int) -> bool:
    """Whether the Accept ``value`` asks for ``media_type`` rather than for ``other``.

    The higher weight decides. Between equals it is the one that is named more plainly: ``application/json, */*`` asks
    for JSON rather than for HTML, although it takes either. Both are in lower case; parameters other than ``q`` are not
    looked at; the first ``most`` members are read.
    """
    weights: dict[str, int] = {}
    for member in _members(value or "", most):
        match = MEDIA_RANGE.fullmatch(member)
        weight = None if match is None else _weight_among(match[2])
        if match is not None and weight is not None:
            weights.setdefault(match[1].lower(), weight)
    mine = _preference(weights, media_type)
    return mine[0] > 0 and mine > _preference(weights, other)


def _preference(weights: dict[str, int], media_type: str) -> tuple[int, int]:
    """The weight of ``media_type`` by the most specific range that names it, and how specific that is."""
    kind = media_type.partition("/")[0]
    for plainness, media_range in ((2, media_type), (1, f"{kind}/*"), (0, "*/*")):
        if media_range in weights:
            return weights[media_range], plainness
    return 0, 0


def _weight_among(parameters: str) -> int | None:
    """What the first ``q`` among the parameters of a media range says; None when that is no qvalue."""
    for name, value in PARAMETER.findall(parameters):
        if name.lower() == "q":
            return _thousandths(value) if QVALUE.fullmatch(value) else None
    return FULL


def _weights(pattern: re.Pattern[str], value: str, most: int) -> dict[str, int]:
    """The weight of each thing that a list names, in lower case and in order."""
    weights: dict[str, int] = {}
    for member in _members(value, most):
        match = pattern.fullmatch(member)
        if match is not None:
            name = match[1].lower()
            weights.setdefault(ALIASES.get(name, name), _thousandths(match[2]))
    return weights


def _members(value: str, most: int) -> Iterator[str]:
    """The first ``most`` members of a list (section 5.6.1), without the whitespace around them."""
    return (match[1].strip(" \t") for match in islice(MEMBER.finditer(value), most))


def _thousandths(qvalue: str | None) -> int:
    if not qvalue or qvalue[0] == "1":
        return FULL
    return int(qvalue[2:].ljust(3, "0"))
