"""JSON that every reader takes, whatever the data holds.

In ASCII: a terminal that shows it obeys nothing, and lone surrogates end nobody. Without NaN and
Infinity, which Python writes and JSON does not know.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

#: Python refuses to write longer whole numbers in digits.
_BITS_MAX: Final = 8_192


def to_json(
    data: object, *, indent: int | None = None, separators: tuple[str, str] | None = None
) -> str:
    """Return *data* as JSON; what JSON does not know is written as text."""
    try:
        return _dump(data, indent=indent, separators=separators)
    except (ValueError, TypeError):  # a number, or a key, that JSON does not have
        return _dump(_plain(data), indent=indent, separators=separators)


def shown_number(number: int) -> int | str:
    """Return a whole number, or what it is if it is too large to be written."""
    bits = number.bit_length()
    return number if bits <= _BITS_MAX else f"a number of {bits} bits"


def _dump(data: object, **form: Any) -> str:
    return json.dumps(data, default=str, allow_nan=False, **form)


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int):
        return shown_number(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value
