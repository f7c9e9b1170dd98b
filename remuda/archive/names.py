"""Names of files that others chose, made safe for folders, object stores, pages and terminals."""

from typing import Final

from remuda.redaction import redact_text
from remuda.visible import visible

#: Object stores take 1,024 bytes, of which the archive's own place needs some.
NAME_BYTES_MAX: Final = 768
DEPTH_MAX: Final = 64


class BadNameError(Exception):
    """A name that no archive has; says why."""


def safe_name(name: str) -> str:
    r"""Return *name* below a root, as an archive has it.

    What cannot be seen, or steers, is written out (``\x1b``); bytes that are no UTF-8 too. What
    looks to be a secret is masked: names are in every listing.

    Raises:
        BadNameError: It leads out of the root, is too long, or is none.
    """
    if name.startswith("/"):
        raise BadNameError("its name is absolute")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise BadNameError("its name leads out of the folder")
    if not parts:
        raise BadNameError("it has no name")
    if len(parts) > DEPTH_MAX:
        raise BadNameError("its name is too long")
    # Each is bounded before the next looks at it: a machine may send thousands of long names.
    shown = redact_text(_bounded(visible(_bounded("/".join(parts)))))
    return _bounded(shown)


def _bounded(name: str) -> str:
    if len(name.encode(errors="backslashreplace")) > NAME_BYTES_MAX:
        raise BadNameError("its name is too long")
    return name


def decoded(raw: bytes) -> str:
    r"""Return a name of bytes; what is no UTF-8 is written out, as ``\xff``."""
    return raw.decode(errors="backslashreplace")
