"""Names of znodes that others have made, as lists show them and as commands take them back.

ZooKeeper lets a name hold what no terminal shows, or what turns the line around, and what a shell
carries out. So whatever is no plain id is shown percent-encoded, as URLs do it: what is shown can
be seen, copied, and given to a command without quotes. Ids of ours are shown as they are.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar
from urllib.parse import quote, unquote

import click

from remuda.model.fields import IDENTIFIER

NameT = TypeVar("NameT", bound=str)

#: Whatever is longer when it is encoded is shown by its beginning and its SHA-256: a name may be
#: as long as a packet of ZooKeeper.
CHARS_MAX: Final = 120
_BEGIN_CHARS: Final = 40
_DIGEST_CHARS: Final = 32
#: Stands before the digest, and is encoded elsewhere: no name is shown as another one is cut.
_CUT: Final = "~"


def shown_name(name: str) -> str:
    """Return a name as it is shown: at most 120 letters, digits and ``%_.:~-``."""
    if IDENTIFIER.fullmatch(name):
        return name
    raw = name.encode(errors="surrogatepass")
    encoded = quote(raw, safe=":").replace(_CUT, "%7E")
    if encoded.startswith("-"):
        encoded = f"%2D{encoded[1:]}"  # else it would be read as an option
    if len(encoded) <= CHARS_MAX:
        return encoded
    digest = hashlib.sha256(raw).hexdigest()[:_DIGEST_CHARS]
    return f"{encoded[:_BEGIN_CHARS]}{_CUT}{digest}"


def shown_names(corrupt: Mapping[NameT, str]) -> dict[str, str]:
    """Return what is said of some znodes by their names as these are shown."""
    return {shown_name(name): why for name, why in corrupt.items()}


def meant_name(shown: str, names: Callable[[], Iterable[str]]) -> str:
    """Return the name that is shown so; one that needs no encoding may be given as it is.

    Args:
        shown: What was given.
        names: Returns those that there are; asked only where one was shown by its digest.

    Raises:
        ValueError: No znode can be called so.
    """
    if _CUT in shown:  # then nothing else in it is encoded
        name = next((one for one in names() if shown_name(one) == shown), shown)
    else:
        name = unquote(shown, errors="strict")  # a UnicodeDecodeError is a ValueError
    if "/" in name or name in {"", ".", ".."}:
        raise ValueError("it is no name of a znode")
    return name


def as_shown(
    ctx: click.Context, param: click.Parameter, value: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    """Read one name, or several, as :func:`meant_name` does, but for long ones; for click.

    Raises:
        click.BadParameter: If no znode can be called so.
    """
    if isinstance(value, tuple):
        return tuple(_meant(ctx, param, one) for one in value)
    return _meant(ctx, param, value)


def _meant(ctx: click.Context, param: click.Parameter, shown: str) -> str:
    try:
        return meant_name(shown, tuple)
    except ValueError as error:
        why = f"{shown[:80]!r} is no name as lists show it"
        raise click.BadParameter(why, ctx, param) from error
