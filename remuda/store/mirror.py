"""A live copy of a subtree: one persistent recursive watch, one read per change of others.

The watch is set first, then the tree is read, so that nothing is missed in between; what a
reconnect missed is found by reading again and telling the differences. Reading happens on the
wire's callbacks, in the order of the wire (see remuda.store.wire), which is what makes it exact.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from remuda.store.api import (
    Change,
    Create,
    Delete,
    Dirty,
    ExistsError,
    Gone,
    NotPermittedError,
    Op,
    Put,
    Session,
    Set,
    StoreAwayError,
    Stored,
    StoreError,
    StoreRefusedError,
    Synced,
)
from remuda.store.own_writes import OwnWrites
from remuda.store.walk import TreeWalk
from remuda.store.wire import OpDone, ReadZnode, Stat, StoreWire, WatchEvent

log = logging.getLogger(__name__)

_UNREAD: Final = 0


def stored(path: str, data: bytes, stat: Stat) -> Stored[bytes]:
    """Return what was read in the words of the store."""
    return Stored(
        path=path,
        value=data,
        version=stat.version,
        created_s=stat.ctime_ms / 1000.0,
        modified_s=stat.mtime_ms / 1000.0,
        owner=stat.owner,
    )


def lineage(path: str) -> tuple[str, ...]:
    """Return the parents of *path*, outermost first, and *path* itself."""
    parts = path.strip("/").split("/")
    return tuple("/" + "/".join(parts[: depth + 1]) for depth in range(len(parts)))


class TreeMirror:
    """The mirror of one subtree. See :class:`remuda.store.api.Mirror`.

    Per znode it keeps the path and the id of the transaction that wrote what was last told,
    which no two writes share, so that a reload knows what changed without keeping the data.
    """

    def __init__(
        self,
        wire: StoreWire,
        root: str,
        sink: Callable[[Change], None],
        wanted: Callable[[str], bool],
        *,
        make: bool,
        closed: Callable[["TreeMirror"], None],
    ) -> None:
        self.root = root
        self._wire = wire
        self._below = root if root.endswith("/") else root + "/"
        self._sink = sink
        self._wanted = wanted
        self._make = make
        self._on_closed = closed
        self._closed = False
        self._known: dict[str, int] = {}
        self._own = OwnWrites()
        # Paths with a read outstanding, and whether they changed again meanwhile.
        self._reading: dict[str, bool] = {}
        # What could not be read, though the connection stayed; and whether the whole load failed.
        self._failed: set[str] = set()
        self._broken = False
        # What the present reload has confirmed; None when none is under way.
        self._confirmed: set[str] | None = None
        # Which connection a read belongs to: an answer for an older one is void.
        self._era = 0

    def covers(self, path: str) -> bool:
        """Return whether *path* belongs to this mirror."""
        return path.startswith(self._below) or path == self.root

    def close(self) -> None:
        """See Mirror."""
        self._wire.between(self._stop)

    def _stop(self) -> None:
        self._closed = True
        self._era += 1
        self._confirmed = None
        self._known.clear()
        self._on_closed(self)

    # -- the session -------------------------------------------------------------------------

    def session_changed(self, session: Session) -> None:
        """Load when there is a connection; what an older connection owed us will not come."""
        self._forget()
        if session is Session.CONNECTED:
            self._load()

    def _forget(self) -> None:
        self._era += 1
        self._reading.clear()
        self._failed.clear()
        self._confirmed, self._broken = None, False

    def reread(self) -> None:
        """Read again what could not be read, although there was a connection all the time.

        Nothing else would: neither a change nor a new connection need ever come.
        """
        self._wire.between(self._reread)

    def _reread(self) -> None:
        if self._closed:
            return
        if self._broken:
            self._forget()
            self._load()
        for path in sorted(self._failed - self._reading.keys()):
            self._read(path)

    def _load(self) -> None:
        era = self._era
        self._wire.watch_tree(self.root, partial(self._watching, era))
        self._wire.get(self.root, partial(self._root_known, era))

    def _watching(self, era: int, error: StoreError | None) -> None:
        if era != self._era:
            return
        if error is None:
            # Not before: what is answered earlier was asked before the watch was set, as a write
            # of ours can be, and nobody tells us what others have done with it in between.
            self._confirmed = set()
            return
        if isinstance(error, StoreRefusedError):
            log.error("store.mirror_refused root=%s cause=%s", self.root, error)
        self._broken = True

    def _root_known(self, era: int, node: ReadZnode | StoreError | None) -> None:
        if era != self._era:
            return
        if isinstance(node, StoreError):
            if isinstance(node, StoreRefusedError):
                log.error("store.mirror_refused root=%s cause=%s", self.root, node)
            self._broken = True
            return
        if node is None and self._make:
            for path in lineage(self.root):
                ops = [Create(path=path)]
                self.sent(self.ours(ops))
                self._wire.commit(ops, partial(self._root_made, ops))
        walk = TreeWalk(
            self._wire, wanted=self._wanted, found=self._found, done=partial(self._loaded, era)
        )
        walk.start(self.root)

    def _root_made(self, ops: Sequence[Op], answer: tuple[OpDone, ...] | StoreError) -> None:
        self.settled(ops, self.ours(ops), answer)
        if isinstance(answer, StoreError) and not isinstance(answer, ExistsError | StoreAwayError):
            log.error("store.mirror_root root=%s cause=%s", self.root, answer)

    def _found(self, path: str, node: ReadZnode | StoreError | None) -> None:
        if self._confirmed is None:
            return
        if isinstance(node, StoreError):
            self._closed_to_us(path)
            return
        known = self._known.get(path)
        if known is None or (node is not None and known != node.stat.mzxid):
            self._put(path, node)
        else:
            self._confirmed.add(path)

    def _loaded(self, era: int, error: StoreError | None) -> None:
        if era != self._era or self._confirmed is None:
            return
        if isinstance(error, StoreAwayError) or self._broken:
            self._broken = True
            return  # the next connection loads anew, or somebody has it read again
        if error is not None:
            # Somebody may open it again, which wakes nobody: it is tried with every reread.
            self._broken = True
            log.error("store.mirror_incomplete root=%s cause=%s", self.root, error)
            return
        confirmed, self._confirmed = self._confirmed, None
        for path in [path for path in self._known if path not in confirmed]:
            self._gone(path)
        self._sink(Synced(root=self.root))

    # -- others' changes ---------------------------------------------------------------------

    def happened(self, event: int, path: str) -> None:
        """Take a notification."""
        if self._closed:
            return
        if event == WatchEvent.DELETED:
            if path in self._reading:
                self._reading[path] = True
            self._own.gone(path)
            self._gone(path)
        elif not self._own.hold(path):
            self._look(path)

    def _look(self, path: str) -> None:
        """Read a path that changed, unless nobody wants it."""
        if self._confirmed is not None:
            self._confirmed.add(path)
        if not self._wanted(path):
            if path not in self._known:
                self._put(path, None)
            return
        self._dirty(path)
        if path in self._reading:
            self._reading[path] = True
        else:
            self._read(path)

    def _read(self, path: str) -> None:
        self._reading[path] = False
        self._failed.discard(path)
        self._wire.get(path, partial(self._was_read, self._era, path))

    def _was_read(self, era: int, path: str, node: ReadZnode | StoreError | None) -> None:
        if era != self._era:
            return
        changed_again = self._reading.pop(path)
        if isinstance(node, NotPermittedError):
            # It will answer the same the next time; who waits for it would wait for ever.
            self._closed_to_us(path)
        elif isinstance(node, StoreError):
            log.debug("store.mirror_unread path=%s cause=%s", path, node)
            self._failed.add(path)
            return
        elif node is None:
            self._gone(path)
        else:
            self._put(path, node)
        if changed_again:
            # One more read answers for all that happened while this one was under way.
            if node is not None:
                self._dirty(path)
            self._read(path)
        if self._failed:
            self._reread()  # there are answers again

    # -- what we know by ourselves -----------------------------------------------------------

    def ours(self, ops: Sequence[Op]) -> list[Op]:
        """Return those of *ops* that concern this mirror."""
        below, root = self._below, self.root
        return [op for op in ops if op.path.startswith(below) or op.path == root]

    def sent(self, ours: Sequence[Op]) -> None:
        """Note that a commit of ours is about to be sent; on any thread."""
        self._own.sent(ours)

    def settled(
        self, ops: Sequence[Op], ours: Sequence[Op], answer: tuple[OpDone, ...] | StoreError
    ) -> None:
        """Tell what a commit of *ops* left of *ours*, or look at what was held because of it."""
        if self._closed:
            return
        left = {} if isinstance(answer, StoreError) else _last_writes(ops, answer)
        told = [path for path in left if self.covers(path)]
        for path in told:
            self._wrote(path, left[path])
        for path in self._own.settled(ours, told=told):
            self._look(path)

    def _wrote(self, path: str, node: ReadZnode | None) -> None:
        if node is None:
            self._gone(path)
        elif self._wanted(path):
            self._put(path, node, own=True)
        elif path not in self._known:
            self._put(path, None, own=True)

    def was_read(self, path: str, node: ReadZnode | None) -> None:
        """Take what somebody read on purpose, as if it had been wanted."""
        if self._closed:
            return
        if node is None:
            self._gone(path)
        else:
            self._put(path, node)

    # -- telling -----------------------------------------------------------------------------

    def _dirty(self, path: str) -> None:
        # Whatever happens now, to the connection or the znode, a Put or a Gone will follow: a
        # reload tells what is unread, even if it is what was told before.
        self._known[path] = _UNREAD
        self._sink(Dirty(path=path))

    def _put(self, path: str, node: ReadZnode | None, *, own: bool = False) -> None:
        self._known[path] = _UNREAD if node is None else node.stat.mzxid
        if self._confirmed is not None:
            self._confirmed.add(path)
        content = None if node is None else stored(path, node.data, node.stat)
        self._sink(Put(path=path, stored=content, own=own))

    def _closed_to_us(self, path: str) -> None:
        self._known[path] = _UNREAD
        if self._confirmed is not None:
            self._confirmed.add(path)
        self._sink(Put(path=path, stored=None, closed=True))

    def _gone(self, path: str) -> None:
        self._failed.discard(path)
        if self._known.pop(path, None) is not None:
            self._sink(Gone(path=path))


def _last_writes(ops: Sequence[Op], answer: tuple[OpDone, ...]) -> dict[str, ReadZnode | None]:
    """Return what a transaction left at each path that it wrote; None: nothing."""
    left: dict[str, ReadZnode | None] = {}
    for op, written in zip(ops, answer, strict=True):
        match op:
            case Create() | Set() if written.stat is not None:
                left[written.path] = ReadZnode(op.data, written.stat)
            case Delete():
                left[written.path] = None
            case _:
                pass
    return left
