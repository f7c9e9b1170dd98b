"""What the actions on claims write, as operations of one transaction; pure."""

from collections.abc import Sequence

from launcher.claim.view import ClaimView
from launcher.node.birth import NewNode
from launcher.node.writes import grow
from launcher.request.view import RequestView
from launcher.world import World
from remuda.model.claim import encode_claim
from remuda.model.ids import RequestId
from remuda.store import paths
from remuda.store.api import Check, Create, Delete, Op, Set
from remuda.store.locks import prove_unlocked_ops


def unlock(view: RequestView, claim: ClaimView | None) -> list[Op]:
    """Give up our lock on the request, or prove that nobody holds it."""
    directory = paths.request_lock(view.id)
    if claim is None or not claim.contender:
        return list(prove_unlocked_ops(directory, exists=view.lock_exists))
    return [Delete(path=claim.contender), Delete(path=directory)]


def drop_record(world: World, view: RequestView, claim: ClaimView) -> Delete:
    """Remove the record of our claim, in the version that we read."""
    return Delete(path=paths.claim(world.policy.provider, view.id), version=claim.version)


def claim(
    world: World,
    view: RequestView,
    pool: str,
    new: Sequence[NewNode],
    *,
    pending: Op,
    contender: str,
    ledger_version: int,
) -> list[Op]:
    """Take a request: its lock, pending, our claim record, and the intents, all at once.

    The contender's path is whole (see :func:`first_contender`); *pending* writes the request's
    record (see :func:`launcher.request.writes.pending`).
    """
    directory = paths.request_lock(view.id)
    ops: list[Op] = [Delete(path=directory)] if view.lock_exists else []
    record = encode_claim(world.peers.me, pool, contender)
    ops += [
        Create(path=directory),
        Create(path=contender, ephemeral=True),
        pending,
        Create(path=paths.claim(world.policy.provider, view.id), data=record),
    ]
    return ops + grow(world, new, ledger_version=ledger_version)


def first_contender(directory: str, stem: str) -> str:
    """Return the path of a new and only contender of a lock directory that is made with it.

    ZooKeeper would give it the number 0; naming it ourselves tells the claim record its path.
    """
    return f"{directory}/{stem}0000000000"


def adopt_claim(world: World, view: RequestView, *, contender: str) -> list[Op]:
    """Take over the lock and the claim of a replica whose session is gone.

    The lock of a claim of our own may live, under a name of the session before: the transaction
    was made when we had not heard of the new session yet, and was sent over it.
    """
    held = world.queue.claims[view.id]
    directory = paths.request_lock(view.id)
    record = encode_claim(world.peers.me, held.pool, contender)
    relock: list[Op] = [Delete(path=directory)] if view.lock_exists else []
    if held.owner == world.peers.me and not held.contender_gone:
        relock = [Delete(path=held.contender), Delete(path=directory)]
    return [
        *relock,
        Create(path=directory),
        Create(path=contender, ephemeral=True),
        Check(path=paths.request(view.id), version=view.version),
        Set(path=paths.claim(world.policy.provider, view.id), data=record, version=held.version),
    ]


def drop(provider: str, request_id: RequestId, held: ClaimView) -> list[Op]:
    """Forget a claim; its lock, if it is still there, goes with it.

    Whether the lock still exists depends on a session that may be gone; a rejected attempt tells
    (see ClaimView).
    """
    ops: list[Op] = []
    if not held.contender_gone:
        ops.append(Delete(path=held.contender))
    if not held.directory_gone:
        ops.append(Delete(path=paths.request_lock(request_id)))
    return [*ops, Delete(path=paths.claim(provider, request_id), version=held.version)]
