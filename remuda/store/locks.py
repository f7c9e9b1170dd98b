"""Locks as Nodepool, Zuul and Jenkins take them: kazoo's recipe, as it appears on the wire.

A contender is an ephemeral sequential znode ``<32 hex digits>__lock__<10 digits>`` in the lock's
directory; who has the lowest sequence holds the lock. Jenkins' variant has dashes among the hex
digits, and reads the names of *all* children: so nothing else may lie in a lock directory, and
directories are never created with their parents, which would bring a deleted node back to life.
"""

import re
import threading
import uuid
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from remuda.runtime.clock import Clock, SystemClock
from remuda.store.api import (
    Check,
    Create,
    Delete,
    Done,
    ExistsError,
    MissingError,
    Op,
    Session,
    Store,
    StoreAwayError,
    StoreError,
)

# kazoo.recipe.lock.Lock compares the digits as text, so do we.
_CONTENDER: Final = re.compile(r"__lock__(-?\d{10})$")
_TRIES_MAX: Final = 5


class LockTakenError(StoreError):
    """Somebody else holds the lock.

    Attributes:
        holder: Path of the contender that holds it.
    """

    def __init__(self, directory: str, holder: str) -> None:
        super().__init__(f"{directory} is locked by {holder.rpartition('/')[2]}")
        self.holder = holder


def contenders(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the children's *names* that contend for the lock, the holder first."""
    found = ((match[1], name) for name in names if (match := _CONTENDER.search(name)))
    return tuple(name for _, name in sorted(found))


def holder(names: Iterable[str]) -> str | None:
    """Return the name of the child that holds the lock, or None if nobody does."""
    order = contenders(names)
    return order[0] if order else None


def contender_stem() -> str:
    """Return a new contender's name without its sequence."""
    return f"{uuid.uuid4().hex}__lock__"


def take_ops(directory: str, data: bytes = b"", *, stem: str | None = None) -> tuple[Op, Op]:
    """Return what takes the lock inside a transaction, if *directory* does not exist yet.

    ExistsError on the directory means: look who is in there.
    """
    path = f"{directory}/{stem or contender_stem()}"
    return Create(path=directory), Create(path=path, data=data, ephemeral=True, sequence=True)


def prove_unlocked_ops(directory: str, *, exists: bool) -> tuple[Op, ...]:
    """Return what makes a transaction fail if somebody holds the lock; leaves no directory.

    NotEmptyError: it is held. ExistsError, MissingError: *exists* was wrong, look again.
    """
    if exists:
        return (Delete(path=directory),)
    return Create(path=directory), Delete(path=directory)


class Lease:
    """A lock that we hold until the block is left or the session is lost.

    Attributes:
        path: Our contender.
        proof: For every transaction that relies on the lock: it fails when the lock is lost.
    """

    def __init__(self, store: Store, directory: str, path: str, session_id: int) -> None:
        self._store = store
        self._directory = directory
        self._session_id = session_id
        self._released = False
        self.path = path
        self.proof = Check(path=path)

    @property
    def valid(self) -> bool:
        """Return whether we still hold it, as far as we know: false after the session's loss."""
        return not self._released and self._store.session_id == self._session_id

    def release(self) -> None:
        """Give the lock back; if ZooKeeper is away, as soon as it returns. Never raises Away."""
        if self._released:
            return
        self._released = True
        try:
            with suppress(MissingError):  # the session was lost, or an operator removed it
                self._store.commit([Delete(path=self.path)])
        except StoreAwayError:
            _Leftover(self._store, self._directory, self.path.rpartition("/")[2], self._session_id)

    def __enter__(self) -> Self:
        """Hold the lock."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the lock."""
        self.release()


def acquire(
    store: Store,
    directory: str,
    data: bytes = b"",
    *,
    wait_s: float = 0.0,
    clock: Clock | None = None,
) -> Lease:
    """Take a lock.

    Args:
        store: Whose session will hold it.
        directory: The lock's directory; created if missing, but not its parent.
        data: What to write into the contender.
        wait_s: How long to wait for the others before us; 0: not at all.
        clock: For *wait_s*.

    Raises:
        LockTakenError: If others hold it, for longer than *wait_s*.
        MissingError: If the parent of *directory* does not exist: there is nothing to lock.
        StoreAwayError: If ZooKeeper is away. Should our contender exist nevertheless, it is
            removed when ZooKeeper is back.
    """
    clock = clock or SystemClock()
    deadline_s = clock.monotonic_s() + wait_s
    stem, session_id = contender_stem(), store.session_id
    try:
        path = _contend(store, directory, stem, data)
        if ahead := _wait(store, directory, path, deadline_s, clock):
            with suppress(MissingError):  # the session was lost: it is gone already
                store.commit([Delete(path=path)])
            raise LockTakenError(directory, f"{directory}/{ahead}")
    except StoreAwayError:
        _Leftover(store, directory, stem, session_id)
        raise
    return Lease(store, directory, path, session_id)


def _contend(store: Store, directory: str, stem: str, data: bytes) -> str:
    """Create our contender, with the directory if need be, and return its path."""
    entry = Create(path=f"{directory}/{stem}", data=data, ephemeral=True, sequence=True)
    for _ in range(_TRIES_MAX):
        try:
            return _last(store.commit([entry]))
        except MissingError:
            try:
                return _last(store.commit(take_ops(directory, data, stem=stem)))
            except ExistsError:
                continue  # somebody made the directory meanwhile
    raise StoreAwayError(f"{directory} comes and goes; try again")


def _last(done: tuple[Done, ...]) -> str:
    return done[-1].path


def _wait(store: Store, directory: str, path: str, deadline_s: float, clock: Clock) -> str | None:
    """Wait for those before us; return the holder's name if time ran out, None if we hold it."""
    name = path.rpartition("/")[2]
    while True:
        order = contenders(store.children(directory))
        if name not in order:
            raise StoreAwayError(f"our contender for {directory} is gone: the session was lost")
        place = order.index(name)
        if place == 0:
            return None
        wake = threading.Event()
        left_s = deadline_s - clock.monotonic_s()
        if left_s <= 0:
            return order[0]
        if store.watch_once(f"{directory}/{order[place - 1]}", wake.set) is not None:
            wake.wait(left_s)


class _Leftover:
    """A contender that may still stand though we do not want the lock: ZooKeeper was away.

    Without it our own living session would block the lock for ever. Ends with the session.
    """

    def __init__(self, store: Store, directory: str, stem: str, session_id: int) -> None:
        self._store = store
        self._directory = directory
        self._stem = stem
        self._session_id = session_id
        self._stop = store.on_session(self._session_changed)
        # It may be back already, or never have been away (an answer that took too long).
        self._session_changed(store.session)

    def _session_changed(self, session: Session) -> None:
        if session is Session.CONNECTED and self._store.session_id == self._session_id:
            self._store.children_later(self._directory, self._listed)
        elif session is not Session.SUSPENDED:
            self._stop()

    def _listed(self, names: tuple[str, ...] | StoreError) -> None:
        if isinstance(names, StoreAwayError):
            return
        mine = () if isinstance(names, StoreError) else names
        ops = [
            Delete(path=f"{self._directory}/{name}") for name in mine if name.startswith(self._stem)
        ]
        if ops:
            self._store.commit_later(ops, self._deleted)
        else:
            self._stop()

    def _deleted(self, answer: tuple[Done, ...] | StoreError) -> None:
        if not isinstance(answer, StoreAwayError):
            self._stop()
