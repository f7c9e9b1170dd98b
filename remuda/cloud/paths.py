"""Paths of a cloud's API: made of fixed words and of ids, and of nothing else.

Ids come from records that others may write, and ``..`` in one of them would lead to another
thing than was meant, for HTTP libraries resolve it before they send. So a path is given in its
parts, and a part that is no id is refused before anything is sent, whoever calls.
"""

import re
from typing import Final

from remuda.cloud.api import BadOrderError

#: The parts of a path, outermost first.
Path = tuple[str, ...]

#: Ids of OpenStack are UUIDs, mostly; those of images and flavors may be chosen. Nothing in it
#: has a meaning in a URL, so that there is nothing to encode.
_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,254}", re.ASCII)
_SHOWN_MAX: Final = 60


def join(path: Path) -> str:
    """Return the path as text, with a leading slash.

    Raises:
        BadOrderError: If a part is no id: surely nothing was sent.
    """
    for part in path:
        require_id(part)
    return "/" + "/".join(path)


def require_id(value: str) -> None:
    """See that a value can be the id of a thing in a cloud.

    Raises:
        BadOrderError: If it cannot.
    """
    if _PART.fullmatch(value) is None:
        raise BadOrderError(f"{value[:_SHOWN_MAX]!a} is no id of anything in a cloud")
