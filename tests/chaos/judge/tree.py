"""The tree of znodes, transaction by transaction."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.chaos.judge.txnlog import Close, Create, Delete, LogError, Op, Open, Set, Txn

Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One znode before and after a transaction; None: it was not there."""

    path: str
    before: bytes | None
    after: bytes | None


class Tree:
    """All znodes below *root*, as they are after the transactions that were applied."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._data: dict[str, bytes] = dict.fromkeys(("/zookeeper", "/zookeeper/config"), b"")
        self._data["/zookeeper/quota"] = b""
        self._children: dict[str, set[str]] = defaultdict(set)
        self._owned: dict[int, set[str]] = defaultdict(set)

    def apply(self, txn: Txn) -> list[Change]:
        """Apply a transaction; return what it changed below the root.

        Raises:
            LogError: If it cannot have happened: a part of the history is missing.
        """
        before: dict[str, bytes | None] = {}
        for op in txn.ops:
            for path in self._touched(op, txn.session):
                before.setdefault(path, self._data.get(path))
            self._apply(op, txn)
        return [
            Change(path.removeprefix(self._root), old, self._data.get(path))
            for path, old in before.items()
            if path.startswith(f"{self._root}/")
        ]

    def _touched(self, op: Op, session: int) -> list[str]:
        if isinstance(op, Open):
            return []
        return sorted(self._owned[session]) if isinstance(op, Close) else [op.path]

    def _apply(self, op: Op, txn: Txn) -> None:
        if isinstance(op, Close):
            for path in sorted(self._owned.pop(txn.session, ())):
                self._remove(path)
            return
        if isinstance(op, Open):
            return
        parent, makes = op.path.rpartition("/")[0], isinstance(op, Create)
        orphan = makes and parent != "" and parent not in self._data
        parting = isinstance(op, Delete) and self._children[op.path]
        if (op.path in self._data) == makes or orphan or parting:
            raise LogError(f"{txn.zxid:#x}: {op} cannot have happened: transactions are missing")
        if isinstance(op, Delete):
            self._remove(op.path)
            return
        self._data[op.path] = op.data
        if isinstance(op, Create):
            self._children[op.path.rpartition("/")[0]].add(op.path)
            if op.owner:
                self._owned[op.owner].add(op.path)

    def _remove(self, path: str) -> None:
        self._data.pop(path, None)
        self._children[path.rpartition("/")[0]].discard(path)
        for owned in self._owned.values():
            owned.discard(path)

    def there(self, path: str) -> bool:
        """Return whether a znode exists."""
        return self._root + path in self._data

    def everything(self) -> dict[str, bytes]:
        """Return all znodes, also those outside the root."""
        return dict(self._data)

    def doc(self, path: str) -> Doc:
        """Return a record, empty if there is none or it is no record."""
        return record(self._data.get(self._root + path)) or {}

    def text(self, path: str) -> str:
        """Return what a znode holds."""
        return self._data.get(self._root + path, b"").decode(errors="replace")

    def children(self, path: str) -> Iterator[str]:
        """Yield the names below a znode."""
        for child in sorted(self._children[self._root + path]):
            yield child.rpartition("/")[2]


def record(raw: bytes | None) -> Doc | None:
    """Return a znode's data as a record, or None if they are none."""
    try:
        doc = json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return None
    return doc if isinstance(doc, dict) else None


__all__ = ["Change", "Create", "Delete", "Set", "Tree", "record"]
