"""Reading a whole subtree with requests that do not wait for each other."""

from collections.abc import Callable
from functools import partial

from remuda.store.api import NotPermittedError, StoreError
from remuda.store.paths import must_be_open
from remuda.store.wire import Children, ReadZnode, StoreWire


class TreeWalk:
    """One reading of a subtree: one request per znode, one more for a parent that is wanted.

    Runs on the wire's callbacks. A znode that vanishes meanwhile is left out: whoever watches
    the tree hears of it. A record that somebody has closed to us exists, and no more is known;
    but the folders of ours must be readable, or nothing would be known by its absence.
    """

    def __init__(
        self,
        wire: StoreWire,
        *,
        wanted: Callable[[str], bool],
        found: Callable[[str, ReadZnode | StoreError | None], None],
        done: Callable[[StoreError | None], None],
    ) -> None:
        """Prepare to read.

        Args:
            wire: Where to read.
            wanted: Whether to read the data of a path.
            found: Gets each path and its content: None if its data is not wanted, the error if
                it is closed to us.
            done: Called once, at the end, or at the first failure.
        """
        self._wire = wire
        self._wanted = wanted
        self._found = found
        self._done = done
        self._outstanding = 0
        self._over = False

    def start(self, root: str) -> None:
        """Read *root* and everything below it."""
        self._visit(root)

    def _visit(self, path: str) -> None:
        self._outstanding += 1
        if self._wanted(path):
            self._wire.get(path, partial(self._got, path))
        else:
            self._wire.children(path, partial(self._listed, path, is_news=True))

    def _got(self, path: str, node: ReadZnode | StoreError | None) -> None:
        if self._closed(path, node):
            self._found(path, node)
        elif self._usable(node) and isinstance(node, ReadZnode):
            self._found(path, node)
            if node.stat.children:
                self._outstanding += 1
                self._wire.children(path, partial(self._listed, path, is_news=False))
        self._answered()

    def _listed(self, path: str, children: Children | StoreError | None, *, is_news: bool) -> None:
        if self._closed(path, children):
            if is_news:
                self._found(path, None)
        elif self._usable(children) and isinstance(children, Children):
            if is_news:
                self._found(path, None)
            stem = path if path.endswith("/") else path + "/"
            for name in children.names:
                self._visit(stem + name)
        self._answered()

    def _closed(self, path: str, answer: object) -> bool:
        return not self._over and isinstance(answer, NotPermittedError) and not must_be_open(path)

    def _usable(self, answer: object) -> bool:
        """Return whether to go on; a failure ends the walk."""
        if isinstance(answer, StoreError) and not self._over:
            self._over = True
            self._done(answer)
        return not self._over

    def _answered(self) -> None:
        self._outstanding -= 1
        if not self._outstanding and not self._over:
            self._over = True
            self._done(None)
