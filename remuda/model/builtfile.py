"""The file that a command has written, and that becomes an image: a part of a build's record."""

import re
from dataclasses import dataclass
from typing import Any, Final

from remuda.model.fields import Fields

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SHA512: Final = re.compile(r"[0-9a-f]{128}", re.ASCII)
_FORMAT: Final = re.compile(r"[a-z0-9]{1,16}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltFile:
    """A file as it was read before it was sent: hashes in hexadecimal, sizes in bytes.

    Attributes:
        sha256: By which builds are compared, and which is stated.
        sha512: What clouds are held to.
        virtual_bytes: Of the disk in it.
    """

    sha256: str
    sha512: str
    size_bytes: int
    virtual_bytes: int
    disk_format: str


def file_doc(file: BuiltFile | None) -> dict[str, Any] | None:
    """Return a file as a part of a record; the pair of :func:`read_file`."""
    if file is None:
        return None
    return {
        "sha256": file.sha256,
        "sha512": file.sha512,
        "size_bytes": file.size_bytes,
        "virtual_bytes": file.virtual_bytes,
        "disk_format": file.disk_format,
    }


def read_file(part: Fields | None) -> BuiltFile | None:
    """Return the file in a part of a record, or None if there is none.

    Raises:
        CorruptRecordError: It is none.
    """
    if part is None:
        return None
    return BuiltFile(
        sha256=_hash(part, "sha256", _SHA256),
        sha512=_hash(part, "sha512", _SHA512),
        size_bytes=part.count("size_bytes"),
        virtual_bytes=part.count("virtual_bytes"),
        disk_format=_hash(part, "disk_format", _FORMAT),
    )


def maybe_sha256(fields: Fields, key: str) -> str | None:
    """Return a SHA-256 in hexadecimal, or None if there is none.

    Raises:
        CorruptRecordError: It is none.
    """
    return None if fields.doc.get(key) is None else _hash(fields, key, _SHA256)


def _hash(fields: Fields, key: str, form: re.Pattern[str]) -> str:
    found = fields.text(key)
    if not form.fullmatch(found):
        raise fields.refuse(key, "a SHA-256" if form is _SHA256 else "a SHA-512 or a format")
    return found
