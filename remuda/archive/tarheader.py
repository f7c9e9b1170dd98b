"""One header of a tar stream, as GNU, BSD and BusyBox write it; pure, and bounded.

The standard library's reader believes what a stream says of lengths: an extended header may ask
it for gigabytes of memory. A machine may send anything, so this reads what is needed, and refuses
the rest (POSIX.1-2001 pax; the GNU manual's "Basic Tar Format").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

BLOCK: Final = 512
ZEROS: Final = bytes(BLOCK)
#: Of an extended header, or a long name: honest ones have a few hundred bytes.
EXTENDED_BYTES_MAX: Final = 64 * 1024
#: No file of an archive has as many.
SIZE_MAX: Final = 2**60
_TIME_MAX: Final = 2**40
_CHECKSUM: Final = slice(148, 156)
_SPACES: Final = b" " * 8
_USTAR: Final = b"ustar\x00"
_DIGITS_MAX: Final = 20

FILE: Final = frozenset(b"0\x007")
HARD_LINK, SYMLINK, FOLDER = ord("1"), ord("2"), ord("5")
PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK = ord("x"), ord("g"), ord("L"), ord("K")
EXTENDED: Final = frozenset({PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK})
#: What has no content behind its header, whatever size it says.
WITHOUT_CONTENT: Final = frozenset(b"123456")
KINDS: Final = {
    ord("3"): "it is a device",
    ord("4"): "it is a device",
    ord("6"): "it is a pipe",
    ord("S"): "it is a sparse file",
}


class BadTarError(Exception):
    """The stream is no tar, or one that nobody honest writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TarHeader:
    """A header.

    Attributes:
        kind: The byte of its type.
        name, target: As bytes; the second is of links.
    """

    kind: int
    name: bytes
    target: bytes
    size: int
    modified_s: float


def parse_header(block: bytes) -> TarHeader:
    """Return the header in a block of 512 bytes that are not all zero.

    Raises:
        BadTarError: It is none.
    """
    told = _number(block[_CHECKSUM])
    if told != sum(block) - sum(block[_CHECKSUM]) + sum(_SPACES):
        raise BadTarError("what the machine sends is no tar stream")
    name = _text(block[0:100])
    if block[257:263] == _USTAR and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    kind = block[156]
    size = _number(block[124:136])
    if not 0 <= size <= SIZE_MAX:
        raise BadTarError("a file in the tar stream has an impossible size")
    return TarHeader(
        kind=kind,
        name=name,
        target=_text(block[157:257]),
        size=0 if kind in WITHOUT_CONTENT else size,
        modified_s=float(max(0, min(_number(block[136:148]), _TIME_MAX))),
    )


def parse_pax(body: bytes) -> dict[bytes, bytes]:
    r"""Return the records ``<length> <key>=<value>\n`` of an extended header.

    Raises:
        BadTarError: They are not of that form.
    """
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(body):
        digits, space, _ = body[at : at + _DIGITS_MAX].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = body[at + len(digits) + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if not space or not equals or not record.endswith(b"\n") or at + length > len(body):
            raise BadTarError("an extended header of the tar stream cannot be read")
        found[key] = value[:-1]
        at += length
    return found


def with_pax(header: TarHeader, records: Mapping[bytes, bytes]) -> TarHeader:
    """Return *header* as an extended header changes it.

    Raises:
        BadTarError: A value is impossible.
    """
    size = records.get(b"size", b"")
    if size and (not size.isdigit() or len(size) > _DIGITS_MAX or int(size) > SIZE_MAX):
        raise BadTarError("a file in the tar stream has an impossible size")
    sparse = any(key.startswith(b"GNU.sparse.") for key in records)
    counted = bool(size) and header.kind not in WITHOUT_CONTENT
    return TarHeader(
        kind=ord("S") if sparse else header.kind,
        name=records.get(b"path", header.name),
        target=records.get(b"linkpath", header.target),
        size=int(size) if counted else header.size,
        modified_s=_seconds(records.get(b"mtime", b""), header.modified_s),
    )


def padding(size: int) -> int:
    """Return how many bytes follow a content of *size* up to the next block."""
    return -size % BLOCK


def _text(field: bytes) -> bytes:
    return field.partition(b"\x00")[0]


def _number(field: bytes) -> int:
    """Return an octal number, or GNU's binary form of large ones."""
    if field[0] in {0x80, 0xFF}:
        return int.from_bytes(field[1:], "big") - (256 ** (len(field) - 1) if field[0] & 64 else 0)
    digits = field.strip(b" \x00")
    if not digits:
        return 0
    try:
        return int(digits, 8) if digits.isdigit() else _bad()
    except ValueError:
        return _bad()


def _bad() -> int:
    raise BadTarError("a header of the tar stream has a number that is none")


def _seconds(text: bytes, default: float) -> float:
    whole = text.partition(b".")[0]
    if not whole.isdigit() or len(whole) > _DIGITS_MAX:
        return default
    return float(min(int(whole), _TIME_MAX))
