"""Large files on their way to a cloud and back, hashed as they pass; never whole in memory."""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from remuda.cloud.api import DamagedError, Fence, TryLaterError, unfenced
from remuda.cloud.image_store import Received, StoredImage
from remuda.cloud.wire import PIECE_BYTES

if TYPE_CHECKING:
    from hashlib import _Hash

#: Zeros of this length are a hole in the file: disks are mostly empty.
_BLOCK_BYTES: Final = 64 * 1024
_ZEROS: Final = bytes(_BLOCK_BYTES)
#: A transfer that is slower than this is given up, but none within the first hour.
_SLOWEST_BYTES_S: Final = 512 * 1024
_TRANSFER_S: Final = 3600.0
#: Whoever else has an account on this host may not read images.
_MODE: Final = 0o600
#: Glance's ``checksum`` is MD5, its ``os_hash_value`` is SHA-512 unless an operator changed that.
MD5: Final = "md5"
_ON_THE_WAY: Final = (MD5, "sha512")
#: What we compute of every download, whatever the cloud has: MD5 alone verifies nothing.
_OURS: Final = "sha512"
#: What we can verify by; the others have no length of their own.
_KNOWN: Final = frozenset(
    name for name in hashlib.algorithms_guaranteed if not name.startswith("shake")
)


def transfer_s_max(size_bytes: int) -> float:
    """Return how long a transfer may take, however steadily it goes on."""
    return _TRANSFER_S + size_bytes / _SLOWEST_BYTES_S


class OutgoingFile:
    """A file that is being sent: as long as it was when it was opened.

    Args:
        path: Which.
        going: Why the transfer is not to go on, or None; asked before each piece.

    Raises:
        OSError: By the constructor, if it cannot be read.
    """

    def __init__(self, path: Path, *, going: Fence = unfenced) -> None:
        self._path = path
        self._going = going
        self._file = path.open("rb")
        self._size = os.fstat(self._file.fileno()).st_size
        self._left = self._size
        self._hashes = {name: _new(name) for name in _ON_THE_WAY}

    def __len__(self) -> int:
        """Return its size."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield its pieces."""
        while piece := self.read(PIECE_BYTES):
            yield piece

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        Raises:
            DamagedError: The file has become shorter.
            TryLaterError: The transfer is not to go on.
        """
        _check_going(self._going)
        wanted = self._left if size < 0 else min(size, self._left)
        piece = self._file.read(wanted)
        if wanted and not piece:
            raise DamagedError(f"{self._path}: it became shorter while it was sent")
        self._left -= len(piece)
        for each in self._hashes.values():
            each.update(piece)
        return piece

    def close(self) -> None:
        """Close the file; what was hashed stays."""
        self._file.close()

    def compare(self, image: StoredImage) -> None:
        """Compare what was sent with what the cloud says it has.

        Raises:
            DamagedError: They differ, or the cloud says nothing at all.
        """
        told: dict[str, tuple[object, object]] = {
            "size": (self._size, image.size_bytes),
            MD5: (self._hashes[MD5].hexdigest(), image.md5),
        }
        if image.hash_algo is not None and image.hash_algo in self._hashes:
            told[image.hash_algo] = (self._hashes[image.hash_algo].hexdigest(), image.hash_value)
        if all(stored is None for _, stored in told.values()):
            raise DamagedError(f"the cloud does not say what it got as image {image.id}")
        for what, (sent, stored) in told.items():
            if stored not in {None, sent}:
                raise DamagedError(
                    f"{self._path} has the {what} {sent}, image {image.id} has {stored}"
                )

    def require(self, sha512: str | None) -> None:
        """Compare what was sent with what it should have been.

        Raises:
            DamagedError: They differ.
        """
        sent = self._hashes[_OURS].hexdigest()
        if sha512 is not None and sha512.lower() != sent:
            raise DamagedError(f"{self._path} has the {_OURS} {sent}, it should have {sha512}")


class IncomingFile:
    """A download: beside its file, in one that ends in ``.part``, until all of it is verified.

    Only what can be verified is gone on with later: a hash of the cloud's own is true of the
    whole, however many attempts it took and whatever became of the part meanwhile.

    Args:
        image: As the cloud describes it.
        target: Where the file is to be.
        resume: A broken download leaves its part, and goes on with that of an earlier one.
        going: Why the transfer is not to go on, or None; asked before each piece.

    Raises:
        OSError: By the constructor, if a part cannot be read; TryLaterError as in :meth:`take`.
    """

    def __init__(
        self, image: StoredImage, target: Path, *, resume: bool = False, going: Fence = unfenced
    ) -> None:
        self._image = image
        self._target = target
        self._part = target.with_name(f"{target.name}.part")
        self._algo, self._expected = _hash_of(image)
        self._keeps = resume and self._algo is not None and image.size_bytes is not None
        self._going = going
        self._begin()
        if self._keeps:
            self._read_part()

    @property
    def size(self) -> int:
        """How many bytes there are; those that follow are to be asked for."""
        return self._size

    @property
    def whole(self) -> bool:
        """Whether nothing is missing of one that goes on."""
        return self._keeps and self._size == self._image.size_bytes

    def take(self, pieces: Iterable[bytes], *, start: int = 0) -> None:
        """Write what arrives.

        Args:
            pieces: The bytes.
            start: Where they begin: at :attr:`size`, or at 0 where a cloud has sent all of it.

        Raises:
            DamagedError: There are more than there should be.
            TryLaterError: The transfer is not to go on, or *pieces* says so.
            OSError: The file cannot be written.
        """
        if start != self._size:
            self._begin()
        try:
            self._write(pieces)
        except BaseException as exc:
            if not self._keeps or isinstance(exc, DamagedError):
                self._part.unlink(missing_ok=True)
            raise

    def finish(self) -> Received:
        """Verify what came; then the file is there.

        Raises:
            DamagedError: It is not what the hash, or the size, says; nothing of it is kept.
            OSError: It cannot be renamed.
        """
        image, algo = self._image, self._algo
        try:
            _check(image, "size", self._size, image.size_bytes)
            if algo is not None:
                _check(image, algo, self._hashes[algo].hexdigest(), self._expected)
            self._part.replace(self._target)
        except BaseException:
            self._part.unlink(missing_ok=True)
            raise
        sha512 = self._hashes[_OURS].hexdigest()
        return Received(image=image, size_bytes=self._size, sha512=sha512, verified_by=algo)

    def _begin(self) -> None:
        self._size = 0
        self._hashes = {name: _new(name) for name in {_OURS, self._algo or _OURS}}

    def _read_part(self) -> None:
        """Hash what an earlier attempt has left, unless it is more than the image has."""
        with contextlib.suppress(FileNotFoundError), self._part.open("rb") as file:
            if os.fstat(file.fileno()).st_size > (self._image.size_bytes or 0):
                return
            while piece := file.read(PIECE_BYTES):
                _check_going(self._going)
                self._note(piece)

    def _write(self, pieces: Iterable[bytes]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._part, flags, _MODE), "wb") as file:
            file.truncate(self._size)
            file.seek(self._size)
            try:
                for piece in pieces:
                    _check_going(self._going)
                    self._check_room(len(piece))
                    _put(file, piece)
                    self._note(piece)
            finally:
                file.truncate(self._size)  # a hole at the end is not there before this

    def _check_room(self, more: int) -> None:
        told = self._image.size_bytes
        if told is not None and self._size + more > told:
            raise DamagedError(
                f"image {self._image.id} came with more than the {told} bytes it has"
            )

    def _note(self, piece: bytes) -> None:
        for each in self._hashes.values():
            each.update(piece)
        self._size += len(piece)


def _put(file: BinaryIO, piece: bytes) -> None:
    """Write a piece; what is zero in it becomes a hole."""
    for at in range(0, len(piece), _BLOCK_BYTES):
        block = piece[at : at + _BLOCK_BYTES]
        if block == _ZEROS[: len(block)]:
            file.seek(len(block), os.SEEK_CUR)
        else:
            file.write(block)


def _check_going(going: Fence) -> None:
    if why := going():
        raise TryLaterError(f"the transfer was ended: {why}", retry_after_s=0.0)


def _check(image: StoredImage, what: str, came: object, told: object) -> None:
    if told is not None and came != told:
        raise DamagedError(f"image {image.id} came with the {what} {came}, it has {told}")


def _hash_of(image: StoredImage) -> tuple[str | None, str | None]:
    """Return the best hash that we can compute, too; none where the cloud has none.

    A snapshot on Ceph has none, or gets it long after it has become active.
    """
    if image.hash_value and image.hash_algo is not None and image.hash_algo in _KNOWN:
        return image.hash_algo, image.hash_value
    if image.md5:
        return MD5, image.md5
    return None, None


def _new(name: str) -> "_Hash":
    return hashlib.new(name, usedforsecurity=False)
