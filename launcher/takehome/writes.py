"""What is written of machines that are taken home, as operations of one transaction; pure."""

from dataclasses import replace

from launcher.hostkey.writes import believing_either, tell_keys
from launcher.node.view import NodeView
from launcher.node.writes import advance
from launcher.takehome.actions import AnswerSnapshot
from launcher.world import World
from remuda.model.holdowner import held_for
from remuda.model.holdwish import SnapshotWish, wish_of
from remuda.model.launch import Launch
from remuda.model.takehome import TakeHome, TakeHomeEvent, TakeHomeState, encode_take_home
from remuda.store import paths
from remuda.store.api import Check, Create, Op, Set


def answer_snapshot(world: World, view: NodeView, action: AnswerSnapshot) -> list[Op]:
    """Write the answer to what was read."""
    launch = _launch(view)
    read = Check(path=paths.node(view.id), version=view.node_version)
    return [read, *advance(world, view, replace(launch, take_home=action.answer))]


def begin(world: World, view: NodeView, *, now_s: float) -> list[Op]:
    """Make the record for what was granted, or begin one again, while the machine is held.

    If there will be no image, its machine starts anew: by which keys it is known is on record now.
    """
    launch = _launch(view)
    assert launch.take_home is not None  # noqa: S101 - judged only once it is granted
    granted = replace(launch.take_home, begun=True)
    after = believing_either(replace(launch, take_home=granted), now_s=now_s)
    read: Op = Check(path=paths.node(view.id), version=view.node_version)
    if after.believed_keys != launch.believed_keys:
        read = tell_keys(view, after)
    return [read, *advance(world, view, after), _record(world, view, launch, granted.wish, now_s)]


def _record(world: World, view: NodeView, launch: Launch, wish: SnapshotWish, now_s: float) -> Op:
    before = world.take_homes.get(view.id)
    if before is not None:
        again = before.value.after(
            TakeHomeEvent.AGAIN,
            now_s=now_s,
            wish=wish,
            owner=None,
            attempt=0,
            failure=None,
            trouble=None,
        )
        return Set(path=before.path, data=encode_take_home(again), version=before.version)
    assert view.node is not None  # noqa: S101 - judged only with a node record
    wished = wish_of(view.node)
    held = held_for(view.node, launch.hold)
    asked = TakeHome(
        node=view.id,
        state=TakeHomeState.ASKED,
        wish=wish,
        provider=world.policy.provider,
        pool=launch.pool,
        label=launch.label,
        requestor=held.requestor,
        by=held.owner,
        source=held.source,
        reason="" if wished is None else wished.reason,
        since_s=round(now_s, 3),
        server=launch.server,
    )
    return Create(path=paths.take_home(view.id), data=encode_take_home(asked))


def _launch(view: NodeView) -> Launch:
    assert view.launch is not None  # noqa: S101 - judged only with a launch record
    return view.launch
