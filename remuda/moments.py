"""Times as people read them, from any record: no number ends who shows it."""

from datetime import UTC, datetime
from math import isfinite
from typing import Final

#: The last second that a calendar has.
_LAST_S: Final = 253_402_300_799.0
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def when(at_s: float) -> str:
    """Return seconds since the epoch as a date and a time; what no calendar has, as its edges."""
    within = min(max(at_s, 0.0), _LAST_S) if isfinite(at_s) else _LAST_S
    return datetime.fromtimestamp(within, UTC).strftime("%Y-%m-%d %H:%M UTC")


def lasting(seconds: float) -> str:
    """Return how long something lasts: ``14d``, ``2h10m``, ``5m2s``, ``0s``.

    In its largest unit and the next one, if there is anything of that; what is less is cut off.
    """
    rest = int(min(max(seconds, 0.0), _LAST_S)) if isfinite(seconds) else int(_LAST_S)
    for place, (size, unit) in enumerate(_UNITS[:-1]):
        if rest >= size:
            smaller, smaller_unit = _UNITS[place + 1]
            part = rest % size // smaller
            return f"{rest // size}{unit}" + (f"{part}{smaller_unit}" if part else "")
    return f"{rest}s"
