"""Regular expressions that operators write, and that names of strangers are compared with.

Python compares by trying, and lets nobody else in meanwhile: with ``(a+)+b`` a name of 30 letters
takes longer than anybody waits. What repeats a repeat is therefore refused.
"""

import re
import re._parser as sre  # type: ignore[import-not-found]  # typeshed does not know it
from typing import Any


def repeats_repeats(pattern: str) -> bool:
    """Say whether something in *pattern* repeats without bound what repeats without bound.

    Raises:
        re.error: If it is no regular expression.
    """
    re.compile(pattern)
    return _depth(sre.parse(pattern)) > 1


def means(pattern: str, name: str) -> bool:
    """Say whether *pattern*, which repeats no repeat, is all of *name*, which is short."""
    return re.compile(pattern).fullmatch(name) is not None


def _depth(part: Any) -> int:
    """Return how many unbounded repeats enclose each other, at most."""
    if isinstance(part, sre.SubPattern):
        return max((_depth_of(op, value) for op, value in part), default=0)
    if isinstance(part, list | tuple):
        return max(map(_depth, part), default=0)
    return 0


def _depth_of(op: Any, value: Any) -> int:
    inner = _depth(value)
    endless = op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and value[1] is sre.MAXREPEAT
    return inner + 1 if endless else inner
