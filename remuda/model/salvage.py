"""What can be saved of a request that nobody can serve, so that its requestor hears why.

Whoever declines a request writes its record again. That it holds a number which JSON does not
have, or is far too large, must not keep us from that; what cannot be written is lost.
"""

import json
import math
from typing import Any, Final

from remuda.model import codec

#: ZooKeeper takes no packet, and so no record, of more than 1 MiB.
_BYTES_MAX: Final = 1024 * 1024
#: Of records that are too large only shorter fields are kept, and no more than this.
_FIELD_BYTES_MAX: Final = 512
_KEYS_MAX: Final = 64


def _integer(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:  # Python's own limit of digits
        return None


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


_DECODER: Final = json.JSONDecoder(
    parse_int=_integer, parse_float=_float, parse_constant=lambda _name: None
)


def salvage(raw: bytes, *, whole: bool) -> dict[str, Any] | None:
    """Return what can be written back of a record, or None if it is not a JSON object.

    Numbers that JSON does not have read as null, and so does what is nested too deeply.

    Args:
        raw: The record.
        whole: Keep long fields, and all of them.
    """
    if len(raw) > _BYTES_MAX:
        return None
    try:
        doc = _DECODER.decode(raw.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(doc, dict):
        return None
    whole = whole and len(doc) <= codec.KEYS_MAX
    flat = {key: None if codec.too_deep(value) else value for key, value in doc.items()}
    if whole:
        return flat
    short = {key: value for key, value in flat.items() if len(key) <= _FIELD_BYTES_MAX}
    kept = sorted(short, key=lambda key: key != "state")[:_KEYS_MAX]
    return {key: short[key] if _is_short(short[key]) else None for key in kept}


def _is_short(value: object) -> bool:
    return len(json.dumps(value)) <= _FIELD_BYTES_MAX
