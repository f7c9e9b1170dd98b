"""The listing against the records: which leaks may be deleted, and why others may not.

Nothing is deleted on the word of an empty store, a lying list, a stale view or a changed id: a
leak must be seen for a while, for minutes if somebody may work on it, be one that this store can
have known, and be one of few. Right before the call ZooKeeper is asked anew (hand_records.py).
An operator may permit what the brake stops (docs/adr/0013-what-may-be-deleted.md).
"""

from typing import Final

from launcher.actions import Plan
from launcher.lanes import leak
from launcher.provider.actions import DropPermit
from launcher.server.actions import DeleteLeak
from launcher.server.strays import CLOUD_SKEW_S, Origin, Stray
from launcher.world import World
from remuda.model.permit import LIFE_S
from remuda.runtime.now import Now

SIGHTINGS_MIN: Final = 2
#: Twice as long as a leader of ZooKeeper that was cut off takes to notice it (syncLimit, usually
#: ten seconds), so that a fresh read shows the record of a server that has been seen for so long.
LEAK_S: Final = 20.0
#: The same for a machine that somebody may work on.
USED_LEAK_S: Final = 300.0
#: After its start a launcher sweeps nothing for so long.
GRACE_S: Final = 120.0
#: More leaks than this at once, and more than this part of our nodes, look like a lost store
#: rather than like leaks; where there are few nodes, there are few leaks.
LEAKS_MAX: Final = 5
LEAK_PART_MAX: Final = 0.2


def sweep(world: World, now: Now, plan: Plan) -> None:
    """Add a DeleteLeak for each sure leak, and say why there is none if the sweep is stopped."""
    unasked, plan.brake = leaks(world, now)
    plan.swept = True
    if not world.peers.assigned("sweep"):
        return
    permitted = _permitted(world, now, plan)
    if world.halted is not None:
        return
    search = world.may_have_floating_ips()
    for stray in {one.server.id: one for one in (*permitted, *unasked)}.values():
        plan.do(
            DeleteLeak(server=stray.server.id, node=stray.node, cause="no record", search=search)
        )


def leaks(world: World, now: Now) -> tuple[list[Stray], str | None]:
    """Return the leaks that may be deleted unasked, and why none may, or None."""
    if world.halted is not None:
        return [], world.halted
    sure = [stray for stray in world.cloud.strays.values() if _sure(world, stray, now)]
    ours = [stray for stray in sure if made_here(world, stray)]
    how = f"look at them with `remuda cloud sweep {world.policy.provider}`"
    if len(ours) > (bound := _bound(world) if ours else 0):
        return [], (
            f"{_servers(len(ours))} our tag but no record here, more than {bound} at once:"
            f" is this the right ZooKeeper? Nothing is deleted; {how}"
        )
    idle = [stray for stray in ours if leak(stray.server.id) not in world.busy]
    if len(ours) < len(sure):
        return idle, (
            f"{_servers(len(sure) - len(ours))} our tag, but cannot have been made from this"
            f" ZooKeeper's records: they stay; {how}"
        )
    return idle, None


def made_here(world: World, stray: Stray) -> bool:
    """Whether this store can have known the server: else it is another installation's, perhaps."""
    origin = Origin(drawn=world.drawn, installation_s=world.installation_s)
    return origin.made(stray.server, stray.node)


def _servers(count: int) -> str:
    return f"{count} server carries" if count == 1 else f"{count} servers carry"


def _bound(world: World) -> int:
    """Return how many leaks are likely: counted from the nodes that have records *here*."""
    known = sum(view.server.surely_ours for view in world.nodes.views.values())
    return max(1, min(LEAKS_MAX, known), int(LEAK_PART_MAX * known))


def _sure(world: World, stray: Stray, now: Now) -> bool:
    """Whether a stray is a leak, as far as we see."""
    if stray.node is not None and stray.node in world.nodes.views:
        return False  # a second one of its node: it goes after the node
    settled = now.mono_s - world.awake_since_s >= GRACE_S
    return settled and _seen_for(stray, USED_LEAK_S if stray.may_be_in_use else LEAK_S, now)


def _seen_for(stray: Stray, seconds: float, now: Now) -> bool:
    return stray.sightings >= SIGHTINGS_MIN and now.mono_s - stray.since_s >= seconds


def _permitted(world: World, now: Now, plan: Plan) -> list[Stray]:
    """Return the strays that an operator has named; the permission ends with the last of them.

    Both the permission and the id of the installation are records, and who forges them would have
    another's servers deleted: those that this store cannot have known go only if the configuration
    says, too, that the id is ours.
    """
    given = world.cloud.permit
    if given is None:
        return []
    named = [
        stray
        for server, stray in world.cloud.strays.items()
        if server in given.permit.servers
        and stray.node not in world.nodes.views
        and (world.policy.pinned or made_here(world, stray))
    ]
    used_up = not named and world.cloud.listing > given.listing
    # One that lasts longer than the command's was not written by it.
    rest_s = given.permit.until_s - now.wall_s
    if used_up or not 0 < rest_s <= LIFE_S + CLOUD_SKEW_S:
        plan.do(DropPermit(version=given.version))
        return []
    return [
        stray
        for stray in named
        if _seen_for(stray, LEAK_S, now) and leak(stray.server.id) not in world.busy
    ]
