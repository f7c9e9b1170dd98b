"""The same trees, kept up to date by mirrors: for who watches a screen. Nothing is polled."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from remuda.store.api import Change, Gone, Mirror, Put, Store, Stored, Synced

#: Says whether a path is to be read.
Wanted = Callable[[str], bool]


class LiveTrees:
    """Copies of whole subtrees. Thread-safe; a context that stops the mirrors.

    Args:
        store: Where they are.
        depths: How many levels below each root are wanted: 1 reads its children only. Or what says
            of a path whether it is.
    """

    def __init__(self, store: Store, depths: Mapping[str, int | Wanted]) -> None:
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._held: dict[str, Stored[bytes]] = {}
        self._unsynced = set(depths)
        self._count = 0
        self._mirrors: Sequence[Mirror] = [
            store.mirror(
                root,
                self._take,
                wanted=_shallow(root, depth) if isinstance(depth, int) else depth,
                make=False,
            )
            for root, depth in depths.items()
        ]

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop the mirrors."""
        self._ended.set()
        for mirror in self._mirrors:
            mirror.close()

    def read(self, parent: str) -> dict[str, Stored[bytes]]:
        """Return the children of *parent* by name, as last told."""
        prefix = f"{parent}/"
        with self._changed:
            return {
                path[len(prefix) :]: stored
                for path, stored in self._held.items()
                if path.startswith(prefix) and "/" not in path[len(prefix) :]
            }

    def wait_news(self, seen: int, timeout_s: float) -> int:
        """Wait until all is read and something is newer than *seen*; return what to give next.

        Returns *seen* itself if nothing came in *timeout_s* seconds.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: not self._unsynced and self._count > seen, timeout=timeout_s
            )
            return seen if self._unsynced else self._count

    def pause(self, seconds: float) -> None:
        """Let changes gather for a moment, so that a burst of them is one piece of news."""
        self._ended.wait(seconds)

    def _take(self, change: Change) -> None:
        with self._changed:
            match change:
                case Put(path=path, stored=Stored() as stored):
                    self._held[path] = stored
                case Gone(path=path) | Put(path=path, closed=True):
                    self._held.pop(path, None)
                case Synced(root=root):
                    self._unsynced.discard(root)
                case _:
                    return
            self._count += 1
            self._changed.notify_all()


def _shallow(root: str, depth: int) -> Callable[[str], bool]:
    """Return whether a path is at most *depth* levels below *root*; locks, for one, lie deeper."""
    slashes_max = root.count("/") + depth
    return lambda path: path.count("/") <= slashes_max
