"""An archive in a folder of this host."""

import errno
import os
import secrets
import threading
from pathlib import Path
from typing import BinaryIO, Final

from remuda.archive.sink import Content, SinkError
from remuda.archive.trees import PIECE_BYTES
from remuda.runtime.clock import Clock, SystemClock

#: What the next file would meet, too.
_FINAL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
#: What is wrong with this one file: its name is none here, or a folder has it.
_OWN: Final = frozenset(
    {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ}
)
_PART: Final = ".part"


class FolderSink:
    """Stores an archive in a folder of its own, which is made; see ArchiveSink.

    Only the folder's owner may look into it, unless it is *public*. Files are stored as they are,
    so that they can be read there.

    Args:
        root: The archive's own folder; must not be there yet. Folders above it are made.
        public: Everybody on this host may look into it.
        clock: The time.

    Raises:
        SinkError: By the constructor: it cannot be made.
    """

    gzips: Final = False
    threads: Final = 2

    def __init__(self, root: Path, *, public: bool = False, clock: Clock | None = None) -> None:
        self._root = root.absolute()
        self._modes = (0o755, 0o644) if public else (0o700, 0o600)
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._made: set[Path] = set()
        try:
            self._root.parent.mkdir(parents=True, exist_ok=True)
            self._root.mkdir(mode=self._modes[0])
            self._root.chmod(self._modes[0])
        except OSError as error:
            raise SinkError(_sentence(self._root, error), final=True) from error

    @property
    def place(self) -> str:
        """See ArchiveSink."""
        return str(self._root)

    def store(self, name: str, body: BinaryIO, _content: Content, *, by_s: float) -> None:
        """See ArchiveSink."""
        path = self._root / name
        # A name of its own: beside x a job may have left x.part, which is none of this.
        part = self._root / f".{secrets.token_hex(8)}{_PART}"
        try:
            self._make(path.parent)
            self._write(part, body, by_s)
            # Not over anything: a name that differs by case only may be the same file here.
            os.link(part, path)
        except FileExistsError as error:
            raise SinkError("there is one of this name already", own=True) from error
        except OSError as error:
            raise SinkError(
                _sentence(path, error),
                final=error.errno in _FINAL,
                own=error.errno in _OWN,
            ) from error
        finally:
            part.unlink(missing_ok=True)

    def address(self, name: str) -> str:
        """See ArchiveSink."""
        return (self._root / name).as_uri()

    def _write(self, part: Path, body: BinaryIO, by_s: float) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(part, flags, self._modes[1]), "wb") as file:  # noqa: PTH123 - a descriptor
            while piece := body.read(PIECE_BYTES):
                if self._clock.monotonic_s() >= by_s:
                    raise SinkError("the time is over")
                file.write(piece)

    def _make(self, folder: Path) -> None:
        """Make a folder below the root, which has no links in it: we make none."""
        with self._lock:
            if folder in self._made or folder == self._root:
                return
        missing = [folder]
        while missing[-1].parent != self._root:
            missing.append(missing[-1].parent)
        for one in reversed(missing):
            one.mkdir(mode=self._modes[0], exist_ok=True)
        with self._lock:
            self._made.update(missing)


def _sentence(path: Path, error: OSError) -> str:
    return f"{path}: {error.strerror or error}"
