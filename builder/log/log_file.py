"""The complete log of a build in a file of the builder's host, for as long as there is room."""

import logging
import os
import re
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

from remuda.model.image import BuildId, znode_name

log = logging.getLogger(__name__)

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
_NAME: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}-\d{6}-\d{1,12}(?:-\d{1,3})?\.log", re.ASCII
)
_NAMES_MAX: Final = 100


class LogFile:
    """A file that only we may read; trouble with it ends the file, and nothing else.

    Attributes:
        full: Whether nothing more is written.
    """

    def __init__(self, folder: Path, build_id: BuildId, *, now_s: float) -> None:
        self._written = 0
        self._file: FileIO | None = None
        self.path: Path | None = None
        try:
            _private(folder)
            self.path, self._file = _fresh(folder, build_id, now_s)
        except OSError as error:
            log.warning("buildlog.no_file build=%s folder=%s cause=%s", build_id, folder, error)

    @property
    def full(self) -> bool:
        """Whether nothing more is written."""
        return self._file is None

    def write(self, data: bytes) -> None:
        """Append; a file that is full ends with a line that says so."""
        if self._file is None:
            return
        room = FILE_BYTES_MAX - self._written
        self._append(data[:room])
        if len(data) > room:
            self._append(f"\n… the rest is not kept: {FILE_BYTES_MAX >> 20} MiB …\n".encode())
            self.close()

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()

    def _append(self, data: bytes) -> None:
        try:
            while data and self._file is not None:
                count = self._file.write(data)
                self._written += count
                data = data[count:]
        except OSError as error:
            log.warning("buildlog.file_broken file=%s cause=%s", self.path, error)
            self.close()


def prune(folder: Path, keep: int) -> None:
    """Delete all logs in *folder* but the *keep* newest; other files there are left alone."""
    found: list[tuple[float, Path]] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for one in entries:
            with suppress(OSError):
                if _NAME.fullmatch(one.name) and one.is_file(follow_symlinks=False):
                    found.append((one.stat(follow_symlinks=False).st_mtime, Path(one.path)))
    for _, path in sorted(found, reverse=True)[keep:]:
        with suppress(OSError):
            path.unlink()


def _private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def _fresh(folder: Path, build_id: BuildId, now_s: float) -> tuple[Path, FileIO]:
    stem = f"{build_id.image}-{znode_name(build_id.number)}-{now_s:.0f}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for more in ("", *(f"-{number}" for number in range(1, _NAMES_MAX))):
        path = folder / f"{stem}{more}.log"
        with suppress(FileExistsError):
            return path, FileIO(os.open(path, flags, 0o600), "wb")
    raise FileExistsError(0, "too many files of that name", str(folder))
