"""A node's record, read anew: somebody has written to it since we did."""

from collections.abc import Collection

from remuda.model import node as node_record
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeState
from remuda.store import paths
from remuda.store.api import Store, Stored
from requestor.accept import AcceptedNode
from requestor.context import RequestorContext
from requestor.errors import InvalidOptionsError, NodesLostError, RequestorError


def read_again(
    context: RequestorContext, taken: AcceptedNode, states: Collection[NodeState]
) -> tuple[Node, int]:
    """Return the record of a node that is still ours, with its version.

    Args:
        context: Of the client.
        taken: The node, as it was last read or written.
        states: In these it may be ours.

    Raises:
        NodesLostError: There is no record any more.
        RequestorError: It cannot be read, or says that the node is not ours.
        StoreAwayError: If ZooKeeper stays away.
    """
    path = paths.node(taken.node.id)
    stored = context.surely(lambda: context.store.read(path))
    if stored is None:
        raise NodesLostError((taken.node.id,))
    node = _decoded(taken.node.id, stored.value)
    if node.state not in states or node.allocated_to != taken.node.allocated_to:
        raise RequestorError(f"node {node.id} is {node.state}, and ours no more")
    return node, stored.version


def read_node(store: Store, node_id: NodeId) -> Stored[Node]:
    """Return the record of a node that somebody has named, to write something into it.

    Raises:
        InvalidOptionsError: There is no such node.
        RequestorError: Its record cannot be read.
        StoreAwayError: If ZooKeeper does not answer.
    """
    stored = store.read(paths.node(node_id))
    if stored is None or not stored.value:
        raise InvalidOptionsError(f"there is no node {node_id}")
    node = _decoded(node_id, stored.value)
    return Stored(path=stored.path, value=node, version=stored.version)


def _decoded(node_id: NodeId, raw: bytes) -> Node:
    try:
        return node_record.decode(node_id, raw)
    except CorruptRecordError as error:
        raise RequestorError(f"the record of node {node_id} is broken: {error.why}") from error
