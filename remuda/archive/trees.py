"""A tree of files on its way into an archive: read once, in order, never whole in memory."""

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: How much of a file is held at once.
PIECE_BYTES: Final = 256 * 1024


class TreeError(Exception):
    """The tree breaks off here; what came before is whole. One sentence for people."""


class UnreadableError(Exception):
    """One file cannot be read; the tree goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFile:
    """A file.

    Attributes:
        name: Below the root of the tree, with slashes; not yet believed (see ``names.py``).
        pieces: Its content; read before the next entry is asked for, or not at all. May raise
            TreeError or UnreadableError.
        modified_s: Seconds since the epoch, or None.
    """

    name: str
    pieces: Iterable[bytes]
    modified_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLink:
    """Another name of a file, told and not followed.

    Attributes:
        target: Below the root of the tree, as *name* is.
    """

    name: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that is in the tree and does not come into an archive.

    Attributes:
        wanted: Somebody asked for just that: the archive is not complete without it.
    """

    name: str
    why: str
    wanted: bool = False


TreeEntry = TreeFile | TreeLink | LeftOut
#: May raise TreeError where it breaks off.
Tree = Iterable[TreeEntry]


def tree_of_texts(texts: Mapping[str, str | bytes], *, modified_s: float | None = None) -> Tree:
    """Return a tree of what is in memory, by name."""
    for name, text in texts.items():
        data = text.encode(errors="replace") if isinstance(text, str) else text
        yield TreeFile(name=name, pieces=(data,), modified_s=modified_s)


def tree_of_folder(folder: Path) -> Tree:
    """Return what is in a folder of this host, sorted; nothing outside of it is read.

    Symbolic links are not followed; what cannot be read is left out, and said.
    """
    for at, folders, files in os.walk(folder, followlinks=False):
        folders.sort()
        below = os.path.relpath(at, folder)
        linked = [name for name in folders if (Path(at) / name).is_symlink()]
        for name in sorted(files + linked):
            yield _entry(Path(at) / name, os.path.normpath(f"{below}/{name}"))


def _entry(path: Path, name: str) -> TreeEntry:
    try:
        about = path.lstat()
        if stat.S_ISLNK(about.st_mode):
            target = posixpath.join(posixpath.dirname(name), os.readlink(path))  # noqa: PTH115 - a text
            return TreeLink(name=name, target=posixpath.normpath(target))
        if not stat.S_ISREG(about.st_mode):
            return LeftOut(name=name, why="it is no file")
    except OSError as error:
        return LeftOut(name=name, why=error.strerror or str(error))
    return TreeFile(name=name, pieces=_pieces(path), modified_s=about.st_mtime)


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        # O_NOFOLLOW: what became a link since then is not read.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(number, "rb") as file:  # noqa: PTH123 - a descriptor
            while piece := file.read(PIECE_BYTES):
                yield piece
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
