"""Folders of this host that are ours as long as they are used.

Whoever uses one holds a lock on it, which ends with the process: so what a builder has left that
was killed can be told from what another one of the same user works with.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from builder.hands.tree import opened_folder, remove_tree

#: Nothing is in such a folder.
_UNNAMED: Final = "new-"


@contextmanager
def own_folder(
    parent: Path, prefix: str, remove: Callable[[Path], None] = remove_tree
) -> Iterator[Path]:
    """Make a folder below *parent*, for us alone; it gets its name when it is locked.

    Args:
        parent: Made if it is not there.
        prefix: Of its name.
        remove: Removes it in the end.

    Raises:
        OSError: It cannot be made.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(prefix=_UNNAMED, dir=parent))  # of mode 0700
    held = os.open(own, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        own = own.rename(own.with_name(prefix + own.name.removeprefix(_UNNAMED)))
        yield own
    finally:
        try:
            remove(own)
        finally:
            os.close(held)


def remove_left(parent: Path, prefix: str, remove: Callable[[Path], None] = remove_tree) -> int:
    """Remove the folders of processes that are no more; return how many were."""
    removed = 0
    for one in sorted(parent.glob(f"{prefix}*")):
        with suppress(OSError):
            removed += _remove_if_left(one, remove)
    return removed


def _remove_if_left(own: Path, remove: Callable[[Path], None]) -> bool:
    with opened_folder(own) as number:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        remove(own)
        return True
