"""The tree of the fake ZooKeeper: znodes, versions, transactions. No sessions, no callbacks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from remuda.runtime.clock import Clock
from remuda.store.api import (
    Check,
    Create,
    Delete,
    ExistsError,
    MissingError,
    NotEmptyError,
    Op,
    RejectedError,
    Set,
    StaleWriteError,
    TooLargeError,
)
from remuda.store.wire import Children, OpDone, ReadZnode, Stat, WatchEvent

BYTES_MAX = 0xFFFFF
_OP_OVERHEAD_BYTES = 60


@dataclass(slots=True)
class _Znode:
    data: bytes
    mzxid: int
    ctime_ms: int
    mtime_ms: int
    owner: int = 0
    version: int = 0
    created_below: int = 0
    names: dict[str, None] = field(default_factory=dict)  # a set, in an order that repeats

    def stat(self) -> Stat:
        return Stat(
            self.mzxid, self.version, self.ctime_ms, self.mtime_ms, self.owner, len(self.names)
        )


@dataclass(slots=True)
class _Transaction:
    """What has been done so far: how to undo it, and whom to tell."""

    session_id: int
    zxid: int
    now_ms: int
    undo: list[Callable[[], None]] = field(default_factory=list)
    events: list[tuple[int, str]] = field(default_factory=list)


class Tree:
    """The znodes, as one ZooKeeper server would keep them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._zxid = 0
        self._nodes = {"/": _Znode(b"", 0, 0, 0)}

    def copy(self) -> "Tree":
        """Return the tree as it is now, for a server that falls behind."""
        other = Tree(self._clock)
        other._nodes = {path: replace(node) for path, node in self._nodes.items()}
        for node in other._nodes.values():
            node.names = dict(node.names)
        return other

    def get(self, path: str) -> ReadZnode | None:
        """Return a znode."""
        node = self._nodes.get(path)
        return None if node is None else ReadZnode(node.data, node.stat())

    def children(self, path: str) -> Children | None:
        """Return the names below a znode."""
        node = self._nodes.get(path)
        return None if node is None else Children(tuple(sorted(node.names)), node.stat())

    def paths(self) -> tuple[str, ...]:
        """Return every path, sorted; for assertions."""
        return tuple(sorted(self._nodes))

    def commit(
        self, ops: Sequence[Op], session_id: int
    ) -> tuple[tuple[OpDone, ...] | RejectedError, Sequence[tuple[int, str]]]:
        """Do all of *ops* or none; return the answer and what changed."""
        size, path = max((len(getattr(op, "data", b"")), op.path) for op in ops)
        whole = sum(len(getattr(op, "data", b"")) + _OP_OVERHEAD_BYTES for op in ops)
        if whole > BYTES_MAX:
            return TooLargeError(path, f"{size} bytes"), ()
        self._zxid += 1
        now_ms = round(self._clock.now_s() * 1000)
        work = _Transaction(session_id=session_id, zxid=self._zxid, now_ms=now_ms)
        try:
            return tuple(self._do(op, work) for op in ops), work.events
        except RejectedError as error:
            for step in reversed(work.undo):
                step()
            return error, ()

    def end_session(self, session_id: int) -> Sequence[tuple[int, str]]:
        """Remove the ephemeral znodes of a session; return what changed."""
        theirs = sorted(path for path, node in self._nodes.items() if node.owner == session_id)
        ops = [Delete(path=path) for path in theirs]
        return self.commit(ops, session_id)[1] if ops else ()

    def _do(self, op: Op, work: _Transaction) -> OpDone:
        match op:
            case Create():
                return self._create(op, work)
            case Set():
                return self._set(op, work)
            case Delete():
                return self._delete(op, work)
            case Check():
                self._require(op.path, op.version)
                return OpDone(op.path, None)

    def _require(self, path: str, version: int) -> _Znode:
        node = self._nodes.get(path)
        if node is None:
            raise MissingError(path, "no such znode")
        if version not in (-1, node.version):
            raise StaleWriteError(path, f"is at version {node.version}, not {version}")
        return node

    def _create(self, op: Create, work: _Transaction) -> OpDone:
        above, _, _ = op.path.rpartition("/")
        parent = self._nodes.get(above or "/")
        if parent is None:
            raise MissingError(op.path, "no parent")
        if parent.owner:
            raise RejectedError(op.path, "its parent is ephemeral and cannot have children")
        path = f"{op.path}{parent.created_below:010d}" if op.sequence else op.path
        if path in self._nodes:
            raise ExistsError(op.path, "exists already")
        owner = work.session_id if op.ephemeral else 0
        node = _Znode(op.data, work.zxid, work.now_ms, work.now_ms, owner)
        name = path.rpartition("/")[2]
        self._nodes[path] = node
        parent.names[name] = None
        parent.created_below += 1

        def undo() -> None:
            del self._nodes[path]
            parent.names.pop(name, None)
            parent.created_below -= 1

        work.undo.append(undo)
        work.events.append((WatchEvent.CREATED, path))
        return OpDone(path, node.stat())

    def _set(self, op: Set, work: _Transaction) -> OpDone:
        node = self._require(op.path, op.version)
        before = (node.data, node.version, node.mzxid, node.mtime_ms)
        node.data, node.version = op.data, node.version + 1
        node.mzxid, node.mtime_ms = work.zxid, work.now_ms

        def undo() -> None:
            node.data, node.version, node.mzxid, node.mtime_ms = before

        work.undo.append(undo)
        work.events.append((WatchEvent.CHANGED, op.path))
        return OpDone(op.path, node.stat())

    def _delete(self, op: Delete, work: _Transaction) -> OpDone:
        node = self._require(op.path, op.version)
        if node.names:
            raise NotEmptyError(op.path, "has children")
        above, _, name = op.path.rpartition("/")
        parent = self._nodes[above or "/"]
        del self._nodes[op.path]
        parent.names.pop(name, None)

        def undo() -> None:
            self._nodes[op.path] = node
            parent.names[name] = None

        work.undo.append(undo)
        work.events.append((WatchEvent.DELETED, op.path))
        return OpDone(op.path, None)
