"""Files and folders of this host that steps copy to machines: bounded, and nothing outside.

Looking at a tree is cheap (``survey``); hashing what it holds is for the fingerprint (``read``).
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from remuda.config.sources import UnreadableError, reason
from remuda.config.units import show_size

#: A tree is sent at each build and hashed at each look; what is larger is fetched by a script.
TREE_BYTES_MAX: Final = 512 * 1024 * 1024
TREE_ENTRIES_MAX: Final = 20_000
_CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TreeEntry:
    """One file, folder or link of a tree.

    Attributes:
        path: Below the tree's top, with slashes; empty: the top itself.
        mode: File type and permissions, as of ``os.lstat``; a link has its type only.
        size: Bytes of a file; 0 for all else.
        content: SHA-256 of a file, in hexadecimal, or where a link points; empty: not asked for.
    """

    path: str
    mode: int
    size: int = 0
    content: str = ""


def survey(top: Path) -> tuple[TreeEntry, ...]:
    """Return what *top* holds, by path, without contents of files.

    Raises:
        UnreadableError: If it is missing, too large, cannot be read, or holds a link that points
            outside or something that is neither file, folder nor link.
    """
    found: list[TreeEntry] = []
    total = 0
    for entry in _entries(top):
        found.append(entry)
        total += entry.size
        if len(found) > TREE_ENTRIES_MAX:
            raise UnreadableError(f"has more than the allowed {TREE_ENTRIES_MAX:,} entries")
        if total > TREE_BYTES_MAX:
            most = show_size(TREE_BYTES_MAX // 1024**2)
            raise UnreadableError(f"is larger than the allowed {most}")
    return tuple(sorted(found))


def read(top: Path) -> tuple[TreeEntry, ...]:
    """Return what *top* holds, by path, with the hashes of its files; raises as ``survey``."""
    found = survey(top)
    here = Path(os.path.realpath(top))  # only the top may be a link
    return tuple(
        replace(one, content=_sha256(here / one.path, one)) if stat.S_ISREG(one.mode) else one
        for one in found
    )


def _entries(top: Path) -> Iterator[TreeEntry]:
    """Yield *top*, which may be a link, and all below it; links below are not followed."""
    try:
        here = top.resolve(strict=True)
        yield _entry(here, "", here)
        todo = [""] if here.is_dir() else []
        while todo:
            folder = todo.pop()
            with os.scandir(here / folder) as listing:
                for item in listing:
                    path = f"{folder}/{item.name}".removeprefix("/")
                    entry = _entry(here, path, here / path)
                    if stat.S_ISDIR(entry.mode):
                        todo.append(path)
                    yield entry
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a link to itself
        raise UnreadableError(reason(error)) from None


def _entry(here: Path, path: str, file: Path) -> TreeEntry:
    status = file.lstat()
    if stat.S_ISLNK(status.st_mode):
        return TreeEntry(path=path, mode=stat.S_IFLNK, content=_target(here, path, file))
    kind = os.R_OK | (os.X_OK if stat.S_ISDIR(status.st_mode) else 0)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise UnreadableError(f"{_within(path)}is neither file, folder nor link")
    if not os.access(file, kind):
        raise UnreadableError(f"{_within(path)}may not be read by this user")
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return TreeEntry(path=path, mode=status.st_mode, size=size)


def _target(here: Path, path: str, link: Path) -> str:
    target = str(link.readlink())
    inside = Path(os.path.realpath(link)).is_relative_to(here)
    if target.startswith("/") or not inside:
        raise UnreadableError(f"{_within(path)}is a link that points outside")
    return target


def _within(path: str) -> str:
    return f"holds {path!r}, which " if path else ""


def _sha256(file: Path, entry: TreeEntry) -> str:
    """Hash *file*, which was *entry*'s size a moment ago, and no more of it than is allowed."""
    digest = hashlib.sha256()
    read_bytes = 0
    try:
        # What became a link or a FIFO since it was looked at is neither followed nor waited for.
        number = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, "rb") as stream:  # noqa: PTH123 - a descriptor
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise UnreadableError(f"{_within(entry.path)}is no file any more")
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                read_bytes += len(chunk)
                if read_bytes > TREE_BYTES_MAX:
                    raise UnreadableError(f"{_within(entry.path)}grows while it is read")
    except OSError as error:
        raise UnreadableError(f"{_within(entry.path)}{reason(error)}") from None
    return digest.hexdigest()
