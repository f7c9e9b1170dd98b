"""A record that a hand holds: every write names the version that it knows.

Whoever makes a reference touches what it refers to (:mod:`remuda.images.writes`), and people write
their words into builds. So a version that has moved on need not mean that somebody took the record
over: it is read anew, and who owns it says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from builder.build.writes import write_build
from builder.takehome.writes import write_take_home
from builder.upload.writes import write_upload
from remuda.model.build import Build, decode_build
from remuda.model.codec import CorruptRecordError
from remuda.model.takehome import TakeHome, decode_take_home
from remuda.model.upload import Upload, decode_upload
from remuda.runtime.waiting import Waiting
from remuda.store.api import (
    MissingError,
    Op,
    Session,
    Set,
    StaleWriteError,
    Store,
    StoreAwayError,
    Stored,
)

T = TypeVar("T")

#: Each one more means that somebody touched the record in between.
ATTEMPTS_MAX: Final = 10
#: So long a hand waits for ZooKeeper; what it works on is lost with the session, which is shorter.
AWAY_S: Final = 120.0
_AGAIN_S: Final = 1.0


class TakenOverError(Exception):
    """The record is somebody else's, or gone: clean up and return, and write nothing."""


@dataclass(frozen=True, slots=True)
class _Codec(Generic[T]):
    """How records of one kind are read and written, and whether one is still the same work."""

    write: Callable[[Stored[T], T], Set]
    decode: Callable[[bytes], T]
    ours: Callable[[T, T], bool]


class HeldRecord(Generic[T]):
    """See the module."""

    def __init__(self, store: Store, waiting: Waiting, stored: Stored[T], codec: _Codec[T]) -> None:
        """Take over what was judged; see :func:`hold_build` and :func:`hold_upload`."""
        self._store = store
        self._waiting = waiting
        self._stored = stored
        self._codec = codec

    @property
    def stored(self) -> Stored[T]:
        """The same with its version."""
        return self._stored

    @property
    def value(self) -> T:
        """The record as it was last read or written."""
        return self._stored.value

    def write(self, change: Callable[[T], T]) -> None:
        """Write what *change* makes of the record; it may be asked several times.

        Raises:
            TakenOverError: It is somebody else's now.
            StoreAwayError: ZooKeeper stays away: nothing is known.
            HandStoppedError: The hand had to stop while ZooKeeper was away.
        """

        def ops(stored: Stored[T]) -> list[Op]:
            return [self._codec.write(stored, change(stored.value))]

        self.commit(ops)

    def commit(self, ops_of: Callable[[Stored[T]], Sequence[Op]]) -> None:
        """Do a transaction whose first operation is the write of the record; raises as `write`."""
        for _ in range(ATTEMPTS_MAX):
            ops = ops_of(self._stored)
            write = ops[0]
            assert isinstance(write, Set)  # noqa: S101 - our own mistake
            try:
                done = self._store.commit(ops)
            except (StaleWriteError, MissingError) as exc:
                if exc.path != self._stored.path:
                    raise
            except StoreAwayError:
                self._await_store()
            else:
                self._adopt(write.data, done[0].version)
                return
            if self._read_anew(write.data):
                return
        raise TakenOverError(f"{self._stored.path} changes all the time")

    def _read_anew(self, written: bytes) -> bool:
        """Learn the record's version; return whether it is what we have written."""
        while True:
            try:
                (found,) = self._store.read_fresh([self._stored.path])
                break
            except StoreAwayError:
                self._await_store()
        if found is None:
            raise TakenOverError(f"{self._stored.path} is gone")
        before = self._stored.value
        try:
            self._adopt(found.value, found.version)
        except CorruptRecordError as exc:
            raise TakenOverError(str(exc)) from exc
        if found.value == written:  # by an attempt whose reply was lost
            return True
        if not self._codec.ours(before, self._stored.value):
            raise TakenOverError(f"{self._stored.path} was taken over")
        return False

    def _adopt(self, data: bytes, version: int) -> None:
        value = self._codec.decode(data)
        self._stored = Stored(path=self._stored.path, value=value, version=version)

    def _await_store(self) -> None:
        """Wait until it is worth to ask again.

        Raises:
            StoreAwayError: It is not, for too long.
        """
        ends_s = self._waiting.clock.monotonic_s() + AWAY_S
        self._waiting.pause(_AGAIN_S)
        while self._store.session is not Session.CONNECTED:
            if self._waiting.clock.monotonic_s() >= ends_s:
                raise StoreAwayError(f"ZooKeeper is away for more than {AWAY_S:g} s")
            self._waiting.pause(_AGAIN_S)


def hold_build(store: Store, waiting: Waiting, stored: Stored[Build]) -> HeldRecord[Build]:
    """Return the record of a build that its owner makes."""
    build_id = stored.value.id

    def ours(mine: Build, found: Build) -> bool:
        # The same owner may have lost it meanwhile, and taken it once more.
        return (mine.owner, mine.state, mine.started_s) == (
            found.owner,
            found.state,
            found.started_s,
        )

    codec = _Codec(write_build, lambda raw: decode_build(build_id, raw), ours)
    return HeldRecord(store, waiting, stored, codec)


def hold_upload(store: Store, waiting: Waiting, stored: Stored[Upload]) -> HeldRecord[Upload]:
    """Return the record of an upload that its owner makes or tries."""
    upload_id = stored.value.id

    def ours(mine: Upload, found: Upload) -> bool:
        return (mine.owner, mine.state, mine.trying) == (found.owner, found.state, found.trying)

    codec = _Codec(write_upload, lambda raw: decode_upload(upload_id, raw), ours)
    return HeldRecord(store, waiting, stored, codec)


def hold_take_home(
    store: Store, waiting: Waiting, stored: Stored[TakeHome]
) -> HeldRecord[TakeHome]:
    """Return the record of a take-home image that its owner makes, or ends."""
    node = stored.value.node

    def ours(mine: TakeHome, found: TakeHome) -> bool:
        return (mine.owner, mine.state, mine.attempt) == (found.owner, found.state, found.attempt)

    codec = _Codec(write_take_home, lambda raw: decode_take_home(node, raw), ours)
    return HeldRecord(store, waiting, stored, codec)
