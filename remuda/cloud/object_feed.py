"""The bytes of an object on their way to a store: counted, bounded, hashed, taken once."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from remuda.cloud.api import DamagedError, Fence, TryLaterError
from remuda.cloud.objects import TooLargeError
from remuda.cloud.wire import PIECE_BYTES


class SourceError(Exception):
    """The bytes to send could not be had; what happened is its cause.

    HTTP libraries take an OSError of what they send for one of the connection.
    """


class Feed:
    """What is sent, in one body or in several.

    Args:
        pieces: The bytes.
        name: Of the object, for errors.
        bytes_max: More are refused.
        size_bytes: How many there must be; None: any number.
        check: Called before each piece; raises where the transfer is not to go on.
    """

    def __init__(
        self,
        pieces: Iterable[bytes],
        *,
        name: str,
        bytes_max: int,
        size_bytes: int | None,
        check: Callable[[], None],
    ) -> None:
        self._pieces = iter(pieces)
        self._name = name
        self._most = bytes_max if size_bytes is None else size_bytes
        self._exact = size_bytes is not None
        self._check = check
        self._rest = memoryview(b"")
        self._came = 0
        self.given = 0

    def ended(self) -> bool:
        """Return whether nothing is left; the next piece is taken for that.

        Raises:
            SourceError: It could not be had.
        """
        try:
            return not self._look()
        except Exception as exc:
            raise SourceError from exc

    def next(self, most: int) -> bytes:
        """Return the next bytes, no more than *most* and than one piece; none: that was all.

        Raises:
            SourceError: They could not be had, are too many, or too few.
        """
        try:
            self._check()
            self._look()
        except Exception as exc:  # whatever the source raises is to reach whoever gave it to us
            raise SourceError from exc
        piece = bytes(self._rest[: min(most, PIECE_BYTES)])
        self._rest = self._rest[len(piece) :]
        self.given += len(piece)
        return piece

    def _look(self) -> bool:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                self._check_all()
                return False
            self._came += len(piece)
            self._check_room()
            self._rest = memoryview(piece)
        return True

    def _check_room(self) -> None:
        if self._came <= self._most:
            return
        if self._exact:
            raise DamagedError(f"object {self._name!a} has more than the {self._most} bytes named")
        raise TooLargeError(f"object {self._name!a} has more than {self._most} bytes")

    def _check_all(self) -> None:
        if self._exact and self._came != self._most:
            raise DamagedError(
                f"object {self._name!a} ended after {self._came} of {self._most} bytes"
            )


class Body:
    """One body, of which the length is not known: it is sent in chunks.

    Args:
        feed: Where its bytes come from.
        most: It has no more than that; the rest stays in the feed.

    Attributes:
        size: How many bytes have been taken.
        done: All of them have: whatever a store says of fewer, it does not have the body.
    """

    def __init__(self, feed: Feed, most: int) -> None:
        self._feed = feed
        self._most = most
        self._hash = hashlib.md5(usedforsecurity=False)
        self._again: list[bytes] | None = []
        self.size = 0
        self.done = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield its pieces; anew, too, while they are few: a token may be refused.

        Raises:
            TryLaterError: They have been taken already.
        """
        if self._again is None:
            raise TryLaterError("what has been sent in part cannot be sent anew", retry_after_s=0.0)
        yield from self._again
        if not self._most:
            self._feed.ended()
        while self.size < self._most and (piece := self._feed.next(self._most - self.size)):
            self.size += len(piece)
            self._hash.update(piece)
            if self.size == self._most:
                self._feed.ended()  # too many bytes show before the store has the last of these
            self._again = None if self.size > PIECE_BYTES else [*(self._again or ()), piece]
            yield piece
        self.done = True

    @property
    def md5(self) -> str:
        """Return the hash of what was sent; hexadecimal."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Do nothing: the feed is its owner's."""


class SizedBody(Body):
    """One body, of which the length is known beforehand."""

    def __len__(self) -> int:
        """Return it."""
        return self._most


def keep_going(going: Fence, until_s: float, now_s: Callable[[], float]) -> Callable[[], None]:
    """Return what raises where a transfer is not to go on: by wish, or as it takes too long."""

    def check() -> None:
        if why := going():
            raise TryLaterError(f"the transfer was ended: {why}", retry_after_s=0.0)
        if now_s() > until_s:
            raise TryLaterError("the transfer took too long")

    return check
