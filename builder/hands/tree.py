"""Removes folders, whatever somebody has made in them: as deep, closed and strange as can be.

What the standard library has calls itself once for each level, and names each by its whole path:
some thousand folders in one another end it with an error that is none of the file system's. Here
folders are moved up and emptied at the top, so that it is all the same how deep they were.
"""

import os
import stat
import uuid
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Nobody writes so many; whoever still makes some while they are removed would keep us for ever.
_FOLDERS_MAX: Final = 1_000_000
_NAMED: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LISTED: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as that can be done; no link is followed."""
    with suppress(OSError):
        with opened_folder(folder) as top:
            device = os.fstat(top).st_dev
            todo = deque(_emptied(top, top, device))
            for _ in range(_FOLDERS_MAX):
                if not todo:
                    break
                todo.extend(_folded(todo.popleft(), top, device))
        folder.rmdir()


@contextmanager
def opened_folder(folder: Path | str, within: int | None = None) -> "Iterator[int]":
    """Open a folder, though it was closed to everybody; a link to one is none.

    Args:
        folder: Which.
        within: The open folder in which it is, if that is not meant by its name.

    Raises:
        OSError: It is none, or somebody else's.
    """
    named = os.open(folder, _NAMED, dir_fd=within)
    try:
        with suppress(OSError):  # not ours: perhaps it can be read as it is
            Path(f"/proc/self/fd/{named}").chmod(0o700)
        number = os.open(".", _LISTED, dir_fd=named)
    finally:
        os.close(named)
    try:
        yield number
    finally:
        os.close(number)


def _folded(name: str, top: int, device: int) -> list[str]:
    """Remove a folder at the top; return by which names those in it have come up."""
    came: list[str] = []
    with suppress(OSError):
        with opened_folder(name, top) as folder:
            # What is mounted there is nothing that was written here.
            if os.fstat(folder).st_dev == device:
                came = _emptied(folder, top, device)
        os.rmdir(name, dir_fd=top)
    return came


def _emptied(folder: int, top: int, device: int) -> list[str]:
    """Remove all files of a folder; return the names of its folders, which are at the top then."""
    found: list[str] = []
    for name in os.listdir(folder):
        with suppress(OSError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(name, dir_fd=folder)
            elif folder == top:
                found.append(name)
            elif status.st_dev == device:
                found.append(_moved(name, folder, top))
    return found


def _moved(name: str, folder: int, top: int) -> str:
    """Move a folder to the top; return its name there."""
    with opened_folder(name, folder):  # so that it may be moved
        new = uuid.uuid4().hex
        os.rename(name, new, src_dir_fd=folder, dst_dir_fd=top)
    return new
