"""The id of an installation, in ``/remuda/installation``: it tells two apart that share a cloud.

All that we make in a cloud carries it, and whoever finds something that carries it and has no
record takes it for a leak. So nothing is believed that could not be such an id.
"""

import re
from typing import Final

from remuda.model.codec import CorruptRecordError
from remuda.model.tags import TRIALS

#: It goes into server metadata, and between blanks into the description of floating IPs.
PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_ID: Final = re.compile(PATTERN, re.ASCII)
_SHOWN_MAX: Final = 80


def decode_installation(path: str, raw: bytes) -> str:
    """Return the id.

    Raises:
        CorruptRecordError: If *raw* is none.
    """
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if _ID.fullmatch(text) is None or text == TRIALS:
        raise CorruptRecordError(path, f"{raw[:_SHOWN_MAX]!r} is no id of an installation")
    return text
