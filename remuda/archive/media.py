"""Which media type a file has: by its name, else by how it begins. The same on every host."""

import mimetypes
from typing import Final

TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"
#: Enough to tell a text.
HEAD_BYTES: Final = 1024

#: What people open in a browser and want to read there.
_READ: Final = frozenset(
    {
        *("log", "txt", "out", "err", "trace", "diff", "patch", "cfg", "conf", "ini", "toml"),
        *("yaml", "yml", "md", "rst", "csv", "tsv", "sh", "py", "rb", "pl", "go", "rs", "c"),
        *("h", "cc", "cpp", "java", "list", "repo", "service", "properties", "tap"),
    }
)
#: Names of compressed files: sent as what they are, never decoded on the way.
_SQUEEZED: Final = {
    "gz": "application/gzip",
    "tgz": "application/gzip",
    "bz2": "application/x-bzip2",
    "xz": "application/x-xz",
    "zst": "application/zstd",
    "lz4": "application/x-lz4",
    "zip": "application/zip",
}
#: Not those of the host: two hosts would write different archives.
_TYPES: Final = mimetypes.MimeTypes()
_TEXTUAL: Final = frozenset(
    {
        "application/json",
        "application/xml",
        "application/javascript",
        "application/x-javascript",
        "image/svg+xml",
    }
)
#: Bytes that no text has.
_CONTROLS: Final = frozenset(range(32)) - frozenset(b"\t\n\r\x1b\f\b")
#: How many bytes of a character may be missing at the end of the head.
_CUT_BYTES: Final = 3


def media_type(name: str, head: bytes) -> str:
    """Return the type of the file *name* that begins with *head*."""
    _, dot, ending = name.rpartition("/")[2].lower().rpartition(".")
    if dot and ending in _SQUEEZED:
        return _SQUEEZED[ending]
    if dot and ending in _READ:
        return TEXT if _is_text(head) else BYTES
    known = _TYPES.guess_type(f"x.{ending}", strict=True)[0] if dot else None
    if known is None:
        return TEXT if _is_text(head) else BYTES
    return f"{known}; charset=utf-8" if known.startswith("text/") else known


def is_textual(kind: str) -> bool:
    """Say whether a type is worth compressing, and readers ask for it uncompressed."""
    bare = kind.partition(";")[0]
    return bare.startswith("text/") or bare in _TEXTUAL or bare.endswith(("+json", "+xml"))


def _is_text(head: bytes) -> bool:
    if not _CONTROLS.isdisjoint(head):
        return False
    for cut in range(_CUT_BYTES + 1):
        try:
            head[: len(head) - cut].decode()
        except UnicodeDecodeError:
            continue
        return True
    return False
