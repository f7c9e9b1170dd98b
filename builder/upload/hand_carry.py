"""The file in which an image is carried, and what is made of it at its destination."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.place.sites import image_tags
from builder.upload import disk_format
from remuda.cloud.api import BadOrderError, DamagedError, TryLaterError
from remuda.cloud.image_store import (
    ImageOrder,
    ImageStatus,
    Received,
    StoredImage,
    Visibility,
)
from remuda.cloud.inherited import carried
from remuda.model import tags
from remuda.model.image import BuildId, UploadId

#: What this host must have left besides the file.
RESERVE_BYTES: Final = 256 << 20
#: Larger images are carried by nobody; nothing else bounds what a cloud says of its images.
CARRIED_BYTES_MAX: Final = 1 << 40
#: What is left of a transfer that nobody has gone on with for so long goes.
OLD_S: Final = 2 * 86400.0
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_SUFFIX, _PART, _LOCK = ".image", ".part", ".lock"
_MIB: Final = 1 << 20
_OURS: Final = (tags.INSTALLATION, tags.PROVIDER, tags.IMAGE, tags.BUILD, tags.IMAGE_NAME)
_SHA512: Final = re.compile(r"sha512:([0-9a-f]{128})")


def free_bytes(folder: Path) -> int:
    """Return how many bytes there are left in a folder's file system."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class CarriedFile:
    """One image on its way; while it comes it is beside *path*, in a file that goes on later.

    Attributes:
        path: Where all of it is, once it has come; named by what it is and what it is for.
        image: As its source's cloud describes it.
    """

    path: Path
    image: StoredImage

    @classmethod
    def of(cls, folder: Path, upload_id: UploadId, image: StoredImage) -> "CarriedFile":
        """Return the file of a copy, in a folder that is made if it is not there.

        Raises:
            BadOrderError: It is nothing that is carried.
            OSError: The folder cannot be made.
        """
        size, kind = image.size_bytes, image.disk_format
        if kind not in disk_format.CARRIED or image.container_format != "bare":
            raise BadOrderError(
                f"image {image.id} is {kind} in {image.container_format}: only raw and qcow2,"
                " bare, are carried"
            )
        if image.volume_backed or not size or size > CARRIED_BYTES_MAX:
            raise BadOrderError(f"image {image.id} with {size} bytes is not carried")
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        folder.chmod(_FOLDER_MODE)
        build, place = upload_id
        source = hashlib.sha256(image.id.encode()).hexdigest()[:12]
        name = f"{build.image}-{build.number}-{place}-{source}{_SUFFIX}"
        return cls(path=folder / name, image=image)

    @property
    def part(self) -> Path:
        """What has come so far."""
        return self.path.with_name(f"{self.path.name}{_PART}")

    @property
    def lock(self) -> Path:
        """Held by whoever receives it: never renamed, and deleted by whoever holds it."""
        return self.path.with_name(f"{self.path.name}{_LOCK}")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only process that receives this file.

        The lock is a file of its own: what comes is renamed when it has come, and another process
        would make, and lock, a new one meanwhile.

        Raises:
            TryLaterError: Another one does.
            OSError: The file cannot be made.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self.lock, flags, _FILE_MODE), "rb+") as lock:
            if not _locked(lock.fileno(), self.lock):
                raise TryLaterError("another process of this host carries it")
            try:
                os.close(os.open(self.part, flags, _FILE_MODE))
                yield
            finally:
                self.lock.unlink(missing_ok=True)

    def check_room(self, free: Callable[[Path], int]) -> None:
        """Look whether the host has room for what is still to come.

        Raises:
            TryLaterError: It has not.
        """
        needed = (self.image.size_bytes or 0) - self.part.stat().st_size + RESERVE_BYTES
        left = free(self.path.parent)
        if left < needed:
            raise TryLaterError(
                f"the builder's host has {left // _MIB} MiB left for images on their way, and"
                f" {needed // _MIB} MiB are needed"
            )

    def check(
        self, received: Received, os_hash: str | None, carried_sha512: str | None = None
    ) -> None:
        """Compare what came with what is on record, and look what it is.

        Args:
            received: What came.
            os_hash: As its cloud has told it once.
            carried_sha512: Of what was carried of the same build before: where no cloud has a
                strong hash, nothing else tells that somebody has changed it since.

        Raises:
            BadOrderError: It is not what is on record, though it is what its cloud has now; or it
                is not what it is declared to be, or names other files.
        """
        known = _SHA512.fullmatch(os_hash or "")
        if known is not None and known[1] != received.sha512:
            raise BadOrderError(f"image {self.image.id} is not what is on record: another hash")
        if carried_sha512 not in {None, received.sha512}:
            raise BadOrderError(
                f"image {self.image.id} is not what was carried of this build before: another hash"
            )
        if why := disk_format.why_refused(self.path, self.image.disk_format or ""):
            raise BadOrderError(f"image {self.image.id} is not carried: {why}")

    def put_back(self, exc: BaseException) -> None:
        """Keep what came for the next attempt, unless something is wrong with it."""
        if isinstance(exc, DamagedError | BadOrderError):
            self.drop()
        else:
            with contextlib.suppress(FileNotFoundError):
                self.path.replace(self.part)

    def drop(self) -> None:
        """Delete all of it."""
        self.path.unlink(missing_ok=True)
        self.part.unlink(missing_ok=True)

    def clear_old(self, now_s: float) -> None:
        """Delete what other transfers have left long ago."""
        mine = {self.path, self.part, self.lock}
        for one in self.path.parent.glob(f"*{_SUFFIX}*"):
            with contextlib.suppress(FileNotFoundError):
                if one in mine or now_s - one.stat().st_mtime <= OLD_S:
                    continue
                if one.suffix != _LOCK or _free(one):
                    one.unlink()


def _locked(number: int, path: Path) -> bool:
    """Lock an open file, unless another process has; it may have deleted it meanwhile."""
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(number), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _free(path: Path) -> bool:
    """Whether nobody holds a lock."""
    with path.open("rb") as file:
        return _locked(file.fileno(), path)


def copy_order(
    image: StoredImage,
    build_id: BuildId,
    *,
    installation: str,
    provider: str,
    token: str,
    sha512: str,
    statement: str | None = None,
) -> ImageOrder:
    """Return the order for a copy: hidden, ours by its own tags, with what Nova heeds.

    Its name is one that no sensible pattern of anybody's meets.
    """
    name = f"remuda-{build_id.image}-{build_id.number}-c-{token}"
    ours = image_tags(installation, provider, build_id, name, copy_of=image.id)
    said = {} if statement is None else {tags.STATEMENT: statement}
    return ImageOrder(
        name=name,
        disk_format=image.disk_format or "",
        container_format=image.container_format or "",
        properties={**carried(image), **ours, **said},
        visibility=Visibility.PRIVATE,
        min_disk_gib=image.min_disk_gib,
        min_ram_mib=image.min_ram_mib,
        hidden=True,
        sha512=sha512,
    )


def check_made(made: StoredImage, order: ImageOrder) -> None:
    """Look whether the cloud has made what was ordered.

    Raises:
        TryLaterError: It is not active, though all data has come.
        BadOrderError: It is something else.
    """
    if made.status is not ImageStatus.ACTIVE:
        raise TryLaterError(f"image {made.id} is {made.status} after its upload")
    pairs = {
        "its name": (order.name, made.name),
        "hidden": (order.hidden, made.hidden),
        "its visibility": (order.visibility, made.visibility),
        "its format": (order.disk_format, made.disk_format),
        "min_disk": (order.min_disk_gib, made.min_disk_gib),
        **{key: (order.properties[key], made.properties.get(key)) for key in _OURS},
    }
    wrong = [what for what, (asked, there) in pairs.items() if asked != there]
    if wrong:
        raise BadOrderError(f"image {made.id}: the cloud has changed {', '.join(wrong)}")
