"""What is done now and then for the provider as a whole: listing, survey, tidying, rescue."""

from launcher.actions import Plan
from launcher.lanes import LISTING, SURVEY, TIDYING
from launcher.provider.actions import Rescue, Survey, Tidy
from launcher.server.actions import ListServers
from launcher.world import World
from remuda.runtime.now import Now


def poll_cloud(world: World, now: Now, plan: Plan) -> None:
    """Add the listing and the survey when they are due, and their alarms."""
    poll_servers(world, now, plan)
    cloud = world.cloud
    if SURVEY not in world.busy:
        doubted_due_s = cloud.doubted_due_s if cloud.doubted else float("inf")
        if now.mono_s >= cloud.survey_due_s:
            plan.do(Survey())
        elif now.mono_s >= doubted_due_s:
            plan.do(Survey(only=frozenset(cloud.doubted)))
        else:
            plan.look_again("cloud", "survey", min(cloud.survey_due_s, doubted_due_s))


def poll_servers(world: World, now: Now, plan: Plan) -> None:
    """Add the listing when it is due, and its alarm."""
    if LISTING in world.busy:
        return
    due_s = _list_due_s(world)
    if now.mono_s >= due_s:
        plan.do(ListServers(number=world.cloud.listing + 1))
    else:
        plan.look_again("cloud", "list", due_s)


def _list_due_s(world: World) -> float:
    """Return when the next listing is due: soon while our own nodes wait for the cloud."""
    cloud, config = world.cloud, world.policy.config
    if cloud.list_failures:
        return cloud.list_due_s
    if world.expecting():
        return cloud.listed_s + config.list_period
    return cloud.listed_s + config.idle_list_period


def tidy(world: World, now: Now, plan: Plan) -> None:
    """Add a round of tidying when it is due; one replica does it for all."""
    if world.halted is not None or TIDYING in world.busy or not world.peers.assigned("tidy"):
        return
    if now.mono_s < world.cloud.tidy_due_s:
        plan.look_again("cloud", "tidy", world.cloud.tidy_due_s)
    else:
        plan.do(Tidy())


def rescue(world: World, plan: Plan) -> None:
    """Give back what providers without a living launcher had claimed."""
    for provider in sorted(world.rescues):
        if not world.peers.provider_alive(provider):
            plan.do(Rescue(provider=provider))
