"""Times as people read them: whatever a record says, it is one short word."""

import math

import pytest

from remuda.moments import lasting


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (14 * 86_400.0, "14d"),
        (86_400.0 + 3600.0, "1d1h"),
        (86_400.0 + 60.0, "1d"),
        (8 * 3600.0, "8h"),
        (5400.0, "1h30m"),
        (60.0, "1m"),
        (119.9, "1m59s"),
        (7.0, "7s"),
        (0.4, "0s"),
        (-5.0, "0s"),
        (math.inf, "2932896d23h"),
        (math.nan, "2932896d23h"),
    ],
)
def test_a_duration_is_its_two_largest_units(seconds: float, said: str) -> None:
    """Without a second one of which there is nothing: 14d, not 14d0h."""
    assert lasting(seconds) == said
