"""The bytes of an object on their way from a store, compared with what it tells of them."""

import hashlib
from collections.abc import Iterable, Iterator

from remuda.cloud.api import DamagedError, Fence, TryLaterError
from remuda.cloud.objects import StoredObject


def checked(found: StoredObject, pieces: Iterable[bytes], going: Fence) -> Iterator[bytes]:
    """Yield the pieces; whoever gets to their end has what the store's hash says.

    Raises:
        DamagedError: There are more bytes than it should have, or fewer, or others.
        TryLaterError: The transfer is not to go on, or *pieces* says so.
    """
    size, md5 = 0, hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        if why := going():
            raise TryLaterError(f"the transfer was ended: {why}", retry_after_s=0.0)
        size += len(piece)
        if size > found.size_bytes:
            raise DamagedError(f"object {found.name!a} came with more than its {size} bytes")
        md5.update(piece)
        yield piece
    if size != found.size_bytes:
        raise DamagedError(
            f"object {found.name!a} came with {size} bytes, it has {found.size_bytes}"
        )
    if found.md5 is not None and md5.hexdigest() != found.md5:
        raise DamagedError(f"object {found.name!a} came with another MD5 than it has")
