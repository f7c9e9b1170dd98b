"""One step of one node, as a person wants it: read, judge, write if it is still as it was read."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from remuda.cli.caveats import unknown
from remuda.cli.errors import CommandFailedError, MistakeError
from remuda.insight.facts import facts_of
from remuda.insight.tree import reader
from remuda.model import node as node_record
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeEvent
from remuda.store import paths
from remuda.store.api import MissingError, Set, StaleWriteError, Store, Stored

#: Somebody wrote in between; more often than this is no accident.
_ATTEMPTS_MAX: Final = 5


def step_node(
    store: Store,
    node_id: NodeId,
    event: NodeEvent,
    *,
    judge: Callable[[Node], None],
    now_s: float,
    fields: Mapping[str, Any] | None = None,
) -> Node:
    """Move a node one step on and return it as it was before.

    Args:
        store: Where it is.
        node_id: The node.
        event: What happens to it.
        judge: Raises if this must not happen to the node as it is.
        now_s: Wall clock, seconds since the epoch.
        fields: What else is set in its record.

    Raises:
        MistakeError: If there is no such node, or *judge* says so.
        CommandFailedError: If it changes all the time.
        StoreAwayError: If ZooKeeper does not answer.
    """
    path = paths.node(node_id)
    for _ in range(_ATTEMPTS_MAX):
        stored = known_node(store, node_id)
        node = stored.value
        judge(node)
        after = node.after(event, now_s=now_s, fields=fields)
        try:
            store.commit([Set(path=path, data=node_record.encode(after), version=stored.version)])
        except (StaleWriteError, MissingError):
            continue
        return node
    raise CommandFailedError(f"node {node_id} changes all the time; try again", 1)


def find_node(store: Store, node_id: NodeId) -> Stored[Node] | None:
    """Return the record of a node; None: there is none, or it is empty, as others leave it.

    Raises:
        MistakeError: It cannot be read.
        StoreAwayError: If ZooKeeper does not answer.
    """
    stored = store.read(paths.node(node_id))
    if stored is None or not stored.value:
        return None
    try:
        node = node_record.decode(node_id, stored.value)
    except CorruptRecordError as exc:
        raise MistakeError(broken_record(node_id, exc)) from exc
    return Stored(path=stored.path, value=node, version=stored.version)


def known_node(store: Store, node_id: NodeId) -> Stored[Node]:
    """Return the record of a node that somebody has named.

    Raises:
        MistakeError: There is none, or it cannot be read.
        StoreAwayError: If ZooKeeper does not answer.
    """
    found = find_node(store, node_id)
    if found is None:
        raise MistakeError(unknown(reader(store), f"there is no node {node_id}"))
    return found


def broken_record(node_id: str, exc: CorruptRecordError) -> str:
    """Return that a node's record cannot be read, in words."""
    return f"the record of node {node_id} is broken: {exc.why}"


def user_of(node: Node) -> str:
    """Return who has a node, in words."""
    return facts_of(node).requestor or node.allocated_to or "somebody"
