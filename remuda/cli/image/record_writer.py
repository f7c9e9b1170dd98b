"""Changing the records of images: read, judge, write if all is still as it was read.

A command that is given twice may do harm (a second rollback goes one build further), so that an
answer which got lost is looked for in the records.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from remuda.cli.errors import EXIT_STORE_AWAY, CommandFailedError
from remuda.images import library, writes
from remuda.images.catalogue import Catalogue
from remuda.images.library import Library
from remuda.model.build import Build, encode_build
from remuda.model.image import ImageRecord, UploadId, Word, encode_image
from remuda.model.pointer import Pointer
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import (
    Op,
    RejectedError,
    Set,
    Store,
    StoreAwayError,
    TooLargeError,
)

#: Somebody wrote in between; more often than this is no accident.
_ATTEMPTS_MAX: Final = 10
#: So long a connection may take to come back before nobody knows what has happened.
_UNSURE_S: Final = 20.0
_LOOK_AGAIN_S: Final = 0.25

Judge = Callable[[Catalogue], Sequence[Op]]


@dataclass(frozen=True, slots=True)
class ImageRecordWriter:
    """Carries out judgements on the records of images.

    Attributes:
        store: Where they are.
        clock: For the limit of waiting after a lost answer.
    """

    store: Store
    clock: Clock

    def carry_out(
        self,
        judge: Judge,
        *,
        only: Collection[str] | None,
        happened: Callable[[Library], bool],
        what: str,
    ) -> None:
        """Write what *judge* makes of the records as they are, again while others write, too.

        Args:
            judge: Returns the operations, or raises why not; none: there is nothing to do.
            only: The images that it has to know; None: all.
            happened: Whether the records show that it was done by us.
            what: What is changed, for messages.

        Raises:
            CommandFailedError: If others write all the time, or nobody knows what has happened.
            StoreAwayError: If nothing has happened, and ZooKeeper does not answer.
        """
        unsure_since_s: float | None = None
        for _ in range(_ATTEMPTS_MAX):
            seen = self._look(only, unsure_since_s, what)
            if unsure_since_s is not None and happened(seen):
                return
            ops = judge(Catalogue(seen))
            if not ops:
                return
            try:
                self.store.commit(ops)
            except TooLargeError:
                raise
            except RejectedError:
                continue
            except StoreAwayError:
                unsure_since_s = self.clock.monotonic_s()
            else:
                return
        raise CommandFailedError(f"{what} changes all the time; try again", 1)

    def _look(
        self, only: Collection[str] | None, unsure_since_s: float | None, what: str
    ) -> Library:
        pause = threading.Event()
        while True:
            try:
                return library.read(self.store, only=only, launched=False)
            except StoreAwayError as error:
                if unsure_since_s is None:
                    raise
                if self.clock.monotonic_s() - unsure_since_s > _UNSURE_S:
                    raise CommandFailedError(
                        f"ZooKeeper went away while {what} was written, so that it may have been "
                        f"done or not; look before you try again: {error}",
                        EXIT_STORE_AWAY,
                    ) from error
            pause.wait(_LOOK_AGAIN_S)


def set_image(seen: Library, after: ImageRecord) -> Set:
    """Return the write of an image's own record, at the version that was read."""
    stored = seen.images[after.name]
    return Set(path=stored.path, data=encode_image(after), version=stored.version)


def set_build(seen: Library, after: Build) -> Set:
    """Return the write of a build, at the version that was read."""
    stored = seen.builds[after.id]
    return Set(path=paths.build(after.id), data=encode_build(after), version=stored.version)


def move_pointer(seen: Library, after: Pointer) -> list[Op]:
    """Return the transaction that moves a pointer, with what proves what it names."""
    known: set[UploadId] = {
        one for one in writes.named(after) if one in seen.uploads and one.build in seen.builds
    }
    before = seen.pointers.get((after.image, after.provider))
    return writes.move(before, after, {one: seen.seen(one) for one in known})


def each_once(ops: Sequence[Op]) -> list[Op]:
    """Return operations with one write for each znode, the first.

    Two pointers of one place touch the same upload; twice in one transaction would fail.
    """
    return list({op.path: op for op in reversed(ops)}.values())[::-1]


def same_word(one: Word | None, other: Word) -> bool:
    """Whether somebody's word on record is the one that we have written."""
    return one is not None and (one.who, one.at_s) == (other.who, other.at_s)
