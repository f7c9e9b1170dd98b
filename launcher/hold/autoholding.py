"""Which failed machine an autohold keeps: never the last room of a pool. Pure."""

from dataclasses import replace
from typing import Final

from launcher.actions import Action, Plan
from launcher.hold.actions import DropAutohold, KeepNode, NoteHold
from launcher.hold.granting import begun
from launcher.hold.limits import being_counted, over_limit, too_long, wait_for_count
from launcher.node.actions import Condemn
from launcher.node.budget import Budget
from launcher.node.view import NodeView
from launcher.world import World
from remuda.model.autohold import Autohold
from remuda.model.capture import requestor_of
from remuda.model.hold import Hold, HoldSource
from remuda.model.imageask import labelled_image
from remuda.model.job import Job, job_of_node
from remuda.model.jobreport import report_of
from remuda.model.launch import Step
from remuda.model.node import Node, NodeState
from remuda.runtime.now import Now

#: What is over is shown for so long.
SHOWN_S: Final = 7 * 86_400.0
_LET_GO: Final = frozenset({NodeState.USED, NodeState.IN_USE})


def let_go(
    world: World, view: NodeView, node: Node, now: Now, plan: Plan, *, cause: str
) -> Action | None:
    """Return what becomes of a node that its job has let go: kept, or condemned for *cause*.

    None: it waits for a moment.
    """
    ends = Condemn(node=view.id, cause=cause)
    launch = view.launch
    hold = None if launch is None else launch.hold
    living = launch is not None and launch.step is Step.DONE and node.state in _LET_GO
    if not living or (hold is not None and hold.begun):
        return ends  # it was kept once, and its people have given it back
    if hold is not None and hold.granted:
        return KeepNode(node=view.id, hold=begun(world, hold, now))
    waiting = fires(world, view, node, now, plan)
    if waiting is None:
        return ends
    if _counted_down(world, waiting, plan) or being_counted(world, plan):
        wait_for_count(view, now, plan)
        return None
    why = _refusal(world, view, waiting, now, plan)
    if why is None:
        return _keep(world, view, node, waiting, now)
    return replace(ends, cause=f"{cause}; autohold {waiting.id} does not keep it: {why}")


def _keep(world: World, view: NodeView, node: Node, waiting: Autohold, now: Now) -> KeepNode:
    job = job_of_node(node.doc)
    kept = Hold(
        owner=waiting.owner,
        reason=waiting.reason,
        source=HoldSource.AUTOHOLD,
        for_s=waiting.for_s,
        job=None if job is None else job.text,
        autohold=waiting.id,
    )
    return KeepNode(node=view.id, hold=begun(world, kept, now), fires=waiting.id)


def fires(world: World, view: NodeView, node: Node, now: Now, plan: Plan) -> Autohold | None:
    """Return the oldest autohold that waits for the failure on a node, or None."""
    if not world.autoholds.stored or labelled_image(view.key[1]) is not None:
        return None
    report = report_of(node)
    if report is None or report.ok:
        return None
    names, requestor = _jobs(job_of_node(node.doc), node), requestor_of(node)
    waiting = [
        one.value
        for one in world.autoholds.stored.values()
        if one.value.waits(now.wall_s)
        and one.value.matches(label=view.key[1], requestor=requestor, jobs=names)
    ]
    found = min(waiting, key=lambda one: (one.made_s, one.id), default=None)
    held = node.state is NodeState.HOLD
    return None if found is None or (held and _counted_down(world, found, plan)) else found


def sweep_autoholds(world: World, now: Now, plan: Plan) -> None:
    """Have autoholds removed that were over long ago; at once if others wait for their room."""
    shown_s = 0.0 if world.autoholds.full else SHOWN_S
    for stored in world.autoholds.stored.values():
        one = stored.value
        over_s = min(one.until_s, max((f.at_s for f in one.fired), default=one.until_s))
        if not one.waits(now.wall_s) and now.wall_s >= over_s + shown_s:
            plan.do(DropAutohold(autohold=one.id, version=stored.version))


def _jobs(job: Job | None, node: Node) -> tuple[str, ...]:
    """Return the names that a job may be meant by."""
    names = [node.doc.get("hold_job")] if node.state is NodeState.HOLD else []
    if job is not None:
        names += [job.job, job.text]
    return tuple(one for one in names if isinstance(one, str) and one)


def _counted_down(world: World, autohold: Autohold, plan: Plan) -> bool:
    """Whether a machine is being kept for an autohold: one at a time succeeds."""
    actions = (*plan.actions, *world.busy.under_way().values())
    return any(isinstance(one, KeepNode | NoteHold) and one.fires == autohold.id for one in actions)


def _refusal(world: World, view: NodeView, waiting: Autohold, now: Now, plan: Plan) -> str | None:
    """Return why a machine is not kept although an autohold waits for it, or None."""
    pool, label = view.key
    if pool not in world.policy.pools:
        return "its pool is not configured any more"
    if pool in world.blocked:
        return f"request {world.blocked[pool]} waits for room in pool {pool}"
    free = world.policy.holds.autohold.keep_free
    short = Budget.of(world, now).no_room_for(pool, {label: free}) if free else None
    if short is not None:
        return f"the last room is for requests ({short.reason}; holds: keep-free)"
    return too_long(world, waiting.for_s) or over_limit(world, view, waiting.owner, plan)
