"""What the files and folders that steps copy held when they were read last.

Builders look once a minute, and launchers at each reload: half a gigabyte is not hashed each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from remuda.config import trees
from remuda.config.trees import TreeEntry

#: What tells one state of a file from another without reading it; None: it is gone.
_Stamp = tuple[int, int, int, int] | None


@dataclass(slots=True)
class TreeCache:
    """Remembers the hashes of what it has read; what has not changed is not hashed again.

    Used by one thread at a time.
    """

    _read: dict[Path, tuple[tuple[_Stamp, ...], Sequence[TreeEntry]]] = field(default_factory=dict)

    def read(self, top: Path) -> Sequence[TreeEntry]:
        """Return what *top* holds, with the hashes of its files.

        Raises:
            UnreadableError: As of :func:`remuda.config.trees.read`.
        """
        stamps = tuple(_stamp(top / one.path) for one in trees.survey(top))
        known = self._read.get(top)
        if known is not None and known[0] == stamps:
            return known[1]
        self._read.pop(top, None)
        found = trees.read(top)
        self._read[top] = stamps, found
        return found

    def keep(self, tops: Sequence[Path]) -> None:
        """Forget everything else."""
        kept = set(tops)
        self._read = {top: found for top, found in self._read.items() if top in kept}


def _stamp(file: Path) -> _Stamp:
    try:
        found = file.stat(follow_symlinks=False)
    except OSError:
        return None
    # The change time is no user's to set; stamps are taken before the content is read.
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
