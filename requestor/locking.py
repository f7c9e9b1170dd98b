"""Node locks, in the form that kazoo's recipe and Jenkins' plugin understand.

A contender is named ``<32 hexadecimal digits>__lock__<10 digits>``; the lowest of the ten digits
holds the lock. Contenders of other programs may be named otherwise, but all end in ten digits.
Nothing else is ever put into a lock directory: Jenkins' plugin refuses a directory with it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from remuda.model.ids import NodeId
from remuda.store import paths
from remuda.store.api import (
    Create,
    Delete,
    ExistsError,
    MissingError,
    Op,
    RejectedError,
    StoreAwayError,
)
from requestor.desk import Desk
from requestor.watching import Eye

_NAME: Final = re.compile(r"__lock__-?(\d{10})$")
_ENTER_ATTEMPTS_MAX: Final = 4


def contend(node_id: NodeId, token: str, identity: str) -> Create:
    """Return the operation that queues us for a node's lock.

    Args:
        node_id: The node.
        token: 32 hexadecimal digits that nobody else has.
        identity: Who we are, for people.
    """
    return Create(
        path=f"{paths.node_lock(node_id)}/{token}__lock__",
        data=identity.encode(),
        ephemeral=True,
        sequence=True,
    )


def order(names: Sequence[str]) -> list[str]:
    """Return the contenders among *names*, the holder first; other names are no contenders."""
    numbered = [(match.group(1), name) for name in names if (match := _NAME.search(name))]
    return [name for _, name in sorted(numbered)]


def find(desk: Desk, node_id: NodeId, token: str) -> str | None:
    """Return the path of the contender with *token*, or None if there is none."""
    directory = paths.node_lock(node_id)
    for name in desk.store.children(directory):
        if name.startswith(token):
            return f"{directory}/{name}"
    return None


def enter(desk: Desk, nodes: Sequence[NodeId], token: str) -> dict[NodeId, str]:
    """Queue for the locks of all *nodes* in one transaction; return the contenders' paths.

    Raises:
        MissingError: If a node is gone.
        StoreAwayError: If ZooKeeper does not answer; what was created goes with our session.
    """
    directories = [paths.node_lock(node_id) for node_id in nodes]
    for attempt in range(1, _ENTER_ATTEMPTS_MAX + 1):
        there = desk.store.read_many(directories)
        ops: list[Op] = [
            Create(path=directory)
            for directory, one in zip(directories, there, strict=True)
            if one is None
        ]
        new = len(ops)
        ops += [contend(node_id, token, desk.identity) for node_id in nodes]
        try:
            done = desk.store.commit(ops)
        except ExistsError:
            if attempt == _ENTER_ATTEMPTS_MAX:
                raise
            continue  # somebody made a directory in between
        return {node_id: done[new + i].path for i, node_id in enumerate(nodes)}
    raise AssertionError("unreachable: the last attempt returns or raises")


def wait_lowest(desk: Desk, contenders: Mapping[NodeId, str]) -> NodeId | None:
    """Wait until all locks are ours; return a node whose lock we did not get in time, or None.

    Like kazoo, watches only the direct predecessor, so that a release wakes one waiter.

    Raises:
        MissingError: If our own contender is gone, with the session.
    """
    until_s = desk.clock.monotonic_s() + desk.lock_s
    for node_id, mine in contenders.items():
        while (ahead := _predecessor(desk, node_id, mine)) is not None:
            eye = Eye(desk.store, desk.sessions, ahead)
            try:
                if eye.look() is not None and not eye.wait(desk.clock, until_s):
                    return node_id
            finally:
                eye.close()
    return None


def _predecessor(desk: Desk, node_id: NodeId, mine: str) -> str | None:
    directory, _, name = mine.rpartition("/")
    queue = order(desk.store.children(directory))
    if name not in queue:
        raise MissingError(mine, f"our place in the lock of node {node_id} is gone")
    at = queue.index(name)
    return f"{directory}/{queue[at - 1]}" if at else None


def leave(desk: Desk, contenders: Sequence[str]) -> None:
    """Give up our places, as far as ZooKeeper answers; the rest goes with our session."""
    for path in contenders:
        try:
            desk.store.commit([Delete(path=path)])
        except RejectedError:
            continue
        except StoreAwayError:
            return
