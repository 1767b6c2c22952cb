"""Which media type a name stands for: our own table, the same on every machine.

The machine's registry is not asked. On some systems any program may have written there that ``.js`` is
``text/plain``, and then no module loads. A type is never guessed from content, and ``nosniff`` keeps browsers
from guessing: what is not in the table is downloaded. The types are IANA's where it has one.

Text is said to be UTF-8. JSON has no charset parameter (RFC 8259, 11), and XML says its own.
"""

from __future__ import annotations

UNKNOWN = "application/octet-stream"

PLAIN = "text/plain"

TYPES = {
    "application/atom+xml": "atom",
    "application/epub+zip": "epub",
    "application/geo+json": "geojson",
    "application/gzip": "gz tgz",
    "application/java-archive": "jar",
    "application/json": "json map",
    "application/ld+json": "jsonld",
    "application/manifest+json": "webmanifest",
    "application/msword": "doc dot",
    "application/ogg": "ogx",
    "application/pdf": "pdf",
    "application/pgp-keys": "asc",
    "application/pgp-signature": "sig",
    "application/postscript": "ps eps ai",
    "application/rss+xml": "rss",
    "application/rtf": "rtf",
    "application/vnd.android.package-archive": "apk",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/vnd.debian.binary-package": "deb",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-fontobject": "eot",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.rar": "rar",
    "application/vnd.sqlite3": "sqlite sqlite3",
    "application/wasm": "wasm",
    "application/x-7z-compressed": "7z",
    "application/x-bzip2": "bz2",
    "application/x-ipynb+json": "ipynb",
    "application/x-rpm": "rpm",
    "application/x-tar": "tar",
    "application/x-x509-ca-cert": "crt cer der",
    "application/x-xz": "xz txz",
    "application/xhtml+xml": "xhtml",
    "application/xml": "xml xsl xslt xsd dtd",
    "application/yaml": "yaml yml",
    "application/zip": "zip whl",
    "application/zstd": "zst",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/midi": "mid midi",
    "audio/mp4": "m4a m4b",
    "audio/mpeg": "mp3",
    "audio/ogg": "oga ogg opus",
    "audio/wav": "wav",
    "audio/webm": "weba",
    "audio/x-aiff": "aif aiff",
    "audio/x-mpegurl": "m3u",
    "font/collection": "ttc",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/apng": "apng",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/jpeg": "jpg jpeg jpe jfif",
    "image/jxl": "jxl",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tif tiff",
    "image/vnd.adobe.photoshop": "psd",
    "image/vnd.djvu": "djvu",
    "image/webp": "webp",
    "image/x-icon": "ico cur",
    "message/rfc822": "eml",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
    "model/obj": "obj",
    "model/stl": "stl",
    "text/calendar": "ics ifb",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "html htm",
    "text/javascript": "js mjs cjs",
    "text/markdown": "md markdown",
    "text/tab-separated-values": "tsv",
    "text/vcard": "vcf",
    "text/vtt": "vtt",
    "text/x-component": "htc",
    "video/3gpp": "3gp",
    "video/mp2t": "m2ts mts",
    "video/mp4": "mp4 m4v",
    "video/mpeg": "mpg mpeg",
    "video/ogg": "ogv",
    "video/quicktime": "mov qt",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/x-matroska": "mkv",
    "video/x-ms-wmv": "wmv",
    "video/x-msvideo": "avi",
    # Source code is for reading. `.ts` is TypeScript here; a player does not care what it is called.
    PLAIN: """
        txt text log conf cfg ini toml env properties diff patch rst adoc org tex bib srt lock
        py pyi pyx c h cc cpp cxx hpp hh cs go rs java kt kts scala swift m mm ts tsx jsx vue svelte
        rb pl pm php sql lua r jl hs ml mli ex exs erl clj lisp el scm vim sh bash zsh fish bat ps1
        awk sed asm s d nim zig v vhd proto thrift graphql gql gradle cmake mk dockerfile nix tf
        scss sass less styl coffee
    """,
}
"""Media type → the extensions that stand for it."""

BY_EXTENSION = {
    extension.encode(): kind for kind, extensions in TYPES.items() for extension in extensions.split()
}

BY_NAME = dict.fromkeys(
    b"authors changelog changes contributing copying dockerfile install licence license makefile news notice "
    b"readme todo version".split(),
    PLAIN,
)
"""Files that go without an extension."""

COMPRESSIBLE = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/postscript",
        "application/rtf",
        "application/wasm",
        "application/xml",
        "application/yaml",
        "application/vnd.ms-fontobject",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.microsoft.icon",
        "image/x-icon",
    }
)
"""Those that are worth it, besides all text."""


def media_type(name: bytes) -> str:
    """The Content-Type of a file called ``name``, with its charset parameter where it is text."""
    lowered = name.lower()
    stem, _, extension = lowered.rpartition(b".")
    kind = BY_EXTENSION.get(extension, UNKNOWN) if stem else BY_NAME.get(lowered, UNKNOWN)
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def compressible(media_type: str) -> bool:
    """Is a file of this type worth compressing? Pictures, sound and archives are compressed in themselves."""
    media = media_type.partition(";")[0]
    return media.startswith("text/") or media in COMPRESSIBLE or media.endswith(("+xml", "+json"))
