"""Points in time as people read them, from any record: no number ends who shows it."""

from datetime import UTC, datetime
from math import isfinite
from typing import Final

#: The last second that a calendar has.
_LAST_S: Final = 253_402_300_799.0


def when(at_s: float) -> str:
    """Return seconds since the epoch as a date and a time; what no calendar has, as its edges."""
    within = min(max(at_s, 0.0), _LAST_S) if isfinite(at_s) else _LAST_S
    return datetime.fromtimestamp(within, UTC).strftime("%Y-%m-%d %H:%M UTC")
