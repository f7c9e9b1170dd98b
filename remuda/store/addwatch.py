"""Persistent recursive watches, which kazoo does not have: one watch hears a whole subtree.

Facts, from ZooKeeper's source (3.6 to 3.9): AddWatch is request type 106 with a path and a mode
(``zookeeper.jute: AddWatchRequest``, ``AddWatchMode.PERSISTENT_RECURSIVE`` = 1). Such a watch
reports NodeCreated, NodeDeleted and NodeDataChanged for its path and everything below it, never
NodeChildrenChanged; it stays until removed (request type 18, ``RemoveWatchesRequest``, watcher
type Any = 3) or until the connection goes: a server forgets the watches of a connection that it
closed, and does not replay what was missed. A connection gets *one* notification of a change
however many of its watches match. An older server answers "unimplemented" and hangs up.
"""

import struct
from typing import Final

from remuda.store.packets import Packet, take_text, text

_INT: Final = struct.Struct("!i")
_EVENT: Final = struct.Struct("!ii")
_PERSISTENT_RECURSIVE: Final = 1
_ANY: Final = 3
UNIMPLEMENTED: Final = -6
TOO_OLD: Final = (
    "this ZooKeeper server cannot watch subtrees (AddWatch): Remuda needs ZooKeeper 3.6 or newer"
)


class AddWatch(Packet):
    """Watch *path* and everything below it; the path need not exist."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__(106, text(path) + _INT.pack(_PERSISTENT_RECURSIVE))

    def deserialize(self, _raw: bytes, _at: int, _zxid: int) -> None:
        """Return nothing: an error comes in the reply's header."""


class RemoveWatches(Packet):
    """Remove every watch of this connection on exactly *path*."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__(18, text(path) + _INT.pack(_ANY))

    def deserialize(self, _raw: bytes, _at: int, _zxid: int) -> None:
        """Return nothing: an error comes in the reply's header."""


def notification(raw: bytes, at: int) -> tuple[int, str]:
    """Return type and path of a notification (``WatcherEvent``: type, state, path)."""
    kind, _state = _EVENT.unpack_from(raw, at)
    path, _ = take_text(raw, at + _EVENT.size)
    return kind, path
