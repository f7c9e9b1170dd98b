"""Machines whose time is over: which limit it was, and what they failed last."""

from dataclasses import replace
from typing import Final

from launcher.actions import Plan
from launcher.node.actions import Condemn
from launcher.node.blame import failed_step
from launcher.node.deadlines import (
    hand_ends_s,
    is_over,
    launch_ends_s,
    launch_limit_s,
    login_ends_s,
)
from launcher.node.view import NodeView
from launcher.server.addressing import unaddressed, wants_ip
from launcher.world import World
from remuda.metrics.results import Result
from remuda.model.launch import Launch, Step
from remuda.runtime.now import Now

#: What hands do to a machine that is proven: it counts against its time.
_MAKING: Final = frozenset({"prove", "address"})


def give_up_hand(
    world: World, view: NodeView, launch: Launch, now: Now, plan: Plan
) -> Condemn | None:
    """Condemn a machine at which a hand has worked for too long: it may never come back."""
    if view.busy not in _MAKING or view.dying or launch.step is not Step.PROVING:
        return None
    due_s = hand_ends_s(world, view, launch, now)
    if now.mono_s < due_s:
        plan.look_again("node", view.id, due_s)
        return None
    late = late_launch(world, launch)
    return blamed(world, view, replace(late, cause=f"{late.cause} ({view.busy} hangs)"))


def out_of_time(
    world: World, view: NodeView, launch: Launch, now: Now, plan: Plan
) -> Condemn | None:
    """Say whether a machine has to be ready by now, or to have let somebody in.

    For the login it is not blamed before we have tried: we may just have taken it over.
    """
    if is_over(world, view, launch_ends_s(world, view, launch, now), now, plan):
        return late_launch(world, launch)
    login_s = login_ends_s(world, view, launch, now)
    if view.proof.last is None or login_s is None:
        return None
    return _unreached(world, launch) if is_over(world, view, login_s, now, plan) else None


def late_launch(world: World, launch: Launch) -> Condemn:
    """Return the end of a launch that took too long in all."""
    limit_s = launch_limit_s(world, launch)
    return Condemn(
        node=launch.id,
        cause=f"{launch.step} for too long: not ready after {limit_s:g} s",
        result=Result.SSH if launch.step is Step.PROVING else Result.CREATE_TIMEOUT,
    )


def _unreached(world: World, launch: Launch) -> Condemn:
    limit_s = world.policy.config.login_timeout
    return Condemn(
        node=launch.id,
        cause=f"it runs, but nobody could log in for {limit_s:g} s",
        result=Result.SSH,
    )


def blamed(world: World, view: NodeView, overdue: Condemn) -> Condemn:
    """Say what a machine that ran out of time failed last: no address, no answer, no login."""
    if wants_ip(world, view):
        lack = unaddressed(world, view)
        return replace(overdue, cause=f"{overdue.cause}; {lack.cause}", result=lack.result)
    proof = view.proof.last
    if proof is None or proof.ok or proof.stopped:
        return overdue
    return replace(overdue, cause=f"{overdue.cause}; {proof.why}", result=failed_step(proof))
