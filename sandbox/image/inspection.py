"""What image data is, by its first bytes; Glance refuses what is not what was declared.

Since 2024 Glance looks at what is uploaded (``require_image_format_match``). Formats that we do
not tell apart are taken for what they are declared to be; so is raw data of no known format.
"""

from __future__ import annotations

from typing import Final

#: Enough for the offsets below.
HEAD_BYTES: Final = 0x8006
_MAGIC: Final = (
    ("qcow2", 0, b"QFI\xfb"),
    ("vmdk", 0, b"KDMV"),
    ("vmdk", 0, b"# Disk DescriptorFile"),
    ("vhdx", 0, b"vhdxfile"),
    ("vhd", 0, b"conectix"),
    ("vdi", 0x40, b"\x7f\x10\xda\xbe"),
    ("iso", 0x8001, b"CD001"),
)
_TOLD_APART: Final = frozenset(name for name, _, _ in _MAGIC)


def format_of(head: bytes) -> str:
    """Return the format of data that begins so; ``raw`` if it is none that we know."""
    for name, at, magic in _MAGIC:
        if head[at : at + len(magic)] == magic:
            return name
    return "raw"


def mismatch(declared: str, head: bytes) -> str:
    """Return Glance's complaint, or an empty text if the data may be what was declared."""
    actual = format_of(head)
    if actual == declared or (actual == "raw" and declared not in _TOLD_APART):
        return ""
    return f"Declared format '{declared}' does not match detected format '{actual}'"
