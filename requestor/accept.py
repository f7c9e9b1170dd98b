"""Accepting the nodes of a fulfilled request: locks, state and request in one transaction.

A node's lock is a directory ``<node>/lock`` with one ephemeral sequence znode per contender, the
lowest of them being the holder; Zuul's (kazoo's) and Jenkins' locks order by the same ten digits.
A node that was never locked has no directory: then directory, contender, state and the end of the
request fit into one transaction, and the lock is ours without looking, as nobody else can have
got in before. Otherwise the lock is taken first, as everybody does, and the rest follows.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

from remuda.model import node as node_record
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeEvent, NodeState
from remuda.model.request import Request
from remuda.store import paths
from remuda.store.api import (
    Delete,
    Done,
    ExistsError,
    MissingError,
    Op,
    RejectedError,
    Set,
    StaleWriteError,
    StoreAwayError,
    Stored,
)
from remuda.store.locks import Lease, LockTakenError, acquire, contender_stem, take_ops
from requestor.context import RequestorContext
from requestor.errors import PromiseBrokenError, RequestGoneError

#: Each retry means that somebody wrote to a node in between; a launcher re-checks rarely.
ATTEMPTS_MAX: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedNode:
    """One node that is ours.

    Attributes:
        node: Its record as we wrote it.
        version: The version of that record.
        contender: Path of our place in its lock.
    """

    node: Node
    version: int
    contender: str


def accept_nodes(context: RequestorContext, request: Request) -> tuple[AcceptedNode, ...]:
    """Take all nodes of a fulfilled request, in its order, and delete the request.

    Raises:
        PromiseBrokenError: If a node cannot be had; nothing is kept, the request remains.
        RequestGoneError: If the request was deleted meanwhile.
        StoreAwayError: If ZooKeeper stays away.
    """
    for _ in range(ATTEMPTS_MAX):
        nodes = [_in_use(context, one) for one in read_promised(context, request)]
        stem = contender_stem()
        try:
            done = context.store.commit(_whole_ops(context, request, nodes, stem))
        except ExistsError:
            return _take_slowly(context, request)
        except StaleWriteError:
            continue
        except MissingError as error:
            _raise_if_gone(request, error)
            continue
        except StoreAwayError:
            settled = _settle(context, request, nodes, stem)
            if settled is not None:
                return settled
            continue
        return _from_whole(nodes, done)
    raise PromiseBrokenError(request.id, request.nodes[0], "changes all the time")


def read_promised(context: RequestorContext, request: Request) -> tuple[Stored[Node], ...]:
    """Return the nodes of a request, ready and promised to it.

    Raises:
        PromiseBrokenError: If one of them is not.
        StoreAwayError: If ZooKeeper stays away.
    """
    found = _read(context, request.nodes)
    return tuple(
        _promised(request, node_id, one) for node_id, one in zip(request.nodes, found, strict=True)
    )


def _promised(request: Request, node_id: NodeId, found: Stored[bytes] | None) -> Stored[Node]:
    if found is None:
        raise PromiseBrokenError(request.id, node_id, "is gone")
    try:
        node = node_record.decode(node_id, found.value)
    except CorruptRecordError as exc:
        raise PromiseBrokenError(request.id, node_id, f"has a broken record: {exc}") from exc
    if node.allocated_to != request.id:
        raise PromiseBrokenError(request.id, node_id, f"belongs to {node.allocated_to or 'nobody'}")
    if node.state is not NodeState.READY:
        raise PromiseBrokenError(request.id, node_id, f"is {node.state}, not ready")
    return Stored(path=found.path, value=node, version=found.version)


def _in_use(context: RequestorContext, ready: Stored[Node]) -> Stored[Node]:
    """Return the node as we shall write it, still with the version that was read."""
    use = {"remuda": {"by": context.requestor, "at": context.identity, **context.use_data}}
    taken = ready.value.after(
        NodeEvent.TAKEN, now_s=context.clock.now_s(), fields={"user_data": use}
    )
    return Stored(path=ready.path, value=taken, version=ready.version)


def _use(taken: Stored[Node]) -> Set:
    return Set(path=taken.path, data=node_record.encode(taken.value), version=taken.version)


def _whole_ops(
    context: RequestorContext, request: Request, nodes: Sequence[Stored[Node]], stem: str
) -> list[Op]:
    """Three operations per node (directory, contender, state), then the end of the request."""
    ops: list[Op] = []
    for one in nodes:
        ops += take_ops(paths.node_lock(one.value.id), context.identity.encode(), stem=stem)
        ops.append(_use(one))
    ops.append(Delete(path=paths.request(request.id)))
    return ops


def _from_whole(nodes: Sequence[Stored[Node]], done: Sequence[Done]) -> tuple[AcceptedNode, ...]:
    return tuple(
        AcceptedNode(
            node=one.value,
            version=done[3 * i + 2].version,
            contender=done[3 * i + 1].path,
        )
        for i, one in enumerate(nodes)
    )


def _take_slowly(context: RequestorContext, request: Request) -> tuple[AcceptedNode, ...]:
    """Lock first, then take: for nodes that somebody has locked before."""
    with ExitStack() as undo:
        leases = {node_id: _lock(context, request, node_id, undo) for node_id in request.nodes}
        taken = _use_locked(context, request, leases)
        undo.pop_all()
    return taken


def _lock(context: RequestorContext, request: Request, node_id: NodeId, undo: ExitStack) -> Lease:
    directory, data = paths.node_lock(node_id), context.identity.encode()
    try:
        lease = acquire(context.store, directory, data, wait_s=context.lock_s, clock=context.clock)
    except LockTakenError as error:
        raise PromiseBrokenError(request.id, node_id, "is locked by somebody else") from error
    except MissingError as error:
        raise PromiseBrokenError(request.id, node_id, "is gone") from error
    return undo.enter_context(lease)


def _use_locked(
    context: RequestorContext, request: Request, leases: Mapping[NodeId, Lease]
) -> tuple[AcceptedNode, ...]:
    contenders = {node_id: lease.path for node_id, lease in leases.items()}
    for _ in range(ATTEMPTS_MAX):
        nodes = [_in_use(context, one) for one in read_promised(context, request)]
        ops: list[Op] = [lease.proof for lease in leases.values()]
        ops += [_use(one) for one in nodes]
        ops.append(Delete(path=paths.request(request.id)))
        try:
            done = context.commit_surely(ops)
        except (StaleWriteError, MissingError) as error:
            if error.path in contenders.values():
                raise RequestGoneError(f"request {request.id} went with the session") from error
            settled = _already(context, request, contenders)
            if settled is not None:  # done by an attempt whose reply was lost
                return settled
            _raise_if_gone(request, error)
            continue
        at = len(leases)
        return tuple(
            AcceptedNode(
                node=one.value, version=done[at + i].version, contender=contenders[one.value.id]
            )
            for i, one in enumerate(nodes)
        )
    raise PromiseBrokenError(request.id, request.nodes[0], "changes all the time")


def _settle(
    context: RequestorContext, request: Request, nodes: Sequence[Stored[Node]], stem: str
) -> tuple[AcceptedNode, ...] | None:
    """Find out whether a transaction whose reply was lost has happened; None: it has not.

    Raises:
        StoreAwayError: If ZooKeeper stays away.
    """
    if not context.sessions.wait_connected(context.away_s):
        raise StoreAwayError(f"{request.id}: ZooKeeper is away; the nodes may be ours")
    contenders: dict[NodeId, str] = {}
    for one in nodes:
        directory = paths.node_lock(one.value.id)
        names = context.surely(partial(context.store.children, directory))
        mine = next((name for name in names if name.startswith(stem)), None)
        if mine is None:
            return None
        contenders[one.value.id] = f"{directory}/{mine}"
    return _already(context, request, contenders)


def _already(
    context: RequestorContext, request: Request, contenders: Mapping[NodeId, str]
) -> tuple[AcceptedNode, ...] | None:
    """Return the nodes if all of them are in use for this very request, which only we do."""
    found = _read(context, contenders)
    taken = []
    for (node_id, contender), stored in zip(contenders.items(), found, strict=True):
        if stored is None or not stored.value:
            return None
        try:
            node = node_record.decode(node_id, stored.value)
        except CorruptRecordError:
            return None
        if node.state is not NodeState.IN_USE or node.allocated_to != request.id:
            return None
        taken.append(AcceptedNode(node=node, version=stored.version, contender=contender))
    return tuple(taken)


def _read(
    context: RequestorContext, node_ids: Iterable[NodeId]
) -> tuple[Stored[bytes] | None, ...]:
    places = [paths.node(node_id) for node_id in node_ids]
    return context.surely(lambda: context.store.read_many(places))


def _raise_if_gone(request: Request, error: RejectedError) -> None:
    if isinstance(error, MissingError) and error.path == paths.request(request.id):
        raise RequestGoneError(f"request {request.id} was deleted meanwhile") from error
