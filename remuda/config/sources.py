"""The files that a configuration is read from, with limits, plain words and a digest."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: Largest configuration or clouds.yaml; ten times what a thousand labels take.
CONFIG_BYTES_MAX: Final = 1024 * 1024


class UnreadableError(Exception):
    """A file cannot be used; the text says why, in words that follow the file's name."""


class Sources:
    """Reads files and remembers what was read, so that a change can be noticed.

    Not thread-safe; one for each reading of a configuration.
    """

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    @property
    def files(self) -> tuple[str, ...]:
        """The files asked for so far, sorted, whether they could be read or not."""
        return tuple(sorted(self._seen))

    def digest(self) -> str:
        """Return a hash of the files' names and contents (or why there is none)."""
        lines = "\n".join(f"{name}\0{what}" for name, what in sorted(self._seen.items()))
        return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()

    def read(self, path: Path, *, bytes_max: int) -> str:
        """Return the text of *path*, without a byte order mark.

        Raises:
            UnreadableError: If it is missing, no file, larger than *bytes_max* or not UTF-8.
        """
        try:
            raw = _bytes(path, bytes_max)
            self._seen[str(path)] = hashlib.sha256(raw).hexdigest()
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UnreadableError(f"is not UTF-8 text (byte {error.start})") from None
        except UnreadableError as error:
            self._seen[str(path)] = str(error)
            raise

    def probe(self, path: Path) -> int:
        """Return the mode bits of *path*, a file that we may read but do not now.

        Raises:
            UnreadableError: If it is missing, no file, or not readable by us.
        """
        try:
            mode = _mode(path)
        except UnreadableError as error:
            self._seen[str(path)] = str(error)
            raise
        self._seen[str(path)] = f"mode {mode:o}"
        return mode

    def note(self, path: Path, look: Callable[[], object]) -> None:
        """Remember what *look* finds at *path*: a value whose ``repr`` changes when it does.

        Raises:
            UnreadableError: If *look* does.
        """
        try:
            found = repr(look())
        except UnreadableError as error:
            self._seen[str(path)] = str(error)
            raise
        self._seen[str(path)] = hashlib.sha256(found.encode(errors="surrogateescape")).hexdigest()


def located(text: str, folder: Path) -> Path:
    """Return the absolute path of *text*, which may begin with ``~`` or be relative to *folder*.

    Raises:
        UnreadableError: If ``~name`` names nobody.
    """
    try:
        expanded = Path(text).expanduser()
    except RuntimeError:
        raise UnreadableError("begins with ~ but that home is not known") from None
    return Path(os.path.normpath(folder / expanded))


def _mode(path: Path) -> int:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise UnreadableError(reason(error)) from None
    if not stat.S_ISREG(mode):
        raise UnreadableError("is not a file")
    if not os.access(path, os.R_OK):
        raise UnreadableError("may not be read by this user")
    return stat.S_IMODE(mode)


def _bytes(path: Path, bytes_max: int) -> bytes:
    try:
        if stat.S_ISFIFO(path.stat().st_mode):  # would wait for a writer, perhaps for ever
            raise UnreadableError("is a pipe, not a file")
        with path.open("rb") as file:
            raw = file.read(bytes_max + 1)
    except (OSError, ValueError) as error:
        raise UnreadableError(reason(error)) from None
    if len(raw) > bytes_max:
        raise UnreadableError(f"is larger than the allowed {bytes_max:,} bytes")
    return raw


def reason(error: OSError | ValueError | RuntimeError) -> str:
    """Say why a file cannot be used, in words that follow its name."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "does not exist"
        case IsADirectoryError():
            return "is a directory"
        case PermissionError():
            return "may not be read by this user"
        case OSError():
            return f"cannot be read: {error.strerror}"
        case RuntimeError():  # of pathlib
            return "is a link that leads to itself"
        case _:  # a NUL in the name
            return "is not a file name"
