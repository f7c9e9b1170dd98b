"""Large files on their way to a cloud and back, hashed as they pass; never whole in memory."""

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from remuda.cloud.api import DamagedError
from remuda.cloud.image_store import Received, StoredImage
from remuda.cloud.wire import PIECE_BYTES

if TYPE_CHECKING:
    from hashlib import _Hash

#: Glance's ``checksum`` is MD5, its ``os_hash_value`` is SHA-512 unless an operator changed that.
MD5: Final = "md5"
_ON_THE_WAY: Final = (MD5, "sha512")
#: What we compute of every download, whatever the cloud has: MD5 alone verifies nothing.
_OURS: Final = "sha512"
#: What we can verify by; the others have no length of their own.
_KNOWN: Final = frozenset(
    name for name in hashlib.algorithms_guaranteed if not name.startswith("shake")
)


class OutgoingFile:
    """A file that is being sent: as long as it was when it was opened.

    Raises:
        OSError: By the constructor, if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
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
        """
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


def receive(pieces: Iterable[bytes], image: StoredImage, target: Path) -> Received:
    """Write what arrives of *image* to a file, which is there when all is verified, or not at all.

    Raises:
        DamagedError: It is not what the hash, or the size, says.
        OSError: The file cannot be written.
    """
    algo, expected = _hash_of(image)
    hashes = {name: _new(name) for name in {_OURS, algo or _OURS}}
    part = target.with_name(f"{target.name}.part")
    try:
        size = _write(pieces, part, hashes.values())
        _check(image, "size", size, image.size_bytes)
        if algo is not None:
            _check(image, algo, hashes[algo].hexdigest(), expected)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sha512 = hashes[_OURS].hexdigest()
    return Received(image=image, size_bytes=size, sha512=sha512, verified_by=algo)


def _write(pieces: Iterable[bytes], path: Path, hashes: "Collection[_Hash]") -> int:
    """Return how many bytes were written and hashed."""
    size = 0
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
            for each in hashes:
                each.update(piece)
            size += len(piece)
    return size


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
