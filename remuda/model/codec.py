"""JSON records as they lie in ZooKeeper, and the errors of reading them.

Records below ``/nodepool`` are shared with other programs. Their writers differ: some leave keys
out, some write whole numbers as floats in exponent form, some add keys of their own. So reading
is tolerant where a client is known to be sloppy, and every key that was read is written back.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

#: ZooKeeper refuses packets of about 1 MiB (jute.maxbuffer); no honest record comes near this.
RECORD_BYTES_MAX: Final = 256 * 1024

# Made once: json.dumps makes an encoder per call when it is asked for these separators.
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


class CorruptRecordError(ValueError):
    """Bytes in ZooKeeper are not the record they should be: set it aside, never crash on it."""


def parse(path: str, raw: bytes) -> dict[str, Any]:
    """Return the JSON object in *raw*.

    Python's own parser is used on purpose: records carry 128-bit integers (Zuul's trace ids),
    which must survive a rewrite exactly.

    Raises:
        CorruptRecordError: If *raw* is empty, too big, or not a JSON object.
    """
    if not raw:
        raise CorruptRecordError(f"{path}: the record is empty")
    if len(raw) > RECORD_BYTES_MAX:
        raise CorruptRecordError(f"{path}: {len(raw)} bytes, more than {RECORD_BYTES_MAX}")
    try:
        doc = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise CorruptRecordError(f"{path}: {exc}") from exc
    if not isinstance(doc, dict):
        raise CorruptRecordError(f"{path}: a JSON {type(doc).__name__}, not an object")
    return doc


def dump(doc: Mapping[str, Any]) -> bytes:
    """Return *doc* as the bytes of a record; the pair of :func:`parse`."""
    return _ENCODER.encode(doc).encode()


def text_or_none(doc: Mapping[str, Any], key: str) -> str | None:
    """Return a string field, or None if it is absent, null or of another type."""
    value = doc.get(key)
    return value if isinstance(value, str) else None


def texts(path: str, doc: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of strings; absent or null reads as empty.

    Raises:
        CorruptRecordError: If the value is anything else.
    """
    value = doc.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise CorruptRecordError(f"{path}: {key!r} is not a list of strings")
    return tuple(value)


def number(path: str, doc: Mapping[str, Any], key: str, default: float) -> float:
    """Return a number; absent or null reads as *default*.

    Raises:
        CorruptRecordError: If the value is not a number.
    """
    value = doc.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CorruptRecordError(f"{path}: {key!r} is not a number")
    return float(value)
