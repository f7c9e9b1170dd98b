"""Brings what is stated of a build into ZooKeeper: as a draft, and completed with the snapshot."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from builder.build import stating, writes
from builder.build.stating import Making
from builder.build.writes import Stated
from remuda.images.statement import (
    Statement,
    TooLargeError,
    decode_statement,
    encode_statement,
)
from remuda.model.build import Build, decode_build, wanted_by
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId, Word, decode_image
from remuda.model.upload import Upload
from remuda.signing import SigningKey
from remuda.store import paths
from remuda.store.api import Op, Store, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Stating:
    """States what builds are.

    Everything raises StoreError if ZooKeeper is away.

    Attributes:
        key: Signs what is complete, or None: nothing is signed.
        say: Is told what could not be stated.
    """

    store: Store
    key: SigningKey | None = None
    say: Callable[[str], None] = lambda _: None

    def draft(self, making: Making) -> Op:
        """Return what writes a draft; it goes with the record, into one transaction."""
        build_id = making.build.id
        self.store.ensure(paths.image_logs(build_id.image), paths.image_log(build_id))
        there = self.store.read_fresh([paths.image_statement(build_id)])[0]
        try:
            data = encode_statement(stating.draft(making))
        except TooLargeError:
            data = encode_statement(stating.draft(making, listed=False))
        return writes.write_statement(build_id, data, there)

    def complete(self, build: Build, native: Upload) -> Stated | None:
        """Return the statement of a whole snapshot, signed, with what writes it.

        None: nothing was drafted when the snapshot was asked for, or nobody can read it.

        Args:
            build: As its record is to be.
            native: The snapshot, as its record is to be.
        """
        there = self.store.read_fresh([paths.image_statement(build.id)])[0]
        drafted = self._drafted(build.id, there)
        if drafted is None:
            return None
        whole = stating.completed(drafted, build, native)
        if self.key is not None:
            signature = self.key.sign(whole.signed)
            whole = replace(whole, key=self.key.public.id, signature=signature)
        try:
            data = encode_statement(whole)
        except TooLargeError as exc:
            self.say(f"nothing is stated of it: {exc}")
            return None
        write = writes.write_statement(build.id, data, there)
        return Stated(digest=whole.digest, write=write)

    def _drafted(self, build_id: BuildId, there: Stored[bytes] | None) -> Statement | None:
        if there is None:  # by a builder that stated nothing yet
            self.say("nothing is stated of it: no draft is there")
            return None
        try:
            found = decode_statement(build_id, there.value)
            stating.check_draft(found)
        except CorruptRecordError as exc:
            self.say(f"nothing is stated of it: {exc}")
            return None
        return found


def wanted(store: Store, build: Build) -> Word | None:
    """Return whose command a build was made by, as far as that is on record."""
    stored = store.read(paths.image(build.id.image))
    if stored is None:
        return None
    try:
        return wanted_by(decode_image(build.id.image, stored.value), build)
    except CorruptRecordError:
        return None


def parent_statement(store: Store, build: Build) -> str | None:
    """Return the hash of what is stated of the build that one starts from, if anything is."""
    if build.parent is None:
        return None
    stored = store.read(paths.build(build.parent))
    if stored is None:
        return None
    try:
        return decode_build(build.parent, stored.value).statement
    except CorruptRecordError:
        return None
