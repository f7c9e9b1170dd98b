"""Telling the echo of our own writes from the news of others'.

ZooKeeper notifies the writer, too, just before it sends the reply to the write: with nothing in
between (FinalRequestProcessor applies a transaction, which queues the notifications, and queues
the reply, before the next). Hence: while a write of ours to a path is on its way, a notification
for the path is *held*. When the reply says done, then whatever was held is either our echo or
older than our write, and the reply has told what the path contains now. When it was rejected,
what was held is somebody else's change and must be read.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from remuda.store.api import Create, Op, Set

_DIGITS: Final = 10


class OwnWrites:
    """The writes of ours that are on their way, and the notifications held because of them.

    Its lock is never held while somebody else's code runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on_their_way: Counter[str] = Counter()
        self._held: defaultdict[str, set[str]] = defaultdict(set)

    def sent(self, ops: Sequence[Op]) -> None:
        """Note that *ops* are about to be sent; called on any thread."""
        with self._lock:
            for key in _keys(ops):
                self._on_their_way[key] += 1

    def hold(self, path: str) -> bool:
        """Hold the news of *path* if a write of ours may be its cause, and say whether."""
        with self._lock:
            for key in (path, path[:-_DIGITS] + "#"):
                if key in self._on_their_way:
                    self._held[key].add(path)
                    return True
        return False

    def settled(self, ops: Sequence[Op], *, told: Collection[str]) -> list[str]:
        """Note that *ops* were answered.

        Args:
            ops: As given to :meth:`sent`.
            told: The paths whose content the reply has told; none if it was rejected.

        Returns:
            The paths whose news was held and must be looked at now.
        """
        released: list[str] = []
        with self._lock:
            for key in _keys(ops):
                held = self._held.get(key)
                if held is not None:
                    held.difference_update(told)
                self._on_their_way[key] -= 1
                if not self._on_their_way[key]:
                    del self._on_their_way[key]
                    released += self._held.pop(key, ())
        return released

    def gone(self, path: str) -> None:
        """Forget held news of a path that is gone since."""
        with self._lock:
            for held in self._held.values():
                held.discard(path)


def _keys(ops: Iterable[Op]) -> list[str]:
    """Return where the echo of *ops* may come from.

    The path that a sequence will get is not known yet; a path cannot contain its key's "#"
    at that place unless somebody names a znode so, who then only waits for our reply.
    """
    return [
        op.path + "#" if isinstance(op, Create) and op.sequence else op.path
        for op in ops
        if isinstance(op, Create | Set)
    ]
