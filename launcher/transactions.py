"""What each action writes, as operations of one transaction; pure, to be read and tested.

Every write to a record names the version that was read. Locks of the shared format are honoured
inside the transactions: creating and deleting a lock directory at once (or deleting an empty one)
succeeds only if nobody holds the lock at that instant.
"""

from collections.abc import Sequence
from dataclasses import replace

from launcher.decide.doors import whereabouts
from launcher.images import upload_of
from launcher.node import steps
from launcher.node.birth import NewNode
from launcher.views import ClaimView, NodeView, RequestView
from launcher.world import World
from remuda.images import writes
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model import request as requests
from remuda.model.claim import encode_claim
from remuda.model.failedrequest import encode_failed, failed, stem, with_reason
from remuda.model.ids import ProviderName
from remuda.model.image import UploadId
from remuda.model.imageask import proves
from remuda.model.job import JOB_KEY, job_of_request
from remuda.model.launch import Launch
from remuda.model.node import Node, NodeEvent
from remuda.model.request import RequestEvent
from remuda.store import paths
from remuda.store.api import Check, Create, Delete, Op, Set
from remuda.store.locks import prove_unlocked_ops


def _unlock(view: RequestView, claim: ClaimView | None) -> list[Op]:
    """Give up our lock on the request, or prove that nobody holds it."""
    directory = paths.request_lock(view.id)
    if claim is None or not claim.contender:
        return list(prove_unlocked_ops(directory, exists=view.lock_exists))
    return [Delete(path=claim.contender), Delete(path=directory)]


def _set_request(view: RequestView, request: requests.Request) -> Set:
    return Set(path=paths.request(view.id), data=requests.encode(request), version=view.version)


def lend(world: World, view: RequestView, chosen: Sequence[NodeView], *, now_s: float) -> list[Op]:
    """Fulfil a request: nodes allocated and unlocked, request fulfilled, lock given up, at once."""
    claim = world.queue.claims.get(view.id)
    ops = _unlock(view, claim)
    job = job_of_request(view.request.doc)
    for one in chosen:
        assert one.node is not None  # noqa: S101 - only complete nodes are lent
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
    ops.append(_set_request(view, fulfilled))
    if claim is not None:
        ops.append(_drop_claim_record(world, view, claim))
    return ops


def _drop_claim_record(world: World, view: RequestView, claim: ClaimView) -> Delete:
    return Delete(path=paths.claim(world.policy.provider, view.id), version=claim.version)


def grow(world: World, new: Sequence[NewNode], *, ledger_version: int) -> list[Op]:
    """Write intents: both records of each node, and the ledger that guards the limits.

    The ledger comes last: changes are told in the order of the operations, so whoever has seen
    its new version has seen the intents, too.
    """
    provider = world.policy.provider
    ops: list[Op] = []
    for one in new:
        ops.append(Create(path=paths.node(one.node.id), data=nodes.encode(one.node)))
        ops.append(
            Create(path=paths.launch(provider, one.node.id), data=launches.encode(one.launch))
        )
    ops += _bind(world, new)
    return [*ops, Set(path=paths.ledger(provider), data=b"", version=ledger_version)]


def _bind(world: World, new: Sequence[NewNode]) -> list[Op]:
    """Prove that what new machines are to boot is still booted (docs/adr/0018)."""
    wanted: dict[UploadId, bool] = {}
    for one in new:
        upload_id = upload_of(one.launch)
        if upload_id is not None:
            wanted[upload_id] = proves(one.launch.label)
    images = world.images
    ops: list[Op] = [
        writes.bind(images.uploads[one], candidate=candidate)
        for one, candidate in sorted(wanted.items())
    ]
    # A revocation writes builds only.
    builds = sorted({one.build for one in wanted})
    ops += (Check(path=paths.build(one), version=images.builds[one].version) for one in builds)
    return ops


def claim(
    world: World,
    view: RequestView,
    pool: str,
    new: Sequence[NewNode],
    *,
    contender: str,
    ledger_version: int,
    now_s: float,
) -> list[Op]:
    """Take a request: its lock, pending, our claim record, and the intents, all at once.

    The contender's path is whole (see :func:`first_contender`).
    """
    directory = paths.request_lock(view.id)
    ops: list[Op] = [Delete(path=directory)] if view.lock_exists else []
    record = encode_claim(world.neighbours.me, pool, contender)
    ops += [
        Create(path=directory),
        Create(path=contender, ephemeral=True),
        _set_request(view, view.request.after(RequestEvent.CLAIMED, now_s=now_s)),
        Create(path=paths.claim(world.policy.provider, view.id), data=record),
    ]
    return ops + grow(world, new, ledger_version=ledger_version)


def first_contender(directory: str, stem: str) -> str:
    """Return the path of a new and only contender of a lock directory that is made with it.

    ZooKeeper would give it the number 0; naming it ourselves tells the claim record its path.
    """
    return f"{directory}/{stem}0000000000"


def decline(world: World, view: RequestView, why: str, *, now_s: float) -> list[Op]:
    """Add our pools to declined_by; the request fails if every registered pool has declined.

    Of a request that fails is kept what everybody said of it: its requestor deletes it.

    One replica speaks for all of its provider. A builder's request is for the provider that it
    names alone: all others leave it there, and would never say that they decline it.
    """
    held = world.queue.claims.get(view.id)
    declined = (
        *view.request.declined_by,
        *sorted(
            {*world.pool_ids.values(), *world.neighbours.our_ids()} - set(view.request.declined_by)
        ),
    )
    everybody = world.neighbours.registered() <= set(declined)
    if view.request.image is not None and view.request.provider == world.policy.provider:
        everybody = True
    event = RequestEvent.REFUSED if everybody else RequestEvent.RELEASED
    ours = ProviderName(world.policy.provider)
    bare = view.request.after(event, now_s=now_s, declined_by=declined, nodes=())
    told = replace(bare, doc=with_reason(bare, ours, why))
    # A reason must not make the request too large for those who could serve it.
    fits = len(requests.encode(told)) <= requests.REQUEST_BYTES_MAX
    ops = [*_unlock(view, held), _set_request(view, told if fits else bare)]
    if held is not None:
        ops.append(_drop_claim_record(world, view, held))
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
        *_unlock(view, held),
        _set_request(view, request),
        _drop_claim_record(world, view, held),
    ]


def normalise(view: RequestView) -> list[Op]:
    """Rewrite a foreign request with all required keys, under proof that nobody has its lock."""
    directory = paths.request_lock(view.id)
    return [
        *prove_unlocked_ops(directory, exists=view.lock_exists),
        _set_request(view, view.request),
    ]


def adopt_claim(world: World, view: RequestView, *, contender: str) -> list[Op]:
    """Take over the lock and the claim of a replica whose session is gone.

    The lock of a claim of our own may live, under a name of the session before: the transaction
    was made when we had not heard of the new session yet, and was sent over it.
    """
    held = world.queue.claims[view.id]
    directory = paths.request_lock(view.id)
    record = encode_claim(world.neighbours.me, held.pool, contender)
    relock: list[Op] = [Delete(path=directory)] if view.lock_exists else []
    if held.owner == world.neighbours.me and not held.contender_gone:
        relock = [Delete(path=held.contender), Delete(path=directory)]
    return [
        *relock,
        Create(path=directory),
        Create(path=contender, ephemeral=True),
        Check(path=paths.request(view.id), version=view.version),
        Set(path=paths.claim(world.policy.provider, view.id), data=record, version=held.version),
    ]


def advance(world: World, view: NodeView, launch: Launch) -> list[Op]:
    """Write the next step of a launch."""
    return [
        Set(
            path=paths.launch(world.policy.provider, view.id),
            data=launches.encode(launch),
            version=view.launch_version,
        )
    ]


def ready(world: World, view: NodeView, node: Node, *, now_s: float) -> list[Op]:
    """Write that a node is proven: its users' record and ours."""
    both = steps.proven(view, node, now_s=now_s)
    return [*_set_node(view, both.node), *advance(world, view, both.launch)]


def _set_node(view: NodeView, node: Node | None) -> list[Op]:
    if node is None:
        return []
    return [Set(path=paths.node(view.id), data=nodes.encode(node), version=view.node_version)]


def free(view: NodeView, *, now_s: float) -> list[Op]:
    """Take an unused node back, under proof that nobody has locked it meanwhile."""
    assert view.node is not None  # noqa: S101
    node = view.node.after(NodeEvent.FREED, now_s=now_s, allocated_to=None)
    return [
        *prove_unlocked_ops(paths.node_lock(view.id), exists=view.lock_exists),
        Set(path=paths.node(view.id), data=nodes.encode(node), version=view.node_version),
    ]


def condemn(
    world: World, view: NodeView, why: str, *, failed: str | None = None, now_s: float
) -> list[Op]:
    """Write that a node is to be deleted, under proof that nobody has locked it meanwhile."""
    lock = paths.node_lock(view.id)
    both = steps.condemned(view, why, failed=failed, now_s=now_s)
    ops = advance(world, view, both.launch)
    if view.node is None:
        return [*prove_unlocked_ops(lock, exists=True), *ops] if view.lock_exists else ops
    ops = [*prove_unlocked_ops(lock, exists=view.lock_exists), *ops]
    if both.node is None:
        # The word on the wire already says that nobody wants it; only fence it.
        return [*ops, Check(path=paths.node(view.id), version=view.node_version)]
    return [*ops, *_set_node(view, both.node)]


def bury(world: World, view: NodeView) -> list[Op]:
    """Remove both records of a node whose server is gone.

    The node's own version is not named: a late write of somebody's must not keep the record there.
    """
    ops: list[Op] = [
        Delete(path=paths.launch(world.policy.provider, view.id), version=view.launch_version)
    ]
    if view.node_version < 0:
        return ops
    if view.lock_exists:
        ops.append(Delete(path=paths.node_lock(view.id)))
    ops.append(Delete(path=paths.node(view.id)))
    return ops


def adopted(world: World, launch: Launch) -> Launch:
    """Return the launch as ours."""
    return replace(launch, owner=world.neighbours.me)
