"""What is to be done about a wish to take a held machine home: answered, begun, let in, let go.

What is wished lies in the node's record, which requestors may write, and authorises nothing by
itself: our own configuration allows it or not.
"""

from typing import Final

from launcher.guest.actions import LetIn, NoteGuest
from launcher.guest.admitting import admit
from launcher.node.actions import Condemn
from launcher.node.view import NodeView
from launcher.takehome.actions import AnswerSnapshot, BeginTakeHome
from launcher.world import World
from remuda.model.capture import requestor_of
from remuda.model.holdwish import SnapshotWish, wish_of
from remuda.model.ids import NodeId
from remuda.model.launch import Launch
from remuda.model.node import Node, NodeState
from remuda.model.takehome import SnapshotAnswer, TakeHome, TakeHomeState

#: However long its builder takes, a hold that is over waits no longer for its image.
PATIENCE_S: Final = 2 * 3600.0

TakeHomeAction = AnswerSnapshot | BeginTakeHome | LetIn | NoteGuest | Condemn


def take_home(world: World, view: NodeView, launch: Launch, node: Node) -> TakeHomeAction | None:
    """Return the next step of what is wished of a machine that is held, or will be; or None."""
    held = node.state is NodeState.HOLD
    if not held and (launch.hold is None or launch.hold.refused is not None):
        return None  # it will not be
    wished = wish_of(node)
    wish, known = None if wished is None else wished.snapshot, _record(world, view.id)
    granted = launch.take_home
    if wish is not None and _new(granted, wish, known):
        return AnswerSnapshot(node=view.id, answer=_answer(world, view, node, wish))
    if granted is None or granted.refused is not None or not held:
        return None
    if not granted.begun:
        return BeginTakeHome(node=view.id)
    return None if known is None else _follow(view, launch, known, granted)


def under_way(world: World, node: NodeId, now_s: float) -> float | None:
    """Return until when a hold that is over waits for its image, or None: nobody makes one."""
    known = _record(world, node)
    if known is None or known.state is not TakeHomeState.MAKING:
        return None
    ends_s = known.since_s + PATIENCE_S
    return ends_s if now_s < ends_s else None


def may_start_anew(world: World, launch: Launch) -> bool:
    """Whether a machine is becoming an image: if it does not, it starts as for the first time."""
    granted, known = launch.take_home, _record(world, launch.id)
    if granted is None or not granted.begun:
        return False
    if known is None or known.wish.token != granted.wish.token:
        return True  # the mirror is behind; or nobody can tell any more
    return known.state in {TakeHomeState.ASKED, TakeHomeState.MAKING}


def _record(world: World, node: NodeId) -> TakeHome | None:
    stored = world.take_homes.get(node)
    return None if stored is None else stored.value


def _new(before: SnapshotAnswer | None, wish: SnapshotWish, known: TakeHome | None) -> bool:
    """Whether a wish is to be answered: one at a time, and none once there is an image."""
    if before is None or before.wish.token == wish.token:
        return before is None
    if before.refused is not None:
        return True
    # One that failed long ago has no record any more.
    return before.begun and (known is None or known.state is TakeHomeState.FAILED)


def _answer(world: World, view: NodeView, node: Node, wish: SnapshotWish) -> SnapshotAnswer:
    refused = world.policy.snapshots.refusal(view.key[1], requestor_of(node), wish)
    return SnapshotAnswer(wish=wish, refused=refused or view.server.unfit)


def _follow(
    view: NodeView, launch: Launch, known: TakeHome, granted: SnapshotAnswer
) -> TakeHomeAction | None:
    """Return what its record asks of us."""
    if known.wish.token != granted.wish.token:
        return None  # the mirror is behind, or it is a record of another time
    if known.state is TakeHomeState.MAKING and not known.quiet:
        return None if known.login_key is None else admit(view, launch, known.login_key)
    if known.state is TakeHomeState.WHOLE and known.server == launch.server:
        cause = f"its hold goes on as image {known.cloud_image}"
        return Condemn(node=view.id, cause=cause)
    return None
