"""Where whole capsules are stored: a folder of this host, a container of an object store.

Each place says in one sentence why it does not take one; nothing else is harmed by that.
"""

import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Protocol

from remuda.cloud.api import CloudError
from remuda.cloud.objects import ObjectOrder, ObjectStore
from remuda.model.capsule import FOLDER, SWIFT, Kept
from remuda.model.capsulefile import SUFFIX
from remuda.redaction import redact_middle
from remuda.runtime.clock import Clock

#: For the whole upload.
UPLOAD_S: Final = 60.0
_WHY_CHARS_MAX: Final = 300
#: Nothing of anybody else's is removed, and nothing that is not ours by its name.
_OURS: Final = re.compile(r"[A-Za-z0-9._-]{1,200}-[0-9a-f]{16}\.tar\.gz(?:\.part)?", re.ASCII)
#: What was being written when its process died.
_PART: Final = ".part"
_PART_S: Final = 3600.0
_PIECE_BYTES: Final = 64 * 1024


class CapsuleStore(Protocol):
    """One place for whole capsules; there is one of each kind at most."""

    @property
    def kind(self) -> str:
        """``folder`` or ``swift``, as records call it."""

    def put(self, provider: str, node: str, data: bytes) -> Kept:
        """Store one; never raises for what the place does."""


def _failed(store: str, place: str, error: Exception) -> Kept:
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    why = redact_middle(" ".join((words or type(error).__name__).split()), _WHY_CHARS_MAX)
    return Kept(store=store, place=place, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStore:
    """A folder of this host; several processes may share it.

    Attributes:
        bytes_max: Of all capsules in it.
        keep_s: Older ones go; None: only for room.
    """

    kind: ClassVar[str] = FOLDER

    folder: Path
    bytes_max: int
    keep_s: float | None
    now_s: Callable[[], float] = time.time

    def put(self, provider: str, node: str, data: bytes) -> Kept:
        """See CapsuleStore."""
        name = f"{provider}-{node}-{secrets.token_hex(8)}{SUFFIX}"
        part, path = self.folder / f"{name}{_PART}", self.folder / name
        try:
            self._open()
            self._make_room(len(data))
            _write(part, path, data)
        except OSError as error:
            return _failed(FOLDER, str(self.folder), error)
        return Kept(store=FOLDER, place=str(path), size_bytes=len(data))

    def _open(self) -> None:
        """Make the folder if it is not there; what others may write or read is none of ours."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = self.folder.stat()
        if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
            raise OSError("others than the launcher may read or write the folder: chmod 700")

    def _make_room(self, wanted: int) -> None:
        if wanted > self.bytes_max:
            raise OSError(f"a capsule of {wanted} bytes is more than max-size allows")
        found, now_s = sorted(self._ours()), self.now_s()
        total = sum(size for _, size, _ in found)
        for modified_s, size, path in found:
            old = self.keep_s is not None and modified_s < now_s - self.keep_s
            left = path.name.endswith(_PART) and modified_s < now_s - _PART_S
            if old or left or total + wanted > self.bytes_max:
                path.unlink(missing_ok=True)
                total -= size

    def _ours(self) -> Iterator[tuple[float, int, Path]]:
        with os.scandir(self.folder) as entries:
            for one in entries:
                if not _OURS.fullmatch(one.name):
                    continue
                try:
                    about = one.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # another launcher removed it
                if stat.S_ISREG(about.st_mode):
                    yield about.st_mtime, about.st_size, Path(one.path)


def _write(part: Path, path: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(number)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


@dataclass(slots=True, kw_only=True)
class SwiftStore:
    """A container of an object store.

    Attributes:
        where: Cloud and container, for people.
        open_store: Connects; asked once, and again after an error.
        region: Where the cloud has several, and it is not the one that clouds.yaml names.
        keep_s: The store deletes it by itself after that; None: never.
    """

    kind: ClassVar[str] = SWIFT

    where: str
    container: str
    prefix: str
    keep_s: float | None
    open_store: Callable[[], ObjectStore]
    clock: Clock
    region: str | None = None
    _store: ObjectStore | None = None

    def put(self, provider: str, node: str, data: bytes) -> Kept:
        """See CapsuleStore."""
        name = f"{self.prefix}/{provider}/{node}-{secrets.token_hex(16)}{SUFFIX}"
        try:
            self._put(name, data)
        except (CloudError, OSError) as error:
            self._store = None
            return _failed(SWIFT, self.where, error)
        return Kept(
            store=SWIFT, place=f"{self.where}/{name}", size_bytes=len(data), region=self.region
        )

    def _put(self, name: str, data: bytes) -> None:
        ends_s = self.clock.monotonic_s() + UPLOAD_S
        store = self._store = self._store or self.open_store()
        if store.make_container(self.container).public:
            raise OSError("everybody may read the container: a capsule is for operators only")
        order = ObjectOrder(
            name=name,
            bytes_max=len(data),
            size_bytes=len(data),
            content_type="application/gzip",
            keep_s=None if self.keep_s is None else int(self.keep_s),
        )
        pieces = (data[at : at + _PIECE_BYTES] for at in range(0, len(data), _PIECE_BYTES))

        def going() -> str | None:
            late = self.clock.monotonic_s() >= ends_s
            return f"it took more than {UPLOAD_S:g} s" if late else None

        store.put(self.container, order, pieces, going=going)
