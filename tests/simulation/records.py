"""The tree of the fake ZooKeeper, read as it is at this moment."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model import request as requests
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, RequestId
from remuda.model.launch import Launch
from remuda.model.node import Node
from remuda.model.request import Request
from remuda.store import paths

if TYPE_CHECKING:
    from tests.fakes.store import FakeZookeeper


@dataclass(slots=True)
class Records:
    """What is on record.

    Attributes:
        launchers: Sessions of launchers; all others are users'.
    """

    zookeeper: "FakeZookeeper | None" = None
    launchers: dict[int, str] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        """Return what lies at *path*."""
        assert self.zookeeper is not None
        found = self.zookeeper.tree.get(path)
        return None if found is None else found.data

    def names(self, path: str) -> tuple[str, ...]:
        """Return the names below *path*, sorted."""
        assert self.zookeeper is not None
        found = self.zookeeper.tree.children(path)
        return () if found is None else tuple(sorted(found.names))

    def node(self, node_id: NodeId) -> Node | None:
        """Return a node."""
        raw = self.read(paths.node(node_id))
        return nodes.decode(node_id, raw) if raw else None

    def request(self, request_id: RequestId) -> Request | None:
        """Return a request."""
        raw = self.read(paths.request(request_id))
        try:
            return requests.decode(request_id, raw) if raw else None
        except CorruptRecordError:
            return None

    def launch(self, provider: str, node_id: NodeId) -> Launch | None:
        """Return a launch, if there is one that can be read."""
        raw = self.read(paths.launch(provider, node_id))
        try:
            return launches.decode(node_id, raw) if raw else None
        except CorruptRecordError:
            return None

    def locked_by_user(self, node_id: NodeId) -> bool:
        """Whether a user's session holds the lock of a node."""
        assert self.zookeeper is not None
        for name in self.names(paths.node_lock(node_id)):
            found = self.zookeeper.tree.get(f"{paths.node_lock(node_id)}/{name}")
            if found is not None and found.stat.owner not in self.launchers:
                return True
        return False
