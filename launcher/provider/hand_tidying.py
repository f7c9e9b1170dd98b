"""The tidying hand: what nobody needs any more, in ZooKeeper and in the cloud, now and then.

Everything here was left by somebody who died or by a client's habit; nothing waits for it.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final

from launcher.node import writes as node_writes
from launcher.provider import writes as provider_writes
from launcher.provider.events import Tidied
from launcher.provider.hand_rescuing import free_unclaimed
from remuda.cloud.api import Cloud, CloudError, Fence, unfenced
from remuda.cloud.leftovers import Leftover, LeftoverKind
from remuda.model.failedrequest import KEPT_MAX, KEPT_S, order
from remuda.model.ids import FIRST_NODE_NUMBER, NodeId, RequestId, ServerId
from remuda.store import paths
from remuda.store.api import Op, RejectedError, Store, StoreError

#: Lock directories and empty nodes younger than this may be in somebody's hands.
STORE_AGE_S: Final = 600.0
#: At most so many are removed in one pass; the next one goes on.
REMOVALS_MAX: Final = 500
#: Folders in which others make znodes, each named after a record: it goes when that is not there.
_NAMED_AFTER: Final = {
    paths.REQUEST_LOCKS: paths.REQUESTS,
    paths.TAKE_HOME_ENDS: paths.TAKE_HOME,
}


def tidy(
    store: Store,
    cloud: Cloud,
    provider: str,
    *,
    mine: Collection[NodeId],
    ended_servers: Collection[ServerId],
    seen: Collection[str],
    pending: Collection[RequestId] = (),
    ports: bool,
    floating_ips: bool,
    now_s: float,
    fence: Fence = unfenced,
) -> Tidied:
    """Remove what is left over, and return what the cloud shows for the first time.

    Args:
        store: Where the records are.
        cloud: The account.
        provider: Whose verdicts and claims.
        mine: Nodes with a launch record.
        ended_servers: Servers of ours that are gone: only their ports are touched.
        seen: Ids of the leftovers that the last pass showed; only those are deleted.
        pending: Requests that are pending and not claimed by us; some may be claimed by nobody.
        ports: Whether to remove ports.
        floating_ips: Whether to remove idle floating IPs of ours.
        now_s: Seconds since the epoch.
        fence: In front of each deletion in the cloud.
    """
    nothing = Tidied(seen=frozenset(seen), removed=0, ports=0, floating_ips=0)
    try:
        claimants = frozenset(
            name for name in store.children(paths.PROVIDERS) if store.children(paths.claims(name))
        )
        freed = free_unclaimed(store, pending, now_s=now_s)
        removed = _tidy_store(store, provider, mine, now_s)
    except StoreError:
        return nothing
    stored = replace(nothing, removed=removed, freed=freed, claimants=claimants)
    wanted = {LeftoverKind.PORT: ports, LeftoverKind.FLOATING_IP: floating_ips}
    kinds = frozenset(kind for kind, so in wanted.items() if so)
    if not kinds:
        return stored
    try:
        found = [
            one
            for one in cloud.list_leftovers(kinds)
            if one.kind is LeftoverKind.FLOATING_IP or one.server in ended_servers
        ]
    except CloudError:
        return stored
    gone = [one for one in found if one.id in seen and _delete(cloud, one, fence)]
    return replace(
        stored,
        seen=frozenset(one.id for one in found if one not in gone),
        ports=sum(one.kind is LeftoverKind.PORT for one in gone),
        floating_ips=sum(one.kind is LeftoverKind.FLOATING_IP for one in gone),
    )


def _delete(cloud: Cloud, leftover: Leftover, fence: Fence) -> bool:
    try:
        cloud.delete_leftover(leftover, fence=fence)
    except CloudError:
        return False
    return True


def _tidy_store(store: Store, provider: str, mine: Collection[NodeId], now_s: float) -> int:
    requests = frozenset(store.children(paths.REQUESTS))
    removed = sum(
        _remove_old(store, _orphans(store, folder, owners), now_s)
        for folder, owners in _NAMED_AFTER.items()
    )
    stale = [
        paths.verdict(provider, RequestId(name))
        for name in store.children(paths.verdicts(provider))
        if name not in requests
    ]
    removed += sum(_try(store, provider_writes.forget(path)) for path in stale[:REMOVALS_MAX])
    removed += _forget_failed(store, now_s)
    return removed + _remove_empty(store, mine, now_s)


def _orphans(store: Store, folder: str, owners: str) -> list[str]:
    """Return what lies in a folder of others, named after a record that is not there."""
    names = store.children(folder)
    there = frozenset(store.children(owners)) if names else frozenset()
    return [f"{folder}/{name}" for name in names if name not in there]


def _forget_failed(store: Store, now_s: float) -> int:
    """Remove records of failed requests that are old, or more than are kept."""
    names = sorted(store.children(paths.FAILED_REQUESTS), key=order, reverse=True)
    where = [f"{paths.FAILED_REQUESTS}/{name}" for name in names]
    found = store.read_many(where[:KEPT_MAX])
    old = [one.path for one in found if one and now_s - one.created_s > KEPT_S]
    gone = [*where[KEPT_MAX:], *old][:REMOVALS_MAX]
    return sum(_try(store, provider_writes.forget(path)) for path in gone)


def _remove_old(store: Store, orphans: list[str], now_s: float) -> int:
    found = store.read_many(orphans[:REMOVALS_MAX])
    old = (one.path for one in found if one is not None and now_s - one.modified_s > STORE_AGE_S)
    return sum(_try(store, provider_writes.forget(path)) for path in old)


def _remove_empty(store: Store, mine: Collection[NodeId], now_s: float) -> int:
    """Remove nodes of our numbers that a client's lock recipe has made again, empty."""
    unknown = [
        NodeId(name)
        for name in store.children(paths.NODES)
        if name not in mine and name.isdigit() and int(name) >= FIRST_NODE_NUMBER
    ]
    removed = 0
    for node_id, version in _empty(store, unknown[:REMOVALS_MAX], now_s):
        both, alone = node_writes.remove_empty(node_id, version)
        removed += _try(store, both) or _try(store, alone)
    return removed


def _empty(store: Store, node_ids: list[NodeId], now_s: float) -> Iterable[tuple[NodeId, int]]:
    found = store.read_many([paths.node(node_id) for node_id in node_ids])
    for node_id, one in zip(node_ids, found, strict=True):
        if one is not None and not one.value and now_s - one.modified_s > STORE_AGE_S:
            yield node_id, one.version


def _try(store: Store, ops: list[Op]) -> bool:
    try:
        store.commit(ops)
    except RejectedError:
        return False
    return True
