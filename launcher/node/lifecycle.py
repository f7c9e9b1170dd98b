"""The life of each node, step by step: what its records and the last listing call for next.

Every judgement looks at one node alone and returns at most one action; a hand carries it out and
the node is looked at again. Times written in records are wall clock; everything else monotonic.
"""

from collections.abc import Callable
from typing import Final

from launcher.actions import Action, Plan
from launcher.capture.capturing import capture
from launcher.guest.letting_in import keep_open
from launcher.hold.autoholding import let_go
from launcher.hold.granting import answer
from launcher.hold.holding import given_back, hold, only_answers
from launcher.image.outdated import not_handed_out, outdated, unbootable, unused
from launcher.lanes import noting
from launcher.node.actions import (
    Adopt,
    Advance,
    Condemn,
    Free,
    MakeReady,
    Probe,
    Prove,
)
from launcher.node.counting import count_all, waits_to_be_counted
from launcher.node.deadlines import ask_ends_s, boot_ends_s, hand_ends_s, is_over, launch_ends_s
from launcher.node.dying import dying, surely_absent
from launcher.node.overdue import blamed, give_up_hand, late_launch, out_of_time
from launcher.node.progress import due_note
from launcher.node.view import ENDED_STATES, EVIDENCE, NodeView
from launcher.request.actions import Allocate
from launcher.server.actions import Address, CreateServer
from launcher.server.addressing import address, give, wants_ip
from launcher.takehome.reopening import left
from launcher.takehome.taking import take_home, under_way
from launcher.world import Agenda, World
from remuda.cloud.api import ServerStatus
from remuda.metrics.results import Result
from remuda.model.capture import CAPTURE_KEY
from remuda.model.holdwish import HOLD_KEY
from remuda.model.ids import NodeId
from remuda.model.imageask import labelled_image
from remuda.model.launch import INJECT, Launch, Step, StepEvent
from remuda.model.node import Node, NodeState
from remuda.runtime.now import Now

#: A server that was listed and then is missing so often in a row has vanished.
MISSED_LISTINGS_MAX: Final = 2
#: A server that was shown without life so often in a row before it ran will not boot; once may be
#: a slip of the cloud's.
LIFELESS_LISTINGS_MAX: Final = 2
#: When to look again whether image and flavor are known.
RECIPE_AGAIN_S: Final = 0.5
#: What changes no launch record, so that a note may be written at the same time.
_BESIDE_NOTES: Final = (Prove, Address)
_NOT_RUNNING: Final = frozenset({ServerStatus.STOPPED, ServerStatus.ERROR})


def live(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
    """Add the next action of every node on the agenda, and the alarms of the others."""
    views, taken = world.nodes.views, _taken(plan)
    for node_id in views if agenda.everything else sorted(agenda.nodes):
        view = views.get(node_id)
        if view is None or view.launch is None or view.stale or node_id in taken:
            continue
        if noting(node_id) in world.busy:
            continue
        action = _next(world, view, view.launch, now, plan)
        if action is not None:
            plan.do(action)
        if action is None or isinstance(action, _BESIDE_NOTES):
            note = due_note(world, view, view.launch, now, plan)
            if note is not None:
                plan.do(note)
    count_all(plan, now)


def _next(world: World, view: NodeView, launch: Launch, now: Now, plan: Plan) -> Action | None:
    if view.busy and not _evidence_is_late(view, now, plan):
        return give_up_hand(world, view, launch, now, plan)
    ours = launch.owner == world.peers.me or _falls_to_us(world, view, launch)
    if not (ours or _doubted(view) or _found_dead(view)):
        return None
    if now.mono_s < view.patience.retry_s:
        plan.look_again("node", view.id, view.patience.retry_s)
        return None
    return _judge(world, view, launch, now, plan) if ours else _anothers(view)


def _evidence_is_late(view: NodeView, now: Now, plan: Plan) -> bool:
    """Whether the hand that keeps a machine's evidence has had its time: the rest goes on."""
    if view.busy != EVIDENCE or view.end.failure is None:
        return False
    if now.mono_s < view.end.failure.until_s:
        plan.look_again("node", view.id, view.end.failure.until_s)
        return False
    return True


def _taken(plan: Plan) -> set[NodeId]:
    """Return the nodes that this plan does something with already."""
    taken: set[NodeId] = set()
    for action in plan.actions:
        if isinstance(action, Allocate):
            taken.update(action.nodes)
        elif isinstance(action, Probe | Condemn):
            taken.add(action.node)
    return taken


def _falls_to_us(world: World, view: NodeView, launch: Launch) -> bool:
    return not world.peers.alive(launch.owner) and world.peers.assigned(view.id)


def _anothers(view: NodeView) -> Action:
    """Whoever hands out may look at a node of another replica, and gives it up if it is dead.

    Its owner knows nothing of that look, and would keep for ever what is never handed out here.
    """
    if view.end.refused is not None:
        return Condemn(node=view.id, cause=view.end.refused.cause)
    return Probe(node=view.id)


def _found_dead(view: NodeView) -> bool:
    """Whether a waiting ready node was found dead by us."""
    dead = view.end.refused is not None and not (view.dying or view.locked)
    return dead and view.node is not None and view.node.free


def _doubted(view: NodeView) -> bool:
    """Whether a waiting ready node did not answer the last time, and may yet."""
    doubted = view.look.suspect and view.end.refused is None
    return doubted and view.node is not None and view.node.free


def _judge(world: World, view: NodeView, launch: Launch, now: Now, plan: Plan) -> Action | None:
    if launch.owner != world.peers.me:
        return Adopt(node=view.id)
    if waits_to_be_counted(world, view, launch, now, plan):
        return None
    if view.dying or launch.step is Step.CONDEMNED:
        return _dying(world, view, launch, now, plan)
    if view.node is None:
        return _without_node(world, view)
    return _unwanted(world, view, launch, view.node) or _STEPS[launch.step](
        world, view, view.node, now, plan
    )


def _without_node(world: World, view: NodeView) -> Action | None:
    """The users' record is gone or unreadable: can anybody use the machine any more?"""
    just_made = world.growing > 0 and world.created_here(view.id)
    if view.locked or view.unread or just_made:
        return None
    return Condemn(node=view.id, cause="its node record is gone")


def _unwanted(world: World, view: NodeView, launch: Launch, node: Node) -> Condemn | None:
    """Say whether a node has to go whatever its next step would be."""
    if launch.step is not Step.DONE and view.key not in world.policy.making:
        return Condemn(node=view.id, cause="its label is no longer configured here")
    if view.end.refused is not None and (view.coming or node.free) and not view.locked:
        return Condemn(node=view.id, cause=view.end.refused.cause, result=view.end.refused.result)
    return None


def _planned(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Action | None:
    launch = view.launch
    assert launch is not None  # noqa: S101 - judged only with a launch record
    server = view.server.id
    if server is not None:
        return Advance(node=view.id, launch=launch.after(StepEvent.CREATED, server=server))
    if overdue := _overdue(world, view, node, now, plan):
        return overdue
    if view.server.unasked and world.created_here(view.id):
        return _ask_for(world, view, now, plan)
    # Whether a create call of ours, or of the replica that died, reached the cloud: only a
    # listing begun later than the last moment at which it could have can tell.
    if surely_absent(world, view, launch):
        return Condemn(node=view.id, cause="the create call was lost", result=Result.UNKNOWN)
    plan.look_again("node", view.id, now.mono_s + max(1.0, launch.asked_by_s - now.wall_s))
    return None


def _ask_for(world: World, view: NodeView, now: Now, plan: Plan) -> Action | None:
    """Ask the cloud for a planned node; the configuration may have changed since the intent."""
    if world.halted is not None:
        return None
    launch = view.launch
    assert launch is not None  # noqa: S101 - judged only with a launch record
    if now.wall_s > ask_ends_s(world, launch):
        # Somebody else may have drawn conclusions already: it is never asked for.
        return Condemn(node=view.id, cause="it was not asked for in time")
    if view.looked_up in world.cloud.broken:
        cause = f"{view.key[1]} cannot be made: {world.cloud.broken[view.looked_up]}"
        return Condemn(node=view.id, cause=cause, result=Result.ORDER)
    if view.looked_up not in world.cloud.recipes:
        # Image and flavor are being looked up again, as after every reload.
        plan.look_again("node", view.id, now.mono_s + RECIPE_AGAIN_S)
        return None
    if why := unbootable(world, launch):
        return Condemn(node=view.id, cause=why)
    return CreateServer(node=view.id)


def _booting(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Action | None:
    launch = view.launch
    assert launch is not None  # noqa: S101
    server = view.server.shown
    if server is not None and server.status is ServerStatus.ERROR:
        return Condemn(
            node=view.id, cause=f"the cloud says: {server.fault or 'ERROR'}", result=Result.STATUS
        )
    if server is not None and server.status is ServerStatus.ACTIVE and address(view):
        running = launch.after(StepEvent.ACTIVE, active_s=round(now.wall_s, 3))
        return Advance(node=view.id, launch=running)
    if view.server.missed >= MISSED_LISTINGS_MAX:
        return Condemn(node=view.id, cause="the cloud lost the server", result=Result.STATUS)
    if server is not None and view.server.lifeless >= LIFELESS_LISTINGS_MAX:
        cause = f"the cloud says: {server.status}, before it was up"
        return Condemn(node=view.id, cause=cause, result=Result.STATUS)
    if is_over(world, view, boot_ends_s(world, view, launch, now), now, plan):
        return Condemn(
            node=view.id,
            cause=f"not active after {world.policy.config.boot_timeout:g} s",
            result=Result.CREATE_TIMEOUT,
        )
    return _overdue(world, view, node, now, plan)


def _proving(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Action | None:
    launch = view.launch
    assert launch is not None  # noqa: S101
    if never := _unwelcome(world, node, launch) or _keyless(world, view, launch):
        return never
    if view.proof.passed and view.server.shown is not None:
        return MakeReady(node=view.id)  # though its time be over by now
    if late := out_of_time(world, view, launch, now, plan):
        return blamed(world, view, late)
    if wants_ip(world, view):
        if view.server.port is not None and world.halted is None:
            plan.look_again("node", view.id, hand_ends_s(world, view, launch, now))
            return give(view, view.server.port)
    elif not view.proof.passed and address(view) is not None:
        plan.look_again("node", view.id, hand_ends_s(world, view, launch, now))
        return Prove(node=view.id)
    # The next look at ports brings the one; or it was adopted from a replica that died, and the
    # next listing brings the address.
    return None


def _unwelcome(world: World, node: Node, launch: Launch) -> Condemn | None:
    """Say whether nobody wants the machine that is being made."""
    if node.state is not NodeState.BUILDING:
        # Only we may write a node that is being made; whoever else did does not want it made.
        return Condemn(node=node.id, cause=f"somebody set it to {node.state}")
    if node.allocated_to and launch.for_request and not world.request_exists(launch.for_request):
        return Condemn(node=node.id, cause="its request is gone")
    return outdated(world, world.nodes.views[node.id], launch)


def _keyless(world: World, view: NodeView, launch: Launch) -> Condemn | None:
    """Refuse a machine in the making if no key is known of it that the configuration demands.

    Ready ones that were made before it did stay: no change of it may end all of them at once.
    """
    making = world.policy.making.get(view.key)
    if launch.host_key is not None or making is None or making.host_keys != INJECT:
        return _lost_key(view, launch)
    return _unknown_key(view)


def _lost_key(view: NodeView, launch: Launch) -> Condemn | None:
    return _unknown_key(view) if launch.keyless else None


def _left_by_builder(world: World, view: NodeView, launch: Launch) -> Condemn | None:
    """End a machine for an image whose request is gone: it is no stock, for nobody else gets it."""
    asked = launch.for_request
    if labelled_image(view.key[1]) is None or (asked and world.request_exists(asked)):
        return None
    return Condemn(node=view.id, cause="its request is gone, and it was made for that alone")


def _unknown_key(view: NodeView) -> Condemn:
    # Whatever presents itself would be believed, also at looks while it waits.
    return Condemn(node=view.id, cause="no host key of ours is known of it (host-keys: inject)")


def _overdue(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Condemn | None:
    launch = view.launch
    assert launch is not None  # noqa: S101 - judged only with a launch record
    if unwelcome := _unwelcome(world, node, launch):
        return unwelcome
    if is_over(world, view, launch_ends_s(world, view, launch, now), now, plan):
        return late_launch(world, launch)
    return None


def _done(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Action | None:
    launch = view.launch
    assert launch is not None  # noqa: S101 - judged only with a launch record
    if node.state is NodeState.READY:
        return _ready(world, view, node, now, plan)
    if node.state is NodeState.HOLD:
        return _held(world, view, node, now, plan)
    if view.locked:
        # Whoever holds the lock uses it: nobody's machine dies.
        if node.state is not NodeState.IN_USE:
            return given_back(view, launch, node, now, plan)
        if not ({HOLD_KEY, CAPTURE_KEY} & node.doc.keys() or launch.capture or launch.take_home):
            return None  # as of nearly all
        step = answer(world, view, node, now, plan) or capture(world, view, launch, node)
        return step or take_home(world, view, launch, node)
    gone = node.state is NodeState.IN_USE
    # used, deleting, and what other programs may write: nobody wants it any more.
    cause = "its user went away" if gone else f"{node.state}"
    return let_go(world, view, node, now, plan, cause=cause)


def _held(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Action | None:
    launch = view.launch
    assert launch is not None  # noqa: S101 - judged only with a launch record
    # Under another's lock it goes on in our own record alone.
    if launch.hold is not None and launch.hold.begun and not view.locked:
        taken = take_home(world, view, launch, node)
        if taken is not None:
            return taken
    ends_s = under_way(world, view.id, now.wall_s)
    if ends_s is None:
        step = hold(world, view, node, now, plan)
        return step or keep_open(world, view, launch, node, now)
    plan.look_again("node", view.id, now.mono_s + ends_s - now.wall_s)
    return only_answers(world, view, node, now)


def _ready(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Action | None:
    if view.locked:
        return None
    if node.allocated_to is not None:
        if world.request_exists(node.allocated_to):
            return not_handed_out(world, view, node.allocated_to)
        return Free(node=view.id, cause=f"{node.allocated_to} is gone")
    assert view.launch is not None  # noqa: S101 - judged only with a launch record
    spoiled = _lost_key(view, view.launch) or outdated(world, view, view.launch)
    spoiled = spoiled or _left_by_builder(world, view, view.launch)
    spoiled = spoiled or left(world, view, view.launch)
    spoiled = spoiled or unused(world, view, view.launch)
    return spoiled or _waiting_ready(world, view, node, now, plan)


def _waiting_ready(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Action | None:
    """Judge a ready node that is promised to nobody: its age and its health."""
    label = world.policy.labels.get(view.key[1])
    if view.key not in world.policy.making or label is None:
        return Condemn(node=view.id, cause="its label is no longer configured here")
    if label.max_ready_age is not None:
        ends_s = node.state_time_s + label.max_ready_age
        if now.wall_s >= ends_s:
            return Condemn(node=view.id, cause=f"ready for {now.wall_s - node.state_time_s:.0f} s")
        plan.look_again("node", view.id, now.mono_s + ends_s - now.wall_s)
    if _doubted(view):
        return Probe(node=view.id)
    stopped = view.server.status in _NOT_RUNNING
    if stopped or view.server.missed >= MISSED_LISTINGS_MAX:
        # The listing may lie: what the machine itself answers counts more.
        again_s = view.look.checked_s + world.policy.config.list_period
        if now.mono_s >= again_s:
            return Probe(node=view.id)
        plan.look_again("node", view.id, again_s)
    if label.recheck is not None:
        due_s = view.look.checked_s + label.recheck
        if now.mono_s >= due_s:
            return Probe(node=view.id)
        plan.look_again("node", view.id, due_s)
    return None


def _dying(world: World, view: NodeView, launch: Launch, now: Now, plan: Plan) -> Action | None:
    if world.halted is not None or view.locked or view.unread:
        return None  # of a record that we have not read, or may not, nobody knows who wants it
    if view.node is not None and view.node.state not in ENDED_STATES:
        # Whoever wrote that it is condemned has not proven that nobody wants it. So we do, when
        # nobody does; until then its users' record says what it is for.
        if view.node.free:
            return Condemn(node=view.id, cause="its launch record says so")
        return _done(world, view, view.node, now, plan)
    return dying(world, view, launch, now, plan)


_STEPS: Final[dict[Step, Callable[[World, NodeView, Node, Now, Plan], Action | None]]] = {
    Step.PLANNED: _planned,
    Step.BOOTING: _booting,
    Step.PROVING: _proving,
    Step.DONE: _done,
}
