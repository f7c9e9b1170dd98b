"""What the actions on requests write, as operations of one transaction; pure.

Every write to a record names the version that was read. Locks of the shared format are honoured
inside the transactions: creating and deleting a lock directory at once (or deleting an empty one)
succeeds only if nobody holds the lock at that instant.
"""

from collections.abc import Sequence
from dataclasses import replace

from launcher.claim.writes import drop_record, unlock
from launcher.node.probing import whereabouts
from launcher.node.view import NodeView
from launcher.request.view import RequestView
from launcher.world import World
from remuda.model import node as nodes
from remuda.model import request as requests
from remuda.model.failedrequest import encode_failed, failed, stem, with_reason
from remuda.model.ids import ProviderName, RequestId
from remuda.model.job import JOB_KEY, job_of_request
from remuda.model.node import NodeEvent
from remuda.model.request import RequestEvent
from remuda.model.status import Verdict, encode_verdict
from remuda.store import paths
from remuda.store.api import Create, Delete, Op, Set
from remuda.store.locks import prove_unlocked_ops


def set_request(view: RequestView, request: requests.Request) -> Set:
    """Write *request* over the version that we read."""
    return Set(path=paths.request(view.id), data=requests.encode(request), version=view.version)


def allocate(
    world: World, view: RequestView, chosen: Sequence[NodeView], *, now_s: float
) -> list[Op]:
    """Fulfil a request: nodes allocated and unlocked, request fulfilled, lock given up, at once."""
    claim = world.queue.claims.get(view.id)
    ops = unlock(view, claim)
    job = job_of_request(view.request.doc)
    for one in chosen:
        assert one.node is not None  # noqa: S101 - only complete nodes are handed out
        fields = {
            "tenant_name": view.request.tenant,
            "requestor": view.request.requestor,
            **whereabouts(one, world.policy),
        }
        if job is not None or JOB_KEY in one.node.doc:
            fields[JOB_KEY] = None if job is None else job.as_doc()
        node = one.node.after(NodeEvent.ALLOCATED, now_s=now_s, allocated_to=view.id, fields=fields)
        ops.append(Set(path=paths.node(one.id), data=nodes.encode(node), version=one.node_version))
    fulfilled = view.request.after(
        RequestEvent.LENT, now_s=now_s, nodes=tuple(one.id for one in chosen)
    )
    ops.append(set_request(view, fulfilled))
    if claim is not None:
        ops.append(drop_record(world, view, claim))
    return ops


def pending(view: RequestView, *, now_s: float) -> Op:
    """Write that a request is taken, in the transaction that claims it."""
    return set_request(view, view.request.after(RequestEvent.CLAIMED, now_s=now_s))


def decline(world: World, view: RequestView, why: str, *, now_s: float) -> list[Op]:
    """Add our pools to declined_by; the request fails if every registered pool has declined.

    Of a request that fails is kept what everybody said of it: its requestor deletes it.

    One replica speaks for all of its provider. A builder's request is for the provider that it
    names alone: all others leave it there, and would never say that they decline it.
    """
    held = world.queue.claims.get(view.id)
    declined = (
        *view.request.declined_by,
        *sorted({*world.pool_ids.values(), *world.peers.our_ids()} - set(view.request.declined_by)),
    )
    everybody = world.peers.registered() <= set(declined)
    if view.request.image is not None and view.request.provider == world.policy.provider:
        everybody = True
    event = RequestEvent.REFUSED if everybody else RequestEvent.RELEASED
    ours = ProviderName(world.policy.provider)
    bare = view.request.after(event, now_s=now_s, declined_by=declined, nodes=())
    told = replace(bare, doc=with_reason(bare, ours, why))
    # A reason must not make the request too large for those who could serve it.
    fits = len(requests.encode(told)) <= requests.REQUEST_BYTES_MAX
    ops = [*unlock(view, held), set_request(view, told if fits else bare)]
    if held is not None:
        ops.append(drop_record(world, view, held))
    if everybody:
        kept = encode_failed(failed(told, ours, now_s=now_s))
        path = f"{paths.FAILED_REQUESTS}/{stem(view.id)}"
        ops.append(Create(path=path, data=kept, sequence=True))
    return ops


def release(world: World, view: RequestView, *, now_s: float) -> list[Op]:
    """Give a claimed request back for others to take."""
    held = world.queue.claims[view.id]
    request = view.request.after(RequestEvent.RELEASED, now_s=now_s, nodes=())
    return [
        *unlock(view, held),
        set_request(view, request),
        drop_record(world, view, held),
    ]


def normalise(view: RequestView) -> list[Op]:
    """Rewrite a foreign request with all required keys, under proof that nobody has its lock."""
    directory = paths.request_lock(view.id)
    return [
        *prove_unlocked_ops(directory, exists=view.lock_exists),
        set_request(view, view.request),
    ]


def verdict(world: World, request_id: RequestId, told: Verdict | None) -> list[Op]:
    """Write our verdict on a request, or remove it.

    The last writer wins, for only one replica is to say it.
    """
    path = paths.verdict(world.policy.provider, request_id)
    if told is None:
        return [Delete(path=path)]
    data = encode_verdict(told)
    if request_id in world.told_verdicts:
        return [Set(path=path, data=data, version=-1)]
    return [Create(path=path, data=data)]


def free(request: requests.Request, version: int, *, locked: bool) -> list[Op]:
    """Give back a request that no provider has claimed, under proof that nobody has its lock.

    Args:
        request: As it was read, in *version*.
        version: Of its record.
        locked: Whether its lock directory is believed to be there.
    """
    path, directory = paths.request(request.id), paths.request_lock(request.id)
    write = Set(path=path, data=requests.encode(request), version=version)
    return [*prove_unlocked_ops(directory, exists=locked), write]


def rescue(
    provider: str, request_id: RequestId, freed: requests.Request | None, version: int
) -> list[Op]:
    """Forget what a dead provider had claimed; *freed*: what is to become of the request.

    Args:
        provider: Which is dead.
        request_id: What it had claimed.
        freed: None: the request is gone, or nothing is to be done to it.
        version: Of the request's record.
    """
    ops: list[Op] = [Delete(path=paths.claim(provider, request_id))]
    if freed is not None:
        path, directory = paths.request(request_id), paths.request_lock(request_id)
        ops.append(Delete(path=directory))
        ops.append(Set(path=path, data=requests.encode(freed), version=version))
    return ops
