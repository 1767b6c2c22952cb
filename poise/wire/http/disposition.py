"""Content-Disposition: what a download is called (RFC 6266), whatever characters are in its name.

``filename`` is what every client reads, in plain ASCII; ``filename*`` (RFC 8187) is the name itself, for those that read that too,
and they prefer it. Neither can end the field or the value: quotes, backslashes, control characters, line ends and what turns
the reading direction become ``_``, and so do the separators of paths, since a download must not choose its folder.
``%`` does in ``filename`` alone, which some clients decode.
"""

from __future__ import annotations

import re
from urllib.parse import quote

ODD = re.compile(
    r'[\x00-\x1F\x7F-\x9F/\\:*?"<>|\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFFD\uD800-\uDFFF]'
)
NOT_PLAIN = re.compile(r"[^ -~]|%")

ATTR_CHAR = "!#$&+-.^_`|~"
"""RFC 8187, 3.2.1: besides letters and digits."""


def attachment(name: str) -> str:
    """The field's value for a download that is to be saved as ``name``."""
    safe = ODD.sub("_", name).strip(" .") or "download"
    plain = NOT_PLAIN.sub("_", safe)
    if plain == safe:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(safe, safe=ATTR_CHAR)}"
