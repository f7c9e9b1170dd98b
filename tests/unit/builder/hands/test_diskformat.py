"""What a disk is by its own bytes, and what it may name."""

import struct
from pathlib import Path

import pytest

from builder.upload.disk_format import why_refused


def qcow2(
    version: int = 3, backing_at: int = 0, backing_chars: int = 0, features: int = 0
) -> bytes:
    """Return the head of a qcow2 file."""
    head = struct.pack(">4sIQI", b"QFI\xfb", version, backing_at, backing_chars)
    return (head.ljust(72, b"\0") + struct.pack(">Q", features)).ljust(1024, b"\0")


BOOT_SECTOR = b"\xeb\x63\x90".ljust(510, b"\0") + b"\x55\xaa"

GOOD = [
    ("raw", BOOT_SECTOR),
    ("raw", bytes(600)),
    ("raw", b"x"),
    ("raw", b""),
    ("qcow2", qcow2()),
    ("qcow2", qcow2(version=2)),
    ("qcow2", qcow2(version=2, features=4)),  # there are none in this version: it is a name's part
    ("qcow2", qcow2(features=0b11011)),
]
BAD = [
    ("qcow2", qcow2(backing_at=1024, backing_chars=11), "backing file"),
    ("qcow2", qcow2(backing_at=1024), "backing file"),
    ("qcow2", qcow2(backing_chars=11), "backing file"),
    ("qcow2", qcow2(features=4), "data in another file"),
    ("qcow2", qcow2(features=1 << 5), "nobody knows"),
    ("qcow2", qcow2(features=1 << 63), "nobody knows"),
    ("qcow2", qcow2(version=1), "version 1"),
    ("qcow2", qcow2(version=4), "version 4"),
    ("qcow2", qcow2()[:79], "is not"),
    ("qcow2", b"QFI\xfb", "is not"),
    ("qcow2", BOOT_SECTOR, "is not"),
    ("qcow2", b"", "is not"),
    ("raw", qcow2(), "is qcow2"),
    ("raw", b"KDMV" + bytes(600), "is vmdk"),
    ("raw", b"# Disk DescriptorFile\nversion=1", "is vmdk"),
    ("raw", b"vhdxfile" + bytes(600), "is vhdx"),
    ("raw", b"conectix" + bytes(600), "is vhd"),
    ("raw", bytes(64) + b"\x7f\x10\xda\xbe" + bytes(600), "is vdi"),
    ("raw", b"QED\0" + bytes(600), "is qed"),
    ("vmdk", b"KDMV" + bytes(600), "not carried"),
    ("", BOOT_SECTOR, "not carried"),
]


@pytest.mark.parametrize(("declared", "data"), GOOD)
def test_disk_that_stands_alone_is_carried(tmp_path: Path, declared: str, data: bytes) -> None:
    """Raw data of any kind, and qcow2 that names no other file."""
    path = tmp_path / "disk"
    path.write_bytes(data)

    assert why_refused(path, declared) is None


@pytest.mark.parametrize(("declared", "data", "says"), BAD)
def test_disk_that_is_something_else_is_refused(
    tmp_path: Path, declared: str, data: bytes, says: str
) -> None:
    """It says what it is."""
    path = tmp_path / "disk"
    path.write_bytes(data)

    assert says in (why_refused(path, declared) or "")
