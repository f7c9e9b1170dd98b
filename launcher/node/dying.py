"""The end of a node: evidence, deletion until the cloud has no server of it, then of records."""

from typing import Final

from launcher.actions import Action, Plan
from launcher.guest.keeping import keys_left
from launcher.node.actions import CollectEvidence, RemoveRecords
from launcher.node.view import NodeView
from launcher.server.addressing import delete
from launcher.world import World
from remuda.cloud.api import ServerStatus
from remuda.model.launch import Launch
from remuda.runtime.now import Now

#: So much may the clocks of two hosts differ.
CLOCK_SKEW_S: Final = 5.0
#: A server that is shown as being deleted is asked to go once more after this.
DELETING_S: Final = 300.0


def dying(world: World, view: NodeView, launch: Launch, now: Now, plan: Plan) -> Action | None:
    """Return the next action on a node that nobody uses any more, or None."""
    failure = view.end.failure
    if failure is not None and now.mono_s < failure.until_s:
        plan.look_again("node", view.id, failure.until_s)
        return CollectEvidence(
            node=view.id,
            result=failure.result,
            cause=failure.cause,
            until_s=failure.until_s,
            kind=failure.kind,
        )
    if view.server.id is None:
        return _dying_unseen(world, view, launch, now, plan)
    return _dying_seen(world, view, launch, now, plan)


def _dying_seen(
    world: World, view: NodeView, launch: Launch, now: Now, plan: Plan
) -> Action | None:
    """Ask for its deletion until the cloud has taken that, and a later listing agrees."""
    known, listing = view.server, world.cloud.listing
    assert known.id is not None  # noqa: S101 - else there is nothing to ask for
    if known.delete_accepted and known.shown is None and listing > known.asked_in:
        return RemoveRecords(node=view.id, server=known.id if known.surely_ours else None)
    if not _may_delete(world, view, now, plan):
        return keys_left(view, launch.hold) if _lives_on(world, view) else None
    return delete(world, view, launch, known.id)


def _may_delete(world: World, view: NodeView, now: Now, plan: Plan) -> bool:
    """Whether to ask for a deletion: again only if it was refused, or if that did not help.

    Only a listing begun after the answer tells; and a server that is being deleted has heard us.
    """
    due_s = view.patience.delete_due_s
    if view.server.delete_accepted:
        if world.cloud.listing <= view.server.asked_in:
            return False  # the next listing puts it on the agenda
        if view.server.status is ServerStatus.DELETING:
            due_s += DELETING_S
    if now.mono_s < due_s:
        plan.look_again("node", view.id, due_s)
    return now.mono_s >= due_s


def _lives_on(world: World, view: NodeView) -> bool:
    """Whether its cloud still runs it, although it was asked for the deletion."""
    asked = view.patience.delete_due_s > 0.0
    seen = not view.server.delete_accepted or world.cloud.listing > view.server.asked_in
    return asked and seen and view.server.status is ServerStatus.ACTIVE


def surely_absent(world: World, view: NodeView, launch: Launch) -> bool:
    """Whether a listing did not show the server that was begun when no call could be under way.

    Both times are of wall clocks: the record's may be another host's, so there is no other to
    compare it with, and ours is the one that was read when the listing was begun. What we would
    reckon now from the monotonic clock is later than that by as much as this host was suspended,
    or its clock was set forward, since.
    """
    begun_s = world.cloud.complete_wall_s
    answered = world.cloud.listing > view.server.asked_in
    return answered and begun_s > launch.asked_by_s + CLOCK_SKEW_S


def _dying_unseen(
    world: World, view: NodeView, launch: Launch, now: Now, plan: Plan
) -> Action | None:
    """No server is known: it goes at once if the cloud was never asked, else once sure."""
    never_asked = world.created_here(view.id) and view.server.unasked
    if never_asked or surely_absent(world, view, launch):
        return RemoveRecords(node=view.id)
    plan.look_again("node", view.id, now.mono_s + max(1.0, launch.asked_by_s - now.wall_s))
    return None
