"""The store itself: transactions, reads and mirrors over a wire, real or imitated."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from remuda.store.api import (
    Change,
    Check,
    Create,
    Done,
    ExistsError,
    Mirror,
    NotPermittedError,
    Op,
    Session,
    Stored,
    StoreError,
    StoreRefusedError,
)
from remuda.store.mirror import TreeMirror, lineage, stored
from remuda.store.paths import shared
from remuda.store.wire import Children, OpDone, ReadZnode, StoreWire

A = TypeVar("A")


@dataclass(frozen=True, slots=True, eq=False)
class _Listening:
    """One registration: the same function may be registered twice."""

    tell: Callable[[Session], None]


class WireStore:
    """See :class:`remuda.store.api.Store`."""

    def __init__(self, wire: StoreWire) -> None:
        self._wire = wire
        self._listeners: tuple[_Listening, ...] = ()
        self._mirrors: tuple[TreeMirror, ...] = ()
        wire.listen(self)

    @property
    def session(self) -> Session:
        """See Store."""
        return self._wire.session

    @property
    def session_id(self) -> int:
        """See Store."""
        return self._wire.session_id

    @property
    def refusal(self) -> StoreRefusedError | None:
        """See Store."""
        return self._wire.refusal

    def on_session(self, listener: Callable[[Session], None]) -> Callable[[], None]:
        """See Store."""
        entry = _Listening(listener)

        def add() -> None:
            self._listeners = (*self._listeners, entry)

        def remove() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not entry)

        self._wire.between(add)
        return partial(self._wire.between, remove)

    def read(self, path: str) -> Stored[bytes] | None:
        """See Store."""
        return _found(path, self._wire.ask(partial(self._wire.get, path)))

    def read_many(self, paths: Sequence[str]) -> tuple[Stored[bytes] | None, ...]:
        """See Store."""
        return tuple(map(_open_to_us, paths, self._get_many(paths)))

    def read_each(
        self, paths: Sequence[str]
    ) -> tuple[Stored[bytes] | NotPermittedError | None, ...]:
        """See Store."""
        return tuple(
            answer if isinstance(answer, NotPermittedError) else _found(path, answer)
            for path, answer in zip(paths, self._get_many(paths), strict=True)
        )

    def _get_many(self, paths: Sequence[str]) -> Sequence[ReadZnode | StoreError | None]:
        return self._ask_all(self._wire.get, paths)

    def _ask_all(
        self, question: Callable[[str, Callable[[A], None]], None], paths: Sequence[str]
    ) -> Sequence[A]:
        """Return all answers; none is waited for before the next question."""
        if not paths:
            return ()
        answers: dict[int, A] = {}

        def start(done: Callable[[None], None]) -> None:
            def answered(index: int, answer: A) -> None:
                answers[index] = answer
                if len(answers) == len(paths):
                    done(None)

            for index, path in enumerate(paths):
                question(path, partial(answered, index))

        self._wire.ask(start)
        return [answers[index] for index in range(len(paths))]

    def read_fresh(self, paths: Sequence[str]) -> tuple[Stored[bytes] | None, ...]:
        """See Store."""
        if not paths:
            return ()
        error: StoreError | None = self._wire.ask(partial(self._wire.sync, paths[0]))
        if error is not None:
            raise error
        # On whichever connection: no server takes a client that has seen more than itself. What is
        # closed to us is there: it must not look as if it were not.
        return tuple(map(_found, paths, self._get_many(paths)))

    def children(self, path: str) -> tuple[str, ...]:
        """See Store."""
        answer: tuple[str, ...] | StoreError = self._wire.ask(partial(self.children_later, path))
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def children_each(
        self, paths: Sequence[str]
    ) -> tuple[tuple[str, ...] | NotPermittedError, ...]:
        """See Store."""
        answers: Sequence[tuple[str, ...] | StoreError] = self._ask_all(self.children_later, paths)
        return tuple(map(_unless_away, answers))

    def children_later(
        self, path: str, done: Callable[[tuple[str, ...] | StoreError], None]
    ) -> None:
        """See Store."""

        def listed(answer: Children | StoreError | None) -> None:
            if isinstance(answer, StoreError):
                done(answer)
            else:
                done(tuple(sorted(answer.names)) if answer is not None else ())

        self._wire.children(path, listed)

    def commit(self, ops: Sequence[Op]) -> tuple[Done, ...]:
        """See Store."""
        answer: tuple[Done, ...] | StoreError = self._wire.ask(partial(self.commit_later, ops))
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def commit_later(
        self, ops: Sequence[Op], done: Callable[[tuple[Done, ...] | StoreError], None]
    ) -> None:
        """See Store."""
        if not ops:
            raise ValueError("a transaction of nothing")
        # Mostly two: a launcher has a mirror for each kind of record.
        concerned = [(one, ours) for one in self._mirrors if (ours := one.ours(ops))]
        for mirror, ours in concerned:
            mirror.sent(ours)
        self._wire.commit(ops, partial(self._committed, concerned, ops, done))

    def _committed(
        self,
        concerned: Sequence[tuple[TreeMirror, Sequence[Op]]],
        ops: Sequence[Op],
        done: Callable[[tuple[Done, ...] | StoreError], None],
        answer: tuple[OpDone, ...] | StoreError,
    ) -> None:
        for mirror, ours in concerned:
            mirror.settled(ops, ours, answer)
        if isinstance(answer, StoreError):
            done(answer)
        else:
            done(tuple(map(_done, ops, answer)))

    def ensure(self, *paths: str) -> None:
        """See Store."""
        wanted = sorted({step for path in paths for step in lineage(path)})
        present = self.read_many(wanted)
        for path, found in zip(wanted, present, strict=True):
            if found is None:
                self._create_quietly(path)

    def _create_quietly(self, path: str) -> None:
        with suppress(ExistsError):  # somebody else wants it, too
            self.commit([Create(path=path)])

    def mirror(
        self,
        root: str,
        sink: Callable[[Change], None],
        *,
        wanted: Callable[[str], bool] = lambda _path: True,
        make: bool = True,
    ) -> Mirror:
        """See Store."""
        mirror = TreeMirror(self._wire, root, sink, wanted, make=make, closed=self._forget)

        def begin() -> None:
            self._mirrors = (*self._mirrors, mirror)
            mirror.session_changed(self.session)

        self._wire.between(begin)
        return mirror

    def reread(self) -> None:
        """See Store."""
        for mirror in self._mirrors:
            mirror.reread()

    def _forget(self, mirror: TreeMirror) -> None:
        self._mirrors = tuple(other for other in self._mirrors if other is not mirror)
        # Two mirrors of one root share the session's one watch on it.
        if mirror.root not in {other.root for other in self._mirrors}:
            self._wire.unwatch_tree(mirror.root)

    def read_later(
        self, path: str, done: Callable[[Stored[bytes] | StoreError | None], None]
    ) -> None:
        """See Store."""
        self._wire.get(path, partial(self._read_on_purpose, path, done))

    def _read_on_purpose(
        self,
        path: str,
        done: Callable[[Stored[bytes] | StoreError | None], None],
        answer: ReadZnode | StoreError | None,
    ) -> None:
        if isinstance(answer, StoreError):
            done(answer)
            return
        for mirror in self._mirrors:
            if mirror.covers(path):
                mirror.was_read(path, answer)
        done(_found(path, answer))

    def watch_once(self, path: str, fired: Callable[[], None]) -> Stored[bytes] | None:
        """See Store."""
        return _found(path, self._wire.ask(partial(self._wire.watch_once, path, fired)))

    def watch_later(
        self,
        path: str,
        fired: Callable[[], None],
        done: Callable[[Stored[bytes] | StoreError | None], None],
    ) -> None:
        """See Store."""

        def answered(answer: ReadZnode | StoreError | None) -> None:
            done(answer if isinstance(answer, StoreError) else _found(path, answer))

        self._wire.watch_once(path, fired, answered)

    def close(self) -> None:
        """See Store."""
        self._wire.close()

    def happened(self, event: int, path: str) -> None:
        """Take a notification from the wire."""
        for mirror in self._mirrors:
            if mirror.covers(path):
                mirror.happened(event, path)

    def session_changed(self, session: Session) -> None:
        """Take the session's new state from the wire: mirrors first, then who listens."""
        for mirror in self._mirrors:
            mirror.session_changed(session)
        for listener in self._listeners:
            listener.tell(session)


def _found(path: str, answer: ReadZnode | StoreError | None) -> Stored[bytes] | None:
    if isinstance(answer, StoreError):
        raise answer
    return None if answer is None else stored(path, answer.data, answer.stat)


def _unless_away(answer: A | StoreError) -> A | NotPermittedError:
    """Return an answer, or that it is not for us."""
    if isinstance(answer, StoreError) and not isinstance(answer, NotPermittedError):
        raise answer
    return answer


def _open_to_us(path: str, answer: ReadZnode | StoreError | None) -> Stored[bytes] | None:
    """Return a znode, or None if there is none or somebody has closed one of his to us."""
    if isinstance(answer, NotPermittedError) and shared(path):
        return None
    return _found(path, answer)


def _done(op: Op, written: OpDone) -> Done:
    if isinstance(op, Check):
        return Done(path=op.path, version=op.version)
    return Done(path=written.path, version=-1 if written.stat is None else written.stat.version)
