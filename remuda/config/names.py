"""Guesses at what a mistyped name was meant to be."""

import difflib
from collections.abc import Iterable
from typing import Final

#: More known names than this are not listed: nobody reads them.
_LISTED_MAX: Final = 30


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return a hint: the known name that *wrong* looks like, or all there are."""
    names = sorted(known)
    meant = meant_name(wrong, names)
    return f"did you mean {meant!r}?" if meant else listed(names)


def nearest_of(wrong: str, known: Iterable[str]) -> str:
    """Return a hint: the known name that *wrong* looks like, and all there are."""
    names = sorted(known)
    meant = meant_name(wrong, names)
    return f"did you mean {meant!r}? {listed(names)}" if meant else listed(names)


def listed(known: Iterable[str]) -> str:
    """Return a hint that lists the *known* names."""
    names = sorted(known)
    if not names:
        return "there are none"
    more = len(names) - _LISTED_MAX
    rest = f" and {more} more" if more > 0 else ""
    return "known here: " + ", ".join(names[:_LISTED_MAX]) + rest


def meant_name(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name that *wrong* looks like, or None."""
    folded = {_folded(name): name for name in known}
    near = difflib.get_close_matches(_folded(wrong), folded, n=1)
    return folded[near[0]] if near else None


def _folded(name: str) -> str:
    return name.lower().replace("_", "-")
