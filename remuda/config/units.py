"""Durations and sizes as people write them, and back."""

import math
import re
from collections.abc import Mapping
from typing import Final

#: Seconds in each unit; the empty unit is a plain number in quotes.
SECONDS: Final[Mapping[str, float]] = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
#: MiB in each unit. No MB and GB: half of the world means 1000 by them.
MEBIBYTES: Final[Mapping[str, float]] = {
    "": 1.0,
    "M": 1.0,
    "MiB": 1.0,
    "G": 1024.0,
    "GiB": 1024.0,
    "T": 1024.0**2,
    "TiB": 1024.0**2,
}
#: The texts that parse_duration, parse_share and parse_size accept, for the JSON Schema.
DURATION_PATTERN: Final = r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w)?\s*$"
SHARE_PATTERN: Final = r"^\s*\d+(\.\d+)?\s*%?\s*$"
SIZE_PATTERN: Final = r"^\s*\d+(\.\d+)?\s*(MiB|M|GiB|G|TiB|T)?\s*$"

_QUANTITY: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)
_SHARE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)", re.ASCII)
_SPACES: Final = " \t\n\r\f\v"
#: Longer texts are refused unread: no quantity needs them, and float() of them is slow.
_LENGTH_MAX: Final = 40
#: About a million years; above it, sums of durations would lose their seconds.
_LARGEST: Final = 2.0**45


class WrongValueError(ValueError):
    """A value of the file that cannot mean anything here.

    Attributes:
        hint: What to write instead.
        private: Whether the value may be a secret in the wrong place, and so is not shown.
    """

    def __init__(self, why: str, *, hint: str, private: bool = False) -> None:
        super().__init__(why)
        self.hint = hint
        self.private = private


def parse_duration(value: object) -> object:
    """Return seconds for ``90``, ``"90s"``, ``"1.5h"``; None stays None.

    Raises:
        WrongValueError: If it is not a duration; the hint says what would be.
    """
    if value is None:
        return None
    wrong = WrongValueError("is not a duration", hint="write for example 90s, 10m, 8h or 2d")
    return _parse(value, SECONDS, wrong)


def parse_size(value: object) -> object:
    """Return MiB for ``512``, ``"512MiB"``, ``"8GiB"``; None stays None.

    Raises:
        WrongValueError: If it is not a size or not a whole number of MiB; the hint says what
            would be.
    """
    if value is None:
        return None
    wrong = WrongValueError("is not a size", hint="write for example 512MiB, 8GiB or 1TiB")
    mib = _parse(value, MEBIBYTES, wrong)
    if mib != int(mib):
        raise WrongValueError("is not a whole number of MiB", hint=f"write {round(mib)}MiB")
    return int(mib)


def parse_share(value: object) -> object:
    """Return a part of the whole, 0 to 1, for ``0.1``, ``"10%"``; None stays None.

    Raises:
        WrongValueError: If it is none; the hint says what would be.
    """
    if value is None:
        return None
    wrong = WrongValueError("is no part of a whole", hint="write for example 10% or 0.1")
    number, unit = _split(value, wrong, _SHARE)
    part = number / 100 if unit else number
    if not 0 <= part <= 1:
        raise wrong
    return part


def show_share(part: float) -> str:
    """Write a part of the whole in percent."""
    return f"{100 * part:.6g}%"


def show_duration(seconds: float) -> str:
    """Write *seconds* in the largest unit that keeps it a whole number; parses back exactly."""
    return _show(seconds, SECONDS, ("w", "d", "h", "m", "s"), "s")


def show_size(mib: int) -> str:
    """Write *mib* in the largest unit that keeps it a whole number; parses back exactly."""
    return _show(mib, MEBIBYTES, ("TiB", "GiB", "MiB"), "MiB")


def _parse(value: object, units: Mapping[str, float], wrong: WrongValueError) -> float:
    number, unit = _split(value, wrong)
    if unit not in units:
        raise wrong
    total = number * units[unit]
    if not (math.isfinite(total) and 0 <= total <= _LARGEST):
        raise wrong
    return total


def _split(
    value: object, wrong: WrongValueError, shape: re.Pattern[str] = _QUANTITY
) -> tuple[float, str]:
    if isinstance(value, bool):  # a bool is an int for Python, not for people
        raise wrong
    if isinstance(value, int | float):
        # Compared before float(): that raises for very large whole numbers.
        if not -_LARGEST <= value <= _LARGEST:
            raise wrong
        return float(value), ""
    match = None
    if isinstance(value, str) and len(value) <= _LENGTH_MAX:
        match = shape.fullmatch(value.strip(_SPACES))
    if match is None:
        raise wrong
    return float(match.group(1)), match.group(2)


def _show(amount: float, units: Mapping[str, float], order: tuple[str, ...], smallest: str) -> str:
    for unit in order:
        if amount and amount % units[unit] == 0:
            return f"{int(amount // units[unit])}{unit}"
    text = f"{amount:g}" if float(f"{amount:g}") == amount else f"{amount!r}"
    return f"{text}{smallest}"
