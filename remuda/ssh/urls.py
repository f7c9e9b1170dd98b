"""URLs that hold public keys: which are taken; pure."""

import re
from typing import Final
from urllib.parse import urlsplit

URL_CHARS_MAX: Final = 1024
_HTTPS: Final = 443
_PRINTABLE: Final = re.compile(r"[!-~]+", re.ASCII)


class KeyUrlError(ValueError):
    """A URL is not taken; the message is one sentence without its subject."""


def check_url(url: str) -> None:
    """Make sure that keys may be fetched from *url*.

    Raises:
        KeyUrlError: With what is wrong.
    """
    parts_of(url)


def parts_of(url: str) -> tuple[str, int, str]:
    """Return host, port and what is asked for.

    Raises:
        KeyUrlError: With what is wrong.
    """
    if len(url) > URL_CHARS_MAX or not _PRINTABLE.fullmatch(url):
        raise KeyUrlError(f"is no URL: 1 to {URL_CHARS_MAX} printable characters without blanks")
    try:
        found = urlsplit(url)
        host, port = found.hostname, found.port
    except ValueError:
        raise KeyUrlError("is no URL") from None
    if found.scheme != "https" or not host:
        raise KeyUrlError("is refused: only https:// tells whose keys these are")
    if found.username is not None or found.password is not None:
        raise KeyUrlError("is refused: it has a name or a password in it")
    target = (found.path or "/") + (f"?{found.query}" if found.query else "")
    return host, _HTTPS if port is None else port, target
