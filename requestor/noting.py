"""Writing a note into the record of a node, under our own key, as long as its lock is ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from remuda.model import node as node_record
from remuda.model.node import Node, NodeState
from remuda.store import paths
from remuda.store.api import Check, MissingError, Op, Set, StaleWriteError
from requestor.accept import ATTEMPTS_MAX, AcceptedNode
from requestor.context import RequestorContext
from requestor.errors import NodesLostError, RequestorError
from requestor.rereading import read_again

_OURS: Final = frozenset({NodeState.IN_USE})


def note_on_node(
    context: RequestorContext,
    taken: AcceptedNode,
    fields: Mapping[str, Any],
    written: Callable[[Node], bool],
    provided: Callable[[], Sequence[Op]] = tuple,
) -> AcceptedNode:
    """Write *fields* into the record of a node.

    Args:
        context: Of the client.
        taken: The node, as it was last read or written.
        fields: What is set in it.
        written: Whether a record says just that: only the reply was lost then.
        provided: Called before each attempt: raises if nothing is to be written, or returns what
            has to hold still when it is.

    Returns:
        The node as its record is now.

    Raises:
        NodesLostError: If the lock is not ours any more.
        RequestorError: If the node was taken away, or its record cannot be read.
        StoreAwayError: If ZooKeeper stays away.
    """
    path = paths.node(taken.node.id)
    node, version = taken.node, taken.version
    for _ in range(ATTEMPTS_MAX):
        said = node.with_fields(**fields)
        ops: list[Op] = [
            Check(path=taken.contender),
            *provided(),
            Set(path=path, data=node_record.encode(said), version=version),
        ]
        try:
            done = context.commit_surely(ops)
        except MissingError as error:
            raise NodesLostError((taken.node.id,)) from error
        except StaleWriteError:
            node, version = read_again(context, taken, _OURS)
            if written(node):
                return replace(taken, node=node, version=version)
            continue
        return replace(taken, node=said, version=done[-1].version)
    raise RequestorError(f"node {taken.node.id} changes all the time; try again")
