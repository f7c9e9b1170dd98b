"""A node's record, read anew: somebody has written to it since we did."""

from collections.abc import Collection

from remuda.model import node as node_record
from remuda.model.codec import CorruptRecordError
from remuda.model.node import Node, NodeState
from remuda.store import paths
from requestor.accept import AcceptedNode
from requestor.context import RequestorContext
from requestor.errors import NodesLostError, RequestorError


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
    try:
        node = node_record.decode(taken.node.id, stored.value)
    except CorruptRecordError as error:
        raise RequestorError(
            f"the record of node {taken.node.id} is broken: {error.why}"
        ) from error
    if node.state not in states or node.allocated_to != taken.node.allocated_to:
        raise RequestorError(f"node {node.id} is {node.state}, and ours no more")
    return node, stored.version
