"""What a file with a disk is, by its own first bytes: nobody's word is believed.

A qcow2 file may name other files, from which whoever opens it reads: a backing file, or one that
holds its data. So a cloud, or a host that converts it, could be made to give away files of its
own (CVE-2024-32498).
"""

import struct
from pathlib import Path
from typing import Final

#: What is carried; others only by converting them.
CARRIED: Final = frozenset({"raw", "qcow2"})
#: So much of a file tells what it is.
HEAD_BYTES: Final = 512
_QCOW2: Final = b"QFI\xfb"
#: Foreign to raw data of a disk, where a boot sector or nothing stands.
_OTHERS: Final = (
    ("qcow2", 0, _QCOW2),
    ("qed", 0, b"QED\0"),
    ("vmdk", 0, b"KDMV"),
    ("vmdk", 0, b"COWD"),
    ("vmdk", 0, b"# Disk DescriptorFile"),
    ("vhdx", 0, b"vhdxfile"),
    ("vhd", 0, b"conectix"),
    ("vdi", 0x40, b"\x7f\x10\xda\xbe"),
)
#: Version, where the name of the backing file is, how long it is.
_QCOW2_HEAD: Final = struct.Struct(">4xIQI")
_QCOW2_VERSIONS: Final = frozenset({2, 3})
_WITH_FEATURES: Final = 3
#: How large the disk is, in bytes.
_QCOW2_SIZE_AT: Final = 24
_SECTOR_BYTES: Final = 512
#: Incompatible features, of version 3: bits that say "ask somebody who knows".
_FEATURES_AT: Final = 72
_FEATURES: Final = struct.Struct(">Q")
_EXTERNAL_DATA: Final = 1 << 2
#: Dirty, corrupt, external data, compression type, extended entries.
_KNOWN_FEATURES: Final = (1 << 5) - 1


def why_refused(path: Path, declared: str) -> str | None:
    """Return why a file must not be uploaded as what it is declared to be, or None.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return why_head_refused(file.read(HEAD_BYTES), declared)


def why_head_refused(head: bytes, declared: str) -> str | None:
    """Return the same of a file that begins with *head*, of which HEAD_BYTES are enough. Pure."""
    if declared not in CARRIED:
        return f"images of the format {declared} are not carried, but raw and qcow2"
    if declared == "qcow2":
        return _of_qcow2(head)
    for name, at, magic in _OTHERS:
        if head[at : at + len(magic)] == magic:
            return f"it is declared to be raw, and is {name}"
    return None


def _of_qcow2(head: bytes) -> str | None:
    if not head.startswith(_QCOW2) or len(head) < _FEATURES_AT + _FEATURES.size:
        return "it is declared to be qcow2, and is not"
    version, backing_at, backing_chars = _QCOW2_HEAD.unpack_from(head)
    if version not in _QCOW2_VERSIONS:
        return f"it is qcow2 of version {version}, which nobody knows"
    if backing_at or backing_chars:
        return "it is qcow2 with a backing file"
    features = _FEATURES.unpack_from(head, _FEATURES_AT)[0] if version >= _WITH_FEATURES else 0
    if features & _EXTERNAL_DATA:
        return "it is qcow2 with its data in another file"
    if features & ~_KNOWN_FEATURES:
        return "it is qcow2 with features that nobody knows"
    return None


def virtual_bytes(head: bytes, size_bytes: int, declared: str) -> int | None:
    """Return how large the disk in a file is, or None: there is none. Pure.

    Args:
        head: The beginning of a file that was not refused.
        size_bytes: Of the file.
        declared: What it is.
    """
    found = size_bytes
    if declared == "qcow2":
        found = int.from_bytes(head[_QCOW2_SIZE_AT : _QCOW2_SIZE_AT + 8], "big")
    return found if found > 0 and found % _SECTOR_BYTES == 0 else None
