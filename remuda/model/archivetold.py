"""What the holder of a node tells of the archive that it made of what a job left.

It is a part of the report in the node's record (``jobreport.py``), and whoever may write that may
write this: numbers of strangers, bounded, believed whole or not at all.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from remuda.model.fetched import believed

#: More files than an archive of ours can have are not believed.
FILES_MAX: Final = 1_000_000


class ArchiveOutcome(StrEnum):
    """What became of an archive."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"  # some of it is there
    FAILED = "failed"  # there is nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveTold:
    """How much is in an archive.

    Attributes:
        files: How many files are stored; index and manifest are not counted.
        bytes: Of those, as they were on the machine.
        failed: How many files were read, and could not be stored.
        complete: Whether all is there that was to be in it.
    """

    files: int = 0
    bytes: int = 0
    failed: int = 0
    complete: bool = False

    @property
    def outcome(self) -> ArchiveOutcome:
        """How records and metrics call it."""
        if self.complete:
            return ArchiveOutcome.COMPLETE
        return ArchiveOutcome.INCOMPLETE if self.files else ArchiveOutcome.FAILED

    def as_json(self) -> dict[str, Any]:
        """Return it as it lies in a record, and as commands print it."""
        return asdict(self)


def read_archive_told(value: object) -> ArchiveTold | None:
    """Return what somebody tells of an archive; None: nothing, or nothing to be believed."""
    if not isinstance(value, Mapping):
        return None
    files, size, failed = (believed(value.get(key)) for key in ("files", "bytes", "failed"))
    complete = value.get("complete")
    if files is None or size is None or failed is None or not isinstance(complete, bool):
        return None
    if files > FILES_MAX or failed > FILES_MAX:
        return None
    return ArchiveTold(files=files, bytes=size, failed=failed, complete=complete)
