"""What the actions on nodes write, as operations of one transaction; pure."""

from collections.abc import Sequence
from dataclasses import replace

from launcher.node import steps
from launcher.node.actions import Condemn, Count, Sampled
from launcher.node.birth import NewNode
from launcher.node.steps import failed_word
from launcher.node.view import NodeView
from launcher.world import World
from remuda.images import writes
from remuda.images.references import upload_of
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model.ids import NodeId
from remuda.model.image import UploadId
from remuda.model.imageask import proves
from remuda.model.jobreport import Source
from remuda.model.launch import Launch
from remuda.model.node import Node, NodeEvent
from remuda.model.tally import PLAIN, PLAIN_BUILD, Tally, encode_tally
from remuda.store import paths
from remuda.store.api import Check, Create, Delete, Op, Set
from remuda.store.locks import prove_unlocked_ops


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
        *prove_unlocked_ops(paths.node_lock(view.id), exists=view.lock.exists),
        Set(path=paths.node(view.id), data=nodes.encode(node), version=view.node_version),
    ]


def count(world: World, action: Count) -> list[Op]:
    """Write into launches that they are counted, and into the tally of their image that they were.

    Who tells of failures alone is counted apart, in metrics: no share can be made of that.
    """
    ops: list[Op] = []
    counted: list[tuple[Launch, Sampled]] = []
    for one in action.samples:
        view = world.nodes.views[one.node]
        assert view.launch is not None  # noqa: S101 - judged only with a launch record
        ops += advance(world, view, steps.counted_launch(view.launch, one))
        if one.report is None or one.report.source is Source.REQUESTOR:
            counted.append((view.launch, one))
    return ops if action.image is None else [*ops, *_tally(world, action.image, counted)]


def _tally(world: World, image: str, counted: Sequence[tuple[Launch, Sampled]]) -> list[Op]:
    """Return what counts launches of an image; nothing if there is nowhere to count them.

    It names the version that is known: whoever else counts at the same moment makes it fail.
    """
    try:
        stored = world.images.counts(image)
    except KeyError:
        return []
    before = Tally(image=image, provider=world.policy.provider) if stored is None else stored.value
    after = before
    for launch, one in counted:
        number = _number(image, launch)
        if number is not None and one.sample is not None:
            after = after.counted(number, one.sample, launch.label, ok=one.ok, fetched=one.fetched)
    if after == before:
        return []
    if stored is None:
        provider = world.policy.provider
        path = paths.plain_tally(provider) if image == PLAIN else paths.tally(image, provider)
        return [Create(path=path, data=encode_tally(after))]
    return [Set(path=stored.path, data=encode_tally(after), version=stored.version)]


def _number(image: str, launch: Launch) -> int | None:
    if image == PLAIN:
        return PLAIN_BUILD
    upload_id = upload_of(launch)
    return None if upload_id is None else upload_id.build.number


def condemn(world: World, view: NodeView, action: Condemn, *, now_s: float) -> list[Op]:
    """Write that a node is to be deleted, under proof that nobody has locked it meanwhile.

    Who was left in its lock after a hold's end goes first, by name; whoever came since makes the
    transaction fail, as anybody does.
    """
    lock = paths.node_lock(view.id)
    both = steps.condemned(view, action.cause, failed=failed_word(action), now_s=now_s)
    ops: list[Op] = [Delete(path=f"{lock}/{name}") for name in action.lapsed]
    if view.node is not None or view.lock.exists:
        ops += prove_unlocked_ops(lock, exists=view.lock.exists)
    ops += advance(world, view, both.launch)
    if view.node is None:
        return ops
    if both.node is None:
        # The word on the wire already says that nobody wants it; only fence it.
        return [*ops, Check(path=paths.node(view.id), version=view.node_version)]
    return [*ops, *_set_node(view, both.node)]


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


def adopted(world: World, launch: Launch) -> Launch:
    """Return the launch as ours."""
    return replace(launch, owner=world.peers.me)


def remove_empty(node_id: NodeId, version: int) -> tuple[list[Op], ...]:
    """Remove a node without content in *version*, as it was read; with its lock, or without.

    What we see of ZooKeeper may be old: then it is not removed.
    """
    node: list[Op] = [Delete(path=paths.node(node_id), version=version)]
    return [Delete(path=paths.node_lock(node_id)), *node], node
