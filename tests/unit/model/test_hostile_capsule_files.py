"""Files that somebody calls a capsule: each is refused with one sentence, in little room."""

import gzip
import tarfile
import tracemalloc
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remuda.model.capsulefile import node_of_file
from remuda.model.codec import CorruptRecordError

_NAME: Final = "capsule-1/capsule.json"
_BODY: Final = b'{"node": "3000000001"}'
#: A hole that a file may claim, and what looking into one may cost.
_HOLE: Final = 256 << 20
_ROOM: Final = 16 << 20


def head(kind: bytes = tarfile.REGTYPE, *, size: int = 0, link: str = "") -> bytearray:
    """Return the header of a capsule's first file."""
    info = tarfile.TarInfo(_NAME)
    info.type, info.size, info.linkname = kind, size, link
    return bytearray(info.tobuf(tarfile.GNU_FORMAT))


def summed(header: bytearray) -> bytes:
    """Return a header with the sum that it must have."""
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def sized(claimed: bytes) -> bytes:
    """Return a header that claims a size in words of its own."""
    made = head()
    made[124:136] = claimed
    return summed(made) + bytes(512)


def sparse(claimed: bytes) -> bytes:
    """Return a sparse file with little in it, in the old form of GNU tar."""
    made = head(tarfile.GNUTYPE_SPARSE, size=512)
    made[386:410] = b"%011o\0%011o\0" % (0, 512)
    made[483:495] = claimed
    return summed(made) + bytes(512)


def pax(**fields: str) -> bytes:
    """Return an extended header with some fields, and an empty file."""
    info = tarfile.TarInfo(_NAME)
    info.pax_headers = {key.replace("_", "."): value for key, value in fields.items()}
    return info.tobuf(tarfile.PAX_FORMAT) + bytes(1024)


_HOSTILE: Final = {
    "a hole": sparse(b"%011o\0" % _HOLE),
    "a hole without end": sparse(b"\x80" + (1 << 80).to_bytes(11, "big")),
    "a hole by pax": pax(GNU_sparse_map="0,1,2,3", GNU_sparse_size=str(_HOLE)),
    "a hole by pax 0.0": pax(GNU_sparse_size=str(_HOLE), GNU_sparse_numblocks="1"),
    "a hole by pax 1.0": pax(
        GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_realsize=str(_HOLE)
    ),
    "a size without end": sized(b"\x80" + (1 << 85).to_bytes(11, "big")),
    "a negative size": sized(b"\xff" + ((1 << 88) - 5).to_bytes(11, "big")),
    "a size by pax": pax(size="9" * 30),
    "a negative size by pax": pax(size="-1024"),
    "a time without end": pax(mtime="inf"),
    "a link to itself": summed(head(tarfile.SYMTYPE, link="capsule.json")),
    "a hard link to itself": summed(head(tarfile.LNKTYPE, link=_NAME)),
    "a pipe": summed(head(tarfile.FIFOTYPE)),
    "a folder": summed(head(tarfile.DIRTYPE)),
    "header after header": summed(head(tarfile.XHDTYPE)) * 2000,
    "long name after long name": summed(head(tarfile.GNUTYPE_LONGNAME)) * 2000,
    "more than there is": summed(head(size=1 << 19)) + _BODY,
    "zeros": bytes(64 << 20),
    "nothing": b"",
}


@pytest.mark.parametrize("raw", _HOSTILE.values(), ids=_HOSTILE.keys())
def test_a_hostile_file_is_no_capsule_and_costs_little(raw: bytes) -> None:
    """Whatever it claims to hold, nothing of that is made room for, or followed."""
    data = gzip.compress(raw, 1)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptRecordError):
            node_of_file(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < _ROOM


@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(0, 1535), st.integers(0, 255)), max_size=12),
    mended=st.booleans(),
)
def test_a_file_that_is_changed_anywhere_is_a_capsule_or_refused(
    *, changes: list[tuple[int, int]], mended: bool
) -> None:
    """No other error comes through, with a right sum in front too."""
    made = bytearray(summed(head(size=len(_BODY))) + _BODY.ljust(512, b"\0") + bytes(512))
    for at, byte in changes:
        made[at] = byte
    if mended:
        made[:512] = summed(made[:512])
    with suppress(CorruptRecordError):
        assert node_of_file(gzip.compress(bytes(made), 1)).isdigit()
