"""What the actions on nodes write, as operations of one transaction; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from launcher.image.index import upload_of
from launcher.node.view import ENDED_STATES, NodeView
from launcher.server.addressing import address
from launcher.world import World
from remuda.images import writes
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model.image import UploadId
from remuda.model.imageask import proves
from remuda.model.launch import Launch, StepEvent
from remuda.model.node import Node, NodeEvent, NodeState
from remuda.store import paths
from remuda.store.api import Check, Create, Delete, Op, Set
from remuda.store.locks import prove_unlocked_ops


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNode:
    """An intent with the id that was drawn for it."""

    launch: Launch
    node: Node


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
    assert view.launch is not None  # noqa: S101 - only known launches become ready
    proven = node.after(NodeEvent.PROVEN, now_s=now_s)
    given = None if view.address.floating_ip is None else view.address.floating_ip.id
    where = address(view)
    return [
        Set(path=paths.node(view.id), data=nodes.encode(proven), version=view.node_version),
        *advance(
            world,
            view,
            view.launch.after(
                StepEvent.PROVEN,
                floating_ip=given,
                address=where,
            ),
        ),
    ]


def free(view: NodeView, *, now_s: float) -> list[Op]:
    """Take an unused node back, under proof that nobody has locked it meanwhile."""
    assert view.node is not None  # noqa: S101
    node = view.node.after(NodeEvent.FREED, now_s=now_s, allocated_to=None)
    return [
        *prove_unlocked_ops(paths.node_lock(view.id), exists=view.lock.exists),
        Set(path=paths.node(view.id), data=nodes.encode(node), version=view.node_version),
    ]


def condemn(
    world: World, view: NodeView, why: str, *, failed: str | None = None, now_s: float
) -> list[Op]:
    """Write that a node is to be deleted, under proof that nobody has locked it meanwhile."""
    assert view.launch is not None  # noqa: S101
    lock = paths.node_lock(view.id)
    launch = view.launch.after(StepEvent.CONDEMNED, why=why[:500], failed=failed)
    ops = advance(world, view, launch)
    node = view.node
    if node is None:
        return [*prove_unlocked_ops(lock, exists=True), *ops] if view.lock.exists else ops
    ops = [*prove_unlocked_ops(lock, exists=view.lock.exists), *ops]
    if node.state in ENDED_STATES:
        # The word on the wire already says that nobody wants it; only fence it.
        ops.append(Check(path=paths.node(view.id), version=view.node_version))
        return ops
    doomed = node.after(NodeEvent.CONDEMNED, now_s=now_s)
    ops.append(Set(path=paths.node(view.id), data=nodes.encode(doomed), version=view.node_version))
    return ops


def remove_records(world: World, view: NodeView) -> list[Op]:
    """Remove both records of a node whose server is gone.

    The node's own version is not named: a late write of somebody's must not keep the record there.
    """
    ops: list[Op] = [
        Delete(path=paths.launch(world.policy.provider, view.id), version=view.launch_version)
    ]
    if view.node_version < 0:
        return ops
    if view.lock.exists:
        ops.append(Delete(path=paths.node_lock(view.id)))
    ops.append(Delete(path=paths.node(view.id)))
    return ops


def new_node(world: World, launch: Launch, *, now_s: float) -> NewNode:
    """Return both records of a node that is to be made."""
    pool = world.policy.pools[launch.pool]
    making = world.policy.making[launch.pool, launch.label]
    node = Node(
        id=launch.id,
        state=NodeState.BUILDING,
        labels=(launch.label,),
        provider=world.policy.provider,
        pool=launch.pool,
        allocated_to=launch.for_request,
        state_time_s=now_s,
        created_s=now_s,
    ).with_fields(
        cloud=world.policy.config.cloud,
        region=world.policy.config.region,
        launcher=world.pool_ids.get(launch.pool),
        username=making.username,
        connection_type=making.connection_type,
        connection_port=making.connection_port,
        ssh_port=making.connection_port,
        python_path=making.python_path,
        shell_type=making.shell_type,
        attributes=dict(pool.config.node_attributes) or None,
        resources={"cores": launch.cores, "ram": launch.ram_mib, "instances": 1},
    )
    return NewNode(launch=launch, node=node)


def adopted(world: World, launch: Launch) -> Launch:
    """Return the launch as ours."""
    return replace(launch, owner=world.peers.me)
