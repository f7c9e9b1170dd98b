"""ZooKeeper's requests as bytes, and its replies as values: only those that the store sends.

Kazoo's own request classes would do, but a transaction of theirs does not name the operation
that failed, and all of them are serialised by the one thread that also reads. These are
serialised by the thread that asks. Layout: zookeeper.jute of ZooKeeper 3.8 (MultiHeader,
CreateRequest, SetDataRequest, ...).
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from remuda.store.access import Access, Acl
from remuda.store.api import (
    Check,
    Create,
    Delete,
    ExistsError,
    MissingError,
    NotEmptyError,
    NotPermittedError,
    Op,
    RejectedError,
    Set,
    StaleWriteError,
    StoreError,
    StoreRefusedError,
    TooLargeError,
)
from remuda.store.wire import Children, OpDone, ReadZnode, Stat

_INT: Final = struct.Struct("!i")
_STAT: Final = struct.Struct("!qqqqiiiqiiq")
_MULTI_HEADER: Final = struct.Struct("!i?i")
_MULTI_END: Final = _MULTI_HEADER.pack(-1, True, -1)  # noqa: FBT003 - struct.pack is positional

_SET: Final = 5
_DELETE: Final = 2
_CHECK: Final = 13
_MULTI: Final = 14
# Not create2 (15), which answers with a stat: inside a transaction ZooKeeper 3.8 takes it for
# a plain create (MultiOperationRecord makes an Op.Create of both).
_CREATE: Final = 1
_ERROR: Final = -1
_EPHEMERAL: Final = 1
_SEQUENCE: Final = 2

# The server drops the connection of whoever sends a packet of more than jute.maxbuffer bytes
# (default 0xfffff), which would look like a lost connection, for ever.
PACKET_BYTES_MAX: Final = 0xFFFFF
_HEADER_BYTES: Final = 8

# A failed transaction reports "rolled back" (0) for the operations before the one that failed
# and "runtime inconsistency" (-2) for those after it (OpResult.ErrorResult).
_BYSTANDERS: Final = frozenset({0, -2})
_REASONS: Final[dict[int, tuple[type[RejectedError], str]]] = {
    -101: (MissingError, "no such znode or no such parent"),
    -103: (StaleWriteError, "somebody else wrote since it was read"),
    -108: (RejectedError, "its parent is ephemeral and cannot have children"),
    -110: (ExistsError, "exists already"),
    -111: (NotEmptyError, "has children"),
}
_NO_AUTH: Final = -102
_INVALID_ACL: Final = -114
_SASL_DEMANDED: Final = -124
_UNKNOWN_IDENTITY: Final = (
    "the server takes none of its identities: does it know their scheme (authProvider.sasl for "
    "sasl, for one), and are we authenticated?"
)


def text(value: str) -> bytes:
    """Return *value* as jute's ustring."""
    raw = value.encode()
    return _INT.pack(len(raw)) + raw


def buffer(value: bytes) -> bytes:
    """Return *value* as jute's buffer."""
    return _INT.pack(len(value)) + value


def acl_vector(acl: Acl) -> bytes:
    """Return the access control list that every Create carries."""
    return _INT.pack(len(acl)) + b"".join(
        _INT.pack(entry.rights) + text(entry.scheme) + text(entry.id) for entry in acl
    )


def acl_packer(access: Access) -> Callable[[str], bytes]:
    """Return what :func:`transaction` asks for each Create; there are few different lists."""
    packed = cache(lambda right: acl_vector(access.acl_for(right)))
    return lambda path: packed(access.others_right(path))


def take_text(raw: bytes, at: int) -> tuple[str, int]:
    """Return a ustring and where it ends."""
    (size,) = _INT.unpack_from(raw, at)
    end = at + 4 + size
    return raw[at + 4 : end].decode(), end


def take_stat(raw: bytes, at: int) -> Stat:
    """Return the parts of a stat that we use."""
    _, mzxid, ctime, mtime, version, _, _, owner, _, children, _ = _STAT.unpack_from(raw, at)
    return Stat(mzxid, version, ctime, mtime, owner, children)


@dataclass(frozen=True, slots=True)
class Packet:
    """A request that is ready to be sent; the shape that kazoo's connection expects."""

    type: int
    body: bytes

    def serialize(self) -> bytes:
        """Return the body."""
        return self.body


class GetData(Packet):
    """getData: data and stat."""

    __slots__ = ()

    def __init__(self, path: str, *, watch: bool = False) -> None:
        super().__init__(4, text(path) + (b"\1" if watch else b"\0"))

    def deserialize(self, raw: bytes, at: int, _zxid: int) -> ReadZnode:
        """Return the znode; null data reads as empty."""
        (size,) = _INT.unpack_from(raw, at)
        start = at + 4
        end = start + max(size, 0)
        return ReadZnode(raw[start:end], take_stat(raw, end))


class GetChildren(Packet):
    """getChildren2: names and the parent's stat."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__(12, text(path) + b"\0")

    def deserialize(self, raw: bytes, at: int, _zxid: int) -> Children:
        """Return the names, unsorted."""
        (count,) = _INT.unpack_from(raw, at)
        at += 4
        names = []
        for _ in range(count):
            name, at = take_text(raw, at)
            names.append(name)
        return Children(tuple(names), take_stat(raw, at))


class Sync(Packet):
    """sync: the leader tells our server when it has told it everything."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__(9, text(path))

    def deserialize(self, _raw: bytes, _at: int, _zxid: int) -> None:
        """Return nothing: the reply says the path again."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """multi: all operations or none.

    Attributes:
        root: What stands before every path on the server: the chroot, or nothing.
    """

    body: bytes
    ops: tuple[Op, ...]
    root: str
    type: int = _MULTI

    def serialize(self) -> bytes:
        """Return the body."""
        return self.body

    def deserialize(self, raw: bytes, at: int, zxid: int) -> tuple[OpDone, ...] | StoreError:
        """Return what each operation left, or why the whole was rejected.

        A reply says nothing of a created znode but its path: its times and owner are 0 here.
        """
        left: list[OpDone] = []
        for op in self.ops:
            kind, _, _ = _MULTI_HEADER.unpack_from(raw, at)
            at += _MULTI_HEADER.size
            if kind == _ERROR:
                return self._why(raw, at)
            path, stat = op.path, None
            if kind == _CREATE:
                path, at = take_text(raw, at)
                path = path[len(self.root) :]
                stat = Stat(zxid, 0, 0, 0, 0, 0)
            elif kind == _SET:
                stat = take_stat(raw, at)
                at += _STAT.size
            left.append(OpDone(path, stat))
        return tuple(left)

    def dated(
        self, written: tuple[OpDone, ...], *, now_ms: int, session_id: int
    ) -> tuple[OpDone, ...]:
        """Return *written* with what the reply to a Create does not say: times and owner.

        All of a transaction has one time, so a Set beside it tells it; else *now_ms*, our own
        clock's, must do.
        """
        pairs = tuple(zip(self.ops, written, strict=True))
        server_ms = (w.stat.mtime_ms for op, w in pairs if isinstance(op, Set) and w.stat)
        time_ms = next(server_ms, now_ms)
        return tuple(
            OpDone(
                w.path,
                w.stat._replace(
                    ctime_ms=time_ms, mtime_ms=time_ms, owner=session_id if op.ephemeral else 0
                ),
            )
            if isinstance(op, Create) and w.stat
            else w
            for op, w in pairs
        )

    def _why(self, raw: bytes, at: int) -> StoreError:
        """Read the list of errors: one code after each header, and a header between two."""
        step = 4 + _MULTI_HEADER.size
        for index, op in enumerate(self.ops):
            (code,) = _INT.unpack_from(raw, at + index * step)
            if code not in _BYSTANDERS:
                return rejection(code, op.path)
        return StoreError("ZooKeeper rejected a transaction without a reason")


def transaction(ops: Sequence[Op], *, root: str, acl: Callable[[str], bytes]) -> Transaction:
    """Serialise *ops*.

    Args:
        ops: What to do.
        root: The chroot, or an empty string.
        acl: Returns the packed access control list for each Create's path, without *root*.

    Raises:
        TooLargeError: If the server would drop the connection over it.
    """
    parts = []
    for op in ops:
        kind, body = _operation(op, root + op.path, acl)
        parts.append(_MULTI_HEADER.pack(kind, False, -1) + body)  # noqa: FBT003 - as above
    whole = b"".join(parts) + _MULTI_END
    if len(whole) + _HEADER_BYTES > PACKET_BYTES_MAX:
        size, path = max((len(part), op.path) for part, op in zip(parts, ops, strict=True))
        raise TooLargeError(path, f"{size} bytes; a transaction may have {PACKET_BYTES_MAX}")
    return Transaction(whole, tuple(ops), root)


def _operation(op: Op, path: str, acl: Callable[[str], bytes]) -> tuple[int, bytes]:
    """Return the type and the body of one operation on the server's *path*."""
    match op:
        case Create():
            flags = (_EPHEMERAL if op.ephemeral else 0) | (_SEQUENCE if op.sequence else 0)
            return _CREATE, text(path) + buffer(op.data) + acl(op.path) + _INT.pack(flags)
        case Set():
            return _SET, text(path) + buffer(op.data) + _INT.pack(op.version)
        case Delete():
            return _DELETE, text(path) + _INT.pack(op.version)
        case Check():
            return _CHECK, text(path) + _INT.pack(op.version)


def rejection(code: int, path: str) -> StoreError:
    """Return the typed error of ZooKeeper's error *code* (KeeperException.Code)."""
    if code == _NO_AUTH:
        return NotPermittedError(path)
    if code == _INVALID_ACL:
        return StoreRefusedError(f"{path}: {_UNKNOWN_IDENTITY}")
    if code == _SASL_DEMANDED:
        return StoreRefusedError("it demands authentication by SASL (zookeeper.auth-scheme: sasl)")
    if code in _REASONS:
        kind, why = _REASONS[code]
        return kind(path, why)
    return RejectedError(path, f"ZooKeeper's error {code}")
