"""Durations and sizes."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.config.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    WrongValueError,
    parse_duration,
    parse_size,
    show_duration,
    show_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90.0),
        (0, 0.0),
        (1.5, 1.5),
        ("90", 90.0),
        ("90s", 90.0),
        ("250ms", 0.25),
        ("10m", 600.0),
        ("1.5h", 5400.0),
        ("2d", 172800.0),
        ("1w", 604800.0),
        (" 8 h ", 28800.0),
        (None, None),
    ],
)
def test_durations_are_read_as_seconds(text: object, seconds: float | None) -> None:
    """Numbers are seconds; units follow the number."""
    assert seconds == parse_duration(text)


@pytest.mark.parametrize(
    ("text", "mib"),
    [(512, 512), ("512", 512), ("512MiB", 512), ("8GiB", 8192), ("1.5G", 1536), ("1T", 1048576)],
)
def test_sizes_are_read_as_mib(text: object, mib: int) -> None:
    """Numbers are MiB; units follow the number."""
    assert mib == parse_size(text)


@pytest.mark.parametrize(
    "text",
    ["", "s", "-5s", "8x", "8 hours", "1h30m", "1:30", "٣s", "9" * 41, "9" * 39 + "w"],
)
def test_text_that_is_no_duration_is_refused_with_a_remedy(text: str) -> None:
    """Long digits do not overflow."""
    with pytest.raises(WrongValueError, match="is not a duration") as caught:
        parse_duration(text)

    assert "10m" in caught.value.hint


@pytest.mark.parametrize("value", [True, -1, math.nan, math.inf, 10**400, [], {}, b"1s"])
def test_other_values_are_no_durations(value: object) -> None:
    """No other error escapes, whatever the type."""
    with pytest.raises(WrongValueError, match="is not a duration"):
        parse_duration(value)


@pytest.mark.parametrize("text", ["2GB", "512MB", "8gib", "1KiB", False, -1, math.inf, []])
def test_what_is_no_size_is_refused_with_a_remedy(text: object) -> None:
    """GB is refused because half of the world means 1000 by it."""
    with pytest.raises(WrongValueError, match="is not a size"):
        parse_size(text)


def test_a_size_between_two_mib_is_refused() -> None:
    """Nothing is rounded silently."""
    with pytest.raises(WrongValueError, match="whole number of MiB") as caught:
        parse_size("0.3GiB")

    assert caught.value.hint == "write 307MiB"


@given(st.floats(min_value=0, max_value=2.0**45, allow_subnormal=False) | st.integers(0, 10**9))
def test_a_shown_duration_reads_back(seconds: float) -> None:
    """Whatever show_duration writes means the same number of seconds."""
    shown = show_duration(seconds)
    if len(shown) <= 40 and "e" not in shown:
        assert math.isclose(seconds, parse_duration(shown), rel_tol=1e-12)  # type: ignore[arg-type]


@given(st.integers(min_value=0, max_value=2**40))
def test_a_shown_size_reads_back(mib: int) -> None:
    """Whatever show_size writes means the same number of MiB."""
    assert mib == parse_size(show_size(mib))


@given(st.text(alphabet="0123456789. smhdwMGTiBx", max_size=12))
def test_the_patterns_accept_what_the_parsers_do(text: str) -> None:
    """The JSON Schema refuses no text that the loader would take."""
    for parse, pattern in ((parse_duration, DURATION_PATTERN), (parse_size, SIZE_PATTERN)):
        try:
            parse(text)
        except WrongValueError:
            continue
        assert re.search(pattern, text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.2, "0.2s"), (90, "90s"), (300, "5m"), (28800, "8h"), (86400, "1d")],
)
def test_durations_are_shown_in_the_largest_whole_unit(seconds: float, text: str) -> None:
    """As a person would write them."""
    assert text == show_duration(seconds)
