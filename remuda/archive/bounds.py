"""How much one archive takes, whoever fills it."""

from dataclasses import dataclass
from typing import Final

BYTES_DEFAULT: Final = 2 * 1024**3
FILES_DEFAULT: Final = 20_000
SECONDS_DEFAULT: Final = 15 * 60.0
#: What an operator of a run may ask for at most: the list of files is held in memory.
FILES_MAX: Final = 100_000
#: All names together; the same reason.
NAMES_BYTES_MAX: Final = 8 * 1024**2
#: So many of the things that were left out are named; the others are counted.
LEFT_OUT_NAMED_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveBounds:
    """Where an archive ends, with whatever is in it by then.

    Attributes:
        bytes_max: Of all files, as they were read.
        files_max: How many files, and links.
        seconds: For all of it, storing included.
    """

    bytes_max: int = BYTES_DEFAULT
    files_max: int = FILES_DEFAULT
    seconds: float = SECONDS_DEFAULT
