"""Deadlines of launches: what counts against a machine, and what has to be known before it does.

Nothing counts that is ours or the cloud's: not the wait for a place in a lane, nor the time in
which we had no connection to ZooKeeper; and what a listing would tell is not judged without one.
"""

from typing import Final

from launcher.actions import Plan
from launcher.image.first_use import more_s
from launcher.node.view import NodeView
from launcher.server.addressing import wants_ip
from launcher.world import World
from remuda.model.launch import Launch, Step
from remuda.runtime.now import Now
from remuda.ssh.api import ProofStep

#: Steps of a proof that run on the machine: somebody is in.
SCRIPTS: Final = frozenset({ProofStep.STEP, ProofStep.SETUP, ProofStep.CHECK})
#: A cloud that shows no listing for so long past a deadline is believed to have no machine.
BLIND_S_MAX: Final = 600.0
#: A hand that is this much over its own deadline does not come back.
HAND_GRACE_S: Final = 5.0
#: A first look at a machine may take so long though the time for its login is over: whoever takes
#: a launch over has not seen yet that nobody gets in.
FIRST_LOOK_S: Final = 20.0


def launch_ends_s(world: World, view: NodeView, launch: Launch, now: Now) -> float:
    """Return when a machine has to be ready (wall clock)."""
    return launch.planned_s + launch_limit_s(world, launch) + _waited_s(world, view, now)


def launch_limit_s(world: World, launch: Launch) -> float:
    """Return how long a launch may take, s; one that runs a recipe has time for that besides."""
    return world.policy.config.launch_timeout + more_s(world, launch)


def boot_ends_s(world: World, view: NodeView, launch: Launch, now: Now) -> float:
    """Return when the cloud has to call a machine active (wall clock)."""
    return launch.planned_s + world.policy.config.boot_timeout + _waited_s(world, view, now)


def login_counts_from_s(view: NodeView, launch: Launch) -> float | None:
    """Return since when somebody should get in (wall clock), or None: that does not count."""
    if launch.active_s is None or logged_in(view, launch):
        return None
    return (
        launch.active_s
        if view.address.reached_s is None
        else max(launch.active_s, view.address.reached_s)
    )


def logged_in(view: NodeView, launch: Launch) -> bool:
    """Whether somebody got in: seen by us, or by whoever wrote how far the proof was."""
    return view.proof.logged_in or launch.proof_step in SCRIPTS


def login_ends_s(world: World, view: NodeView, launch: Launch, now: Now) -> float | None:
    """Return until when somebody has to get into a machine (wall clock), or None: that is all."""
    from_s = login_counts_from_s(view, launch)
    if from_s is None or wants_ip(world, view):
        return None
    waited_s = max(0.0, _waited_s(world, view, now) - view.patience.waited_active_s)
    return from_s + world.policy.config.login_timeout + waited_s


def attempt_ends_s(world: World, view: NodeView, launch: Launch, now: Now) -> float:
    """Return until when an attempt that begins now has to have logged in (wall clock)."""
    login_s = login_ends_s(world, view, launch, now)
    if login_s is not None and view.proof.last is None:
        login_s = max(login_s, now.wall_s + FIRST_LOOK_S)
    launch_s = launch_ends_s(world, view, launch, now)
    return launch_s if login_s is None else min(launch_s, login_s)


def ask_ends_s(world: World, launch: Launch) -> float:
    """Return until when the cloud may be asked for a machine (wall clock).

    The call has its own time-out after that; then whoever takes the launch over may conclude.
    """
    return launch.asked_by_s - world.policy.config.api_timeout


def mono_s(wall_s: float, now: Now) -> float:
    """Return a time of the wall clock as a monotonic one."""
    return now.mono_s + wall_s - now.wall_s


def is_over(world: World, view: NodeView, ends_s: float, now: Now, plan: Plan) -> bool:
    """Whether a deadline has passed that counts; if not, it is looked at again in time.

    A listing tells of it that was begun later, by the wall clock, as the deadline is.
    """
    if now.wall_s < ends_s:
        plan.look_again("node", view.id, mono_s(ends_s, now))
        return False
    if not _needs_listing(view) or world.cloud.complete_wall_s >= ends_s:
        return True
    blind_ends_s = ends_s + BLIND_S_MAX
    if now.wall_s < blind_ends_s:
        # The next listing puts it on the agenda.
        plan.look_again("node", view.id, mono_s(blind_ends_s, now))
        return False
    return True


def hand_ends_s(world: World, view: NodeView, launch: Launch, now: Now) -> float:
    """Return when a hand at work on a machine is given up (monotonic)."""
    return mono_s(launch_ends_s(world, view, launch, now), now) + HAND_GRACE_S


def _waited_s(world: World, view: NodeView, now: Now) -> float:
    return view.patience.waited_s + now.mono_s - world.lanes.since.get(view.id, now.mono_s)


def _needs_listing(view: NodeView) -> bool:
    """Whether only a listing tells how far the machine is: else we look at it ourselves."""
    proving = view.launch is not None and view.launch.step is Step.PROVING
    return not (proving and view.server.shown is not None)
