"""What is to be done about what the holder of a node asks: answered once, and brought on its way.

Only the holder of the node's lock may ask, and only for what our own configuration allows: the
node's record is a requestor's, and authorises nothing by itself.
"""

from typing import Final

from launcher.capture.actions import AnswerCapture, NoteCaptureBuild
from launcher.guest.actions import LetIn, NoteGuest
from launcher.guest.admitting import admit
from launcher.node.view import NodeView
from launcher.world import World
from remuda.images.capturefate import may_ask_again
from remuda.model.build import Build, BuildState
from remuda.model.capture import Capture, CaptureAsk, Captured, ask_of, requestor_of
from remuda.model.launch import Launch
from remuda.model.node import Node
from remuda.store.locks import holder

NOT_HELD: Final = "only who holds the lock of a node may have an image made of it"

CaptureAction = AnswerCapture | NoteCaptureBuild | LetIn | NoteGuest


def capture(world: World, view: NodeView, launch: Launch, node: Node) -> CaptureAction | None:
    """Return the next step of what the holder of a node asks, or None.

    The node is in use, and locked.
    """
    ask = ask_of(node)
    if ask is not None and _new(world, launch, ask):
        return answer(world, view, node, ask)
    found = launch.capture
    if found is None or found.refused is not None:
        return None
    build = _build_of(world, view, found)
    if build is None:
        return None
    if found.build is None:
        return NoteCaptureBuild(node=view.id, build=build.id)
    if found.build != build.id or build.state is not BuildState.BUILDING:
        return None
    return None if build.login_key is None else admit(view, launch, build.login_key)


def _new(world: World, launch: Launch, ask: CaptureAsk) -> bool:
    """Whether an ask is to be answered: one at a time, and none of a machine that was quieted."""
    before = launch.capture
    if before is None or before.ask.token == ask.token:
        return before is None
    stored = None if before.build is None else world.images.builds.get(before.build)
    return may_ask_again(before, None if stored is None else stored.value)


def _build_of(world: World, view: NodeView, found: Capture) -> Build | None:
    """Return the build that is made of a machine, as far as any is on record."""
    build_id = world.images.captures.get((view.id, found.ask.token))
    stored = None if build_id is None else world.images.builds.get(build_id)
    return None if stored is None else stored.value


def answer(world: World, view: NodeView, node: Node, ask: CaptureAsk) -> AnswerCapture:
    """Return what is written of an ask."""
    machine = Captured(
        node=view.id,
        provider=world.policy.provider,
        pool=view.key[0],
        label=view.key[1],
        requestor=requestor_of(node),
        token=ask.token,
    )
    held = holder(view.lock.contenders) == ask.contender
    refused = None if held else NOT_HELD
    refused = refused or world.policy.captures.refusal(ask.image, machine) or view.server.unfit
    taken = Capture(ask=ask, requestor=machine.requestor, refused=refused)
    return AnswerCapture(node=view.id, capture=taken, held=refused is None)
