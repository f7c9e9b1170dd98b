"""Guesses at what a mistyped name was meant to be."""

import difflib
import itertools
from collections.abc import Iterable
from typing import Final

#: More known names than this are not listed: nobody reads them.
_LISTED_MAX: Final = 30
#: Names stand in records, too, and may have any length and number there. To compare two takes
#: time in proportion to both.
NAME_CHARS_MAX: Final = 80
COMPARED_MAX: Final = 1_000


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return a hint: the known name that *wrong* looks like, or all there are."""
    names = sorted(known)
    meant = meant_name(wrong, names)
    return f"did you mean {_shown(meant)!r}?" if meant else listed(names)


def nearest_of(wrong: str, known: Iterable[str]) -> str:
    """Return a hint: the known name that *wrong* looks like, and all there are."""
    names = sorted(known)
    meant = meant_name(wrong, names)
    return f"did you mean {_shown(meant)!r}? {listed(names)}" if meant else listed(names)


def listed(known: Iterable[str]) -> str:
    """Return a hint that lists the *known* names."""
    names = sorted(known)
    if not names:
        return "there are none"
    more = len(names) - _LISTED_MAX
    rest = f" and {more} more" if more > 0 else ""
    return "known here: " + ", ".join(_shown(name) for name in names[:_LISTED_MAX]) + rest


def meant_name(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name that *wrong* looks like, or None."""
    folded = {_folded(name): name for name in itertools.islice(known, COMPARED_MAX)}
    near = difflib.get_close_matches(_folded(wrong), folded, n=1)
    return folded[near[0]] if near else None


def _shown(name: str) -> str:
    return name if len(name) <= NAME_CHARS_MAX else f"{name[:NAME_CHARS_MAX]}…"


def _folded(name: str) -> str:
    return name[:NAME_CHARS_MAX].lower().replace("_", "-")
