"""Texts that are kept compressed in ZooKeeper, and that nobody can make us inflate without end."""

import zlib

from remuda.model.codec import CorruptRecordError


def squeeze(text: bytes) -> bytes:
    """Return *text* as it is kept; the pair of :func:`inflate`."""
    return zlib.compress(text, 9)


def inflate(name: str, raw: bytes, bytes_max: int) -> str:
    """Return the text in *raw*, the record called *name*: ASCII, at most *bytes_max* of it.

    Raises:
        CorruptRecordError: It is none, it is too long, or something follows it.
    """
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(raw, bytes_max).decode("ascii")
    except (zlib.error, UnicodeDecodeError) as exc:
        raise CorruptRecordError(name, f"it cannot be read: {exc}") from exc
    if not inflater.eof or inflater.unused_data:
        raise CorruptRecordError(name, "it is cut short, or too long")
    return text
