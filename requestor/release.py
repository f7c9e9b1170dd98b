"""Giving nodes back, or leaving them to a person: one transaction, or else node by node."""

from collections.abc import Sequence
from typing import Any, Final

from remuda.model import node as node_record
from remuda.model.fields import SECONDS_MAX
from remuda.model.node import Node, NodeEvent, NodeState
from remuda.store import paths
from remuda.store.api import Delete, MissingError, Op, RejectedError, Set, StaleWriteError
from requestor.accept import ATTEMPTS_MAX, AcceptedNode
from requestor.context import RequestorContext
from requestor.errors import InvalidOptionsError, RequestorError
from requestor.rereading import read_again

_OURS: Final = frozenset({NodeState.READY, NodeState.IN_USE})


def release_nodes(context: RequestorContext, taken: Sequence[AcceptedNode]) -> None:
    """Set all nodes used and unlock them. What somebody else did to a node meanwhile stays.

    Raises:
        StoreAwayError: If ZooKeeper stays away.
    """
    now_s = context.clock.now_s()
    ops: list[Op] = []
    for one in taken:
        used = one.node.after(NodeEvent.RETURNED, now_s=now_s)
        ops += _last_ops(used, one.version, one.contender)
    try:
        context.commit_surely(ops)
    except RejectedError:
        for one in taken:
            _finish(context, one, NodeEvent.RETURNED, {})


def hold_node(
    context: RequestorContext,
    taken: AcceptedNode,
    *,
    reason: str,
    owner: str,
    seconds: float | None,
) -> None:
    """Set a node held, with who, why and how long, and unlock it.

    Raises:
        InvalidOptionsError: If that is no time.
        StoreAwayError: If ZooKeeper stays away.
    """
    if seconds is not None and not 0 < seconds <= SECONDS_MAX:
        raise InvalidOptionsError(f"a hold of {seconds:g} s is none")
    fields: dict[str, Any] = {"hold_job": owner, "comment": reason, "hold_expiration": None}
    if seconds is not None:
        fields["hold_expiration"] = max(1, round(seconds))  # whole seconds; 0 would mean never
    held = taken.node.after(NodeEvent.HELD, now_s=context.clock.now_s()).with_fields(**fields)
    try:
        context.commit_surely(_last_ops(held, taken.version, taken.contender))
    except RejectedError:
        _finish(context, taken, NodeEvent.HELD, fields)


def _last_ops(node: Node, version: int, contender: str) -> list[Op]:
    return [
        Set(path=paths.node(node.id), data=node_record.encode(node), version=version),
        Delete(path=contender),
    ]


def _finish(
    context: RequestorContext, taken: AcceptedNode, event: NodeEvent, fields: dict[str, Any]
) -> None:
    """Do the same for one node whose record or lock is not as we left it."""
    path = paths.node(taken.node.id)
    for _ in range(ATTEMPTS_MAX):
        try:
            node, version = read_again(context, taken, _OURS)
        except RequestorError:
            break  # done by an attempt whose reply was lost, or condemned by an operator
        after = node.after(event, now_s=context.clock.now_s()).with_fields(**fields)
        try:
            context.commit_surely([Set(path=path, data=node_record.encode(after), version=version)])
        except StaleWriteError:
            continue
        except MissingError:
            pass
        break
    try:
        context.commit_surely([Delete(path=taken.contender)])
    except MissingError:
        return
