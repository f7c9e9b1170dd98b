"""Durations and sizes as people write them."""

import re
from typing import Final

_SECONDS: Final = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_MIB: Final = {
    "": 1.0,
    "MiB": 1.0,
    "M": 1.0,
    "GiB": 1024.0,
    "G": 1024.0,
    "TiB": 1024.0**2,
    "T": 1024.0**2,
}
_PATTERN: Final = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$")


def parse_duration(value: object) -> object:
    """Return seconds for ``90``, ``"90s"``, ``"1.5h"``; None stays None.

    Raises:
        ValueError: If it is not a duration; the message says what would be.
    """
    return value if value is None else _parse(value, _SECONDS, "a duration such as 90s, 10m, 8h")


def parse_size(value: object) -> object:
    """Return MiB for ``512``, ``"512MiB"``, ``"8GiB"``; None stays None.

    Raises:
        ValueError: If it is not a size; the message says what would be.
    """
    if value is None:
        return None
    return int(_parse(value, _MIB, "a size such as 512MiB, 8GiB"))


def _parse(value: object, units: dict[str, float], wanted: str) -> float:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not {wanted}")
    if isinstance(value, int | float):
        return float(value)
    match = _PATTERN.match(value) if isinstance(value, str) else None
    if match is None or match.group(2) not in units:
        raise ValueError(f"{value!r} is not {wanted}")
    return float(match.group(1)) * units[match.group(2)]
