"""The id of an installation, in ``/remuda/installation``: part of every server's tags."""

from typing import Final

from remuda.model.codec import CorruptRecordError, quote
from remuda.model.fields import IDENTIFIER

_BYTES_MAX: Final = 255


def decode_installation(raw: bytes) -> str:
    """Return the id.

    Raises:
        CorruptRecordError: If it is none that could stand in a server's tags.
    """
    text = raw[: _BYTES_MAX + 1].decode(errors="replace")
    if not IDENTIFIER.fullmatch(text):
        raise CorruptRecordError("installation", f"{quote(text)} is not an id")
    return text
