"""Paths of a cloud's API: made of fixed words and of ids, and of nothing else.

Ids come from records that others may write, and ``..`` in one of them would lead to another
thing than was meant, for HTTP libraries resolve it before they send. So a path is given in its
parts, and a part that is no id is refused before anything is sent, whoever calls.
"""

from typing import Final
from urllib.parse import quote

from remuda.cloud.api import BadOrderError
from remuda.model.fields import IDENTIFIER

#: The parts of a path, outermost first.
UrlPath = tuple[str, ...]

_SHOWN_MAX: Final = 60


class Quoted(str):
    """A part of a path that has been checked by who knows what it is, and is encoded by now."""

    __slots__ = ()


def quoted(name: str) -> Quoted:
    """Encode what has been checked: slashes stay, and all else that has a meaning has none."""
    return Quoted(quote(name, safe="/"))


def join(path: UrlPath) -> str:
    """Return the path as text, with a leading slash.

    Raises:
        BadOrderError: If a part is no id: surely nothing was sent.
    """
    for part in path:
        if not isinstance(part, Quoted):
            require_id(part)
    return "/" + "/".join(path)


def is_id(value: str) -> bool:
    """Whether a value can be the id of a thing in a cloud.

    The same as records may hold. Nothing in it has a meaning in a path, so that there is nothing
    to encode.
    """
    return IDENTIFIER.fullmatch(value) is not None


def require_id(value: str) -> None:
    """See that a value can be the id of a thing in a cloud.

    Raises:
        BadOrderError: If it cannot.
    """
    if not is_id(value):
        raise BadOrderError(f"{value[:_SHOWN_MAX]!a} is no id of anything in a cloud")
