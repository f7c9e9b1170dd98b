"""Looks into values of a file that may have any type: what is wrong counts as not there.

The checks across sections run on files with other problems as well, so that all are reported
at once; what has the wrong type is reported by the models.
"""

import math
from collections.abc import Iterator, Mapping

from remuda.config.units import WrongValueError, parse_duration, parse_share, parse_size


def mapping(value: object) -> Mapping[str, object]:
    """Return *value* if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def entries(section: object, key: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield name and section of each entry of the mapping at *key*."""
    for name, value in mapping(mapping(section).get(key)).items():
        yield name, mapping(value)


def whole(section: Mapping[str, object], key: str) -> float | None:
    """Return the number at *key*; None if there is none that makes sense."""
    value = section.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def size_mib(section: Mapping[str, object], key: str) -> int | None:
    """Return the size at *key*, MiB; None if there is none that makes sense."""
    try:
        value = parse_size(section.get(key))
    except WrongValueError:
        return None
    return value if isinstance(value, int) else None


def share(section: Mapping[str, object], key: str, default: float) -> float | None:
    """Return the part of a whole at *key*; *default* if there is none, None if it is no part."""
    value = section.get(key)
    if value is None:
        return default
    try:
        part = parse_share(value)
    except WrongValueError:
        return None
    return part if isinstance(part, float) else None


def seconds(section: Mapping[str, object], key: str, default_s: float) -> float | None:
    """Return the duration at *key*, s; *default_s* if there is none, None if it makes no sense."""
    value = section.get(key)
    if value is None:
        return default_s
    try:
        duration_s = parse_duration(value)
    except WrongValueError:
        return None
    return duration_s if isinstance(duration_s, float) else None
