"""ZooKeeper's transaction logs, read from their files.

Written from ZooKeeper 3.8's ``FileTxnLog`` and ``zookeeper.jute``, and tested against the files of
a real server. A file begins with the magic number, a version and a database id; each entry is its
Adler-32, its length, the header, the record of its type, a digest that we pass over, and ``B``.
Files are made larger in advance, with zeros.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MAGIC: Final = int.from_bytes(b"ZKLG")
_CREATE, _DELETE, _SET = 1, 2, 5
_SET_ACL, _CHECK, _MULTI, _CREATE2, _RECONFIG = 7, 13, 14, 15, 16
_CREATE_CONTAINER, _DELETE_CONTAINER, _CREATE_TTL = 19, 20, 21
_CREATE_SESSION, _CLOSE_SESSION, _ERROR = -10, -11, -1


class LogError(Exception):
    """A log is not what ZooKeeper writes, or lacks something."""


@dataclass(frozen=True, slots=True)
class Create:
    """A znode was made; *owner* is its session if it is ephemeral, else 0."""

    path: str
    data: bytes
    owner: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """A znode was removed."""

    path: str


@dataclass(frozen=True, slots=True)
class Set:
    """A znode was written."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Open:
    """A session began."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class Close:
    """A session ended, by itself or by expiry; its ephemeral znodes went with it."""


Op = Create | Delete | Set | Open | Close


@dataclass(frozen=True, slots=True)
class Txn:
    """What one write did; none of its operations without all others.

    Attributes:
        at_s: When the leader proposed it, seconds since the epoch.
    """

    zxid: int
    at_s: float
    session: int
    ops: tuple[Op, ...] = field(default=())


class _Jute:
    """A reader of ZooKeeper's own serialisation."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def _take(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._raw, self._at)
        self._at += struct.calcsize(form)
        return int(value)

    def whole(self) -> int:
        """Return a 32-bit integer."""
        return self._take(">i")

    def long(self) -> int:
        """Return a 64-bit integer."""
        return self._take(">q")

    def flag(self) -> bool:
        """Return a boolean."""
        return self._take(">b") != 0

    def buffer(self) -> bytes:
        """Return bytes; a length of -1 stands for none."""
        length = max(0, self.whole())
        value = self._raw[self._at : self._at + length]
        if len(value) != length:
            raise struct.error("a buffer is cut short")
        self._at += length
        return value

    def text(self) -> str:
        """Return a text."""
        return self.buffer().decode()

    def acl(self) -> None:
        """Pass over a list of permissions."""
        for _ in range(self.whole()):
            self.whole()
            self.text()
            self.text()


def _create(body: _Jute, session: int) -> Create:
    path, data = body.text(), body.buffer()
    body.acl()
    return Create(path, data, session if body.flag() else 0)


def _ops(kind: int, body: _Jute, session: int) -> Iterator[Op]:
    if kind in (_CREATE, _CREATE2):
        yield _create(body, session)
    elif kind in (_CREATE_CONTAINER, _CREATE_TTL):
        yield Create(body.text(), body.buffer())
    elif kind in (_DELETE, _DELETE_CONTAINER):
        yield Delete(body.text())
    elif kind in (_SET, _RECONFIG):
        yield Set(body.text(), body.buffer())
    elif kind == _MULTI:
        yield from _parts(body, session)
    elif kind == _CREATE_SESSION:
        yield Open(body.whole() / 1000)
    elif kind == _CLOSE_SESSION:
        yield Close()
    elif kind not in (_SET_ACL, _CHECK, _ERROR):
        raise LogError(f"a transaction of an unknown type, {kind}")


def _parts(body: _Jute, session: int) -> Iterator[Op]:
    parts = [(body.whole(), body.buffer()) for _ in range(body.whole())]
    # One that failed is logged with the operations before the one that could not be done.
    if _ERROR not in dict(parts):
        for kind, raw in parts:
            yield from _ops(kind, _Jute(raw), session)


def read_entry(raw: bytes) -> Txn:
    """Read one transaction.

    Raises:
        LogError: If it is none.
    """
    body = _Jute(raw)
    try:
        session, _cxid, zxid, at_ms, kind = (
            *(body.long(), body.whole()),
            *(body.long(), body.long(), body.whole()),
        )
        return Txn(zxid, at_ms / 1000, session, tuple(_ops(kind, body, session)))
    except (struct.error, UnicodeDecodeError) as exc:
        raise LogError(f"a transaction that cannot be read: {exc}") from exc


def read_file(path: Path) -> Iterator[Txn]:
    """Yield the transactions of one file.

    The last entry may be half written if the server was killed: it was never acknowledged.

    Raises:
        LogError: If it is no log, or an entry is damaged.
    """
    raw = path.read_bytes()
    if len(raw) < 16:
        return
    if int.from_bytes(raw[:4]) != MAGIC:
        raise LogError(f"{path}: not a transaction log")
    at = 16
    while at + 12 <= len(raw):
        checksum, length = struct.unpack_from(">qi", raw, at)
        entry = raw[at + 12 : at + 12 + length]
        end = at + 12 + length
        if length <= 0 or raw[end : end + 1] != b"B":
            return
        if zlib.adler32(entry) != checksum:
            raise LogError(f"{path}: a wrong checksum at byte {at}")
        yield read_entry(entry)
        at = end + 1


def read_server(folder: Path) -> dict[int, Txn]:
    """Return what one server logged, by zxid; *folder* is its ``version-2``."""
    files = sorted(folder.glob("log.*"), key=lambda one: int(one.suffix[1:], 16))
    return {txn.zxid: txn for file in files for txn in read_file(file)}


def committed(logs: Iterable[dict[int, Txn]]) -> list[Txn]:
    """Return what the ensemble committed, in order: what most servers have logged.

    A proposal that one server logged alone may have been dropped by a later leader, and that
    server's log keeps it if it was brought up to date by a snapshot.

    Raises:
        LogError: If the numbers have a gap: a part of the history is missing.
    """
    servers = list(logs)
    times = Counter(zxid for one in servers for zxid in one)
    merged = {zxid: txn for one in servers for zxid, txn in one.items()}
    found = [merged[zxid] for zxid in sorted(times) if times[zxid] * 2 > len(servers)]
    before = 0
    for txn in found:
        same_epoch = txn.zxid >> 32 == before >> 32
        if (txn.zxid & 0xFFFFFFFF) != ((before & 0xFFFFFFFF) + 1 if same_epoch else 1):
            raise LogError(f"transactions are missing between {before:#x} and {txn.zxid:#x}")
        before = txn.zxid
    return found
